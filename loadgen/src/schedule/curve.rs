//! Rates that change over time, as functions with a known inverse.

use std::f64::consts::TAU;

/// Calls per second over the seconds since the start of the measured window.
///
/// Each curve has closed forms for the number of calls after a number of seconds, and for the time
/// of the n-th call. No sums are accumulated, so errors do not accumulate either.
#[derive(Clone, Debug, PartialEq)]
pub enum Curve {
    /// Constant rate.
    Constant(f64),
    /// Linear change from one rate to another, which then stays.
    Ramp {
        /// Calls per second at the start.
        from: f64,
        /// Calls per second at the end and afterwards.
        to: f64,
        /// Duration of the change in seconds.
        over: f64,
    },
    /// Rates in sequence, each for an equal time; the last one stays.
    Steps {
        /// Calls per second in order.
        rates: Vec<f64>,
        /// Duration of each rate in seconds.
        every: f64,
    },
    /// Sine wave around a mean, which starts at the mean and rises.
    Sine {
        /// Calls per second on average.
        mean: f64,
        /// Amplitude in calls per second, at most the mean.
        swing: f64,
        /// Period in seconds.
        every: f64,
    },
}

impl Curve {
    /// Returns the calls per second at a time in seconds.
    pub fn rate_at(&self, seconds: f64) -> f64 {
        match self {
            Self::Constant(rate) => *rate,
            Self::Ramp { from, to, over } => from + (to - from) * (seconds / over).min(1.0),
            Self::Steps { rates, every } => {
                let step = (seconds / every) as usize;
                rates[step.min(rates.len() - 1)]
            }
            Self::Sine { mean, swing, every } => mean + swing * (TAU * seconds / every).sin(),
        }
    }

    /// Returns the number of calls that are due within this many seconds.
    pub fn calls_by(&self, seconds: f64) -> f64 {
        match self {
            Self::Constant(rate) => rate * seconds,
            Self::Ramp { from, to, over } => {
                let climbed = seconds.min(*over);
                let slope = (to - from) / over;
                from * climbed + slope * climbed * climbed / 2.0 + to * (seconds - climbed)
            }
            Self::Steps { rates, every } => {
                let last = rates.len() - 1;
                let done = ((seconds / every) as usize).min(last);
                let before: f64 = rates[..done].iter().map(|rate| rate * every).sum();
                before + rates[done] * (seconds - done as f64 * every)
            }
            Self::Sine { mean, swing, every } => {
                mean * seconds + swing * every / TAU * (1.0 - (TAU * seconds / every).cos())
            }
        }
    }

    /// Returns the seconds until this many calls are due; infinite if that never happens.
    pub fn time_of(&self, calls: f64) -> f64 {
        match self {
            Self::Constant(rate) => calls / rate,
            Self::Ramp { from, to, over } => ramp_time(*from, *to, *over, calls),
            Self::Steps { rates, every } => steps_time(rates, *every, calls),
            Self::Sine { mean, every, .. } => {
                let waves = (calls / (mean * every)).floor();
                waves * every + self.wave_time(*every, calls - waves * mean * every)
            }
        }
    }

    /// Computes [`Curve::time_of`] within the first wave by Newton's method with shrinking bounds,
    /// which it needs where the rate is zero.
    fn wave_time(&self, every: f64, calls: f64) -> f64 {
        let (mut low, mut high) = (0.0, every);
        let mut time = every / 2.0;
        for _ in 0..64 {
            let over = self.calls_by(time) - calls;
            if over > 0.0 {
                high = time;
            } else {
                low = time;
            }
            let step = time - over / self.rate_at(time);
            let next = if low <= step && step <= high {
                step
            } else {
                (low + high) / 2.0
            };
            let moved = (next - time).abs();
            time = next;
            if moved <= every * 1e-13 {
                break;
            }
        }
        time
    }
}

