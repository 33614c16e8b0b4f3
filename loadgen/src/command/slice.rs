//! Single run of a command that makes many: the flags of `run`, some of them replaced.

use crate::args::RunArgs;
use crate::error::LoadError;
use crate::interrupt::Interrupt;
use crate::plan::Plan;
use crate::progress::Silence;
use crate::report::Report;
use crate::run::observe;

/// Makes a run without output. Returns `Ok(None)` if it was interrupted before its window began.
pub(super) fn measure(args: &RunArgs, interrupt: &Interrupt) -> Result<Option<Report>, LoadError> {
    if interrupt.signal().is_some() {
        return Ok(None);
    }
    match observe(plan(args)?, &mut Silence, interrupt) {
        Err(LoadError::Interrupted) => Ok(None),
        Ok(report) => Ok(Some(report)),
        Err(error) => Err(error),
    }
}

/// Returns the plan of such a run.
///
/// # Errors
/// As for [`Plan::new`], and for flags that are only valid for a single run.
pub(super) fn plan(args: &RunArgs) -> Result<Plan, LoadError> {
    let refused = |flag, value: String| {
        let cause = "only run accepts this: other commands make many runs";
        Err(LoadError::flag(flag, value, cause))
    };
    let files = [
        ("--record", &args.pace.record),
        ("--hdr-log", &args.watch.hdr_log),
    ];
    for (flag, file) in files {
        if let Some(file) = file {
            return refused(flag, file.display().to_string());
        }
    }
    if let Some(calls) = &args.pace.calls {
        return refused("--calls", calls.clone());
    }
    match args.agents.addresses.as_slice() {
        [] => Plan::new(args),
        agents => refused("--agents", agents.join(",")),
    }
}

/// Returns a run in a few words, for a line of progress.
pub(super) fn in_brief(report: &Report) -> String {
    let micros = |value: Option<f64>| value.map_or("n/a".to_owned(), |us| format!("{us:.0} µs"));
    let latency = &report.latency_us;
    let mut text = format!(
        "{:.0} ok/s, p50 {}, p99 {}",
        report.counts.rps,
        micros(latency.p50),
        micros(latency.p99)
    );
    if let Some(cpu) = report.cost.target_cpu_us_per_rpc {
        text += &format!(", {cpu:.2} CPU-µs/call");
    }
    match (report.failed(), report.failures.first()) {
        (0, _) => text,
        (failed, None) => text + &format!(", {failed} failed"),
        (failed, Some(row)) => text + &format!(", {failed} failed ({}: {})", row.status, row.text),
    }
}
