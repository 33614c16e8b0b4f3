//! Parsing of single values of the command line.

use std::str::FromStr;
use std::time::Duration;

use crate::duration;
use crate::error::LoadError;

/// Largest accepted count; a larger one is taken for a typing mistake.
const COUNT_MAX: usize = 1 << 20;

/// Parses a count of at least one.
pub(super) fn count(flag: &'static str, text: &str) -> Result<usize, LoadError> {
    let number = text.parse().ok();
    let number = number.filter(|number| (1..=COUNT_MAX).contains(number));
    let expected = || format!("expected a whole number from 1 to {COUNT_MAX}");
    number.ok_or_else(|| LoadError::flag(flag, text, expected()))
}

/// Parses a whole number from 0.
pub(super) fn number<T: FromStr>(flag: &'static str, text: &str) -> Result<T, LoadError> {
    let number = text.parse().ok();
    number.ok_or_else(|| LoadError::flag(flag, text, "expected a whole number from 0"))
}

/// Parses a duration; 0 is accepted if `zero` is true.
pub(super) fn span(flag: &'static str, text: &str, zero: bool) -> Result<Duration, LoadError> {
    let span = duration::parse(text);
    let span = span.ok_or_else(|| LoadError::flag(flag, text, duration::EXPECTED))?;
    if span.is_zero() && !zero {
        let cause = "expected a time above 0";
        return Err(LoadError::flag(flag, text, cause));
    }
    Ok(span)
}

/// Parses a process ID.
pub(super) fn pid(text: &str) -> Result<i32, LoadError> {
    let number = text.parse().ok().filter(|pid| *pid > 0);
    number.ok_or_else(|| LoadError::flag("--target-pid", text, "expected a process id"))
}