/// Returns the root of `from·t + (to − from)/(2·over)·t² = calls`, in a form that is accurate for
/// small slopes.
fn ramp_time(from: f64, to: f64, over: f64, calls: f64) -> f64 {
    let climb = (from + to) / 2.0 * over;
    if calls >= climb {
        return over + (calls - climb) / to;
    }
    if calls <= 0.0 {
        return 0.0;
    }
    let root = (from * from + 2.0 * (to - from) / over * calls).max(0.0);
    2.0 * calls / (from + root.sqrt())
}

fn steps_time(rates: &[f64], every: f64, calls: f64) -> f64 {
    let mut left = calls;
    for (step, rate) in rates[..rates.len() - 1].iter().enumerate() {
        if left < rate * every {
            return step as f64 * every + left / rate;
        }
        left -= rate * every;
    }
    let before = (rates.len() - 1) as f64 * every;
    before + left / rates[rates.len() - 1]
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ramp(from: f64, to: f64) -> Curve {
        Curve::Ramp {
            from,
            to,
            over: 10.0,
        }
    }

    fn steps(rates: &[f64]) -> Curve {
        Curve::Steps {
            rates: rates.to_vec(),
            every: 2.0,
        }
    }

    fn sine(swing: f64) -> Curve {
        Curve::Sine {
            mean: 100.0,
            swing,
            every: 4.0,
        }
    }

    /// Checks rate, number of calls, and the inverse at a known time.
    fn check(curve: &Curve, seconds: f64, rate: f64, calls: f64) {
        let near = |a: f64, b: f64| (a - b).abs() <= 1e-9 * b.abs().max(1.0);
        assert!(near(curve.rate_at(seconds), rate), "{curve:?} {seconds}");
        assert!(near(curve.calls_by(seconds), calls), "{curve:?} {seconds}");
        assert!(near(curve.time_of(calls), seconds), "{curve:?} {seconds}");
    }

    #[test]
    fn curves_agree_with_their_closed_forms() {
        check(&Curve::Constant(50.0), 3.0, 50.0, 150.0);
        check(&ramp(100.0, 300.0), 0.0, 100.0, 0.0);
        check(&ramp(100.0, 300.0), 5.0, 200.0, 750.0);
        check(&ramp(100.0, 300.0), 12.0, 300.0, 2600.0);
        check(&ramp(300.0, 100.0), 5.0, 200.0, 1250.0);
        check(&ramp(0.0, 100.0), 5.0, 50.0, 125.0);
        check(&ramp(7.0, 7.0), 20.0, 7.0, 140.0);
        check(&steps(&[10.0, 0.0, 30.0]), 1.0, 10.0, 10.0);
        check(&steps(&[10.0, 5.0, 30.0]), 3.0, 5.0, 25.0);
        check(&steps(&[10.0, 0.0, 30.0]), 9.0, 30.0, 170.0);
        check(&sine(60.0), 0.0, 100.0, 0.0);
        check(&sine(60.0), 1.0, 160.0, 100.0 + 240.0 / TAU);
        check(&sine(60.0), 6.0, 100.0, 600.0 + 480.0 / TAU);
        check(&sine(60.0), 8.0, 100.0, 800.0);
    }

    #[test]
    fn inverses_are_inverse_everywhere_and_rise() {
        let curves = [
            ramp(1.0, 1000.0),
            ramp(1000.0, 0.0),
            steps(&[5.0, 0.0, 100.0, 1.0]),
            sine(100.0),
            sine(0.0),
        ];
        for curve in curves {
            let mut before = 0.0;
            for number in 0..4000 {
                let calls = f64::from(number) / 5.0;
                let time = curve.time_of(calls);
                let back = curve.calls_by(time);
                assert!((back - calls).abs() < 1e-6, "{curve:?} {calls} {back}");
                assert!(time >= before, "{curve:?} {calls}");
                before = time;
            }
        }
    }

    #[test]
    fn what_is_never_due_is_infinitely_far() {
        assert!(ramp(100.0, 0.0).time_of(501.0).is_infinite());
        assert!(steps(&[10.0, 0.0]).time_of(21.0).is_infinite());
    }
}
