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

use std::io::Read;
use std::path::Path;

use crate::error::LoadError;

/// The text that `--data` stands for: itself, a file's with `@path`, or standard input's with
/// `@-`. A relative path is looked for in `folder`.
///
/// # Errors
/// When the file cannot be read, or is no UTF-8 text.
pub(crate) fn text(data: &str, folder: &Path) -> Result<String, LoadError> {
    let failed = |error: std::io::Error| LoadError::flag("--data", data, error.to_string());
    match data.strip_prefix('@') {
        None => Ok(data.to_owned()),
        Some("-") => {
            let mut text = String::new();
            std::io::stdin().read_to_string(&mut text).map_err(failed)?;
            Ok(text)
        }
        Some(path) => std::fs::read_to_string(folder.join(path)).map_err(failed),
    }
}
