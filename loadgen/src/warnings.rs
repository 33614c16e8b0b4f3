//! Warnings about the validity of the numbers. They are always shown.

use std::ops::RangeInclusive;

use hdrhistogram::Histogram;

use crate::measure::NANOS_MAX;
use crate::report::{Report, samples_needed};

/// CPU share of the generator above which the generator itself limits the run.
const GENERATOR_SHARE_MAX: f64 = 0.9;

/// Share of the median latency above which the lag is no longer small.
const LAG_SHARE_MAX: f64 = 0.1;

/// Share of the time given to other guests above which the tail does not describe the target.
const STEAL_SHARE_MAX: f64 = 0.05;

/// Smallest plausible CPU time of a server per call, in µs; a raw echo needs ten times as much.
const TARGET_CPU_US_MIN: f64 = 0.05;

/// Range of 40 ms delays in ns, which Nagle's algorithm and delayed acknowledgements cause
/// together.
const PLATEAU_NS: RangeInclusive<u64> = 38_000_000..=46_000_000;
const PLATEAU_SHARE_MAX: f64 = 0.01;

/// Returns all warnings that apply, those about the measurement first.
pub(crate) fn all(
    report: &Report,
    response: &Histogram<u64>,
    service: &Histogram<u64>,
) -> Vec<String> {
    let mut warnings = Vec::new();
    let mut add = |warning: Option<String>| warnings.extend(warning);
    add(report
        .interrupted
        .then(|| "interrupted: the window is shorter than planned".to_owned()));
    add(loop_kind(report));
    add(saturated(report));
    add(fewer_streams(report));
    add(no_room(report));
    add(falling_behind(report));
    add(steal(report));
    add(failed(report));
    add(repeated(report));
    add(lost(report));
    add(unconnected(report));
    add(censored(report));
    add(plateau(service));
    add(cut(response));
    add(samples(response));
    add(single(report));
    add(target_cpu(report));
    warnings
}

/// Keeps the first warning of each kind; later ones differ only in their numbers.
pub(crate) fn keep_first(kept: &mut Vec<String>, warning: &str) {
    let is_same = |known: &String| known.split(':').next() == warning.split(':').next();
    if !kept.iter().any(is_same) {
        kept.push(warning.to_owned());
    }
}

fn loop_kind(report: &Report) -> Option<String> {
    let closed = !report.setup.is_open();
    closed.then(|| "closed loop: latency excludes queueing".to_owned())
}

fn saturated(report: &Report) -> Option<String> {
    let share = report.cost.busy_share();
    // In a closed loop somebody is always busy: a target that is needs no excuse.
    if share > GENERATOR_SHARE_MAX && (report.setup.is_open() || !target_is_busy(report)) {
        let percent = share * 100.0;
        return Some(format!(
            "generator saturated: it used {percent:.0} % of a core, so it may limit the result"
        ));
    }
    let (late, latency) = (report.late_us?.p99?, report.latency_us.p50?);
    (late > LAG_SHARE_MAX * latency).then(|| {
        format!(
            "generator late: calls were sent up to {late:.0} µs (p99) late, at a median latency of \
             {latency:.0} µs"
        )
    })
}

/// Returns a warning if all streams were in use: that part of the latency is caused by the target,
/// and the service time does not show it.
fn no_room(report: &Report) -> Option<String> {
    let (lag, late) = (report.lag_us?.p99?, report.late_us?.p99?);
    let latency = report.latency_us.p50?;
    let more = match report.setup.streams_allowed {
        None => "--streams or --connections",
        Some(_) => "--connections",
    };
    (lag - late > LAG_SHARE_MAX * latency).then(|| {
        format!(
            "streams busy: calls waited up to {lag:.0} µs (p99) for a free stream; the latency \
             includes this, and more {more} avoid it"
        )
    })
}

fn fewer_streams(report: &Report) -> Option<String> {
    let (asked, allowed) = (report.setup.streams, report.setup.streams_allowed?);
    Some(format!(
        "fewer streams: the target allows {allowed} on a connection, of {asked} requested"
    ))
}

