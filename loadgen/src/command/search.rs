//! `search`: finds the highest rate that meets a latency objective.
//!
//! The rate is doubled until one fails; then the gap between the highest passing and the lowest
//! failing rate is halved repeatedly. A longer run confirms the result. A rate passes if the
//! percentile is within the objective, 99.5 % of the offered calls succeeded in time, none failed,
//! and the backlog did not grow. If the generator cannot keep up with a rate, the search ends,
//! because further runs would not measure the target.

mod bracket;

use std::process::ExitCode;
use std::time::Duration;

use clap::Args;
use serde::{Deserialize, Serialize};

use super::slice::{in_brief, measure, plan};
use super::{Condition, finish, tell};
use crate::args::RunArgs;
use crate::duration;
use crate::error::LoadError;
use crate::interrupt::Interrupt;
use crate::output::Outputs;
use crate::report::{Body, Document, Percentiles, Report, samples_needed};
use crate::units::time;
use crate::warnings::keep_first;
use bracket::Bracket;

/// Smallest share of offered calls that must succeed.
const ACHIEVED_MIN: f64 = 0.995;

/// CPU share of the generator above which it may limit the rate.
const GENERATOR_SHARE_MAX: f64 = 0.85;

/// Largest number of confirming runs before the search fails.
const CONFIRMATIONS_MAX: usize = 4;

/// Longest probe; probes are as long as their percentile needs.
const PROBE_MAX: Duration = Duration::from_secs(60);

/// Factor on the rate after a failed confirmation.
const STEP_BACK: f64 = 0.9;

/// Arguments of `search`: those of `run`, where `--duration` is the length of the confirming run
/// and `--rate` the first rate to try.
#[derive(Args, Clone, Debug)]
#[command(mut_arg("rate", |arg| arg.default_value("1000").help("The first rate to try")))]
#[command(mut_arg("duration", |arg| {
    arg.default_value("10s").help("Length of the run that confirms")
}))]
pub struct SearchArgs {
    /// Flags of each probe
    #[command(flatten)]
    pub run: RunArgs,
    /// Latency objective: a percentile and its limit, as in p99=2ms
    #[arg(long, value_name = "P=TIME", help_heading = "Search")]
    pub slo: String,
    /// Length of each probe
    #[arg(
        long,
        value_name = "TIME",
        default_value = "3s",
        help_heading = "Search"
    )]
    pub probe: String,
    /// Distance between the tested and the highest rate at which the search ends, as a share of the
    /// rate
    #[arg(
        long,
        value_name = "SHARE",
        default_value = "0.05",
        help_heading = "Search"
    )]
    pub precision: String,
}

/// Result of a search.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Search {
    /// Percentile of the objective, such as `p99`.
    pub percentile: String,
    /// Limit of the objective in µs.
    pub limit_us: f64,
    /// All probes in order.
    pub probes: Vec<Probe>,
    /// Highest rate that met the objective; `None` if even the lowest did not.
    pub rate: Option<f64>,
    /// Run that confirmed the rate.
    pub confirmation: Option<Box<Report>>,
    /// True if the generator reached its own limit before the target did.
    pub generator_limited: bool,
    /// Warnings about the validity of the result.
    pub warnings: Vec<String>,
}

/// Probe: a run at one rate.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Probe {
    /// Calls per second that were offered.
    pub rate: f64,
    /// Successful calls per second.
    pub rps: f64,
    /// Latency from the intended start.
    pub latency_us: Percentiles,
    /// CPU time of the target per call, in µs.
    pub target_cpu_us_per_rpc: Option<f64>,
    /// Reason that the rate failed; `None` if it met the objective.
    pub failure: Option<String>,
    /// True if the generator could not keep up.
    pub generator_limited: bool,
    /// True if the probe was a longer, confirming run.
    pub confirming: bool,
}

/// Latency objective of a search.
struct Objective {
    percentile: String,
    limit_us: f64,
}

/// Runs the search.
pub(super) fn execute(args: &SearchArgs, interrupt: &Interrupt) -> Result<ExitCode, LoadError> {
    let conditions = Condition::parse_all(&args.run.output.fail_if)?;
    let mut hunt = Hunt::new(args, interrupt)?;
    let outputs = Outputs::open(&args.run.output)?;
    hunt.bracket()?;
    hunt.confirm()?;
    let document = Document::from(Body::Search(Box::new(hunt.found)));
    finish(&document, outputs, &conditions, interrupt)
}

