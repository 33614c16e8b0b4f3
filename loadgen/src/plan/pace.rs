//! Validation of flags about the rate and the length.

use std::sync::Arc;
use std::time::Duration;

use super::Pace;
use super::values::{number, span};
use crate::args::PaceArgs;
use crate::error::LoadError;
use crate::schedule::{Arrivals, Curve, Schedule, Trace};

/// Default length of the measured window.
const DURATION: Duration = Duration::from_secs(10);

/// Longest window for `--calls` without `--duration`, if the target hangs.
const CALLS_DURATION_MAX: Duration = Duration::from_secs(3600);

/// Default length of the warm-up.
const WARMUP: Duration = Duration::from_secs(2);

/// Reads the schedule and the length of a run.
///
/// # Errors
/// Names the flag that is invalid, alone or in combination.
pub(super) fn read(args: &PaceArgs) -> Result<(Option<Schedule>, Pace), LoadError> {
    let calls = args.calls.as_deref().map(number_of_calls).transpose()?;
    let warmup = match (&args.warmup, calls) {
        (Some(text), _) => span("--warmup", text, true)?,
        (None, Some(_)) => Duration::ZERO,
        (None, None) => WARMUP,
    };
    let given = args.duration.as_deref();
    let given = given
        .map(|text| span("--duration", text, false))
        .transpose()?;
    let arrivals = args.schedule.parse::<Arrivals>().map_err(|()| {
        let expected = "expected even, poisson or bursts:N";
        LoadError::flag("--schedule", &args.schedule, expected)
    })?;
    let trace = args.replay.as_deref().map(Trace::read).transpose()?;
    let whole = match (&trace, calls) {
        (Some(trace), _) => trace.length(),
        (None, Some(calls)) => window_of(args, calls, arrivals)?,
        (None, None) => DURATION,
    };
    if let (Some(_), Some(text)) = (&trace, &args.calls) {
        return Err(LoadError::flag(
            "--calls",
            text,
            "the trace has its own number of calls",
        ));
    }
    let duration = match calls {
        Some(_) => given.map_or(whole, |given| given.min(whole)),
        None => given.unwrap_or(whole),
    };
    let schedule = match (trace, &args.rate) {
        (Some(trace), _) => Some(Schedule::Trace(Arc::new(trace))),
        (None, Some(text)) => {
            let curve = Curve::parse(text, duration);
            let curve = curve.map_err(|cause| LoadError::flag("--rate", text, cause))?;
            Some(Schedule::Rate { curve, arrivals })
        }
        (None, None) => None,
    };
    if !matches!(schedule, Some(Schedule::Rate { .. })) && arrivals != Arrivals::Even {
        let cause = "it needs a --rate to spread calls over";
        return Err(LoadError::flag("--schedule", &args.schedule, cause));
    }
    let pace = Pace {
        rate: schedule.as_ref().map(|all| all.mean_rate(duration)),
        warmup,
        duration,
        calls: calls.filter(|_| schedule.is_none()),
    };
    Ok((schedule, pace))
}

fn number_of_calls(text: &str) -> Result<u64, LoadError> {
    match number("--calls", text)? {
        0 => Err(LoadError::flag("--calls", text, "expected at least 1")),
        calls => Ok(calls),
    }
}

/// Returns the time that `calls` take at a rate, or their longest time without one.
fn window_of(args: &PaceArgs, calls: u64, arrivals: Arrivals) -> Result<Duration, LoadError> {
    let Some(text) = &args.rate else {
        return Ok(CALLS_DURATION_MAX);
    };
    let refused = |cause| Err(LoadError::flag("--calls", calls.to_string(), cause));
    if arrivals != Arrivals::Even {
        return refused("with a --rate it needs --schedule even; give --duration instead");
    }
    match Curve::parse(text, DURATION) {
        Ok(Curve::Constant(rate)) => {
            let nanos = (calls as f64 / rate * 1e9).round();
            match nanos <= 1000.0 * 3600e9 {
                true => Ok(Duration::from_nanos(nanos as u64)),
                false => refused("at this --rate they take more than 1000 hours"),
            }
        }
        Ok(_) => refused("with a --rate that changes, give --duration instead"),
        Err(cause) => Err(LoadError::flag("--rate", text, cause)),
    }
}
