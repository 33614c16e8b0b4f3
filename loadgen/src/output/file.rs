//! Output that is opened early and written late: a file, or standard output.

use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use crate::error::LoadError;

/// Output of a result. The previous content of a file is kept until the result is written.
#[derive(Debug)]
pub(crate) struct OutputFile {
    path: PathBuf,
    /// File; `None` for standard output.
    file: Option<File>,
    /// True if the file was created here, and is removed if nothing is written.
    empty: bool,
}

/// Returns true if the path stands for standard output.
pub(crate) fn is_stdout(path: &Path) -> bool {
    let names = ["-", "/dev/stdout", "/dev/fd/1", "/proc/self/fd/1"];
    names.iter().any(|name| path == Path::new(name))
}

/// Returns true if two paths lead to one file, or both to standard output. Devices such as
/// `/dev/null` accept any number of outputs.
pub(crate) fn are_same(one: &Path, other: &Path) -> bool {
    if is_stdout(one) || is_stdout(other) {
        return is_stdout(one) && is_stdout(other);
    }
    let place = |path: &Path| {
        let found = std::fs::canonicalize(path).ok();
        let missing = || {
            let parent = path.parent().filter(|parent| *parent != Path::new(""));
            let parent = std::fs::canonicalize(parent.unwrap_or(Path::new("."))).ok()?;
            Some(parent.join(path.file_name()?))
        };
        found.or_else(missing)
    };
    let device = std::fs::metadata(one).is_ok_and(|data| !data.is_file());
    match (place(one), place(other)) {
        (Some(one), Some(other)) => !device && one == other,
        _ => one == other,
    }
}

impl OutputFile {
    /// Opens the file, and creates it if it does not exist; `-` is standard output.
    ///
    /// # Errors
    /// The system refuses.
    pub(crate) fn open(path: &Path) -> Result<Self, LoadError> {
        if is_stdout(path) {
            return Ok(Self {
                path: path.to_owned(),
                file: None,
                empty: false,
            });
        }
        let new = !path.exists();
        let file = OpenOptions::new()
            .write(true)
            .create(true)
            .truncate(false)
            .open(path);
        Ok(Self {
            path: path.to_owned(),
            file: Some(file.map_err(|error| failure(path, error.to_string()))?),
            empty: new,
        })
    }

    /// Returns the error for this file with a cause.
    pub(crate) fn failure(&self, cause: impl ToString) -> LoadError {
        failure(&self.path, cause.to_string())
    }

    /// Replaces the previous content.
    ///
    /// # Errors
    /// The system refuses.
    pub(crate) fn write(mut self, content: &[u8]) -> Result<(), LoadError> {
        self.empty = false;
        let written = match &mut self.file {
            None => write_stdout(content),
            Some(file) => write_file(file, content),
        };
        written.map_err(|error| self.failure(error))
    }
}

fn write_stdout(content: &[u8]) -> io::Result<()> {
    let mut out = io::stdout().lock();
    out.write_all(content)?;
    out.flush()
}

fn write_file(file: &mut File, content: &[u8]) -> io::Result<()> {
    if file.metadata().is_ok_and(|data| data.is_file()) {
        file.set_len(0)?;
    }
    file.write_all(content)
}

/// Opens a stream for an output that is written in pieces, and replaces the previous content.
///
/// # Errors
/// The system's.
pub(crate) fn stream(path: &Path) -> io::Result<Box<dyn Write + Send>> {
    Ok(match is_stdout(path) {
        true => Box::new(io::stdout()),
        false => Box::new(File::create(path)?),
    })
}

/// Returns the error for the file at `path` with a cause.
pub(crate) fn failure(path: &Path, cause: String) -> LoadError {
    LoadError::Report {
        path: path.to_owned(),
        cause,
    }
}

impl Drop for OutputFile {
    fn drop(&mut self) {
        if self.empty {
            // An empty file would pass for a report; if it cannot be removed, no harm is done.
            let _ = std::fs::remove_file(&self.path);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_kept_only_with_its_content() {
        let folder = std::env::temp_dir().join(format!("load-file-{}", std::process::id()));
        std::fs::create_dir_all(&folder).unwrap();
        let path = folder.join("report.json");
        drop(OutputFile::open(&path).unwrap());
        assert!(!path.exists());
        std::fs::write(&path, "x".repeat(100_000)).unwrap();
        let file = OutputFile::open(&path).unwrap();
        assert_eq!(std::fs::metadata(&path).unwrap().len(), 100_000);
        file.write(b"short").unwrap();
        assert_eq!(std::fs::read(&path).unwrap(), b"short");
        std::fs::remove_dir_all(&folder).unwrap();
        let error = OutputFile::open(Path::new("/nowhere/report.json")).unwrap_err();
        assert!(
            error.to_string().contains("/nowhere/report.json"),
            "{error}"
        );
    }

    #[test]
    fn outputs_that_meet_are_known() {
        let cases = [
            ("-", "/dev/stdout", true),
            ("-", "./-", false),
            ("a.json", "./a.json", true),
            ("a.json", "src/../a.json", true),
            ("a.json", "b.json", false),
            ("/nowhere/a", "/nowhere/a", true),
            ("/nowhere/a", "/nowhere/b", false),
            ("/dev/null", "/dev/null", false),
            ("Cargo.toml", "src/../Cargo.toml", true),
        ];
        for (one, other, same) in cases {
            let got = are_same(Path::new(one), Path::new(other));
            assert_eq!(got, same, "{one} and {other}");
        }
    }
}
