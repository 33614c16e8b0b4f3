//! Syntax of `--rate`.

use std::time::Duration;

use super::Curve;
use crate::duration;

/// Largest rate in calls per second; above it the stream IDs of a connection would run out within a
/// run.
const RATE_MAX: f64 = 1e9;

/// Largest number of steps.
const STEPS_MAX: usize = 1000;

/// Accepted forms, for error texts.
const EXPECTED: &str = "expected calls per second, above 0 and up to 1000000000, as in 1000, \
                        \"100..5000 over 30s\", \"100,200,400 every 5s\" or \
                        \"1000+-500 every 10s\"";

impl Curve {
    /// Parses a rate: `1000`, a ramp `100..5000 over 30s`, steps `100,200,400 every 5s`, or a wave
    /// `1000+-500 every 10s` (or `±`). Without a time a ramp and a wave take the whole `window`,
    /// and steps divide it equally.
    ///
    /// # Errors
    /// The reason in words.
    pub fn parse(text: &str, window: Duration) -> Result<Self, String> {
        let (rates, time) = split_time(text)?;
        let window = window.as_secs_f64();
        if let Some((from, to)) = rates.split_once("..") {
            return ramp(from, to, time, window);
        }
        if rates.contains(',') {
            return steps(rates, time, window);
        }
        if let Some((mean, swing)) = rates.split_once("+-").or(rates.split_once('±')) {
            return sine(mean, swing, time, window);
        }
        match (number(rates)?, time) {
            (rate, None) if rate > 0.0 => Ok(Self::Constant(rate)),
            (_, None) => Err(EXPECTED.to_owned()),
            (_, Some(_)) => Err("a single rate takes no time".to_owned()),
        }
    }
}

/// Keyword between rates and time, and the time in seconds.
type Time<'a> = Option<(&'a str, f64)>;

fn split_time(text: &str) -> Result<(&str, Time<'_>), String> {
    let mut words = text.split_whitespace();
    let Some(rates) = words.next() else {
        return Err(EXPECTED.to_owned());
    };
    let Some(word) = words.next() else {
        return Ok((rates, None));
    };
    let time = words.next().and_then(duration::parse);
    match (time, words.next()) {
        (Some(time), None) if !time.is_zero() => Ok((rates, Some((word, time.as_secs_f64())))),
        _ => Err(EXPECTED.to_owned()),
    }
}

fn seconds(time: Time<'_>, word: &str, otherwise: f64) -> Result<f64, String> {
    match time {
        None => Ok(otherwise),
        Some((given, seconds)) if given == word => Ok(seconds),
        Some((given, _)) => Err(format!(
            "expected \"{word}\" before the time, not {given:?}"
        )),
    }
}

fn ramp(from: &str, to: &str, time: Time<'_>, window: f64) -> Result<Curve, String> {
    let (from, to) = (number(from)?, number(to)?);
    if from + to <= 0.0 {
        return Err("a ramp from 0 to 0 makes no calls".to_owned());
    }
    let over = seconds(time, "over", window)?;
    Ok(Curve::Ramp { from, to, over })
}

fn steps(rates: &str, time: Time<'_>, window: f64) -> Result<Curve, String> {
    let rates = rates
        .split(',')
        .map(number)
        .collect::<Result<Vec<_>, _>>()?;
    if rates.len() > STEPS_MAX {
        return Err(format!("expected at most {STEPS_MAX} steps"));
    }
    if rates.iter().sum::<f64>() <= 0.0 {
        return Err("steps of 0 make no calls".to_owned());
    }
    let every = seconds(time, "every", window / rates.len() as f64)?;
    Ok(Curve::Steps { rates, every })
}

fn sine(mean: &str, swing: &str, time: Time<'_>, window: f64) -> Result<Curve, String> {
    let (mean, swing) = (number(mean)?, number(swing)?);
    if swing > mean || mean <= 0.0 {
        return Err(format!("a wave of ±{swing} around {mean} goes below 0"));
    }
    let every = seconds(time, "every", window)?;
    Ok(Curve::Sine { mean, swing, every })
}

fn number(text: &str) -> Result<f64, String> {
    let number = text.parse::<f64>().ok();
    number
        .filter(|rate| (0.0..=RATE_MAX).contains(rate))
        .ok_or_else(|| EXPECTED.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    const WINDOW: Duration = Duration::from_secs(12);

    #[test]
    fn rates_are_read() {
        let ramp = |from, to, over| Curve::Ramp { from, to, over };
        let steps = |rates: &[f64], every| Curve::Steps {
            rates: rates.to_vec(),
            every,
        };
        let sine = |mean, swing, every| Curve::Sine { mean, swing, every };
        let cases = [
            ("1000", Curve::Constant(1000.0)),
            ("2.5", Curve::Constant(2.5)),
            ("100..5000 over 30s", ramp(100.0, 5000.0, 30.0)),
            ("100..0", ramp(100.0, 0.0, 12.0)),
            ("1,0,3 every 500ms", steps(&[1.0, 0.0, 3.0], 0.5)),
            ("1,2,3", steps(&[1.0, 2.0, 3.0], 4.0)),
            ("100+-50 every 10s", sine(100.0, 50.0, 10.0)),
            ("100±100", sine(100.0, 100.0, 12.0)),
        ];
        for (text, curve) in cases {
            assert_eq!(Curve::parse(text, WINDOW), Ok(curve), "{text}");
        }
    }

    #[test]
    fn impossible_rates_are_refused() {
        let texts = [
            "",
            "0",
            "-3",
            "NaN",
            "inf",
            "1e10",
            "ten",
            "0..0",
            "1..",
            "1..2 every 3s",
            "1,2 over 3s",
            "1,,2",
            "0,0",
            "10+-20",
            "5 over 3s",
            "1..2 over",
            "1..2 over 0s",
            "1..2 over 3s more",
        ];
        for text in texts {
            assert!(Curve::parse(text, WINDOW).is_err(), "{text}");
        }
    }
}
