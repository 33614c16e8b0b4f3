//! Scales from values to coordinates: linear, logarithmic, and by the nines of a percentile.

/// Kind of scale.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Kind {
    Linear,
    Log,
}

/// Scale from `low` to `high` between two coordinates.
#[derive(Clone, Copy, Debug)]
pub(super) struct Scale {
    kind: Kind,
    low: f64,
    high: f64,
    from: f64,
    to: f64,
}

impl Scale {
    /// Returns a scale that shows all `values`, with round ends. It is logarithmic if they span
    /// more than a factor of eight, else linear, and from zero if `zero` is true.
    pub(super) fn of(values: impl Iterator<Item = f64>, zero: bool, ends: (f64, f64)) -> Self {
        let (mut least, mut most) = (f64::MAX, f64::MIN);
        for value in values.filter(|value| value.is_finite()) {
            (least, most) = (least.min(value), most.max(value));
        }
        if least > most {
            (least, most) = (0.0, 1.0);
        }
        if !zero && least > 0.0 && most > least * 8.0 {
            let (low, high) = (round_down(least), round_up(most));
            return Self::new(Kind::Log, (low, high), ends);
        }
        let low = if zero || least < most * 0.6 {
            0.0
        } else {
            least
        };
        let high = if most > low { most } else { low + 1.0 };
        let step = step(high - low);
        let low = (low / step).floor() * step;
        Self::new(Kind::Linear, (low, (high / step).ceil() * step), ends)
    }

    /// Returns a scale with these ends.
    pub(super) fn new(kind: Kind, (low, high): (f64, f64), (from, to): (f64, f64)) -> Self {
        debug_assert!(low < high && (kind == Kind::Linear || low > 0.0));
        Self {
            kind,
            low,
            high,
            from,
            to,
        }
    }

    /// Returns the coordinate of a value; values beyond an end are moved to it.
    pub(super) fn place(&self, value: f64) -> f64 {
        let value = value.clamp(self.low, self.high);
        let share = match self.kind {
            Kind::Linear => (value - self.low) / (self.high - self.low),
            Kind::Log => (value / self.low).ln() / (self.high / self.low).ln(),
        };
        self.from + share * (self.to - self.from)
    }

    /// Returns round values to label, in ascending order.
    pub(super) fn ticks(&self) -> Vec<f64> {
        match self.kind {
            Kind::Linear => {
                let step = step(self.high - self.low);
                let count = ((self.high - self.low) / step + 1e-9) as usize;
                (0..=count).map(|n| self.low + step * n as f64).collect()
            }
            Kind::Log => log_ticks(self.low, self.high),
        }
    }
}

/// Returns 1, 2, 5 of each decade; only 1 over more than three decades.
fn log_ticks(low: f64, high: f64) -> Vec<f64> {
    let decades = (high / low).log10();
    let digits: &[f64] = if decades > 3.01 {
        &[1.0]
    } else {
        &[1.0, 2.0, 5.0]
    };
    let (first, last) = (low.log10().floor() as i32, high.log10().ceil() as i32);
    let all = (first..=last).flat_map(|power| digits.iter().map(move |d| d * 10f64.powi(power)));
    let inside = |tick: &f64| *tick >= low * 0.999 && *tick <= high * 1.001;
    all.filter(inside).collect()
}

/// Returns a round step that divides the span into three to seven parts.
fn step(span: f64) -> f64 {
    let rough = span / 5.0;
    let power = 10f64.powf(rough.log10().floor());
    let digit = rough / power;
    power
        * match digit {
            d if d < 1.5 => 1.0,
            d if d < 3.5 => 2.0,
            d if d < 7.5 => 5.0,
            _ => 10.0,
        }
}

fn round_down(value: f64) -> f64 {
    let power = 10f64.powf(value.log10().floor());
    let digit = value / power;
    power
        * match digit {
            d if d >= 5.0 => 5.0,
            d if d >= 2.0 => 2.0,
            _ => 1.0,
        }
}

fn round_up(value: f64) -> f64 {
    let power = 10f64.powf(value.log10().floor());
    let digit = value / power;
    power
        * match digit {
            d if d <= 1.0 => 1.0,
            d if d <= 2.0 => 2.0,
            d if d <= 5.0 => 5.0,
            _ => 10.0,
        }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ticks(values: &[f64], zero: bool) -> Vec<f64> {
        Scale::of(values.iter().copied(), zero, (0.0, 100.0)).ticks()
    }

    #[test]
    fn ends_and_ticks_are_round() {
        assert_eq!(
            ticks(&[3.0, 97.0], true),
            [0.0, 20.0, 40.0, 60.0, 80.0, 100.0]
        );
        let log = ticks(&[37.0, 900.0], false);
        let rounded: Vec<_> = log.iter().map(|tick| tick.round()).collect();
        assert_eq!(rounded, [20.0, 50.0, 100.0, 200.0, 500.0, 1000.0]);
        assert_eq!(ticks(&[3.0, 70_000.0], false).len(), 5);
        assert!(ticks(&[], false).len() > 2);
        assert!(ticks(&[0.0, 0.0], true).len() > 2);
        assert!(ticks(&[5.0], false).len() > 2);
    }

    #[test]
    fn places_lie_between_the_ends() {
        let scale = Scale::new(Kind::Log, (1.0, 100.0), (0.0, 200.0));
        assert!((scale.place(10.0) - 100.0).abs() < 1e-9);
        assert_eq!((scale.place(0.0), scale.place(1e9)), (0.0, 200.0));
        let down = Scale::new(Kind::Linear, (0.0, 4.0), (100.0, 0.0));
        assert_eq!(down.place(1.0), 75.0);
    }
}
