//! A file that is opened early and written late.

use std::fs::{File, OpenOptions};
use std::io::Write;
use std::path::{Path, PathBuf};

use crate::error::LoadError;

/// An output file. What was there is kept until something takes its place.
#[derive(Debug)]
pub(crate) struct OutputFile {
    path: PathBuf,
    file: File,
    /// Ours to remove if nothing gets written.
    empty: bool,
}

impl OutputFile {
    /// Opens the file, making it if it is not there.
    ///
    /// # Errors
    /// When the system refuses.
    pub(crate) fn open(path: &Path) -> Result<Self, LoadError> {
        let new = !path.exists();
        let file = OpenOptions::new()
            .write(true)
            .create(true)
            .truncate(false)
            .open(path);
        Ok(Self {
            path: path.to_owned(),
            file: file.map_err(|error| failure(path, error.to_string()))?,
            empty: new,
        })
    }

    /// Why this file was not written.
    pub(crate) fn failure(&self, cause: impl ToString) -> LoadError {
        failure(&self.path, cause.to_string())
    }

    /// Writes the content in place of what was there.
    ///
    /// # Errors
    /// When the system refuses.
    pub(crate) fn write(mut self, content: &[u8]) -> Result<(), LoadError> {
        if self.file.metadata().is_ok_and(|data| data.is_file()) {
            self.file.set_len(0).map_err(|error| self.failure(error))?;
        }
        self.empty = false;
        let written = self.file.write_all(content);
        written.map_err(|error| self.failure(error))
    }
}

/// Why the file at `path` was not written.
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
}
