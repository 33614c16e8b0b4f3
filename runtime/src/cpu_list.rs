//! List of CPUs in the format of taskset and cpusets: `0,2-3`.

use std::error::Error;
use std::fmt;
use std::str::FromStr;

/// Largest CPU number accepted, so that a mistyped range cannot allocate gigabytes.
pub const CPU_MAX: usize = 4095;

/// List of CPU numbers in the order given; never empty.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CpuList(Vec<usize>);

impl CpuList {
    /// Returns the CPU numbers in the order given.
    pub fn as_slice(&self) -> &[usize] {
        &self.0
    }
}

impl FromStr for CpuList {
    type Err = CpuListError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let mut cpus = Vec::new();
        for part in text.split(',') {
            let range = match part.split_once('-') {
                Some((first, last)) => (cpu(first, text)?, cpu(last, text)?),
                None => (cpu(part, text)?, cpu(part, text)?),
            };
            if range.0 > range.1 {
                return Err(CpuListError::new(part, text));
            }
            cpus.extend(range.0..=range.1);
        }
        Ok(Self(cpus))
    }
}

fn cpu(part: &str, text: &str) -> Result<usize, CpuListError> {
    let number = part.trim().parse().ok().filter(|cpu| *cpu <= CPU_MAX);
    number.ok_or_else(|| CpuListError::new(part, text))
}

/// Error of a text that is not a CPU list: `N`, `N-M`, or several of these joined by commas, each
/// number ≤ [`CPU_MAX`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CpuListError {
    part: String,
    text: String,
}

impl CpuListError {
    fn new(part: &str, text: &str) -> Self {
        Self {
            part: part.to_owned(),
            text: text.to_owned(),
        }
    }
}

impl fmt::Display for CpuListError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { part, text } = self;
        write!(
            f,
            "failed to read CPU list {text:?}: {part:?} is no CPU or range up to {CPU_MAX}"
        )
    }
}

impl Error for CpuListError {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_are_read_in_order() {
        for (text, cpus) in [("0", &[0][..]), ("3,1", &[3, 1]), ("0,2-4", &[0, 2, 3, 4])] {
            assert_eq!(
                text.parse::<CpuList>().map(|list| list.0),
                Ok(cpus.to_vec()),
                "{text}"
            );
        }
    }

    #[test]
    fn errors_name_the_part() {
        for text in [
            "",
            "a",
            "1,",
            "1-",
            "3-2",
            "0,,1",
            "99999",
            "3-1",
            "-1",
            "4096",
            "1-2-3",
            "0-99999999999999999999",
        ] {
            assert!(text.parse::<CpuList>().is_err(), "{text}");
        }
        let error = "0,x".parse::<CpuList>().unwrap_err().to_string();
        assert_eq!(
            error,
            r#"failed to read CPU list "0,x": "x" is no CPU or range up to 4095"#
        );
    }
}
