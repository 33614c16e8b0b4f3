//! Requests from JSON templates, encoded and ready to send.
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

/// Returns the text of `--data`: the value itself, the content of a file (`@path`), or standard
/// input (`@-`). Relative paths start at `folder`.
///
/// # Errors
/// The file cannot be read or is not UTF-8.
pub(crate) fn text(data: &str, folder: &Path) -> Result<String, LoadError> {
    let failed = |error: io::Error| LoadError::flag("--data", data, error.to_string());
    match data.strip_prefix('@') {
        None => Ok(data.to_owned()),
        Some("-") => standard_input().map_err(failed),
        Some(path) => std::fs::read_to_string(folder.join(path)).map_err(failed),
    }
}

/// Reads standard input once and keeps the text, because a command may plan many runs.
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
