//! `--admission` and `--shard-bytes-max`: what a shard does that has more than it can do or keep.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use super::limits::parse_time;
use super::sizes::parse_bytes;
use crate::admission::Admission;
use crate::config::Config;

/// When calls are refused to keep a server on time and within its memory; flatten it into a
/// `clap` parser.
#[derive(Clone, Debug, clap::Args)]
pub struct OverloadFlags {
    /// How long work may wait for its shard.
    #[arg(
        help = "Refuse calls that would wait too long: off, on, or target=2ms,interval=100ms,\
                exempt=/package.Service/Method, each as wanted",
        long = "admission",
        value_name = "SETTINGS",
        default_value = "off"
    )]
    pub admission: AdmissionFlag,

    /// Bytes that the calls of one shard may keep together, such as 8M [default: 256M, or less
    /// where the memory limit of the container says so]
    #[arg(long, value_name = "BYTES", value_parser = parse_bytes)]
    pub shard_bytes_max: Option<usize>,
}

impl OverloadFlags {
    /// Sets what the flags say.
    pub fn apply(&self, config: &mut Config) {
        config.admission.clone_from(&self.admission.0);
        config.shard_bytes_max = self.shard_bytes_max.or(config.shard_bytes_max);
    }
}

/// The settings of an admission, if there is to be one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AdmissionFlag(pub Option<Admission>);

/// Settings that make no sense; the text says why.
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
        return Err(AdmissionFlagError(format!("{text:?} is no time at all")));
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
        check("interval=0s", Err("\"0s\" is no time at all"));
    }
}
