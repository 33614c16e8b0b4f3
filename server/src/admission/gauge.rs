//! What each call of a shard would wait, without a reading of the clock for each.
//!
//! A turn begins with a bound on the wait in the sockets, which costs nothing. Within the turn
//! the wait grows by what the calls before it cost: their average is counted on, and the clock
//! read again as often as keeps the error to a part of the target, at most once in a few calls.

use std::time::Duration;

use corespun_runtime::TurnStart;

use super::{Admission, Controller};

/// The clock is read after about this part of the target has gone into calls.
const READING_PART: u64 = 8;
/// Calls that may go by without a reading, however cheap they are.
const CALLS_MAX: u64 = 64;
/// The average of what calls cost follows each turn by one part in so many.
const COST_WEIGHT: u64 = 8;

/// Where a gauge learns how work waits. The runtime's, unless a test plays a shard.
#[derive(Clone, Copy, Debug)]
pub struct Signals {
    /// What the turn began with: see [`corespun_runtime::turn_start`].
    pub turn_start: fn() -> TurnStart,
    /// How long work waits that is come to now: see [`corespun_runtime::lag`].
    pub lag: fn() -> Duration,
}

impl Signals {
    /// Those of the shard that this is called on.
    pub const SHARD: Self = Self {
        turn_start: corespun_runtime::turn_start,
        lag: corespun_runtime::lag,
    };
}

/// The waits of one shard's calls, and the judgement on them.
#[derive(Debug)]
pub(crate) struct Gauge {
    signals: Signals,
    target: Duration,
    pub(crate) controller: Controller,
    /// The turn at hand, and what it began with.
    turn: Duration,
    start: TurnStart,
    /// The wait at the last reading.
    reading: Duration,
    /// Calls admitted since then.
    since_reading: u64,
    until_reading: u64,
    /// Calls admitted in this turn.
    admitted: u64,
    /// The wait of the call before.
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

    /// How long the call would wait that is come to in the turn of `now`.
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

    /// Whether the call may go on that `wait` was just asked about; the next one waits for it.
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

    /// What the first call of the turn waits.
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
        // A shard whose work is all with the pool sleeps although there is too much of it.
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

    /// A turn of so many calls, all admitted; what the last would have waited.
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
