//! Requests from what the user wrote: JSON, with places to fill in, as messages ready to send.
//!
//! ```text
//!   --data TEXT | @file | @-  ──▶ Template ──▶ JSON ──▶ messages ──▶ Payloads
//!                                  {{seq}} …                          a pool, or made per call
//! ```

mod function;
mod json;
mod payloads;
mod template;

pub use payloads::Payloads;
pub(crate) use payloads::{Mode, Recipe};
pub use template::Template;

use std::io;
use std::path::Path;
use std::sync::{Mutex, PoisonError};

use crate::error::LoadError;

/// The text that `--data` stands for: itself, a file's with `@path`, or standard input's with
/// `@-`. A relative path is looked for in `folder`.
///
/// # Errors
/// When the file cannot be read, or is no UTF-8 text.
pub(crate) fn text(data: &str, folder: &Path) -> Result<String, LoadError> {
    let failed = |error: io::Error| LoadError::flag("--data", data, error.to_string());
    match data.strip_prefix('@') {
        None => Ok(data.to_owned()),
        Some("-") => standard_input().map_err(failed),
        Some(path) => std::fs::read_to_string(folder.join(path)).map_err(failed),
    }
}

/// Standard input can be read once, but a command may plan many runs.
fn standard_input() -> io::Result<String> {
    static READ: Mutex<Option<String>> = Mutex::new(None);
    let mut read = READ.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(text) = &*read {
        return Ok(text.clone());
    }
    let text = io::read_to_string(io::stdin())?;
    *read = Some(text.clone());
    Ok(text)
}
