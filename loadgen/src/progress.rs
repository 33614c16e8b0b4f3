//! Progress of a run: a line each second, for a file or a log.

mod live;

use std::io::Write;

pub use live::Live;
pub(crate) use live::restore;

use crate::plan::Plan;
use crate::report::quantile_us;
use crate::timeline::Moment;

/// Observer of a run. Its methods are called on the thread of the run, never on one that calls the
/// target.
pub trait Observer {
    /// Returns true once calls may begin. Called repeatedly after the target has answered.
    fn may_begin(&mut self) -> bool {
        true
    }

    /// Called when calls begin.
    fn began(&mut self, _plan: &Plan) {}

    /// Called when a second is over on all cores. The last interval has the calls that ended after
    /// the window.
    fn interval(&mut self, moment: Moment<'_>);

    /// Called some twenty times a second.
    fn look(&mut self) {}

    /// Called when the run is over, successful or not.
    fn ended(&mut self) {}
}

/// Observer that ignores everything.
#[derive(Clone, Copy, Debug, Default)]
pub struct Silence;

impl Observer for Silence {
    fn interval(&mut self, _moment: Moment<'_>) {}
}

/// Several observers, called in order.
impl Observer for Vec<&mut dyn Observer> {
    fn may_begin(&mut self) -> bool {
        self.iter_mut().all(|each| each.may_begin())
    }

    fn began(&mut self, plan: &Plan) {
        self.iter_mut().for_each(|each| each.began(plan));
    }

    fn interval(&mut self, moment: Moment<'_>) {
        self.iter_mut().for_each(|each| each.interval(moment));
    }

    fn look(&mut self) {
        self.iter_mut().for_each(|each| each.look());
    }

    fn ended(&mut self) {
        self.iter_mut().for_each(|each| each.ended());
    }
}

/// Observer that writes a line for each second.
pub struct Lines<'a>(&'a mut dyn Write);

impl<'a> Lines<'a> {
    /// Returns an observer that writes to `out`.
    pub fn new(out: &'a mut dyn Write) -> Self {
        Self(out)
    }
}

impl Observer for Lines<'_> {
    fn interval(&mut self, moment: Moment<'_>) {
        let interval = moment.interval;
        if moment.after_end {
            return;
        }
        let response = interval.all();
        let phase = match moment.since_measure {
            None => " (warm-up)",
            Some(_) => "",
        };
        let [p50, p99] = [500, 990].map(|per_mille| told(quantile_us(&response, per_mille)));
        let (at, rate) = (
            moment.since_begin.as_secs_f64(),
            response.len() as f64 / interval.seconds(),
        );
        let failed = interval.failed;
        // Whoever closed the far end of the output does not want to read it.
        let _ = writeln!(
            self.0,
            "{at:>4.0} s{phase}: {rate:.0} calls/s, p50 {p50}, p99 {p99}, {failed} failed"
        );
    }
}

fn told(micros: Option<f64>) -> String {
    micros.map_or_else(|| "n/a".to_owned(), |micros| format!("{micros:.1} µs"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::measure::{Interval, Latencies, histogram};
    use std::time::Duration;

    #[test]
    fn a_line_for_each_second() {
        let mut out = Vec::new();
        let mut lines = Lines::new(&mut out);
        for second in [1, 2] {
            let mut warmup = histogram();
            warmup.record_n(1000, 500 * second).unwrap();
            let to = Duration::from_secs(second);
            let interval = Interval {
                span: (to - Duration::from_secs(1), to),
                measured: Latencies::default(),
                warmup,
                failed: second,
                gap_max: Duration::ZERO,
            };
            let mut both: Vec<&mut dyn Observer> = vec![&mut lines];
            both.interval(Moment {
                interval: &interval,
                since_begin: to,
                since_measure: (second > 1).then_some(Duration::ZERO),
                after_end: false,
            });
        }
        let text = String::from_utf8(out).unwrap();
        assert_eq!(
            text,
            "   1 s (warm-up): 500 calls/s, p50 1.0 µs, p99 n/a, 1 failed\n   \
             2 s: 1000 calls/s, p50 1.0 µs, p99 1.0 µs, 2 failed\n"
        );
    }
}
