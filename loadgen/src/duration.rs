//! Parsing of durations such as `10s`, `250ms`, `1m30s`.

use std::time::Duration;

/// Form that [`parse`] accepts, for error texts.
pub(crate) const EXPECTED: &str = "expected numbers with units (ns, us, ms, s, m, h), as in 10s, \
                                   1.5h or 1m30s";

/// Unit suffixes with their length in nanoseconds.
const UNITS: [(&str, f64); 8] = [
    ("ns", 1.0),
    ("us", 1e3),
    ("µs", 1e3), // U+00B5, the micro sign.
    ("μs", 1e3), // U+03BC, the Greek letter.
    ("ms", 1e6),
    ("s", 1e9),
    ("m", 60e9),
    ("h", 3600e9),
];

/// Longest accepted duration in ns; a longer one is taken for a typing mistake.
const NANOS_MAX: f64 = 1000.0 * 3600e9;

/// Parses a duration in Go's form: a sum of numbers with a unit each, or `0`. Returns `None` for
/// any other text, and above 1000 hours.
pub(crate) fn parse(text: &str) -> Option<Duration> {
    if text == "0" {
        return Some(Duration::ZERO);
    }
    let mut rest = text;
    let mut nanos = 0.0;
    while !rest.is_empty() {
        let number_end = rest.find(|letter: char| !letter.is_ascii_digit() && letter != '.')?;
        let (number, after) = rest.split_at(number_end);
        let unit_end = after.find(|letter: char| letter.is_ascii_digit() || letter == '.');
        let (unit, after) = after.split_at(unit_end.unwrap_or(after.len()));
        let (_, unit) = UNITS.iter().find(|(suffix, _)| *suffix == unit)?;
        nanos += number.parse::<f64>().ok()? * unit;
        rest = after;
    }
    let fits = !text.is_empty() && nanos <= NANOS_MAX;
    fits.then(|| Duration::from_nanos(nanos.round() as u64))
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
            ("0", 0),
            ("1m30s", 90_000_000_000),
            ("1.5h", 5_400_000_000_000),
            ("1h2m3.5s", 3_723_500_000_000),
            ("300ms", 300_000_000),
            ("1s500ms", 1_500_000_000),
            ("2μs", 2_000),
            ("1000h", 3_600_000_000_000_000),
        ];
        for (text, nanos) in cases {
            assert_eq!(parse(text), Some(Duration::from_nanos(nanos)), "{text}");
        }
        for text in [
            "", "10", "s", "-1s", "1 s", "abc", "1e3s", "infs", "NaNs", "2000h", "1d", "1m30",
            "1.2.3s", ".s", "1m 30s", "999h61m", "1S", "00",
        ] {
            assert_eq!(parse(text), None, "{text}");
        }
    }
}
