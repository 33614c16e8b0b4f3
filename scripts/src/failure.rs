//! Error type of this tool: the attempt, and the reason why it failed.

use std::fmt::{self, Display};

/// Task that could not be performed; its text reads "failed to …".
#[derive(Debug)]
pub struct Failure(String);

impl Failure {
    /// Creates a failure; `what` continues the words "failed to", `why` is the cause.
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

/// Adds the attempt to an error that only knows its cause.
pub trait Attempt<T> {
    /// Converts the cause into a [`Failure`]; `what` continues the words "failed to".
    fn attempt(self, what: impl FnOnce() -> String) -> Result<T, Failure>;
}

impl<T, E: Display> Attempt<T> for Result<T, E> {
    fn attempt(self, what: impl FnOnce() -> String) -> Result<T, Failure> {
        self.map_err(|why| Failure::new(what(), why))
    }
}
