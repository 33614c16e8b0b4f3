//! Queueing delay of each call of a shard, estimated without reading the clock for each call.
//!
//! A turn begins with an upper bound on the time that data waited in the sockets, which costs
//! nothing to obtain. Within the turn the delay grows by the cost of the calls before. That cost is
//! extrapolated from their average. The clock is read again often enough to keep the error to a
//! fraction of the target, at most once in a few calls.

use std::time::Duration;

use corespun_runtime::TurnStart;

use super::{Admission, Controller};

/// Divisor of the target: the clock is read again after calls have taken about this part of it.
const READING_PART: u64 = 8;
/// Largest number of calls between two clock readings, however cheap the calls are.
const CALLS_MAX: u64 = 64;
/// Divisor of the weight of the newest turn in the moving average of call cost.
const COST_WEIGHT: u64 = 8;

/// Source of the delays that a gauge measures: the runtime, or a test double.
#[derive(Clone, Copy, Debug)]
pub struct Signals {
    /// Returns the state at the start of the turn: see [`corespun_runtime::turn_start`].
    pub turn_start: fn() -> TurnStart,
    /// Returns the delay of work that is reached now: see [`corespun_runtime::lag`].
    pub lag: fn() -> Duration,
}

impl Signals {
    /// Delays of the current shard, from the runtime.
    pub const SHARD: Self = Self {
        turn_start: corespun_runtime::turn_start,
        lag: corespun_runtime::lag,
    };
}

/// Delays of the calls of one shard, and its overload detection.
#[derive(Debug)]
pub(crate) struct Gauge {
    signals: Signals,
    target: Duration,
    pub(crate) controller: Controller,
    /// Current turn, and the state at its start.
    turn: Duration,
    start: TurnStart,
    /// Delay at the last clock reading.
    reading: Duration,
    /// Calls admitted since the last clock reading.
    since_reading: u64,
    until_reading: u64,
    /// Calls admitted in this turn.
    admitted: u64,
    /// Delay of the previous call.
    last: Duration,
    cost_ns: u64,
}

impl Gauge {
    pub(crate) fn new(settings: &Admission, signals: Signals) -> Self {
        Self {
            signals,
            target: settings.target,
            controller: Controller::new(settings.target, settings.interval),
            turn: Duration::ZERO,
            start: TurnStart::default(),
            reading: Duration::ZERO,
            since_reading: 0,
            until_reading: CALLS_MAX,
            admitted: 0,
            last: Duration::ZERO,
            cost_ns: 0,
        }
    }

    /// Returns the delay of the call that is reached next in the turn of `now`.
    pub(crate) fn wait(&mut self, now: Duration) -> Duration {
        if now != self.turn {
            self.begin_turn(now);
        } else if self.until_reading == 0 {
            self.note((self.signals.lag)());
        }
        self.until_reading = self.until_reading.saturating_sub(1);
        let behind = self.cost_ns.saturating_mul(self.since_reading);
        self.last = self.reading + Duration::from_nanos(behind);
        self.last
    }

    /// Returns true if the call that `wait` was last asked about may run; the next call waits for
    /// it.
    pub(crate) fn admits(&mut self) -> bool {
        let into_turn = self.last.saturating_sub(self.at_start());
        let behind = if self.start.blocked < self.target {
            self.last.saturating_sub(self.start.waited)
        } else {
            self.last
        };
        let now = self.turn + into_turn;
        let admitted = self.controller.admits(now, self.last, behind);
        self.admitted += u64::from(admitted);
        self.since_reading += u64::from(admitted);
        admitted
    }

    /// Returns the delay of the first call of the turn.
    fn at_start(&self) -> Duration {
        self.start.waited.max(self.start.blocked)
    }

    fn begin_turn(&mut self, now: Duration) {
        let before = std::mem::replace(&mut self.start, (self.signals.turn_start)());
        self.turn = now;
        let busy = self.start.busy.saturating_sub(before.busy).as_nanos() as u64;
        if let Some(cost) = busy.checked_div(self.admitted) {
            self.cost_ns = match self.cost_ns {
                0 => cost,
                average => average - average / COST_WEIGHT + cost / COST_WEIGHT,
            };
        }
        self.admitted = 0;
        self.controller.on_turn(now, self.last);
        // A shard whose work is all in the blocking pool sleeps even when it is overloaded.
        if self.start.blocked < self.target {
            let idle = self.start.idle.saturating_sub(before.idle);
            self.controller.on_pause(idle);
        }
        self.note(self.at_start());
    }

