//! What a command leaves behind: one file format for all of them, with a version.

use std::path::Path;

use serde::{Deserialize, Serialize};

use super::Report;
use crate::command::{Calibration, Collection, Comparison, Search, Sweep};
use crate::error::LoadError;

/// The version of the file format that this program writes and reads.
pub const FORMAT: u32 = 1;

/// The content of a report file.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Document {
    /// [`FORMAT`] of the program that wrote it.
    pub format: u32,
    /// What was found.
    #[serde(flatten)]
    pub body: Body,
}

/// What was found, by what was asked for. The keys of a run stand at the top of its file.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "lowercase")]
pub enum Body {
    /// One run, or several merged.
    Run(Box<Report>),
    /// A grid of runs.
    Sweep(Box<Sweep>),
    /// The search for the highest rate that holds an objective.
    Search(Box<Search>),
    /// Two targets beside each other.
    Compare(Box<Comparison>),
    /// The generator's own ceiling.
    Calibrate(Box<Calibration>),
    /// Several findings beside each other.
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
    /// Every report that was made on the way to what was found, whole or without its timeline.
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

    /// The file's text.
    pub fn to_json(&self) -> String {
        let text = serde_json::to_string_pretty(self);
        text.unwrap_or_else(|error| unreachable!("a document has a text: {error}")) + "\n"
    }

    /// Reads a file that this program wrote: as JSON, or as a page that has it within.
    ///
    /// # Errors
    /// When it cannot be read, is of another version, or is not one of ours.
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
        let foreign = |error: serde_json::Error| format!("it is no report of ours: {error}");
        let version: Version = serde_json::from_str(text).map_err(foreign)?;
        match version.format {
            Some(FORMAT) => serde_json::from_str(text).map_err(foreign),
            Some(other) => Err(format!("it has format {other}, not {FORMAT}")),
            None => Err("it has no format, so corespun-load did not write it".to_owned()),
        }
    }
}

/// What stands before the report in a page.
pub(crate) const EMBEDDED: &str = "<script type=\"application/json\" id=\"data\">";

/// The report within a page; anything else as it is.
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
