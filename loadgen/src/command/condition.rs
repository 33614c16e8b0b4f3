//! Conditions of `--fail-if`.
//!
//! ```text
//!   p99>2ms   service.p50>800us   errors>0.1%   rps<10000   cpu_us>8   ratio.p99>1.05@95%
//! ```

mod limits;

use std::io::Write;
use std::process::ExitCode;

use super::Comparison;
use super::compare::is_compared;
use crate::duration;
use crate::error::LoadError;
use crate::plan::Plan;
use crate::report::{Body, Document, Percentiles, Report};

const FLAG: &str = "--fail-if";

/// Condition of failure.
#[derive(Clone, Debug, PartialEq)]
pub struct Condition {
    text: String,
    metric: Metric,
    above: bool,
    limit: f64,
}

/// Metric of a condition.
#[derive(Clone, Debug, PartialEq)]
enum Metric {
    /// Percentile in µs of the named kind of latency.
    Latency(Which, String),
    /// Failed and censored calls as a share of all.
    Errors,
    /// Successful calls per second.
    Rate,
    /// CPU time of the target per call, in µs.
    Cpu,
    /// Ratio of A to B of a metric of a comparison. With `surely` the nearer end of its confidence
    /// interval is used.
    Ratio { metric: String, surely: bool },
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Which {
    Response,
    Service,
    FirstByte,
    Lag,
}

/// Result that conditions are evaluated on.
#[derive(Clone, Copy)]
enum Subject<'a> {
    Run(&'a Report),
    Comparison(&'a Comparison),
    /// Run that measures the generator's limit on purpose.
    Ceiling(&'a Report),
    /// No result, for this reason.
    Nothing(&'static str),
}

impl Subject<'_> {
    /// Returns the share of the time without connections to a target, if it is too large.
    fn unconnected(self) -> Option<f64> {
        match self {
            Self::Run(report) | Self::Ceiling(report) => report.unconnected(),
            Self::Comparison(comparison) => {
                let sides = [comparison.a.as_deref(), comparison.b.as_deref()];
                let shares = sides.into_iter().flatten().filter_map(Report::unconnected);
                shares.reduce(f64::max)
            }
            Self::Nothing(_) => None,
        }
    }
}

/// Result of a condition.
#[derive(Clone, Debug, PartialEq)]
enum Answer {
    Holds(f64),
    Fails(f64),
    /// The measurement cannot decide the condition, for this reason.
    Unknown(String),
}

impl Condition {
    /// Parses all conditions.
    ///
    /// # Errors
    /// For the first invalid condition.
    pub fn parse_all(texts: &[String]) -> Result<Vec<Self>, LoadError> {
        texts.iter().map(|text| Self::parse(text)).collect()
    }

    fn parse(text: &str) -> Result<Self, LoadError> {
        let expected = "expected a metric, < or >, and a limit, as in p99>2ms or errors>0.1%";
        let failed = |cause: &str| LoadError::flag(FLAG, text, cause);
        let place = text.find(['<', '>']).ok_or_else(|| failed(expected))?;
        let (name, rest) = (text[..place].trim(), text[place + 1..].trim());
        let (limit, surely) = match rest.split_once('@') {
            None => (rest, false),
            Some((limit, "95%")) => (limit.trim(), true),
            Some(_) => return Err(failed("only @95% may follow a limit")),
        };
        let metric = Metric::parse(name, surely).ok_or_else(|| {
            failed(
                "known are mean, p50, p90, p95, p99, p999, max (alone or after service., \
                 first_byte. or lag.), errors, rps and cpu_us, and ratio. before p50, p90, p99, \
                 p999, max, rps or cpu_us",
            )
        })?;
        let limit = metric.limit(limit).ok_or_else(|| failed(expected))?;
        let above = text.as_bytes()[place] == b'>';
        metric.judge_limit(limit, above).map_err(failed)?;
        Ok(Self {
            text: text.to_owned(),
            metric,
            above,
            limit,
        })
    }

    /// Checks that a run by this plan can decide every condition.
    ///
    /// # Errors
    /// Names the first condition on a metric that the run does not measure.
    pub(super) fn check_all(
        conditions: &[Self],
        plan: &Plan,
        ratios: bool,
    ) -> Result<(), LoadError> {
        for condition in conditions {
            let judged = condition.metric.judge_plan(plan, ratios);
            judged.map_err(|cause| LoadError::flag(FLAG, &condition.text, cause))?;
        }
        Ok(())
    }

    fn answer(&self, subject: Subject<'_>) -> Answer {
        let value = match subject {
            Subject::Run(report) | Subject::Ceiling(report) => self.metric.of_run(report),
            Subject::Comparison(comparison) => self.metric.of_comparison(comparison, self.above),
            Subject::Nothing(reason) => Err(reason.to_owned()),
        };
        match value {
            Err(reason) => Answer::Unknown(reason),
            Ok(value) if (value > self.limit) == self.above && value != self.limit => {
                Answer::Fails(value)
            }
            Ok(value) => Answer::Holds(value),
        }
    }
}

impl Metric {
    fn parse(name: &str, surely: bool) -> Option<Self> {
        if let Some(metric) = name.strip_prefix("ratio.") {
            let metric = metric.to_owned();
            return is_compared(&metric).then_some(Self::Ratio { metric, surely });
        }
        let (which, percentile) = match name.split_once('.') {
            None => (Which::Response, name),
            Some(("service", percentile)) => (Which::Service, percentile),
            Some(("first_byte", percentile)) => (Which::FirstByte, percentile),
            Some(("lag", percentile)) => (Which::Lag, percentile),
            Some(_) => return None,
        };
        match name {
            _ if surely => None,
            "errors" => Some(Self::Errors),
            "rps" => Some(Self::Rate),
            "cpu_us" => Some(Self::Cpu),
            _ if Percentiles::default().named(percentile).is_some() => {
                Some(Self::Latency(which, percentile.to_owned()))
            }
            _ => None,
        }
    }

    fn limit(&self, text: &str) -> Option<f64> {
        let number = |text: &str| {
            text.trim()
                .parse::<f64>()
                .ok()
                .filter(|value| value.is_finite())
        };
        match self {
            Self::Latency(..) => duration::parse(text).map(|span| span.as_secs_f64() * 1e6),
            Self::Errors => match text.strip_suffix('%') {
                Some(percent) => number(percent).map(|percent| percent / 100.0),
                None => number(text),
            },
            Self::Rate | Self::Cpu | Self::Ratio { .. } => number(text),
        }
    }

    fn of_run(&self, report: &Report) -> Result<f64, String> {
        let told = |value: Option<f64>, what: &str| value.ok_or_else(|| format!("{what} is n/a"));
        match self {
            Self::Latency(which, name) => {
                let all = match which {
                    Which::Response => Some(&report.latency_us),
                    Which::Service => Some(&report.service_us),
                    Which::FirstByte => Some(&report.first_byte_us),
                    Which::Lag => report.lag_us.as_ref(),
                };
                told(all.and_then(|all| all.named(name)).flatten(), name)
            }
            Self::Errors => {
                let bad = report.failed() + report.counts.censored;
                match bad + report.counts.ok {
                    0 => Err("no call was made".to_owned()),
                    all => Ok(bad as f64 / all as f64),
                }
            }
            Self::Rate => Ok(report.counts.rps),
            Self::Cpu => told(report.cost.target_cpu_us_per_rpc, "cpu_us"),
            Self::Ratio { .. } => Err("a ratio needs a comparison".to_owned()),
        }
    }

    fn of_comparison(&self, comparison: &Comparison, above: bool) -> Result<f64, String> {
        let Self::Ratio { metric, surely } = self else {
            return self.of_run(comparison.a.as_deref().ok_or("A was not measured")?);
        };
        let found = comparison.metrics.iter().find(|row| row.name == *metric);
        let row = found.ok_or_else(|| format!("the comparison has no {metric}"))?;
        if row.is_generators {
            return Err(format!("{metric} is mostly the generator's own delay"));
        }
        let estimate = row
            .ratio
            .ok_or_else(|| format!("the ratio of {metric} is n/a"))?;
        Ok(match (surely, above) {
            (false, _) => estimate.ratio,
            (true, true) => estimate.low,
            (true, false) => estimate.high,
        })
    }
}

/// Returns the reason that this measurement can decide no condition, if there is one.
fn invalid(subject: Subject<'_>) -> Option<String> {
    let kinds = ["interrupted", "generator saturated", "generator late"];
    let (report, spoilt) = match subject {
        Subject::Run(report) => (report, &kinds[..]),
        Subject::Ceiling(report) => (report, &kinds[..1]),
        Subject::Comparison(_) | Subject::Nothing(_) => return None,
    };
    let mut warnings = report.warnings.iter();
    warnings
        .find(|text| spoilt.iter().any(|start| text.starts_with(start)))
        .cloned()
}

/// Prints the result of each condition. The exit code is 0 if no condition fails, 2 if one does,
/// and 3 if the measurement cannot decide. Each point of a sweep and each result of a collection is
/// checked.
pub(super) fn judge(
    conditions: &[Condition],
    document: &Document,
    out: &mut dyn Write,
) -> ExitCode {
    ExitCode::from(judge_document(conditions, document, "", out))
}

fn judge_document(
    conditions: &[Condition],
    document: &Document,
    about: &str,
    out: &mut dyn Write,
) -> u8 {
    let mut judge = |subject, about: &str| worst(conditions, subject, about, out);
    match &document.body {
        Body::Run(report) => judge(Subject::Run(report), about),
        Body::Compare(comparison) => judge(Subject::Comparison(comparison), about),
        Body::Search(search) => match &search.confirmation {
            Some(report) => judge(Subject::Run(report), about),
            None => judge(Subject::Nothing("no rate held the objective"), about),
        },
        Body::Calibrate(calibration) => judge(Subject::Ceiling(&calibration.null), about),
        Body::Sweep(sweep) if sweep.points.is_empty() => {
            judge(Subject::Nothing("no point was measured"), about)
        }
        Body::Sweep(sweep) => {
            let codes = sweep.points.iter().map(|point| {
                let about = format!("{about}{}: ", point.name());
                judge(Subject::Run(&point.report), &about)
            });
            codes.max().unwrap_or(0)
        }
        Body::Collection(collection) => {
            let codes = collection.findings.iter().map(|found| {
                let about = format!("{about}{}: ", found.name);
                judge_document(conditions, &found.finding, &about, out)
            });
            codes.max().unwrap_or(0)
        }
    }
}

fn worst(conditions: &[Condition], subject: Subject<'_>, about: &str, out: &mut dyn Write) -> u8 {
    let spoilt = invalid(subject).filter(|_| !conditions.is_empty());
    let mut worst = if spoilt.is_some() { 3 } else { 0 };
    for condition in conditions {
        let (word, detail, code) = match condition.answer(subject) {
            Answer::Holds(value) => ("holds", format!("it is {}", shown(value)), 0),
            Answer::Fails(value) => ("FAILS", format!("it is {}", shown(value)), 2),
            Answer::Unknown(reason) => ("unknown", reason, 3),
        };
        // Whoever closed standard output still gets the exit code.
        let opposite = format!("not {}", condition.text);
        let _ = writeln!(out, "check    {about}{opposite}: {word}, {detail}");
        worst = worst.max(code);
    }
    if let Some(share) = subject.unconnected().filter(|_| !conditions.is_empty()) {
        let percent = share * 100.0;
        let text = format!("FAILS, there was no connection for {percent:.1} % of the time");
        let _ = writeln!(out, "check    {about}connected: {text}");
        worst = worst.max(2);
    }
    if let Some(reason) = spoilt {
        let _ = writeln!(out, "check    {about}invalid measurement: {reason}");
    }
    worst
}

fn shown(value: f64) -> String {
    match value {
        small if small < 10.0 => format!("{small:.4}"),
        large => format!("{large:.1}"),
    }
}

#[cfg(test)]
mod tests;
