//! What is counted: outcomes by name, latencies by histogram, and the window they belong to.
//!
//! A call belongs to the moment at which it was *meant* to start. Calls meant to start within the
//! measured window are counted, whenever they end; those of the warm-up are not. So `ok + failed +
//! censored` is exactly the number of calls that the window asked for.

use std::time::Duration;

use hdrhistogram::Histogram;

use crate::outcome::{OUTCOMES, Outcome};

/// Latencies are kept from 1 ns up to this many nanoseconds; longer ones count as this long.
const NANOS_MAX: u64 = 60_000_000_000;

/// Decimal digits of every kept latency that are exact.
const DIGITS: u8 = 3;

/// The phases of a run, as times since the process epoch.
#[derive(Clone, Copy, Debug)]
pub struct Phases {
    /// Calls start: the warm-up begins.
    pub begin: Duration,
    /// The measured window begins.
    pub measure: Duration,
    /// The measured window ends, and no call starts any more.
    pub end: Duration,
}

impl Phases {
    /// The phases of a run that has not begun.
    pub const PENDING: Self = Self {
        begin: Duration::MAX,
        measure: Duration::MAX,
        end: Duration::MAX,
    };

    /// Calls may start at `now`.
    pub fn calling(&self, now: Duration) -> bool {
        self.begin <= now && now < self.end
    }

    /// `at` lies in the measured window.
    pub fn measured(&self, at: Duration) -> bool {
        self.measure <= at && at < self.end
    }
}

/// The three moments of a call that ended.
#[derive(Clone, Copy, Debug)]
pub struct Times {
    /// When it was meant to start.
    pub intended: Duration,
    /// When its request was handed to the socket.
    pub sent: Duration,
    /// When the end of its response was read.
    pub ended: Duration,
}

/// A histogram of nanoseconds from 1 ns to 60 s, three digits exact.
pub fn histogram() -> Histogram<u64> {
    Histogram::new_with_bounds(1, NANOS_MAX, DIGITS)
        .unwrap_or_else(|error| unreachable!("constant bounds are valid: {error}"))
}

/// What one core counted; records of several cores add up.
#[derive(Clone, Debug)]
pub struct Record {
    outcomes: [u64; OUTCOMES],
    /// Calls that ended within the window, whenever they were meant to start.
    pub ended_in_window: u64,
    /// Calls of the window that had not ended when the run did.
    pub censored: u64,
    /// Connections that were lost and made anew.
    pub reconnects: u64,
    /// From the intended start to the end; of censored calls their age.
    pub response: Histogram<u64>,
    /// From the sending to the end.
    pub service: Histogram<u64>,
    /// From the intended start to the sending.
    pub lag: Histogram<u64>,
    recent: Recent,
}

/// What happened since the last interval was taken.
#[derive(Clone, Debug)]
struct Recent {
    measured: Histogram<u64>,
    warmup: Histogram<u64>,
    failed: u64,
}

/// A second of a run, for progress.
#[derive(Clone, Debug)]
pub struct Interval {
    /// Response times of all calls that ended in it.
    pub response: Histogram<u64>,
    /// How many of them failed.
    pub failed: u64,
}

impl Default for Record {
    fn default() -> Self {
        Self {
            outcomes: [0; OUTCOMES],
            ended_in_window: 0,
            censored: 0,
            reconnects: 0,
            response: histogram(),
            service: histogram(),
            lag: histogram(),
            recent: Recent {
                measured: histogram(),
                warmup: histogram(),
                failed: 0,
            },
        }
    }
}

impl Record {
    /// Counts a call that ended.
    pub fn ended(&mut self, phases: &Phases, times: Times, outcome: Outcome) {
        let Times {
            intended,
            sent,
            ended,
        } = times;
        self.ended_in_window += u64::from(phases.measured(ended));
        self.recent.failed += u64::from(outcome != Outcome::OK);
        let response = nanos(intended, ended);
        if !phases.measured(intended) {
            self.recent.warmup.saturating_record(response);
            return;
        }
        self.outcomes[outcome.index()] += 1;
        self.recent.measured.saturating_record(response);
        self.service.saturating_record(nanos(sent, ended));
        self.lag.saturating_record(nanos(intended, sent));
    }

