//! Counters and histograms of a run: outcomes, latencies, and the measured window.
//!
//! A call belongs to the window of its *intended* start. Calls that are meant to start within the
//! measured window are counted, whenever they end; calls of the warm-up are not. So `ok + failed +
//! censored` is exactly the number of calls that were due in the window.
//!
//! A core records into one set of histograms. Once a second the set is passed to the run as an
//! [`Interval`], and an empty set replaces it. The run adds the intervals up, so that the core can
//! go on calling.

use std::time::Duration;

use hdrhistogram::Histogram;

use crate::failures::Failures;
use crate::outcome::{OUTCOMES, Outcome};

/// Largest latency in ns that is kept; longer ones count as this one.
pub(crate) const NANOS_MAX: u64 = 60_000_000_000;

/// Number of exact decimal digits of a kept latency.
const DIGITS: u8 = 3;

/// Interval between cuts.
const INTERVAL: Duration = Duration::from_secs(1);

/// Phases of a run, as times since the process epoch.
#[derive(Clone, Copy, Debug)]
pub struct Phases {
    /// Start of the warm-up, and of calls.
    pub begin: Duration,
    /// Start of the measured window.
    pub measure: Duration,
    /// End of the measured window; no call becomes due after it.
    pub end: Duration,
}

impl Phases {
    /// Phases of a run that has not begun.
    pub const PENDING: Self = Self {
        begin: Duration::MAX,
        measure: Duration::MAX,
        end: Duration::MAX,
    };

    /// Returns true if calls may start at `now`.
    pub fn calling(&self, now: Duration) -> bool {
        self.begin <= now && now < self.end
    }

    /// Returns true if `at` is in the measured window.
    pub fn measured(&self, at: Duration) -> bool {
        self.measure <= at && at < self.end
    }

    /// Returns the first cut after `at`. Cuts are a whole number of seconds before and after the
    /// start of the measured window, so that no interval belongs to both phases.
    pub fn next_cut(&self, at: Duration) -> Duration {
        if at < self.measure {
            let left = self.measure - at - Duration::from_nanos(1);
            return self.measure - INTERVAL * left.as_secs() as u32;
        }
        self.measure + INTERVAL * ((at - self.measure).as_secs() as u32 + 1)
    }
}

/// Times of a call that has ended.
#[derive(Clone, Copy, Debug)]
pub struct Times {
    /// Intended start of the call.
    pub intended: Duration,
    /// Time at which the call could be sent: its intended start, or when a stream became free.
    pub ready: Duration,
    /// Time at which the request was passed to the socket.
    pub sent: Duration,
    /// Time at which the first bytes of the response were read; `None` without a response.
    pub first: Option<Duration>,
    /// Time at which the end of the response was read.
    pub ended: Duration,
}

/// Returns a histogram of nanoseconds from 1 ns to 60 s, with three exact digits.
pub fn histogram() -> Histogram<u64> {
    Histogram::new_with_bounds(1, NANOS_MAX, DIGITS)
        .unwrap_or_else(|error| unreachable!("constant bounds are valid: {error}"))
}

/// Latencies of calls in nanoseconds, a histogram for each kind.
#[derive(Clone, Debug)]
pub struct Latencies {
    /// Time from the intended start to the end; the age of censored calls.
    pub response: Histogram<u64>,
    /// Time from the sending to the end.
    pub service: Histogram<u64>,
    /// Time from the intended start to the sending.
    pub lag: Histogram<u64>,
    /// Part of the lag that the generator causes: time from a free stream to the sending.
    pub late: Histogram<u64>,
    /// Time from the sending to the first bytes of the response.
    pub first_byte: Histogram<u64>,
}

impl Default for Latencies {
    fn default() -> Self {
        Self {
            response: histogram(),
            service: histogram(),
            lag: histogram(),
            late: histogram(),
            first_byte: histogram(),
        }
    }
}

impl Latencies {
    fn record(&mut self, times: Times) {
        self.response
            .saturating_record(nanos(times.intended, times.ended));
        self.service
            .saturating_record(nanos(times.sent, times.ended));
        self.lag
            .saturating_record(nanos(times.intended, times.sent));
        self.late.saturating_record(nanos(times.ready, times.sent));
        if let Some(first) = times.first {
            self.first_byte.saturating_record(nanos(times.sent, first));
        }
    }

