//! Folders that are searched for proto files.

use crate::error::{Error, Kind};
use prost_reflect::DescriptorPool;
use std::fs;
use std::path::{Component, Path, PathBuf};

/// Include folders in search order.
pub(crate) struct Includes {
    folders: Vec<PathBuf>,
}

/// Proto file that the user listed.
#[derive(Debug, PartialEq)]
pub(crate) struct Located {
    /// Name of the file as imports write it.
    pub(crate) name: String,
    /// Path of the file; `None` for built-in files.
    pub(crate) path: Option<PathBuf>,
}

impl Includes {
    pub(crate) fn new(folders: &[&Path]) -> Self {
        Self {
            folders: folders.iter().map(|folder| (*folder).to_owned()).collect(),
        }
    }

    /// Returns the file of an import.
    pub(crate) fn find(&self, name: &str) -> Option<PathBuf> {
        let paths = self.folders.iter().map(|folder| folder.join(name));
        paths.into_iter().find(|path| path.is_file())
    }

    /// Finds a file by its path, or by its path within one of the folders.
    ///
    /// # Errors
    /// The path does not exist, is not a file, lies in none of the folders, or is hidden by a file
    /// in an earlier folder.
    pub(crate) fn locate(&self, path: &Path) -> Result<Located, Error> {
        if path.is_file() {
            let mut names = self
                .folders
                .iter()
                .filter_map(|folder| within(path, folder));
            if let Some(name) = names.next() {
                return self.unhidden(name, path);
            }
        }
        let name = name_of(path);
        let found = name.as_deref().and_then(|name| self.find(name));
        match (name, found) {
            (Some(name), Some(found)) => Ok(Located {
                name,
                path: Some(found),
            }),
            (Some(name), None) if is_builtin(&name) => Ok(Located { name, path: None }),
            _ => {
                let cause = match path {
                    path if path.is_dir() => "this is a folder, not a file",
                    path if path.exists() => "the file is not in any include folder",
                    _ => "no such file",
                };
                Err(self.not_found(path.display().to_string(), cause.to_owned()))
            }
        }
    }

    pub(crate) fn not_found(&self, path: String, cause: String) -> Error {
        Kind::NotFound {
            path,
            cause,
            folders: self.folders.clone(),
        }
        .into()
    }

    /// Checks that imports of `name` resolve to `path`.
    fn unhidden(&self, name: String, path: &Path) -> Result<Located, Error> {
        let first = self.find(&name);
        let is_same = |first: &PathBuf| fs::canonicalize(first).ok() == fs::canonicalize(path).ok();
        match first {
            Some(first) if !is_same(&first) => {
                let cause = format!("imports of '{name}' lead to {} instead", first.display());
                Err(self.not_found(path.display().to_string(), cause))
            }
            _ => Ok(Located {
                name,
                path: Some(path.to_owned()),
            }),
        }
    }
}

/// Returns the name of a file within `folder`, by its path as written or with links resolved.
fn within(path: &Path, folder: &Path) -> Option<String> {
    let written = plain(path)
        .strip_prefix(plain(folder))
        .ok()
        .and_then(name_of);
    let led = || {
        let (path, folder) = (fs::canonicalize(path).ok()?, fs::canonicalize(folder).ok()?);
        name_of(path.strip_prefix(folder).ok()?)
    };
    written.or_else(led)
}

/// Returns the path without `.` components.
fn plain(path: &Path) -> PathBuf {
    let parts = path.components().filter(|part| *part != Component::CurDir);
    parts.collect()
}

/// Returns the path in the form of an import; `None` if it has no such form.
fn name_of(path: &Path) -> Option<String> {
    let mut parts = Vec::new();
    for part in path.components() {
        match part {
            Component::Normal(part) => parts.push(part.to_str()?),
            Component::CurDir => {}
            _ => return None,
        }
    }
    (!parts.is_empty()).then(|| parts.join("/"))
}

fn is_builtin(name: &str) -> bool {
    DescriptorPool::global().get_file_by_name(name).is_some()
}
