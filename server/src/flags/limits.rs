//! `--limit NAME=VALUE`: sets any field of [`Limits`] by its name.

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;
use std::time::Duration;

use corespun_http2::Limits;

/// Limits on peers that differ from the defaults; flatten it into a `clap` parser.
#[derive(Clone, Debug, Default, clap::Args)]
pub struct LimitFlags {
    /// Limit on a peer, by its field name in `corespun_http2::Limits`; repeatable.
    #[arg(
        help = "Limit on peers, such as concurrent_streams_max=100; repeatable",
        long = "limit",
        value_name = "NAME=VALUE"
    )]
    pub limits: Vec<LimitFlag>,
}

impl LimitFlags {
    /// Writes the given limits into `limits`, in order; leaves the others unchanged.
    pub fn apply(&self, limits: &mut Limits) {
        for flag in &self.limits {
            (flag.set)(limits);
        }
    }
}

type Set = Arc<dyn Fn(&mut Limits) + Send + Sync>;

/// Limit with its value, parsed from one flag.
#[derive(Clone)]
pub struct LimitFlag {
    text: String,
    set: Set,
}

impl fmt::Debug for LimitFlag {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

/// Flag that sets no limit; the text gives the reason.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LimitFlagError(String);

impl LimitFlagError {
    pub(super) fn new(text: String) -> Self {
        Self(text)
    }
}

impl fmt::Display for LimitFlagError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for LimitFlagError {}

impl FromStr for LimitFlag {
    type Err = LimitFlagError;

    fn from_str(text: &str) -> Result<Self, LimitFlagError> {
        let (name, value) = text
            .split_once('=')
            .ok_or_else(|| LimitFlagError(format!("{text:?} is not NAME=VALUE")))?;
        let Some((_, parse)) = FIELDS.iter().find(|(known, _)| *known == name) else {
            let known: Vec<_> = FIELDS.iter().map(|(name, _)| *name).collect();
            let known = known.join(", ");
            return Err(LimitFlagError(format!("no limit {name:?}; known: {known}")));
        };
        Ok(Self {
            text: text.to_owned(),
            set: parse(value)?,
        })
    }
}

/// Type of a limit's value.
trait Value: Copy + Send + Sync + 'static {
    fn parse(text: &str) -> Result<Self, LimitFlagError>;
}

impl Value for u32 {
    fn parse(text: &str) -> Result<Self, LimitFlagError> {
        count(text)
    }
}

impl Value for usize {
    fn parse(text: &str) -> Result<Self, LimitFlagError> {
        count(text)
    }
}

fn count<T: FromStr>(text: &str) -> Result<T, LimitFlagError> {
    let wrong = |_| LimitFlagError(format!("{text:?} is not a whole number in range"));
    text.parse().map_err(wrong)
}

impl Value for Duration {
    fn parse(text: &str) -> Result<Self, LimitFlagError> {
        parse_time(text)
    }
}

/// Parses a time in seconds or milliseconds, such as `10s` or `1500ms`.
pub(super) fn parse_time(text: &str) -> Result<Duration, LimitFlagError> {
    let (digits, of) = match text.strip_suffix("ms") {
        Some(digits) => (digits, Duration::from_millis as fn(u64) -> Duration),
        None => (
            text.strip_suffix('s').unwrap_or(""),
            Duration::from_secs as _,
        ),
    };
    let number = digits.parse().map(of);
    number.map_err(|_| LimitFlagError(format!("{text:?} is not a time such as 10s or 1500ms")))
}

/// Name of a limit and the parser of its value.
type Field = (&'static str, fn(&str) -> Result<Set, LimitFlagError>);

macro_rules! fields {
    ($($name:ident,)*) => {
        &[$((stringify!($name), |text| {
            let value = Value::parse(text)?;
            Ok(Arc::new(move |limits: &mut Limits| limits.$name = value))
        })),*]
    };
}

const FIELDS: &[Field] = fields! {
    concurrent_streams_max,
    new_streams_max,
    stream_id_drain,
    frame_bytes_max,
    stream_window_bytes,
    stream_window_bytes_max,
    connection_window_bytes,
    received_bytes_max,
    queued_bytes_max,
    header_list_bytes_soft,
    header_list_bytes_hard,
    header_fields_soft,
    header_fields_hard,
    continuation_frames_max,
    header_block_bytes_max,
    settings_entries_max,
    go_away_frames_max,
    go_away_debug_bytes_max,
    reset_budget,
    reset_budget_per_second,
    glitch_budget,
    glitch_budget_per_second,
    queued_replies_high,
    queued_replies_max,
    empty_data_frames_max,
    data_overhead_bytes_max,
    output_bytes_high,
    preface_time_max,
    first_settings_time_max,
    settings_ack_time_max,
    header_block_time_max,
    write_progress_time_max,
    request_progress_time_max,
};

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, expected: Result<fn(&Limits) -> u64, &str>) {
        match (LimitFlag::from_str(text), expected) {
            (Ok(flag), Ok(read)) => {
                let mut limits = Limits::default();
                (flag.set)(&mut limits);
                assert_eq!(read(&limits), 7, "{text}");
            }
            (flag, expected) => {
                let error = flag.map(|_| ()).map_err(|error| error.to_string());
                let expected = expected.map(|_| ()).map_err(ToOwned::to_owned);
                assert_eq!(error, expected, "{text}");
            }
        }
    }

    #[test]
    fn bounds_are_set_by_name() {
        check(
            "reset_budget=7",
            Ok(|limits| u64::from(limits.reset_budget)),
        );
        check(
            "header_fields_hard=7",
            Ok(|limits| limits.header_fields_hard as u64),
        );
        check("reset_budget", Err("\"reset_budget\" is not NAME=VALUE"));
        check(
            "reset_budget=-1",
            Err("\"-1\" is not a whole number in range"),
        );
        check(
            "reset_budget=4294967296",
            Err("\"4294967296\" is not a whole number in range"),
        );
        let unknown = LimitFlag::from_str("resets=7").map(|_| ());
        let text = unknown.unwrap_err().to_string();
        assert!(text.starts_with("no limit \"resets\"; known: concurrent_streams_max, "));
    }

    #[test]
    fn every_bound_has_its_flag() {
        let shown = format!("{:#?}", Limits::default());
        let fields = shown.lines().filter_map(|line| line.split_once(": "));
        let mut fields: Vec<&str> = fields.map(|(name, _)| name.trim()).collect();
        let mut known: Vec<&str> = FIELDS.iter().map(|(name, _)| *name).collect();
        fields.sort_unstable();
        known.sort_unstable();
        assert_eq!(fields, known);
    }

    #[test]
    fn times_have_a_unit() {
        assert_eq!(Duration::parse("2s"), Ok(Duration::from_secs(2)));
        assert_eq!(Duration::parse("15ms"), Ok(Duration::from_millis(15)));
        for wrong in ["2", "s", "-1s", "1.5s", "2m"] {
            assert!(Duration::parse(wrong).is_err(), "{wrong}");
        }
    }
}