    /// Adds the latencies of other calls.
    pub fn add(&mut self, other: &Self) {
        add(&mut self.response, &other.response);
        add(&mut self.service, &other.service);
        add(&mut self.lag, &other.lag);
        add(&mut self.late, &other.late);
        add(&mut self.first_byte, &other.first_byte);
    }

    /// Returns each histogram with its name in logs and reports.
    pub fn named(&self) -> [(&'static str, &Histogram<u64>); 5] {
        [
            ("response", &self.response),
            ("service", &self.service),
            ("lag", &self.lag),
            ("late", &self.late),
            ("first_byte", &self.first_byte),
        ]
    }
}

/// Counters and histograms of one core, or of several together.
#[derive(Clone, Debug)]
pub struct Record {
    outcomes: [u64; OUTCOMES],
    /// Response times of failed calls by the outcome's index, and at the last index of censored
    /// calls.
    apart: [Option<Box<Histogram<u64>>>; OUTCOMES + 1],
    /// Number of calls that ended within the window, whenever they were meant to start.
    pub ended_in_window: u64,
    /// Number of these calls that belong to the warm-up: they were in flight when the window began.
    pub carried_in: u64,
    /// Number of calls of the window that had not ended when the run ended.
    pub censored: u64,
    /// Number of connections that were lost.
    pub lost: u64,
    /// Number of connections that were opened again.
    pub reconnects: u64,
    /// Time within the window without a connection, summed over all lanes.
    pub unconnected: Duration,
    /// Smallest limit of concurrent streams on a connection that the target set.
    pub streams_allowed: u32,
    /// Share of the window's time in which the busiest core computed.
    pub busiest_core_share: f64,
    /// Latencies of all calls of the window in the intervals absorbed so far.
    pub latencies: Latencies,
    /// Stalls: delay between the planned and the actual time of a core's timed actions.
    pub gaps: Histogram<u64>,
    /// Error texts of failed calls of the window.
    pub failures: Failures,
    recent: Recent,
}

/// Counts since the last cut.
#[derive(Clone, Debug)]
struct Recent {
    measured: Latencies,
    warmup: Histogram<u64>,
    failed: u64,
    gap_max: Duration,
}

impl Default for Recent {
    fn default() -> Self {
        Self {
            measured: Latencies::default(),
            warmup: histogram(),
            failed: 0,
            gap_max: Duration::ZERO,
        }
    }
}

/// Counts of one core, or of all cores, between two cuts.
#[derive(Clone, Debug)]
pub struct Interval {
    /// Start and end of the interval, since the process epoch.
    pub span: (Duration, Duration),
    /// Latencies of calls of the measured window that ended in the interval.
    pub measured: Latencies,
    /// Response times of calls of the warm-up that ended in the interval.
    pub warmup: Histogram<u64>,
    /// Number of failed calls that ended in the interval, including the warm-up.
    pub failed: u64,
    /// Longest stall of a core in the interval.
    pub gap_max: Duration,
}

impl Interval {
    /// Adds the counts of another core for this interval.
    pub fn add(&mut self, other: &Self) {
        self.measured.add(&other.measured);
        add(&mut self.warmup, &other.warmup);
        self.failed += other.failed;
        self.gap_max = self.gap_max.max(other.gap_max);
    }

    /// Returns the length in seconds, above 0.
    pub fn seconds(&self) -> f64 {
        let (from, to) = self.span;
        to.saturating_sub(from).as_secs_f64().max(1e-9)
    }

    /// Returns the response times of all calls that ended in the interval.
    pub fn all(&self) -> Histogram<u64> {
        let mut all = self.measured.response.clone();
        add(&mut all, &self.warmup);
        all
    }
}

impl Default for Record {
    fn default() -> Self {
        Self {
            outcomes: [0; OUTCOMES],
            apart: [const { None }; OUTCOMES + 1],
            ended_in_window: 0,
            carried_in: 0,
            censored: 0,
            lost: 0,
            reconnects: 0,
            unconnected: Duration::ZERO,
            streams_allowed: u32::MAX,
            busiest_core_share: 0.0,
            latencies: Latencies::default(),
            gaps: histogram(),
            failures: Failures::default(),
            recent: Recent::default(),
        }
    }
}

impl Record {
    /// Counts a call that ended.
    pub fn ended(&mut self, phases: &Phases, times: Times, outcome: Outcome) {
        let failed = outcome != Outcome::OK;
        let in_window = phases.measured(times.ended);
        self.ended_in_window += u64::from(in_window);
        self.recent.failed += u64::from(failed);
        let response = nanos(times.intended, times.ended);
        if !phases.measured(times.intended) {
            self.carried_in += u64::from(in_window);
            self.recent.warmup.saturating_record(response);
            return;
        }
        self.outcomes[outcome.index()] += 1;
        self.recent.measured.record(times);
        if failed {
            self.set_apart(outcome.index(), response);
        }
    }

