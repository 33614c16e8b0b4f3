//! Spans of time as people write them: `10s`, `250ms`, `1.5m`.

use std::time::Duration;

/// What [`parse`] accepts, in words for an error.
pub(crate) const EXPECTED: &str = "expected a number with a unit: ns, us, ms, s, m or h";

/// Units by their suffix, with their nanoseconds; longer suffixes that end alike come first.
const UNITS: [(&str, f64); 7] = [
    ("ns", 1.0),
    ("us", 1e3),
    ("µs", 1e3),
    ("ms", 1e6),
    ("s", 1e9),
    ("m", 60e9),
    ("h", 3600e9),
];

/// The longest span that is accepted: anything beyond is a slip.
const NANOS_MAX: f64 = 1000.0 * 3600e9;

/// The span that `text` stands for; `None` when it is not a number with a unit, is negative, or
/// is above 1000 hours.
pub(crate) fn parse(text: &str) -> Option<Duration> {
    let (number, unit) = UNITS
        .iter()
        .find_map(|(suffix, unit)| Some((text.strip_suffix(suffix)?, unit)))?;
    let digits = number
        .bytes()
        .all(|byte| byte.is_ascii_digit() || byte == b'.');
    let nanos = number.parse::<f64>().ok().filter(|_| digits)? * unit;
    (nanos <= NANOS_MAX).then(|| Duration::from_nanos(nanos.round() as u64))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spans_are_read_with_their_units() {
        let cases = [
            ("10s", 10_000_000_000),
            ("250ms", 250_000_000),
            ("1.5m", 90_000_000_000),
            ("2h", 7_200_000_000_000),
            ("3us", 3_000),
            ("3µs", 3_000),
            ("7ns", 7),
            ("0s", 0),
            (".5s", 500_000_000),
        ];
        for (text, nanos) in cases {
            assert_eq!(parse(text), Some(Duration::from_nanos(nanos)), "{text}");
        }
        for text in [
            "", "10", "s", "-1s", "1 s", "abc", "1e3s", "infs", "NaNs", "2000h", "1d",
        ] {
            assert_eq!(parse(text), None, "{text}");
        }
    }
}
