//! When calls are due: an absolute timetable that nothing skips or shifts.

use std::time::Duration;

/// The intended start times of one connection's share of a constant rate.
///
/// The whole run has one timetable, call `n` at `begin + n / rate`, dealt out like cards:
/// connection `c` of `C` takes the calls `c`, `c + C`, `c + 2C`, … Every time is worked out from
/// the call's number, so errors do not add up and a late call does not delay the next one.
#[derive(Clone, Debug)]
pub struct Timetable {
    begin: Duration,
    period_ns: f64,
    first: u64,
    step: u64,
    next: u64,
}

impl Timetable {
    /// The share of connection `lane` of `lanes` in `rate` calls a second, a number above 0.
    /// Times count from a `begin` that [`Timetable::start`] sets.
    pub fn new(rate: f64, lane: usize, lanes: usize) -> Self {
        debug_assert!(
            rate > 0.0 && rate.is_finite(),
            "a rate of {rate} has no timetable"
        );
        debug_assert!(lane < lanes);
        Self {
            begin: Duration::MAX,
            period_ns: 1e9 / rate,
            first: lane as u64,
            step: lanes as u64,
            next: 0,
        }
    }

    /// Sets the moment of call 0.
    pub fn start(&mut self, begin: Duration) {
        self.begin = begin;
    }

    /// When the next call is due.
    pub fn next_due(&self) -> Duration {
        self.due(self.next)
    }

    /// Takes the next call off the timetable; when it was due.
    pub fn take(&mut self) -> Duration {
        let due = self.next_due();
        self.next += 1;
        due
    }

    fn due(&self, index: u64) -> Duration {
        let number = self.first + index * self.step;
        let after = Duration::from_nanos((number as f64 * self.period_ns).round() as u64);
        self.begin.saturating_add(after)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn dues(rate: f64, lane: usize, lanes: usize, count: usize) -> Vec<u64> {
        let mut timetable = Timetable::new(rate, lane, lanes);
        timetable.start(Duration::from_nanos(1000));
        (0..count)
            .map(|_| timetable.take().as_nanos() as u64)
            .collect()
    }

    #[test]
    fn times_are_dealt_out_evenly() {
        assert_eq!(dues(1e9, 0, 1, 4), [1000, 1001, 1002, 1003]);
        assert_eq!(dues(1e6, 0, 2, 3), [1000, 3000, 5000]);
        assert_eq!(dues(1e6, 1, 2, 3), [2000, 4000, 6000]);
        assert_eq!(dues(0.5, 0, 1, 2), [1000, 2_000_001_000]);
    }

    #[test]
    fn errors_do_not_add_up() {
        let mut timetable = Timetable::new(3.0, 0, 1);
        timetable.start(Duration::ZERO);
        let last = (0..=3_000_000).map(|_| timetable.take()).last();
        assert_eq!(last, Some(Duration::from_secs(1_000_000)));
    }

    #[test]
    fn nothing_is_due_before_the_start_is_known() {
        assert_eq!(Timetable::new(10.0, 0, 1).next_due(), Duration::MAX);
    }
}