impl Objective {
    fn parse(text: &str) -> Result<Self, LoadError> {
        let expected = "expected a percentile and its limit, as in p99=2ms";
        let failed = || LoadError::flag("--slo", text, expected);
        let (name, limit) = text.split_once('=').ok_or_else(failed)?;
        let known = Percentiles::default().named(name).is_some();
        let limit = duration::parse(limit).filter(|limit| known && !limit.is_zero());
        Ok(Self {
            percentile: name.to_owned(),
            limit_us: limit.ok_or_else(failed)?.as_secs_f64() * 1e6,
        })
    }

    /// Returns the number of calls that a run needs to decide the objective.
    fn calls_needed(&self) -> u64 {
        match self.percentile.as_str() {
            "p50" => samples_needed(500),
            "p90" => samples_needed(900),
            "p95" => samples_needed(950),
            "p99" => samples_needed(990),
            "p999" => samples_needed(999),
            _ => 1,
        }
    }

    /// Returns true if the generator could not keep up with the rate.
    fn is_generators(&self, report: &Report) -> bool {
        let busy = report.cost.busy_share();
        let late = report.late_us.as_ref();
        let late = late.is_some_and(|late| report.latency_us.is_mostly(late, &self.percentile));
        report.failed() == 0 && (busy > GENERATOR_SHARE_MAX || late)
    }

    /// Returns the reason that a report does not meet the objective, if there is one.
    fn failure(&self, report: &Report) -> Option<String> {
        let (name, limit) = (&self.percentile, self.limit_us);
        let offered = report.counts.offered_rps.unwrap_or(report.counts.rps);
        if report.failed() > 0 {
            return Some(format!("{} calls failed", report.failed()));
        }
        if report.counts.rps < offered * ACHIEVED_MIN {
            let share = report.counts.rps / offered * 100.0;
            return Some(format!("only {share:.1} % of the calls ended in time"));
        }
        if report.fell_behind() {
            return Some("the rate was not held: the backlog of calls grew".to_owned());
        }
        match report.latency_us.named(name).flatten() {
            None => Some(format!("too few calls for {name}")),
            Some(value) if value > limit => Some(format!("{name} is {}", time(value))),
            Some(_) => None,
        }
    }
}

/// Search in progress.
struct Hunt<'a> {
    args: &'a SearchArgs,
    interrupt: &'a Interrupt,
    objective: Objective,
    bracket: Bracket,
    probe: Duration,
    confirm: Duration,
    found: Search,
}

impl<'a> Hunt<'a> {
    fn new(args: &'a SearchArgs, interrupt: &'a Interrupt) -> Result<Self, LoadError> {
        let objective = Objective::parse(&args.slo)?;
        let number = |flag, text: &str, expected: &str| {
            let number = text.parse::<f64>().ok().filter(|value| *value > 0.0);
            number.ok_or_else(|| LoadError::flag(flag, text, expected))
        };
        let first = args.run.pace.rate.as_deref().unwrap_or("1000");
        let first = number("--rate", first, "expected calls per second, above 0")?;
        let length = args.run.pace.duration.as_deref().unwrap_or("10s");
        let span = |flag, text: &str| {
            let span = duration::parse(text).filter(|span| !span.is_zero());
            span.ok_or_else(|| LoadError::flag(flag, text, duration::EXPECTED))
        };
        let precision = number(
            "--precision",
            &args.precision,
            "expected a share, as in 0.05",
        )?;
        plan(&at_rate(args, first, &args.probe))?;
        let found = Search {
            percentile: objective.percentile.clone(),
            limit_us: objective.limit_us,
            probes: Vec::new(),
            rate: None,
            confirmation: None,
            generator_limited: false,
            warnings: Vec::new(),
        };
        Ok(Self {
            args,
            interrupt,
            objective,
            bracket: Bracket::new(first, precision),
            probe: span("--probe", &args.probe)?,
            confirm: span("--duration", length)?,
            found,
        })
    }

    /// Narrows the range that contains the highest rate.
    fn bracket(&mut self) -> Result<(), LoadError> {
        while let Some(rate) = self.bracket.next() {
            let Some(report) = self.try_rate(rate, false)? else {
                return Ok(());
            };
            let probe = self.found.probes.last();
            if probe.is_some_and(|probe| probe.generator_limited) {
                self.found.generator_limited = true;
                return Ok(());
            }
            self.bracket
                .tried(rate, self.objective.failure(&report).is_none());
        }
        Ok(())
    }

