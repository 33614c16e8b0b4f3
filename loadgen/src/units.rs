//! Formatting of numbers with three significant digits and a suitable unit.

/// Formats a duration given in µs: `812 µs`, `4.99 ms`, `1.20 s`.
pub(crate) fn time(us: f64) -> String {
    match us {
        us if us < 1e3 => format!("{} µs", digits(us)),
        us if us < 1e6 => format!("{} ms", digits(us / 1e3)),
        us => format!("{} s", digits(us / 1e6)),
    }
}

/// Formats a duration given in µs, or `n/a`.
pub(crate) fn time_or_none(us: Option<f64>) -> String {
    us.map_or_else(|| "n/a".to_owned(), time)
}

/// Formats a duration for an axis: `500 µs`, `2 ms`.
pub(crate) fn time_tick(us: f64) -> String {
    match us {
        0.0 => "0".to_owned(),
        us if us < 1e3 => format!("{} µs", tick(us)),
        us if us < 1e6 => format!("{} ms", tick(us / 1e3)),
        us => format!("{} s", tick(us / 1e6)),
    }
}

/// Formats a round number for an axis: `0.5`, `20`, `150k`.
pub(crate) fn count_tick(number: f64) -> String {
    match number {
        n if n < 1e4 => tick(n),
        n if n < 1e6 => format!("{}k", tick(n / 1e3)),
        n => format!("{}M", tick(n / 1e6)),
    }
}

fn tick(number: f64) -> String {
    let text = format!("{number:.3}");
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

/// Formats a number with separated thousands: `1 234 567`, or `0.52` below ten.
pub(crate) fn count(number: f64) -> String {
    if number < 10.0 && number.fract() != 0.0 {
        return format!("{number:.2}");
    }
    let digits = format!("{number:.0}");
    let mut grouped = String::new();
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index) % 3 == 0 {
            grouped.push('\u{202f}');
        }
        grouped.push(digit);
    }
    grouped
}

/// Formats a share of one as a percentage: `12.5 %`.
pub(crate) fn percent(share: f64) -> String {
    let percent = share * 100.0;
    match percent {
        0.0 => "0 %".to_owned(),
        p if p < 0.01 => "< 0.01 %".to_owned(),
        p if p < 10.0 => format!("{p:.2} %"),
        p => format!("{p:.1} %"),
    }
}

/// Formats a count with its noun: `1 core`, `2 cores`.
pub(crate) fn several(number: usize, what: &str) -> String {
    let plural = if number == 1 { "" } else { "s" };
    format!("{number} {what}{plural}")
}

/// Formats a number of bytes: `12.3 MiB`.
pub(crate) fn bytes(bytes: u64) -> String {
    let bytes = bytes as f64;
    match bytes {
        b if b < 1024.0 * 1024.0 => format!("{} KiB", digits(b / 1024.0)),
        b if b < 1024.0 * 1024.0 * 1024.0 => format!("{} MiB", digits(b / 1024.0 / 1024.0)),
        b => format!("{} GiB", digits(b / 1024.0 / 1024.0 / 1024.0)),
    }
}

fn digits(number: f64) -> String {
    match number {
        n if n >= 99.95 => format!("{n:.0}"),
        n if n >= 9.995 => format!("{n:.1}"),
        n => format!("{n:.2}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_have_three_digits_and_a_unit() {
        assert_eq!(
            [0.5, 12.34, 812.4, 4990.0, 1.2e6].map(time),
            ["0.50 µs", "12.3 µs", "812 µs", "4.99 ms", "1.20 s"]
        );
        assert_eq!(
            [0.0, 20.0, 2000.0, 5e6].map(time_tick),
            ["0", "20 µs", "2 ms", "5 s"]
        );
        assert_eq!(
            [0.5, 500.0, 15_000.0, 2e6].map(count_tick),
            ["0.5", "500", "15k", "2M"]
        );
        assert_eq!(count(1_234_567.0), "1\u{202f}234\u{202f}567");
        assert_eq!(
            (count(999.0), count(0.52)),
            ("999".to_owned(), "0.52".to_owned())
        );
        assert_eq!(
            [0.0, 0.00001, 0.0123, 0.5].map(percent),
            ["0 %", "< 0.01 %", "1.23 %", "50.0 %"]
        );
        assert_eq!([2048, 13_000_000].map(bytes), ["2.00 KiB", "12.4 MiB"]);
    }
}
