//! What is counted: outcomes by name, latencies by histogram, and the window they belong to.
//!
//! A call belongs to the moment at which it was *meant* to start. Calls meant to start within the
//! measured window are counted, whenever they end; those of the warm-up are not. So `ok + failed +
//! censored` is exactly the number of calls that the window asked for.
//!
//! A core records into one set of histograms; at each cut, once a second, the set is handed to the
//! run as an [`Interval`] and an empty one takes its place. Adding up is the run's work, so that
//! the core goes on calling.

use std::time::Duration;

use hdrhistogram::Histogram;

use crate::failures::Failures;
use crate::outcome::{OUTCOMES, Outcome};

/// Latencies are kept from 1 ns up to this many nanoseconds; longer ones count as this long.
pub(crate) const NANOS_MAX: u64 = 60_000_000_000;

/// Decimal digits of every kept latency that are exact.
const DIGITS: u8 = 3;

/// How far the cuts between intervals are apart.
const INTERVAL: Duration = Duration::from_secs(1);

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

    /// The first cut after `at`. Cuts lie a whole number of seconds before and after the start of
    /// the measured window, so that no interval has a part in both phases.
    pub fn next_cut(&self, at: Duration) -> Duration {
        if at < self.measure {
            let left = self.measure - at - Duration::from_nanos(1);
            return self.measure - INTERVAL * left.as_secs() as u32;
        }
        self.measure + INTERVAL * ((at - self.measure).as_secs() as u32 + 1)
    }
}

/// The moments of a call that ended.
#[derive(Clone, Copy, Debug)]
pub struct Times {
    /// When it was meant to start.
    pub intended: Duration,
    /// When it could be sent: at its intended start, or once a stream was free for it.
    pub ready: Duration,
    /// When its request was handed to the socket.
    pub sent: Duration,
    /// When the first of its response was read; `None` if nothing of it came.
    pub first: Option<Duration>,
    /// When the end of its response was read.
    pub ended: Duration,
}

/// A histogram of nanoseconds from 1 ns to 60 s, three digits exact.
pub fn histogram() -> Histogram<u64> {
    Histogram::new_with_bounds(1, NANOS_MAX, DIGITS)
        .unwrap_or_else(|error| unreachable!("constant bounds are valid: {error}"))
}

/// The latencies of some calls, each in its own histogram of nanoseconds.
#[derive(Clone, Debug)]
pub struct Latencies {
    /// From the intended start to the end; of censored calls their age.
    pub response: Histogram<u64>,
    /// From the sending to the end.
    pub service: Histogram<u64>,
    /// From the intended start to the sending.
    pub lag: Histogram<u64>,
    /// The generator's own part of the lag: from the moment at which a stream was free.
    pub late: Histogram<u64>,
    /// From the sending to the first of the response.
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

    /// Each histogram with the name that logs and reports give it.
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

/// What one core counted, or several together.
#[derive(Clone, Debug)]
pub struct Record {
    outcomes: [u64; OUTCOMES],
    /// Response times of the calls that did not end well: by the place of their outcome, and
    /// last those of the censored.
    apart: [Option<Box<Histogram<u64>>>; OUTCOMES + 1],
    /// Calls that ended within the window, whenever they were meant to start.
    pub ended_in_window: u64,
    /// Calls of the warm-up among them: they were in flight when the window began.
    pub carried_in: u64,
    /// Calls of the window that had not ended when the run did.
    pub censored: u64,
    /// Connections that were lost.
    pub lost: u64,
    /// Connections that were made anew.
    pub reconnects: u64,
    /// Parts of the window in which a connection was missing, summed over all.
    pub unconnected: Duration,
    /// The fewest streams that the target allowed at once on a connection.
    pub streams_allowed: u32,
    /// The share of the window's time in which the busiest core computed.
    pub busiest_core_share: f64,
    /// The latencies of all calls of the window that were absorbed so far.
    pub latencies: Latencies,
    /// How late the core came to what it wanted to do at a certain moment.
    pub gaps: Histogram<u64>,
    /// Texts that calls of the window failed with.
    pub failures: Failures,
    recent: Recent,
}

/// What happened since the last cut.
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

/// What one core, or all of them, saw between two cuts.
#[derive(Clone, Debug)]
pub struct Interval {
    /// When it began and ended, since the process epoch.
    pub span: (Duration, Duration),
    /// Calls of the measured window that ended in it.
    pub measured: Latencies,
    /// Response times of the other calls that ended in it: those of the warm-up.
    pub warmup: Histogram<u64>,
    /// How many calls failed, of both kinds.
    pub failed: u64,
    /// How late the core was at most.
    pub gap_max: Duration,
}

impl Interval {
    /// Adds what another core saw in the same interval.
    pub fn add(&mut self, other: &Self) {
        self.measured.add(&other.measured);
        add(&mut self.warmup, &other.warmup);
        self.failed += other.failed;
        self.gap_max = self.gap_max.max(other.gap_max);
    }

    /// Its length in seconds, above 0.
    pub fn seconds(&self) -> f64 {
        let (from, to) = self.span;
        to.saturating_sub(from).as_secs_f64().max(1e-9)
    }

    /// The response times of all calls that ended in it.
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

    /// Counts a call that had not ended at `now`, with the age that its latency exceeds.
    pub fn censored(&mut self, intended: Duration, now: Duration) {
        self.censored += 1;
        let age = nanos(intended, now);
        self.recent.measured.response.saturating_record(age);
        self.set_apart(OUTCOMES, age);
    }

    /// The core came to something this much later than it had wanted to.
    pub fn gap(&mut self, late: Duration) {
        self.gaps.saturating_record(nanos(Duration::ZERO, late));
        self.recent.gap_max = self.recent.gap_max.max(late);
    }

    /// Hands over what happened since this was last asked; it is the caller's to absorb.
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

    /// Adds what another core counted; its intervals so far were absorbed already.
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

    /// Absorbs what its own intervals have not handed over.
    pub fn settle(mut self) -> Self {
        let rest = self.take_interval(Default::default());
        self.absorb(&rest);
        self
    }

    /// Calls that ended well.
    pub fn ok(&self) -> u64 {
        self.outcomes[Outcome::OK.index()]
    }

    /// Counts of calls that failed, by the name of their outcome; names without calls are left out.
    pub fn failed(&self) -> impl Iterator<Item = (&'static str, u64)> {
        Outcome::all()
            .map(|outcome| (outcome, self.outcomes[outcome.index()]))
            .filter(|(outcome, count)| *outcome != Outcome::OK && *count > 0)
            .map(|(outcome, count)| (outcome.name(), count))
    }

    /// The response times of each outcome that occurred, and of the censored calls. The good ones
    /// are what is left when all others are taken away, so that they cost the core nothing.
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
