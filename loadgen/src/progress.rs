//! One line a second while a run goes on.

use std::io::Write;
use std::time::Duration;

use crate::measure::{Interval, add};
use crate::report::quantile_us;

/// Puts the cores' intervals together and prints a line when all have told theirs.
pub(crate) struct Progress<'a> {
    out: &'a mut dyn Write,
    cores: usize,
    heard: usize,
    second: u64,
    warmup: Duration,
    sum: Option<Interval>,
}

impl<'a> Progress<'a> {
    pub(crate) fn new(out: &'a mut dyn Write, cores: usize, warmup: Duration) -> Self {
        Self {
            out,
            cores,
            heard: 0,
            second: 0,
            warmup,
            sum: None,
        }
    }

    /// A core tells its second.
    pub(crate) fn hear(&mut self, interval: Interval) {
        match &mut self.sum {
            None => self.sum = Some(interval),
            Some(sum) => {
                add(&mut sum.response, &interval.response);
                sum.failed += interval.failed;
            }
        }
        self.heard += 1;
        if self.heard == self.cores {
            self.heard = 0;
            self.print();
        }
    }

    fn print(&mut self) {
        let Some(Interval { response, failed }) = self.sum.take() else {
            return;
        };
        self.second += 1;
        let second = self.second;
        let phase = if Duration::from_secs(second) <= self.warmup {
            " (warm-up)"
        } else {
            ""
        };
        let (p50, p99) = (
            told(quantile_us(&response, 500)),
            told(quantile_us(&response, 990)),
        );
        let calls = response.len();
        // Whoever closed the far end of the output does not want to read it.
        let _ = writeln!(
            self.out,
            "{second:>4} s{phase}: {calls} calls/s, p50 {p50}, p99 {p99}, {failed} failed"
        );
    }
}

fn told(micros: Option<f64>) -> String {
    micros.map_or_else(|| "n/a".to_owned(), |micros| format!("{micros:.1} µs"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::measure::histogram;

    #[test]
    fn a_line_when_all_cores_have_told() {
        let mut out = Vec::new();
        let mut progress = Progress::new(&mut out, 2, Duration::from_secs(1));
        for _ in 0..4 {
            let mut response = histogram();
            response.record_n(1000, 500).unwrap();
            progress.hear(Interval {
                response,
                failed: 1,
            });
        }
        let text = String::from_utf8(out).unwrap();
        assert_eq!(
            text,
            "   1 s (warm-up): 1000 calls/s, p50 1.0 µs, p99 1.0 µs, 2 failed\n   \
             2 s: 1000 calls/s, p50 1.0 µs, p99 1.0 µs, 2 failed\n"
        );
    }
}
