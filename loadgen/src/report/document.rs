//! Report file of all commands: one format with a version.

use std::path::Path;

use serde::{Deserialize, Serialize};

use super::Report;
use crate::command::{Calibration, Collection, Comparison, Search, Sweep};
use crate::error::LoadError;

/// Version of the file format that this program writes and reads.
pub const FORMAT: u32 = 1;

/// Content of a report file.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Document {
    /// Version of the file format ([`FORMAT`] of the program that wrote it).
    pub format: u32,
    /// Result in the file.
    #[serde(flatten)]
    pub body: Body,
}

/// Result of a command. The keys of a run are at the top level of its file.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "lowercase")]
pub enum Body {
    /// One run, or several merged.
    Run(Box<Report>),
    /// A grid of runs.
    Sweep(Box<Sweep>),
    /// Search for the highest rate that meets an objective.
    Search(Box<Search>),
    /// Comparison of two targets.
    Compare(Box<Comparison>),
    /// Upper limit of the generator itself.
    Calibrate(Box<Calibration>),
    /// Several results shown together.
    Collection(Box<Collection>),
}

impl From<Body> for Document {
    fn from(body: Body) -> Self {
        Self {
            format: FORMAT,
            body,
        }
    }
}

impl Document {
    /// Returns every report within the result, with or without its timeline.
    pub fn reports(&self) -> Vec<&Report> {
        match &self.body {
            Body::Run(report) => vec![report],
            Body::Sweep(sweep) => sweep.reports().collect(),
            Body::Search(search) => search.confirmation.iter().map(|report| &**report).collect(),
            Body::Compare(comparison) => {
                let both = [&comparison.a, &comparison.b];
                both.into_iter().filter_map(Option::as_deref).collect()
            }
            Body::Calibrate(calibration) => vec![&calibration.null],
            Body::Collection(collection) => {
                let findings = collection.findings.iter();
                findings.flat_map(|found| found.finding.reports()).collect()
            }
        }
    }

    /// Returns the content of the JSON file.
    pub fn to_json(&self) -> String {
        let text = serde_json::to_string_pretty(self);
        text.unwrap_or_else(|error| unreachable!("a document has a text: {error}")) + "\n"
    }

    /// Reads a report file as JSON, or from an HTML page that embeds it.
    ///
    /// # Errors
    /// The file cannot be read, has another format version, or is not a report.
    pub fn read(path: &Path) -> Result<Self, LoadError> {
        let failed = |cause: String| LoadError::Input {
            path: path.to_owned(),
            cause,
        };
        let text = std::fs::read_to_string(path).map_err(|error| failed(error.to_string()))?;
        Self::parse(embedded(&text)).map_err(failed)
    }

    fn parse(text: &str) -> Result<Self, String> {
        #[derive(Deserialize)]
        struct Version {
            format: Option<u32>,
        }
        let foreign =
            |error: serde_json::Error| format!("it is not a report of corespun-load: {error}");
        let version: Version = serde_json::from_str(text).map_err(foreign)?;
        match version.format {
            Some(FORMAT) => serde_json::from_str(text).map_err(foreign),
            Some(other) => Err(format!("it has format {other}, not {FORMAT}")),
            None => {
                Err("it has no format version, so it is not a report of corespun-load".to_owned())
            }
        }
    }
}

/// Text before the report in an HTML page.
pub(crate) const EMBEDDED: &str = "<script type=\"application/json\" id=\"data\">";

/// Returns the report embedded in a page; any other text is returned unchanged.
fn embedded(text: &str) -> &str {
    match text.split_once(EMBEDDED) {
        Some((page, rest)) if page.starts_with("<!doctype html>") => {
            rest.split("</script>").next().unwrap_or(rest)
        }
        _ => text,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_document_is_read_as_it_was_written() {
        let report = crate::report::tests::report("--rate 999 --connections 2", 1996);
        let document = Document::from(Body::Run(Box::new(report)));
        let text = document.to_json();
        let read = Document::parse(&text).unwrap();
        assert_eq!(read.to_json(), text);
    }

    #[test]
    fn what_is_not_ours_is_named() {
        let cases = [
            ("{", "EOF"),
            ("{}", "no format"),
            (r#"{"format": 7}"#, "format 7, not 1"),
            (r#"{"format": 1, "kind": "walk"}"#, "walk"),
        ];
        for (text, wanted) in cases {
            let error = Document::parse(text).unwrap_err();
            assert!(error.contains(wanted), "{text}: {error}");
        }
    }
}
