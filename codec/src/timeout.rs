//! `grpc-timeout`: one to eight digits and a unit (gRPC over HTTP/2, "Timeout").

use crate::Status;
use std::time::Duration;

/// Longest timeout that [`parse`] returns, about 292 years: the range of an `i64` of nanoseconds,
/// so that adding it to a clock reading cannot overflow.
pub const MAX: Duration = Duration::from_nanos(i64::MAX as u64);

const DIGITS_MAX: usize = 8;
const VALUE_MAX: u128 = 99_999_999;

/// Units and their nanoseconds, finest first.
const UNITS: [(u8, u64); 6] = [
    (b'n', 1),
    (b'u', 1_000),
    (b'm', 1_000_000),
    (b'S', 1_000_000_000),
    (b'M', 60_000_000_000),
    (b'H', 3_600_000_000_000),
];

/// Parses a `grpc-timeout` value. Zero is legal and means that the deadline has passed already.
///
/// # Errors
/// INTERNAL naming the value, when it is not one to eight digits and a unit.
pub fn parse(text: &[u8]) -> Result<Duration, Status> {
    read(text).ok_or_else(|| {
        let shown = String::from_utf8_lossy(text);
        Status::internal(format!("malformed grpc-timeout: {shown:?}"))
    })
}

fn read(text: &[u8]) -> Option<Duration> {
    let (unit, digits) = text.split_last()?;
    if digits.is_empty() || digits.len() > DIGITS_MAX {
        return None;
    }
    let (_, unit_ns) = UNITS.iter().find(|(name, _)| name == unit)?;
    let mut value = 0u64;
    for digit in digits {
        if !digit.is_ascii_digit() {
            return None;
        }
        value = value * 10 + u64::from(digit - b'0');
    }
    Some(
        value
            .checked_mul(*unit_ns)
            .map_or(MAX, Duration::from_nanos)
            .min(MAX),
    )
}

/// Appends `timeout` as a `grpc-timeout` value, in the finest unit whose number fits eight digits.
/// It is rounded up, so that the peer's deadline is never earlier than ours.
pub fn write(timeout: Duration, out: &mut Vec<u8>) {
    let total_ns = timeout.as_nanos();
    let (value, unit) = UNITS
        .iter()
        .map(|&(unit, ns)| (total_ns.div_ceil(u128::from(ns)), unit))
        .find(|&(value, _)| value <= VALUE_MAX)
        .unwrap_or((VALUE_MAX, b'H'));
    let mut digits = [0u8; DIGITS_MAX];
    let mut at = DIGITS_MAX;
    let mut left = value as u32;
    loop {
        at -= 1;
        digits[at] = b'0' + (left % 10) as u8;
        left /= 10;
        if left == 0 {
            break;
        }
    }
    out.extend_from_slice(&digits[at..]);
    out.push(unit);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Code;
    use crate::generator::Generator;

    fn written(timeout: Duration) -> String {
        let mut out = Vec::new();
        write(timeout, &mut out);
        String::from_utf8(out).expect("a timeout is ASCII")
    }

    #[test]
    fn every_unit_is_read() {
        for (text, nanos) in [
            ("0n", 0),
            ("1n", 1),
            ("25u", 25_000),
            ("100m", 100_000_000),
            ("3S", 3_000_000_000),
            ("2M", 120_000_000_000),
            ("00000001H", 3_600_000_000_000),
        ] {
            assert_eq!(
                parse(text.as_bytes()).unwrap(),
                Duration::from_nanos(nanos),
                "{text}"
            );
        }
        assert_eq!(parse(b"99999999H").unwrap(), MAX);
    }

    #[test]
    fn other_forms_are_named() {
        for text in [
            "",
            "n",
            "1",
            "123456789n",
            "1s",
            "-1S",
            "+1S",
            "1.5S",
            " 1S",
            "1S ",
            "1 S",
        ] {
            let status = parse(text.as_bytes()).unwrap_err();
            assert_eq!(status.code(), Code::Internal);
            assert_eq!(
                status.message(),
                format!("malformed grpc-timeout: {text:?}")
            );
        }
    }

    #[test]
    fn the_finest_unit_that_fits_is_written() {
        for (timeout, text) in [
            (Duration::ZERO, "0n"),
            (Duration::from_nanos(99_999_999), "99999999n"),
            (Duration::from_nanos(100_000_001), "100001u"),
            (Duration::from_secs(1), "1000000u"),
            (Duration::from_secs(100), "100000m"),
            (Duration::MAX, "99999999H"),
        ] {
            assert_eq!(written(timeout), text);
        }
    }

    #[test]
    fn what_is_written_reads_back_no_shorter() {
        let mut random = Generator::new(3);
        for _ in 0..10_000 {
            let nanos = (random.number() >> 1) >> random.below(63);
            let timeout = Duration::from_nanos(nanos);
            let text = written(timeout);
            let read = parse(text.as_bytes()).unwrap();
            assert!(
                text.len() <= 9 && read >= timeout,
                "{timeout:?} -> {text} -> {read:?}"
            );
            assert!(
                (read - timeout).as_nanos() <= timeout.as_nanos() / 27_000,
                "{timeout:?}"
            );
        }
    }

    #[test]
    fn any_bytes_are_read_or_refused() {
        let mut random = Generator::new(4);
        for _ in 0..10_000 {
            let text = random.bytes(10, b"0123456789numSMHx");
            if let Ok(timeout) = parse(&text) {
                assert!(timeout <= MAX && (2..=9).contains(&text.len()), "{text:?}");
            }
        }
    }
}
