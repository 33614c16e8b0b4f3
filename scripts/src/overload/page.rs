//! Table of an overload measurement, and its comparison with the required bounds.

use std::fmt::{self, Display, Write};

use crate::bench::median;

/// Required goodput at three times the capacity, as a fraction of the capacity.
const GOODPUT_MIN: f64 = 0.8;
/// Largest permitted ratio of the good calls' p99 under overload to that at half load.
const SLOWDOWN_MAX: f64 = 5.0;

/// Result of one run.
#[derive(Clone, Debug, Default)]
pub struct Measured {
    /// Calls answered with OK before their deadline, per second.
    pub good_per_s: f64,
    /// Calls refused with RESOURCE_EXHAUSTED, per second.
    pub refused_per_s: f64,
    /// Calls whose deadline passed, on either side, per second.
    pub late_per_s: f64,
    /// Calls that failed otherwise, per second.
    pub other_per_s: f64,
    /// Median latency of the good calls, from their intended start.
    pub p50_ms: Option<f64>,
    /// 99th percentile of the good calls' latency, from their intended start.
    pub p99_ms: Option<f64>,
    /// Reasons why the numbers may be misleading.
    pub warnings: Vec<String>,
}

impl Display for Measured {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{:.0}/s good, {:.0}/s refused, {:.0}/s late, {:.0}/s other, p50 {} ms, p99 {} ms",
            self.good_per_s,
            self.refused_per_s,
            self.late_per_s,
            self.other_per_s,
            shown(self.p50_ms),
            shown(self.p99_ms),
        )?;
        self.warnings
            .iter()
            .try_for_each(|warning| write!(f, "\n    warning: {warning}"))
    }
}

struct Row {
    subject: &'static str,
    load: &'static str,
    admission: &'static str,
    capacity: f64,
    measured: Option<Measured>,
}

/// Results of all turns of all methods.
#[derive(Default)]
pub struct Page {
    rows: Vec<Row>,
}

/// Medians of one line of the table.
struct Line {
    subject: &'static str,
    load: &'static str,
    admission: &'static str,
    /// Goodput as a fraction of the capacity.
    good_part: f64,
    measured: Measured,
    /// Ratio of the p99 to that at half load without admission control.
    slowdown: f64,
}

impl Page {
    /// Adds a run; without a load it is the measurement of the capacity.
    pub fn add(
        &mut self,
        subject: &'static str,
        load: &'static str,
        admission: &'static str,
        capacity: f64,
        measured: Option<Measured>,
    ) {
        self.rows.push(Row {
            subject,
            load,
            admission,
            capacity,
            measured,
        });
    }

    fn lines(&self) -> Vec<Line> {
        let mut lines: Vec<Line> = Vec::new();
        for row in self.rows.iter().filter(|row| row.measured.is_some()) {
            let key = (row.subject, row.load, row.admission);
            if lines
                .iter()
                .all(|l| (l.subject, l.load, l.admission) != key)
            {
                lines.push(self.line(row));
            }
        }
        lines
    }

    fn line(&self, of: &Row) -> Line {
        let runs = |load, admission| {
            self.rows.iter().filter(move |row| {
                (row.subject, row.load, row.admission) == (of.subject, load, admission)
            })
        };
        let over = |load, admission, value: &dyn Fn(&Row, &Measured) -> f64| {
            let values = runs(load, admission)
                .filter_map(|row| row.measured.as_ref().map(|measured| value(row, measured)));
            median(&values.collect::<Vec<_>>())
        };
        let this = |value: &dyn Fn(&Measured) -> f64| {
            over(of.load, of.admission, &|_, measured| value(measured))
        };
        let p99 = |measured: &Measured| measured.p99_ms.unwrap_or(f64::NAN);
        let p99_ms = this(&p99);
        Line {
            subject: of.subject,
            load: of.load,
            admission: of.admission,
            good_part: over(of.load, of.admission, &|row, measured| {
                measured.good_per_s / row.capacity
            }),
            measured: Measured {
                good_per_s: this(&|m| m.good_per_s),
                refused_per_s: this(&|m| m.refused_per_s),
                late_per_s: this(&|m| m.late_per_s),
                other_per_s: this(&|m| m.other_per_s),
                p50_ms: Some(this(&|m| m.p50_ms.unwrap_or(f64::NAN))),
                p99_ms: Some(p99_ms),
                warnings: Vec::new(),
            },
            slowdown: p99_ms / over("half", "off", &|_, measured| p99(measured)),
        }
    }

