//! Schema from proto files, compiled in the same way as for code generation.

use std::path::{Path, PathBuf};

use super::{Schema, failure};
use crate::error::LoadError;

impl Schema {
    /// Compiles proto files. Each is searched for in `includes`, then in the working folder.
    /// Imports are searched for in `includes`, then in the folders of the files.
    ///
    /// # Errors
    /// A file is missing, cannot be read or does not compile; the text names the folders.
    pub fn compile(files: &[PathBuf], includes: &[PathBuf]) -> Result<Self, LoadError> {
        let found = files.iter().map(|file| find(file, includes));
        let found = found.collect::<Result<Vec<_>, _>>()?;
        let mut folders = includes.to_vec();
        for file in &found {
            let beside = folder_of(file);
            if !folders.contains(&beside) {
                folders.push(beside);
            }
        }
        let first = files.first().map_or(Path::new(""), PathBuf::as_path);
        let set = corespun_build::configure().descriptor_set(&found, &folders);
        let set = set.map_err(|error| failure(first, one_line(&error)))?;
        Self::from_set(&set).map_err(|cause| failure(first, cause))
    }
}

/// Returns the path of a proto file that may be relative to a folder of `includes`.
fn find(file: &Path, includes: &[PathBuf]) -> Result<PathBuf, LoadError> {
    let inside = includes.iter().map(|folder| folder.join(file));
    let mut places = inside.chain([file.to_owned()]);
    if let Some(path) = places.find(|path| path.is_file()) {
        return Ok(path);
    }
    let cause = match std::fs::metadata(file) {
        Ok(_) => "it is no file".to_owned(),
        Err(error) => error.to_string(),
    };
    let folders = includes.iter().filter(|_| file.is_relative());
    let folders: Vec<_> = folders.map(|folder| folder.display().to_string()).collect();
    Err(failure(
        file,
        match folders.as_slice() {
            [] => cause,
            folders => format!("{cause}, nor is it in {}", folders.join(", ")),
        },
    ))
}

fn folder_of(file: &Path) -> PathBuf {
    match file.parent() {
        Some(parent) if parent != Path::new("") => parent.to_owned(),
        _ => PathBuf::from("."),
    }
}

/// Returns the compiler's message on one line.
fn one_line(error: &corespun_build::Error) -> String {
    error.to_string().replace('\n', " ")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn folder() -> PathBuf {
        Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/schemas")
    }

    fn compile(files: &[&str], includes: &[PathBuf]) -> Result<Schema, LoadError> {
        let files: Vec<_> = files.iter().map(PathBuf::from).collect();
        Schema::compile(&files, includes)
    }

    #[test]
    fn files_are_found_where_protoc_finds_them() {
        let schemas = folder();
        let parent = schemas.parent().unwrap().to_owned();
        let absolute = schemas.join("split.proto").display().to_string();
        let cases: [(&[&str], &[PathBuf]); 5] = [
            (
                &["split.proto", "user.proto"],
                std::slice::from_ref(&schemas),
            ),
            (&["split.proto"], &[parent.clone(), schemas.clone()]),
            (
                &["schemas/user.proto", "split.proto"],
                &[schemas.clone(), parent],
            ),
            (&[&absolute], &[]),
            (&["tests/schemas/split.proto"], &[]),
        ];
        for (files, includes) in cases {
            let schema = compile(files, includes).unwrap();
            let named = |name: &str| files.iter().any(|file| file.contains(name));
            for (file, method) in [
                ("split", "split.Split/Find"),
                ("user", "user.UserService/GetUser"),
            ] {
                assert!(!named(file) || schema.method(method).is_ok(), "{files:?}");
            }
        }
    }

    #[test]
    fn a_file_of_an_edition_is_named() {
        let name = format!("load-edition-{}.proto", std::process::id());
        let path = std::env::temp_dir().join(name);
        std::fs::write(&path, "edition = \"2023\";\npackage c;\n").unwrap();
        let error = Schema::compile(std::slice::from_ref(&path), &[]).unwrap_err();
        std::fs::remove_file(&path).unwrap();
        let error = error.to_string();
        assert!(
            error.contains("load-edition-") && error.contains("PROTOC"),
            "{error}"
        );
    }

    #[test]
    fn a_schema_that_is_missing_or_broken_is_named() {
        let cases: [(&[&str], &[PathBuf], &str); 4] = [
            (
                &["/nowhere/x.proto"],
                &[folder()],
                "/nowhere/x.proto: No such file or directory (os error 2)",
            ),
            (
                &["gone.proto"],
                &[folder()],
                "gone.proto: No such file or directory (os error 2), nor is it in ",
            ),
            (&["user.proto", "broken.proto"], &[folder()], "broken.proto"),
            (&["tests"], &[], "tests: it is no file"),
        ];
        for (files, includes, wanted) in cases {
            let error = compile(files, includes).unwrap_err().to_string();
            assert!(error.contains(wanted) && !error.contains('\n'), "{error}");
        }
    }
}
