//! `--admission` and `--shard-bytes-max`: limits of load and memory for a shard.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use super::limits::parse_time;
use super::sizes::parse_bytes;
use crate::admission::Admission;
use crate::config::Config;

/// Admission control and memory bound of a server; flatten it into a `clap` parser.
#[derive(Clone, Debug, clap::Args)]
pub struct OverloadFlags {
    /// Admission control of calls.
    #[arg(
        help = "Admission control, which refuses calls that would wait too long: off, on, or any \
                of target=2ms,interval=100ms,exempt=/package.Service/Method",
        long = "admission",
        value_name = "SETTINGS",
        default_value = "off"
    )]
    pub admission: AdmissionFlag,

    /// Bytes that the calls of one shard may hold together, such as 8M [default: 256M, or less if
    /// the memory limit of the container requires it]
    #[arg(long, value_name = "BYTES", value_parser = parse_bytes)]
    pub shard_bytes_max: Option<usize>,
}

impl OverloadFlags {
    /// Writes the flags into `config`.
    pub fn apply(&self, config: &mut Config) {
        config.admission.clone_from(&self.admission.0);
        config.shard_bytes_max = self.shard_bytes_max.or(config.shard_bytes_max);
    }
}

/// Settings of admission control; `None` turns it off.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AdmissionFlag(pub Option<Admission>);

/// Invalid settings; the text gives the reason.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AdmissionFlagError(String);

impl fmt::Display for AdmissionFlagError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for AdmissionFlagError {}

impl FromStr for AdmissionFlag {
    type Err = AdmissionFlagError;

    fn from_str(text: &str) -> Result<Self, AdmissionFlagError> {
        let settings = match text {
            "off" => return Ok(Self(None)),
            "on" => return Ok(Self(Some(Admission::new()))),
            settings => settings,
        };
        let mut admission = Admission::new();
        for setting in settings.split(',') {
            admission = match setting.split_once('=') {
                Some(("target", value)) => admission.target(time(value)?),
                Some(("interval", value)) => admission.interval(time(value)?),
                Some(("exempt", method)) => admission.exempt(method),
                _ => {
                    let text = format!("{setting:?} is not target=, interval= or exempt=");
                    return Err(AdmissionFlagError(text));
                }
            };
        }
        Ok(Self(Some(admission)))
    }
}

fn time(text: &str) -> Result<Duration, AdmissionFlagError> {
    let time = parse_time(text).map_err(|error| AdmissionFlagError(error.to_string()))?;
    if time.is_zero() {
        return Err(AdmissionFlagError(format!(
            "{text:?} is not a time above zero"
        )));
    }
    Ok(time)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, expected: Result<Option<Admission>, &str>) {
        let parsed = text.parse().map(|AdmissionFlag(parsed)| parsed);
        let parsed = parsed.map_err(|error: AdmissionFlagError| error.to_string());
        assert_eq!(parsed, expected.map_err(ToOwned::to_owned), "{text}");
    }

    #[test]
    fn settings_are_read_as_far_as_they_are_given() {
        let (new, ms) = (Admission::new, Duration::from_millis);
        check("off", Ok(None));
        check("on", Ok(Some(new())));
        check("target=5ms", Ok(Some(new().target(ms(5)))));
        check(
            "interval=1s,target=1ms,exempt=/a.B/C,exempt=/a.D/*",
            Ok(Some(
                new()
                    .interval(ms(1000))
                    .target(ms(1))
                    .exempt("/a.B/C")
                    .exempt("/a.D/*"),
            )),
        );
    }

    #[test]
    fn mistakes_are_named() {
        check("", Err("\"\" is not target=, interval= or exempt="));
        check("on,off", Err("\"on\" is not target=, interval= or exempt="));
        check("target=5", Err("\"5\" is not a time such as 10s or 1500ms"));
        check("interval=0s", Err("\"0s\" is not a time above zero"));
    }
}
