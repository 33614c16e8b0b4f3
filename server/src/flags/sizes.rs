//! Flags for the sizes of messages and bodies.

use std::time::Duration;

use super::limits::LimitFlagError;
use crate::config::Config;

/// Limits on single messages and bodies; flatten it into a `clap` parser. Sizes are in bytes, or
/// have a unit, such as `64K`, `4M` and `1G`.
#[derive(Clone, Debug, Default, clap::Args)]
pub struct SizeFlags {
    /// Largest request message, decompressed; a larger one gets RESOURCE_EXHAUSTED [default: 4M]
    #[arg(long, value_name = "BYTES", value_parser = parse_bytes)]
    pub message_bytes_max: Option<usize>,

    /// Largest message to send; a larger one ends its call with RESOURCE_EXHAUSTED
    /// [default: no bound]
    #[arg(long, value_name = "BYTES", value_parser = parse_bytes)]
    pub send_bytes_max: Option<usize>,

    /// Largest body of a plain HTTP request; a larger one gets 413 [default: 64K]
    #[arg(long, value_name = "BYTES", value_parser = parse_bytes)]
    pub plain_body_bytes_max: Option<usize>,
}

impl SizeFlags {
    /// Writes the flags into `config`.
    pub fn apply(&self, config: &mut Config) {
        let set = |bound: &mut usize, flag: Option<usize>| *bound = flag.unwrap_or(*bound);
        set(&mut config.message_bytes_max, self.message_bytes_max);
        set(&mut config.send_bytes_max, self.send_bytes_max);
        set(&mut config.plain_body_bytes_max, self.plain_body_bytes_max);
    }
}

/// Parses a number of bytes, with an optional binary unit.
pub(super) fn parse_bytes(text: &str) -> Result<usize, LimitFlagError> {
    let units = [("K", 10), ("M", 20), ("G", 30)];
    let found = units.iter().find_map(|(unit, shift)| {
        let digits = text.strip_suffix(unit)?;
        Some((digits, 1_usize << shift))
    });
    let (digits, unit) = found.unwrap_or((text, 1));
    let count: Option<usize> = digits.parse().ok();
    count
        .and_then(|count| count.checked_mul(unit))
        .ok_or_else(|| {
            LimitFlagError::new(format!(
                "{text:?} is not a size such as 65536, 64K, 4M or 1G"
            ))
        })
}

/// Parses the time that a send may take, or `never` for no bound.
pub(super) fn parse_send_time(text: &str) -> Result<Duration, LimitFlagError> {
    match text {
        "never" => Ok(Duration::MAX),
        text => super::limits::parse_time(text),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_may_have_a_unit() {
        for (text, bytes) in [
            ("0", 0),
            ("65537", 65537),
            ("64K", 65536),
            ("8M", 8 << 20),
            ("1G", 1 << 30),
        ] {
            assert_eq!(parse_bytes(text), Ok(bytes), "{text}");
        }
        for wrong in ["", "K", "-1", "1.5M", "4m", "4 M", "99999999999G"] {
            let error = parse_bytes(wrong).unwrap_err().to_string();
            assert!(
                error.starts_with(&format!("{wrong:?} is not a size")),
                "{error}"
            );
        }
    }
}