    /// Returns true if every server with admission control stays within the required bounds.
    pub fn holds(&self) -> bool {
        let lines = self.lines();
        let mut judged = lines
            .iter()
            .filter(|line| (line.load, line.admission) == ("three times", "on"))
            .peekable();
        judged.peek().is_some()
            && judged.all(|line| line.good_part >= GOODPUT_MIN && line.slowdown < SLOWDOWN_MAX)
    }

    /// Formats one line for each load with admission control off and on: medians over the turns.
    pub fn markdown(&self) -> String {
        let mut text = String::from(
            "| handler | offered | admission | good, 1/s | of capacity | refused, 1/s \
             | late, 1/s | p50 of good, ms | p99 of good, ms | × p99 at half load |\n\
             |---|---|---|---:|---:|---:|---:|---:|---:|---:|\n",
        );
        for line in self.lines() {
            let measured = &line.measured;
            // Writing into a String cannot fail.
            let _ = writeln!(
                text,
                "| {} | {} capacity | {} | {:.0} | {:.0} % | {:.0} | {:.0} | {} | {} | {} |",
                line.subject,
                line.load,
                line.admission,
                measured.good_per_s,
                line.good_part * 100.0,
                measured.refused_per_s,
                measured.late_per_s + measured.other_per_s,
                shown(measured.p50_ms),
                shown(measured.p99_ms),
                slowdown(line.slowdown),
            );
        }
        text
    }
}

/// Formats a ratio; a load without any good call has none.
fn slowdown(times: f64) -> String {
    match times.is_nan() {
        true => "n/a".to_owned(),
        false => format!("{times:.1}"),
    }
}

fn shown(value: Option<f64>) -> String {
    let value = value.filter(|value| value.is_finite());
    value.map_or_else(|| "n/a".into(), |value| format!("{value:.2}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn measured(good_per_s: f64, p99_ms: f64) -> Option<Measured> {
        Some(Measured {
            good_per_s,
            p50_ms: Some(p99_ms / 2.0),
            p99_ms: Some(p99_ms),
            ..Measured::default()
        })
    }

    fn page(good_per_s: f64, p99_ms: f64) -> Page {
        let mut page = Page::default();
        for capacity in [900.0, 1000.0, 1100.0] {
            page.add("work", "capacity", "off", capacity, None);
            page.add("work", "half", "off", capacity, measured(500.0, 2.0));
            page.add("work", "three times", "off", capacity, measured(10.0, 50.0));
            page.add(
                "work",
                "three times",
                "on",
                capacity,
                measured(good_per_s, p99_ms),
            );
        }
        page
    }

    #[test]
    fn medians_over_turns_make_a_line() {
        let text = page(900.0, 4.0).markdown();
        let lines: Vec<&str> = text.lines().skip(2).collect();
        assert_eq!(
            lines,
            [
                "| work | half capacity | off | 500 | 50 % | 0 | 0 | 1.00 | 2.00 | 1.0 |",
                "| work | three times capacity | off | 10 | 1 % | 0 | 0 | 25.00 | 50.00 | 25.0 |",
                "| work | three times capacity | on | 900 | 90 % | 0 | 0 | 2.00 | 4.00 | 2.0 |",
            ]
        );
    }

    #[test]
    fn what_is_promised_is_judged() {
        assert!(page(800.0, 9.9).holds());
        assert!(!page(799.0, 9.9).holds());
        assert!(!page(800.0, 10.0).holds());
        assert!(!Page::default().holds(), "nothing was measured");
    }
}
