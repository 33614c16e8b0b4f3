//! Schedule of calls: a rate that may change over time with an arrival process, or a recorded
//! trace.
//!
//! ```text
//!   --rate      ──▶ Curve     calls that are due after so many seconds, and its inverse
//!   --schedule  ──▶ Arrivals  even, at random, or in bursts: positions on that curve
//!   --replay    ──▶ Trace     offsets from a file
//!                     └──▶ Timetable   one connection's share of them, as absolute times
//! ```
//!
//! All of these are functions of the call's number and the seed. A delayed call therefore does not
//! shift the calls after it.

mod curve;
mod syntax;
mod timetable;
mod trace;

pub use curve::Curve;
pub use timetable::{Share, Timetable};
pub use trace::{Sample, Trace, TraceFile};

use std::str::FromStr;
use std::sync::Arc;
use std::time::Duration;

/// Arrival process: distribution of calls over a rate.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Arrivals {
    /// Calls at equal intervals.
    Even,
    /// Calls at random, each independent of the others (a Poisson process), like many independent
    /// callers.
    Poisson,
    /// This many calls at once, then a pause; the average rate is unchanged.
    Bursts(u32),
}

impl FromStr for Arrivals {
    type Err = ();

    /// Parses `even`, `poisson` or `bursts:N`.
    fn from_str(text: &str) -> Result<Self, ()> {
        match text {
            "even" => Ok(Self::Even),
            "poisson" => Ok(Self::Poisson),
            _ => text
                .strip_prefix("bursts:")
                .and_then(|size| size.parse().ok())
                .filter(|size| (1..=1 << 20).contains(size))
                .map(Self::Bursts)
                .ok_or(()),
        }
    }
}

/// Intended start times of an open loop, over all connections.
#[derive(Clone, Debug)]
pub enum Schedule {
    /// Rate with an arrival process.
    Rate {
        /// Calls per second over time.
        curve: Curve,
        /// Arrival process.
        arrivals: Arrivals,
    },
    /// Start times from a trace.
    Trace(Arc<Trace>),
}

impl Schedule {
    /// Returns the average calls per second over a window of this length.
    pub fn mean_rate(&self, window: Duration) -> f64 {
        let seconds = window.as_secs_f64();
        let calls = match self {
            Self::Rate { curve, .. } => curve.calls_by(seconds),
            Self::Trace(trace) => trace.calls_by(window) as f64,
        };
        calls / seconds
    }

    /// Returns true if the rate is constant and calls come one by one.
    pub(crate) fn is_steady(&self) -> bool {
        matches!(
            self,
            Self::Rate {
                curve: Curve::Constant(_),
                arrivals: Arrivals::Even | Arrivals::Poisson,
            }
        )
    }

    /// Returns the constant rate of the warm-up: the rate at the start of the window, or its
    /// average if that is zero.
    pub(crate) fn warmup_rate(&self, window: Duration) -> f64 {
        match self {
            Self::Rate { curve, .. } if curve.rate_at(0.0) > 0.0 => curve.rate_at(0.0),
            _ => self.mean_rate(window),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn arrivals_are_read() {
        let cases = [
            ("even", Ok(Arrivals::Even)),
            ("poisson", Ok(Arrivals::Poisson)),
            ("bursts:50", Ok(Arrivals::Bursts(50))),
            ("bursts:0", Err(())),
            ("bursts", Err(())),
            ("Poisson", Err(())),
        ];
        for (text, arrivals) in cases {
            assert_eq!(text.parse(), arrivals, "{text}");
        }
    }

    #[test]
    fn the_warm_up_has_the_first_rate_or_the_mean() {
        let window = Duration::from_secs(10);
        let rate = |text: &str| Schedule::Rate {
            curve: Curve::parse(text, window).unwrap(),
            arrivals: Arrivals::Even,
        };
        for (text, warm, mean) in [("50", 50.0, 50.0), ("100..300", 100.0, 200.0)] {
            assert_eq!(rate(text).warmup_rate(window), warm, "{text}");
            assert_eq!(rate(text).mean_rate(window), mean, "{text}");
        }
        assert_eq!(rate("0..300").warmup_rate(window), 150.0);
        let trace = Schedule::Trace(Arc::new(Trace::parse("0\n1\n20\n").unwrap()));
        assert_eq!(trace.warmup_rate(window), 0.2);
    }
}