    /// Counts a call that had not ended at `now`, with the age that its latency exceeds.
    pub fn censored(&mut self, intended: Duration, now: Duration) {
        self.censored += 1;
        self.recent.measured.saturating_record(nanos(intended, now));
    }

    /// What happened since this was last asked.
    pub fn take_interval(&mut self) -> Interval {
        let Recent {
            measured,
            warmup,
            failed,
        } = &mut self.recent;
        add(&mut self.response, measured);
        let mut response = measured.clone();
        add(&mut response, warmup);
        measured.reset();
        warmup.reset();
        Interval {
            response,
            failed: std::mem::take(failed),
        }
    }

    /// Adds what another core counted.
    pub fn merge(&mut self, mut other: Self) {
        self.take_interval();
        other.take_interval();
        for (ours, theirs) in self.outcomes.iter_mut().zip(other.outcomes) {
            *ours += theirs;
        }
        self.ended_in_window += other.ended_in_window;
        self.censored += other.censored;
        self.reconnects += other.reconnects;
        add(&mut self.response, &other.response);
        add(&mut self.service, &other.service);
        add(&mut self.lag, &other.lag);
    }

    /// Calls that ended well.
    pub fn ok(&self) -> u64 {
        self.outcomes[Outcome::OK.index()]
    }

    /// Calls that failed, by the name of their outcome; names without calls are left out.
    pub fn failures(&self) -> impl Iterator<Item = (&'static str, u64)> {
        Outcome::all()
            .map(|outcome| (outcome, self.outcomes[outcome.index()]))
            .filter(|(outcome, count)| *outcome != Outcome::OK && *count > 0)
            .map(|(outcome, count)| (outcome.name(), count))
    }
}

fn nanos(from: Duration, to: Duration) -> u64 {
    to.saturating_sub(from)
        .as_nanos()
        .min(u128::from(NANOS_MAX)) as u64
}

/// Adds a histogram to another of the same bounds.
pub fn add(to: &mut Histogram<u64>, from: &Histogram<u64>) {
    let added = to.add(from);
    debug_assert!(added.is_ok(), "histograms of the same bounds add up");
}

#[cfg(test)]
mod tests {
    use super::*;
    use corespun_codec::Code;

    const fn at(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    const PHASES: Phases = Phases {
        begin: at(1),
        measure: at(2),
        end: at(10),
    };

    fn times(intended: u64, sent: u64, ended: u64) -> Times {
        Times {
            intended: at(intended),
            sent: at(sent),
            ended: at(ended),
        }
    }

    #[test]
    fn calls_belong_to_their_intended_start() {
        let mut record = Record::default();
        record.ended(&PHASES, times(1, 1, 3), Outcome::OK);
        record.ended(&PHASES, times(2, 3, 4), Outcome::OK);
        record.ended(&PHASES, times(9, 9, 11), Outcome::MissingStatus);
        record.ended(&PHASES, times(10, 10, 11), Outcome::Malformed);
        record.censored(at(5), at(11));
        let interval = record.take_interval();
        assert_eq!((interval.response.len(), interval.failed), (5, 2));
        assert_eq!(record.ok(), 1);
        assert_eq!(
            record.failures().collect::<Vec<_>>(),
            [("MISSING_STATUS", 1)]
        );
        assert_eq!((record.censored, record.ended_in_window), (1, 2));
        assert_eq!(record.response.len(), 3);
        assert!(record.response.max() >= 6_000_000_000);
        assert_eq!(record.lag.max() / 1_000_000_000, 1);
        assert_eq!(record.take_interval().response.len(), 0);
    }

    #[test]
    fn records_add_up_and_long_calls_are_kept() {
        let mut one = Record::default();
        let mut two = Record::default();
        one.ended(&PHASES, times(3, 3, 300), Outcome::OK);
        two.ended(&PHASES, times(3, 3, 4), Outcome::Status(Code::NotFound));
        two.reconnects = 2;
        one.merge(two);
        assert_eq!((one.ok(), one.reconnects, one.response.len()), (1, 2, 2));
        assert_eq!(one.failures().collect::<Vec<_>>(), [("NOT_FOUND", 1)]);
        assert!(one.response.max() >= NANOS_MAX);
    }
}