    fn note(&mut self, reading: Duration) {
        self.reading = reading;
        self.since_reading = 0;
        let part = self.target.as_nanos() as u64 / READING_PART;
        self.until_reading = part
            .checked_div(self.cost_ns)
            .map_or(CALLS_MAX, |calls| calls.clamp(1, CALLS_MAX));
    }
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use super::*;

    thread_local! {
        static START: Cell<TurnStart> = Cell::default();
        static LAG: Cell<Duration> = const { Cell::new(Duration::ZERO) };
        static READINGS: Cell<u32> = const { Cell::new(0) };
    }

    const PLAYED: Signals = Signals {
        turn_start: || START.get(),
        lag: || {
            READINGS.set(READINGS.get() + 1);
            LAG.get()
        },
    };

    const fn us(count: u64) -> Duration {
        Duration::from_micros(count)
    }

    fn start(waited: u64, busy: u64, idle: u64) {
        let mut start = TurnStart::default();
        (start.waited, start.busy, start.idle) = (us(waited), us(busy), us(idle));
        START.set(start);
    }

    fn gauge() -> Gauge {
        READINGS.set(0);
        Gauge::new(&Admission::new().target(us(800)), PLAYED)
    }

    /// Runs a turn of `calls` calls, all admitted, and returns the delay of the last one.
    fn turn(gauge: &mut Gauge, now: u64, calls: u32) -> Duration {
        let mut wait = Duration::ZERO;
        for _ in 0..calls {
            wait = gauge.wait(us(now));
            gauge.admits();
        }
        wait
    }

    #[test]
    fn calls_wait_for_those_before_them_at_their_average_cost() {
        let mut gauge = gauge();
        start(0, 0, 0);
        turn(&mut gauge, 1000, 10);
        // The turn took 100 µs for ten calls.
        start(70, 100, 30);
        assert_eq!(turn(&mut gauge, 1130, 1), us(70));
        assert_eq!(turn(&mut gauge, 1130, 4), us(70 + 4 * 10));
        assert_eq!(READINGS.get(), 0);
        // A turn that cost twice as much moves the average by an eighth of the difference.
        start(0, 200, 30);
        turn(&mut gauge, 1230, 1);
        assert_eq!(gauge.cost_ns, 11_250);
    }

    #[test]
    fn the_clock_is_read_as_often_as_calls_cost_a_part_of_the_target() {
        for (cost, calls, readings) in [(1, 65, 1), (1, 64, 0), (10, 31, 3), (500, 4, 3)] {
            let mut gauge = gauge();
            start(0, 0, 0);
            turn(&mut gauge, 1000, 1);
            start(0, cost, 0);
            LAG.set(us(7));
            let wait = turn(&mut gauge, 2000, calls);
            assert_eq!(READINGS.get(), readings, "{calls} calls of {cost} µs");
            if readings > 0 {
                let behind = (u64::from(calls) - 1) % (100 / cost).clamp(1, 64);
                assert_eq!(wait, us(7 + behind * cost), "{calls} calls of {cost} µs");
            }
        }
    }

    #[test]
    fn turns_without_a_call_count_and_pauses_are_seen_through_them() {
        let mut gauge = gauge();
        let late = |gauge: &mut Gauge, at: u64, idle: u64| {
            start(900, at, idle);
            gauge.wait(us(at));
            gauge.admits();
        };
        for at in (1000..200_000).step_by(1000) {
            late(&mut gauge, at, at);
        }
        assert!(
            !gauge.controller.is_overloaded(),
            "there was a pause in each"
        );
        for at in (200_000..400_000).step_by(1000) {
            late(&mut gauge, at, 200_000);
        }
        assert!(gauge.controller.is_overloaded());
    }

    #[test]
    fn a_shard_that_sleeps_while_its_pool_is_overloaded_is_overloaded() {
        for (blocked, overloaded) in [(700, false), (900, true)] {
            let mut gauge = gauge();
            for at in (1000..200_000).step_by(1000) {
                start(0, at, at);
                let mut start = START.get();
                start.blocked = us(blocked);
                START.set(start);
                gauge.wait(us(at));
                gauge.admits();
            }
            assert_eq!(gauge.controller.is_overloaded(), overloaded, "{blocked} µs");
        }
    }
}
