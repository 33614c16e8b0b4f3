//! Where findings go: files for people, for programs and for other tools.

mod args;
mod csv;
mod file;
mod hdr_log;
mod hgrm;
mod html;
mod prometheus;

use std::path::{Path, PathBuf};

use crate::chart::charts;
use crate::error::LoadError;
use crate::report::{Body, Document};

pub use args::{OutputArgs, WatchArgs};
pub use hdr_log::HdrLog;

use file::OutputFile;

/// The files that were asked for, opened before the run so that an hour's work is not lost to a
/// typing mistake.
#[derive(Debug, Default)]
pub struct Outputs {
    files: Vec<(Format, OutputFile)>,
    charts: Option<PathBuf>,
}

/// What a file is to hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Format {
    Json,
    Html,
    Csv,
    Prometheus,
    Hgrm,
}

impl Outputs {
    /// Opens every file that was asked for.
    ///
    /// # Errors
    /// When the system refuses one.
    pub fn open(args: &OutputArgs) -> Result<Self, LoadError> {
        let asked = [
            (Format::Json, &args.json),
            (Format::Html, &args.html),
            (Format::Csv, &args.csv),
            (Format::Prometheus, &args.prometheus),
            (Format::Hgrm, &args.hgrm),
        ];
        let files = asked
            .into_iter()
            .filter_map(|(format, path)| Some((format, path.as_deref()?)))
            .map(|(format, path)| Ok((format, OutputFile::open(path)?)));
        Ok(Self {
            files: files.collect::<Result<_, LoadError>>()?,
            charts: args.svg.as_deref().map(folder).transpose()?,
        })
    }

    /// Writes the findings to every file.
    ///
    /// # Errors
    /// When the system refuses, or a format has no way to show what was found.
    pub fn write(self, document: &Document) -> Result<(), LoadError> {
        for (format, file) in self.files {
            let text = render(format, document).map_err(|cause| file.failure(cause))?;
            file.write(text.as_bytes())?;
        }
        match self.charts {
            Some(folder) => write_charts(&folder, document),
            None => Ok(()),
        }
    }
}

/// Makes the folder for charts.
fn folder(path: &Path) -> Result<PathBuf, LoadError> {
    let made = std::fs::create_dir_all(path);
    made.map_err(|error| file::failure(path, error.to_string()))?;
    Ok(path.to_owned())
}

fn write_charts(folder: &Path, document: &Document) -> Result<(), LoadError> {
    let charts = charts(document).map_err(|cause| file::failure(folder, cause))?;
    for chart in charts {
        let path = folder.join(format!("{}.svg", chart.name));
        OutputFile::open(&path)?.write(chart.standalone().as_bytes())?;
    }
    Ok(())
}

fn render(format: Format, document: &Document) -> Result<String, String> {
    match (format, &document.body) {
        (Format::Json, _) => Ok(document.to_json()),
        (Format::Html, _) => html::page(document),
        (Format::Csv, _) => Ok(csv::table(document)),
        (Format::Prometheus, _) => prometheus::text(document),
        (Format::Hgrm, Body::Run(report)) => hgrm::text(&report.histograms.response.unpack()?),
        (Format::Hgrm, _) => Err("only a run has one distribution".to_owned()),
    }
}
