//! The one error of this tool: what was tried, and why it did not work.

use std::fmt::{self, Display};

/// A task that could not be carried out; reads "failed to …".
#[derive(Debug)]
pub struct Failure(String);

impl Failure {
    /// `what` continues the words "failed to"; `why` is the cause.
    pub fn new(what: impl Display, why: impl Display) -> Self {
        Self(format!("failed to {what}: {why}"))
    }
}

impl Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for Failure {}

/// Names the attempt in an error that only knows its cause.
pub trait Attempt<T> {
    /// Turns the cause into a [`Failure`]; `what` continues the words "failed to".
    fn attempt(self, what: impl FnOnce() -> String) -> Result<T, Failure>;
}

impl<T, E: Display> Attempt<T> for Result<T, E> {
    fn attempt(self, what: impl FnOnce() -> String) -> Result<T, Failure> {
        self.map_err(|why| Failure::new(what(), why))
    }
}