    fn set_apart(&mut self, place: usize, response: u64) {
        self.apart[place]
            .get_or_insert_with(|| Box::new(histogram()))
            .saturating_record(response);
    }

    /// Counts a call that had not ended at `now`; its age is a lower bound of its latency.
    pub fn censored(&mut self, intended: Duration, now: Duration) {
        self.censored += 1;
        let age = nanos(intended, now);
        self.recent.measured.response.saturating_record(age);
        self.set_apart(OUTCOMES, age);
    }

    /// Records a stall: the core reached a timed action this much late.
    pub fn gap(&mut self, late: Duration) {
        self.gaps.saturating_record(nanos(Duration::ZERO, late));
        self.recent.gap_max = self.recent.gap_max.max(late);
    }

    /// Returns the counts since the last cut and resets them; the caller must absorb them.
    pub fn take_interval(&mut self, span: (Duration, Duration)) -> Interval {
        let recent = std::mem::take(&mut self.recent);
        Interval {
            span,
            measured: recent.measured,
            warmup: recent.warmup,
            failed: recent.failed,
            gap_max: recent.gap_max,
        }
    }

    /// Adds the latencies of an interval.
    pub fn absorb(&mut self, interval: &Interval) {
        self.latencies.add(&interval.measured);
    }

    /// Adds the counts of another core, whose intervals were absorbed before.
    pub fn merge(&mut self, mut other: Self) {
        let rest = other.take_interval(Default::default());
        self.latencies.add(&other.latencies);
        self.absorb(&rest);
        for (ours, theirs) in self.outcomes.iter_mut().zip(other.outcomes) {
            *ours += theirs;
        }
        for (ours, theirs) in self.apart.iter_mut().zip(other.apart) {
            match (ours, theirs) {
                (Some(ours), Some(theirs)) => add(ours, &theirs),
                (ours, Some(theirs)) => *ours = Some(theirs),
                (_, None) => {}
            }
        }
        self.ended_in_window += other.ended_in_window;
        self.carried_in += other.carried_in;
        self.censored += other.censored;
        self.lost += other.lost;
        self.reconnects += other.reconnects;
        self.unconnected += other.unconnected;
        self.streams_allowed = self.streams_allowed.min(other.streams_allowed);
        self.busiest_core_share = self.busiest_core_share.max(other.busiest_core_share);
        add(&mut self.gaps, &other.gaps);
        self.failures.merge(&other.failures);
    }

    /// Absorbs the counts since the last cut.
    pub fn settle(mut self) -> Self {
        let rest = self.take_interval(Default::default());
        self.absorb(&rest);
        self
    }

    /// Returns the number of successful calls.
    pub fn ok(&self) -> u64 {
        self.outcomes[Outcome::OK.index()]
    }

    /// Returns the number of failed calls by the name of their outcome; outcomes without calls are
    /// left out.
    pub fn failed(&self) -> impl Iterator<Item = (&'static str, u64)> {
        Outcome::all()
            .map(|outcome| (outcome, self.outcomes[outcome.index()]))
            .filter(|(outcome, count)| *outcome != Outcome::OK && *count > 0)
            .map(|(outcome, count)| (outcome.name(), count))
    }

    /// Returns the response times of each outcome that occurred, and of censored calls. Successful
    /// calls are computed as the total less all others, so that they cost the core nothing.
    pub fn by_outcome(&self) -> Vec<(&'static str, Histogram<u64>)> {
        let names = Outcome::all().map(Outcome::name).chain(["CENSORED"]);
        let apart = names.zip(&self.apart).filter_map(|(name, histogram)| {
            let histogram = histogram.as_deref()?;
            Some((name, histogram.clone()))
        });
        let apart: Vec<_> = apart.collect();
        let mut good = self.latencies.response.clone();
        for (_, histogram) in &apart {
            let taken = good.subtract(histogram);
            debug_assert!(taken.is_ok(), "what is set apart is a part of the whole");
        }
        let good = (self.ok() > 0).then_some((Outcome::OK.name(), good));
        good.into_iter().chain(apart).collect()
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
mod tests;