    /// Runs the rate for longer, and lowers it while it fails.
    fn confirm(&mut self) -> Result<(), LoadError> {
        let Some(mut rate) = self.bracket.held() else {
            return Ok(());
        };
        for _ in 0..CONFIRMATIONS_MAX {
            let Some(report) = self.try_rate(rate, true)? else {
                return Ok(());
            };
            if self.objective.failure(&report).is_none() {
                self.found.rate = Some(rate);
                let warnings = report.warnings.iter();
                warnings.for_each(|text| keep_first(&mut self.found.warnings, text));
                self.found.confirmation = Some(Box::new(report));
                return Ok(());
            }
            rate = (rate * STEP_BACK).round().max(1.0);
        }
        Ok(())
    }

    fn try_rate(&mut self, rate: f64, confirming: bool) -> Result<Option<Report>, LoadError> {
        let asked = match confirming {
            true => self.confirm,
            false => self.probe,
        };
        let needed = Duration::from_secs_f64(self.objective.calls_needed() as f64 * 1.1 / rate);
        if needed > PROBE_MAX.max(asked) {
            let warning = format!("too few samples: {rate:.0}/s never makes enough calls in time");
            self.found.warnings.push(warning);
            return Ok(None);
        }
        let length = format!("{}ns", asked.max(needed).as_nanos());
        let Some(report) = measure(&at_rate(self.args, rate, &length), self.interrupt)? else {
            return Ok(None);
        };
        if report.interrupted {
            return Ok(None);
        }
        let mut failure = self.objective.failure(&report);
        let generator_limited = failure.is_some() && self.objective.is_generators(&report);
        let is_busy = |text: &String| text.starts_with("streams busy");
        if let Some(failure) = &mut failure
            && report.warnings.iter().any(is_busy)
        {
            *failure += ", all streams were busy";
        }
        let word = match (&failure, generator_limited) {
            (None, _) => "holds".to_owned(),
            (Some(why), false) => format!("does not hold: {why}"),
            (Some(_), true) => "is more than the generator can offer".to_owned(),
        };
        tell(format_args!("{rate:.0}/s {word} ({})", in_brief(&report)));
        self.found.probes.push(Probe {
            rate,
            rps: report.counts.rps,
            latency_us: report.latency_us,
            target_cpu_us_per_rpc: report.cost.target_cpu_us_per_rpc,
            failure,
            generator_limited,
            confirming,
        });
        Ok(Some(report))
    }
}

fn at_rate(args: &SearchArgs, rate: f64, length: &str) -> RunArgs {
    let mut run = args.run.clone();
    run.pace.rate = Some(format!("{rate}"));
    run.pace.duration = Some(length.to_owned());
    run
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::tests::report;

    #[test]
    fn objectives_are_read_and_held() {
        for text in ["p99", "p98=2ms", "p99=2", "p99=0s", "=2ms"] {
            let error = Objective::parse(text).err().map(|error| error.to_string());
            assert!(error.unwrap().contains(text), "{text}");
        }
        let objective = Objective::parse("p99=2ms").unwrap();
        let mut run = report("--rate 999", 1996);
        assert_eq!(objective.failure(&run).unwrap(), "1 calls failed");
        run.counts.failed.clear();
        assert_eq!(objective.failure(&run), None);
        run.counts.offered_rps = Some(run.counts.rps * 1.006);
        assert!(objective.failure(&run).unwrap().contains("99.4 %"));
        run.counts.offered_rps = None;
        run.latency_us.p99 = Some(2100.0);
        assert_eq!(objective.failure(&run).unwrap(), "p99 is 2.10 ms");
        // Late by a tenth of a median is not what makes a p99.
        let late = |p99| Percentiles {
            p99: Some(p99),
            ..Percentiles::default()
        };
        run.cost.generator_cpu_share = 0.5;
        run.late_us = Some(late(15.0));
        assert!(!objective.is_generators(&run));
        run.late_us = Some(late(1500.0));
        assert!(objective.is_generators(&run));
        run.counts.failed.insert("UNAVAILABLE".to_owned(), 1);
        assert!(!objective.is_generators(&run));
        run.counts.failed.clear();
        run.latency_us.p99 = None;
        assert!(objective.failure(&run).unwrap().starts_with("too few"));
    }
}