fn falling_behind(report: &Report) -> Option<String> {
    let (before, after) = report.backlog().filter(|_| report.fell_behind())?;
    Some(format!(
        "falling behind: {before} calls were in flight or due when the window began and {after} \
         when it ended, so this rate was not held"
    ))
}

fn target_is_busy(report: &Report) -> bool {
    let used = report.cost.target_use.as_ref();
    let share = used.map(|used| used.cpu_s / report.setup.duration_s.max(1e-9));
    share.is_some_and(|share| share > GENERATOR_SHARE_MAX)
}

fn steal(report: &Report) -> Option<String> {
    let share = report
        .cost
        .steal_share
        .filter(|share| *share > STEAL_SHARE_MAX)?;
    let percent = share * 100.0;
    Some(format!(
        "steal: the hypervisor gave {percent:.1} % of the time to other guests; tails are longer"
    ))
}

fn failed(report: &Report) -> Option<String> {
    let failed = report.failed();
    let ended = failed + report.counts.ok;
    (failed > 0).then(|| format!("target errors: {failed} of {ended} calls failed"))
}

/// Returns a warning if requests repeat because of an explicit `--data-mode`.
fn repeated(report: &Report) -> Option<String> {
    let pool = report.setup.repeats_after? as u64;
    let calls = report.counts.ok + report.failed() + report.counts.censored;
    (calls > pool).then(|| {
        format!(
            "requests repeat: {calls} calls used {pool} requests in turn, although seq, uuid or \
             now differ in each; --data-mode each makes a new one per call"
        )
    })
}

fn lost(report: &Report) -> Option<String> {
    let (lost, anew) = (report.counts.lost, report.counts.reconnects);
    // Reports of old do not tell how many were lost.
    let lost = lost.max(anew);
    (lost > 0).then(|| format!("connection lost: {lost} were lost, {anew} were reopened"))
}

fn unconnected(report: &Report) -> Option<String> {
    let percent = report.unconnected()? * 100.0;
    Some(format!(
        "no connection: {percent:.1} % of the time; due calls waited or were not made"
    ))
}

fn censored(report: &Report) -> Option<String> {
    let censored = report.counts.censored;
    (censored > 0).then(|| {
        format!("censored: {censored} calls had not ended; their latency counts as their age")
    })
}

fn plateau(service: &Histogram<u64>) -> Option<String> {
    let (low, high) = (*PLATEAU_NS.start(), *PLATEAU_NS.end());
    let share = service.count_between(low, high) as f64 / service.len() as f64;
    (share > PLATEAU_SHARE_MAX).then(|| {
        let percent = share * 100.0;
        format!(
            "40 ms plateau: {percent:.1} % of the calls took 38 to 46 ms; check TCP_NODELAY at \
             the target"
        )
    })
}

fn cut(response: &Histogram<u64>) -> Option<String> {
    let seconds = NANOS_MAX / 1_000_000_000;
    (response.max() >= NANOS_MAX)
        .then(|| format!("cut off: latencies above {seconds} s count as {seconds} s"))
}

fn samples(response: &Histogram<u64>) -> Option<String> {
    let calls = response.len();
    let untold = [(500, "p50"), (900, "p90"), (990, "p99"), (999, "p999")]
        .into_iter()
        .find(|(per_mille, _)| calls < samples_needed(*per_mille));
    untold.map(|(per_mille, name)| {
        let needed = samples_needed(per_mille);
        format!("too few samples: {calls} calls, and {name} needs {needed}")
    })
}

fn single(report: &Report) -> Option<String> {
    let single = report.setup.connections == 1;
    single.then(|| "single connection: what limits one connection limits the target".to_owned())
}

fn target_cpu(report: &Report) -> Option<String> {
    let measured = report.setup.measured.as_ref()?;
    match report.cost.target_cpu_us_per_rpc {
        None => Some(format!(
            "no target CPU: {measured} had ended, or no call did"
        )),
        Some(us) if us < TARGET_CPU_US_MIN => Some(format!(
            "target idle: {measured} used {us:.3} CPU-µs for each call; is it the server?"
        )),
        Some(_) => None,
    }
}

#[cfg(test)]
mod tests;
