//! Environment variable: its name, its text, and the parsed value.

use std::ffi::OsString;
use std::fmt::Display;
use std::time::Duration;

use corespun_codec::percent;

use crate::tracer::Error;

/// Value for an unlimited time: the longest that the specification has.
const TIME_MAX: Duration = Duration::from_millis(i32::MAX as u64);

/// Function that returns the value of a variable by its name.
pub(crate) type Lookup<'a> = &'a dyn Fn(&str) -> Option<OsString>;

/// Variable with a non-empty value.
pub(super) struct Variable {
    name: &'static str,
    value: String,
}

impl Variable {
    /// Returns the first of these names that is set; an empty value counts as not set.
    pub(super) fn first(lookup: Lookup<'_>, names: &[&'static str]) -> Result<Option<Self>, Error> {
        let set = |name: &&'static str| Some((*name, lookup(name)?));
        let found = names
            .iter()
            .filter_map(set)
            .find(|(_, raw)| !raw.is_empty());
        let Some((name, raw)) = found else {
            return Ok(None);
        };
        let variable = match raw.into_string() {
            Ok(value) => Self { name, value },
            Err(raw) => {
                let value = raw.to_string_lossy().into_owned();
                return Err(Self { name, value }.bad("it is not UTF-8"));
            }
        };
        Ok(Some(variable))
    }

    /// Returns an error for an invalid value.
    pub(super) fn bad(&self, why: impl Display) -> Error {
        Error::Variable {
            name: self.name,
            value: self.value.clone(),
            why: why.to_string(),
        }
    }

    /// Returns an error for an invalid value that must not appear in a log.
    fn bad_secret(&self, why: impl Display) -> Error {
        Error::Variable {
            name: self.name,
            value: "(not shown)".to_owned(),
            why: why.to_string(),
        }
    }

    pub(super) fn text(&self) -> &str {
        self.value.trim()
    }

    /// Returns the text in lower case, for comparison with keywords.
    pub(super) fn word(&self) -> String {
        self.text().to_ascii_lowercase()
    }

    pub(super) fn is_true(&self) -> Result<bool, Error> {
        match &*self.word() {
            "true" => Ok(true),
            "false" => Ok(false),
            _ => Err(self.bad("expected true or false")),
        }
    }

    /// Parses a number that is at least 1.
    pub(super) fn count(&self) -> Result<usize, Error> {
        let count = self.text().parse().ok().filter(|count| *count > 0);
        let why = "expected a whole number from 1 to 4294967295";
        count.map_or_else(|| Err(self.bad(why)), |count: u32| Ok(count as usize))
    }

    /// Parses a time in milliseconds.
    pub(super) fn duration(&self) -> Result<Duration, Error> {
        let millis: Option<u32> = self.text().parse().ok();
        let why = "expected a whole number of milliseconds";
        millis.map_or_else(
            || Err(self.bad(why)),
            |millis| Ok(Duration::from_millis(millis.into())),
        )
    }

    /// Parses a time in milliseconds; 0 means unlimited.
    pub(super) fn timeout(&self) -> Result<Duration, Error> {
        let timeout = self.duration()?;
        Ok(if timeout.is_zero() { TIME_MAX } else { timeout })
    }

    /// Parses a ratio from 0 to 1.
    pub(super) fn ratio(&self) -> Result<f64, Error> {
        let ratio = self.text().parse().ok();
        let ratio = ratio.filter(|ratio| (0.0..=1.0).contains(ratio));
        ratio.ok_or_else(|| self.bad("expected a number from 0 to 1"))
    }

    /// Parses `key=value,key=value`, whose values may be percent-encoded.
    pub(super) fn pairs(&self) -> Result<Vec<(String, String)>, Error> {
        self.read_pairs().map_err(|why| self.bad(why))
    }

    /// Parses `key=value,key=value` with values that are secrets.
    pub(super) fn secret_pairs<E: Display>(
        &self,
        mut take: impl FnMut(&str, &str) -> Result<(), E>,
    ) -> Result<(), Error> {
        let pairs = self.read_pairs().map_err(|why| self.bad_secret(why))?;
        for (key, value) in pairs {
            take(&key, &value).map_err(|why| self.bad_secret(why))?;
        }
        Ok(())
    }

    fn read_pairs(&self) -> Result<Vec<(String, String)>, String> {
        let members = self.value.split(',').map(str::trim);
        let members = members.filter(|member| !member.is_empty());
        members
            .enumerate()
            .map(|(at, text)| pair(at, text))
            .collect()
    }
}

/// Parses the pair at index `at`; an error shows no value, which may be a secret.
fn pair(at: usize, text: &str) -> Result<(String, String), String> {
    let place = at + 1;
    let (key, value) = text
        .split_once('=')
        .ok_or_else(|| format!("expected key=value, but pair {place} has no ="))?;
    let (key, value) = (key.trim(), value.trim());
    if key.is_empty() {
        return Err(format!("pair {place} has no key"));
    }
    let is_broken = |after: &str| {
        let digits = after.as_bytes().get(..2);
        !digits.is_some_and(|digits| digits.iter().all(u8::is_ascii_hexdigit))
    };
    if value.split('%').skip(1).any(is_broken) {
        return Err(format!(
            "a % in the value of {key} is not one of two hexadecimal digits"
        ));
    }
    let value = percent::decode(value.as_bytes());
    if value.contains(char::REPLACEMENT_CHARACTER) {
        return Err(format!("the value of {key} is not UTF-8"));
    }
    Ok((key.to_owned(), value.into_owned()))
}
