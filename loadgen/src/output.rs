//! Output of results to files, for people and for other tools.

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
pub(crate) use file::{is_stdout, stream};
pub use hdr_log::HdrLog;

use file::OutputFile;

/// Requested output files, opened before the run so that a wrong path is reported at once.
#[derive(Debug, Default)]
pub struct Outputs {
    files: Vec<(Format, OutputFile)>,
    charts: Vec<PathBuf>,
    to_stdout: bool,
}

/// Format of an output file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Format {
    Json,
    Html,
    Csv,
    Prometheus,
    Hgrm,
}

/// Output path with the name of its flag.
pub(crate) type Named<'a> = (&'static str, &'a Path);

impl Outputs {
    /// Opens every requested file.
    ///
    /// # Errors
    /// The system refuses one, or two are the same file.
    pub fn open(args: &OutputArgs) -> Result<Self, LoadError> {
        Self::open_beside(args, &[])
    }

    /// Opens every requested file; `others` are outputs that another module writes.
    ///
    /// # Errors
    /// The system refuses one, or two are the same file, `others` included.
    pub(crate) fn open_beside(args: &OutputArgs, others: &[Named<'_>]) -> Result<Self, LoadError> {
        let asked = [
            ("--json", Format::Json, &args.json),
            ("--html", Format::Html, &args.html),
            ("--csv", Format::Csv, &args.csv),
            ("--prometheus", Format::Prometheus, &args.prometheus),
            ("--hgrm", Format::Hgrm, &args.hgrm),
        ];
        let files = asked.iter().flat_map(|(flag, format, paths)| {
            paths
                .iter()
                .map(move |path| (*flag, *format, path.as_path()))
        });
        let named = files.clone().map(|(flag, _, path)| (flag, path));
        let named: Vec<_> = named.chain(others.iter().copied()).collect();
        tell_apart(&named)?;
        if let Some(folder) = args.svg.iter().find(|folder| is_stdout(folder)) {
            let cause = "charts are several files: give a folder";
            return Err(LoadError::flag("--svg", folder.to_string_lossy(), cause));
        }
        let files = files.map(|(_, format, path)| Ok((format, OutputFile::open(path)?)));
        Ok(Self {
            files: files.collect::<Result<_, LoadError>>()?,
            charts: args
                .svg
                .iter()
                .map(|path| folder(path))
                .collect::<Result<_, _>>()?,
            to_stdout: named.iter().any(|(_, path)| is_stdout(path)),
        })
    }

    /// Returns true if a result goes to standard output, which must then contain nothing else.
    pub(crate) fn takes_stdout(&self) -> bool {
        self.to_stdout
    }

    /// Writes the results to every file.
    ///
    /// # Errors
    /// The system refuses, or a format cannot represent the result.
    pub fn write(self, document: &Document) -> Result<(), LoadError> {
        for (format, file) in self.files {
            let text = render(format, document).map_err(|cause| file.failure(cause))?;
            file.write(text.as_bytes())?;
        }
        let mut charts = self.charts.iter();
        charts.try_for_each(|folder| write_charts(folder, document))
    }
}

/// Checks that no two outputs overwrite or interleave each other.
fn tell_apart(named: &[Named<'_>]) -> Result<(), LoadError> {
    for (index, (flag, path)) in named.iter().enumerate() {
        let mut before = named[..index].iter();
        if let Some((other, _)) = before.find(|(_, other)| file::are_same(path, other)) {
            let cause = format!("{other} writes to the same file");
            return Err(LoadError::flag(flag, path.to_string_lossy(), cause));
        }
    }
    Ok(())
}

/// Creates the folder for charts.
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
        (Format::Hgrm, _) => Err("only a single run has one distribution".to_owned()),
    }
}
