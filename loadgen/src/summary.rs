//! What a run found, for people: at most fifteen lines.

use std::fmt::{self, Write};

use crate::report::{Percentiles, Report};

/// The lines that warnings may take; what is over stays in the JSON.
const WARNINGS_MAX: usize = 7;

/// The summary of a report, without colours and at most fifteen lines long.
pub fn summary(report: &Report) -> String {
    let mut text = String::new();
    let written = write_all(report, &mut text);
    debug_assert!(written.is_ok(), "a string takes all that is written");
    text
}

fn write_all(report: &Report, out: &mut String) -> fmt::Result {
    let setup = &report.setup;
    writeln!(
        out,
        "{} at {}: {} connections × {} streams, {}, {:.1} s after {:.1} s of warm-up",
        setup.method,
        setup.target,
        setup.connections,
        setup.streams,
        setup.engine,
        setup.duration_s,
        setup.warmup_s,
    )?;
    write_counts(report, out)?;
    writeln!(
        out,
        "µs       {:>10} {:>10} {:>10} {:>10} {:>10}",
        "p50", "p90", "p99", "p99.9", "max"
    )?;
    write_percentiles("latency", &report.latency_us, out)?;
    if let Some(lag) = &report.lag_us {
        write_percentiles("service", &report.service_us, out)?;
        write_percentiles("lag", lag, out)?;
    }
    write_cost(report, out)?;
    let shown = match report.warnings.len() {
        all if all <= WARNINGS_MAX => all,
        _ => WARNINGS_MAX - 1,
    };
    for warning in &report.warnings[..shown] {
        writeln!(out, "warning: {warning}")?;
    }
    match report.warnings.len() - shown {
        0 => Ok(()),
        more => writeln!(out, "warning: and {more} more, in the JSON"),
    }
}

fn write_counts(report: &Report, out: &mut String) -> fmt::Result {
    let counts = &report.counts;
    write!(out, "calls    ok {}, failed {}", counts.ok, report.failed())?;
    let names: Vec<_> = counts
        .failed
        .iter()
        .map(|(name, n)| format!("{name} {n}"))
        .collect();
    if !names.is_empty() {
        write!(out, " ({})", names.join(", "))?;
    }
    write!(
        out,
        ", censored {}; {:.1} ok/s",
        counts.censored, counts.rps
    )?;
    match counts.offered_rps {
        Some(offered) => writeln!(out, " of {offered:.1} offered (open loop)"),
        None => writeln!(out, " (closed loop)"),
    }
}

fn write_percentiles(name: &str, values: &Percentiles, out: &mut String) -> fmt::Result {
    write!(out, "{name:<8}")?;
    for value in [values.p50, values.p90, values.p99, values.p999, values.max] {
        match value {
            Some(value) => write!(out, " {value:>10.1}")?,
            None => write!(out, " {:>10}", "n/a")?,
        }
    }
    writeln!(out)
}

fn write_cost(report: &Report, out: &mut String) -> fmt::Result {
    write!(out, "cpu      ")?;
    if let Some(cpu) = report.cost.target_cpu_us_per_rpc {
        write!(out, "target {cpu:.2} µs per call, ")?;
    }
    let share = report.cost.generator_cpu_share * 100.0;
    match report.setup.cores {
        1 => write!(out, "generator {share:.0} % of 1 core")?,
        cores => write!(out, "generator {share:.0} % of {cores} cores")?,
    }
    match report.cost.steal_share {
        Some(share) => writeln!(out, ", steal {:.1} %", share * 100.0),
        None => writeln!(out),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::measure::Record;
    use crate::report::Window;
    use std::time::Duration;

    #[test]
    fn the_summary_is_short_whatever_happened() {
        let window = Window {
            length: Duration::from_secs(1),
            ..Window::default()
        };
        for flags in ["", "--rate 5"] {
            let plan = crate::plan::tests::plan(flags).unwrap();
            let mut report = Report::new(&plan, "uring".into(), Record::default(), window);
            assert!(summary(&report).contains("n/a"));
            report.counts.failed = [("INTERNAL", 3), ("NOT_FOUND", 4)].into();
            assert!(summary(&report).contains("failed 7 (INTERNAL 3, NOT_FOUND 4)"));
            report.warnings = (0..20).map(|number| format!("number {number}")).collect();
            let text = summary(&report);
            assert!(text.lines().count() <= 15, "{text}");
            assert!(text.ends_with("and 14 more, in the JSON\n"), "{text}");
        }
    }
}
