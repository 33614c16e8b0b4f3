//! Built-in schema, for commands that need no set-up.

use std::path::PathBuf;
use std::sync::atomic::{AtomicU32, Ordering};

use crate::args::CallArgs;
use crate::error::LoadError;

const SCHEMA: &str = include_str!("../../schemas/user.proto");

/// Method that bundled servers implement.
const METHOD: &str = "user.UserService/GetUser";

/// Request for the method.
pub(super) const DATA: &str = r#"{"id":1}"#;

/// Fills in the method and the schema, if the command line has none.
pub(super) fn fill_in(call: &mut CallArgs, schema: &SchemaFile) {
    if call.method.is_none() && call.scenario.is_none() {
        call.method = Some(METHOD.to_owned());
    }
    if call.schema.proto.is_empty() && call.schema.descriptor_set.is_none() {
        call.schema.proto = vec![schema.0.clone()];
    }
}

/// Temporary file with the schema; removed on drop.
#[derive(Debug)]
pub(super) struct SchemaFile(PathBuf);

impl SchemaFile {
    /// Writes the schema to a temporary file.
    ///
    /// # Errors
    /// The system refuses.
    pub(super) fn write() -> Result<Self, LoadError> {
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let name = format!("corespun-load-{}-{number}.proto", std::process::id());
        let path = std::env::temp_dir().join(name);
        std::fs::write(&path, SCHEMA).map_err(|error| LoadError::Report {
            path: path.clone(),
            cause: error.to_string(),
        })?;
        Ok(Self(path))
    }
}

impl Drop for SchemaFile {
    fn drop(&mut self) {
        // What is left over is a small file among temporary ones.
        let _ = std::fs::remove_file(&self.0);
    }
}
