//! Results of several commands, shown together.

use serde::{Deserialize, Serialize};

use super::RawEcho;
use crate::report::{Body, Document, Report};

/// Results that are shown together. They are independent measurements, not a comparison.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Collection {
    /// Results in the order of the command line.
    pub findings: Vec<Finding>,
    /// Raw echo that calls are compared with, if a calibration was given.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub raw_echo: Option<RawEcho>,
    /// Warnings about the runs; other results have warnings of their own.
    pub warnings: Vec<String>,
}

/// Result with its name.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Finding {
    /// Name, unique within the collection.
    pub name: String,
    /// Result as in a file of its own.
    pub finding: Document,
}

impl Collection {
    /// Combines results. Collections among them are flattened, and sweeps without a raw echo take
    /// over this one.
    pub fn of(findings: Vec<Finding>, raw_echo: Option<RawEcho>) -> Self {
        let mut all = Vec::new();
        for Finding { name, finding } in findings {
            match finding.body {
                Body::Collection(inner) => all.extend(inner.findings),
                _ => all.push(Finding { name, finding }),
            }
        }
        unlike(all.iter_mut().map(|finding| &mut finding.name));
        if let Some(echo) = &raw_echo {
            for found in &mut all {
                if let Body::Sweep(sweep) = &mut found.finding.body {
                    sweep.hold_against(echo);
                }
            }
        }
        let mut collection = Self {
            findings: all,
            raw_echo,
            warnings: Vec::new(),
        };
        collection.warnings = collection.about_the_runs();
        collection
    }

    /// Returns the runs among the results.
    pub fn runs(&self) -> impl Iterator<Item = (&str, &Report)> + Clone {
        self.findings
            .iter()
            .filter_map(|found| match &found.finding.body {
                Body::Run(report) => Some((found.name.as_str(), &**report)),
                _ => None,
            })
    }

    /// Returns the results that are not runs.
    pub fn others(&self) -> impl Iterator<Item = &Finding> {
        let other = |found: &&Finding| !matches!(found.finding.body, Body::Run(_));
        self.findings.iter().filter(other)
    }

    /// Returns the number of results of each kind in words.
    pub fn census(&self) -> String {
        let mut counts: Vec<(&str, &str, usize)> = Vec::new();
        for found in &self.findings {
            let (one, many) = kind(&found.finding.body);
            match counts.iter_mut().find(|(known, ..)| *known == one) {
                Some((.., count)) => *count += 1,
                None => counts.push((one, many, 1)),
            }
        }
        let words = counts.iter().map(|(one, many, count)| match count {
            1 => format!("1 {one}"),
            count => format!("{count} {many}"),
        });
        let words: Vec<_> = words.collect();
        match words.split_last() {
            Some((last, rest)) if !rest.is_empty() => format!("{} and {last}", rest.join(", ")),
            _ => words.concat(),
        }
    }

    fn about_the_runs(&self) -> Vec<String> {
        let mut warnings = Vec::new();
        let runs: Vec<_> = self.runs().collect();
        if runs.len() > 1 {
            warnings.push(
                "not in turns: these runs were made at different times, so their differences may \
                 be drift; compare measures in alternating turns"
                    .to_owned(),
            );
            warnings.extend(unlike_loads(&runs));
        }
        if let Some(echo) = &self.raw_echo {
            warnings.extend(echo.doubt(runs.iter().map(|(_, report)| *report)));
        }
        let mut grouped: Vec<(&String, Vec<&str>)> = Vec::new();
        for (name, report) in &runs {
            for text in &report.warnings {
                match grouped.iter_mut().find(|(known, _)| *known == text) {
                    Some((_, names)) => names.push(name),
                    None => grouped.push((text, vec![name])),
                }
            }
        }
        let told = grouped
            .iter()
            .map(|(text, names)| warning_of(text, &names.join(", ")));
        warnings.extend(told);
        warnings
    }
}

/// Returns a warning with the names of the results that it applies to.
pub(crate) fn warning_of(warning: &str, names: &str) -> String {
    match warning.split_once(": ") {
        Some((kind, rest)) => format!("{kind} ({names}): {rest}"),
        None => format!("{warning} ({names})"),
    }
}

/// Returns a warning if runs had different loads, because latencies are comparable only under one
/// load.
fn unlike_loads(runs: &[(&str, &Report)]) -> Option<String> {
    /// Largest factor between two loads that are treated as equal.
    const APART_MAX: f64 = 1.02;
    let offered = |report: &Report| report.counts.offered_rps;
    let loads: Vec<f64> = runs.iter().filter_map(|(_, run)| offered(run)).collect();
    let cause = match loads.len() {
        0 => return None,
        some if some < runs.len() => "some were offered a rate, others ran in a closed loop".into(),
        _ => {
            let least = loads.iter().copied().fold(f64::MAX, f64::min);
            let most = loads.iter().copied().fold(0.0, f64::max);
            if most <= least * APART_MAX {
                return None;
            }
            format!("they were offered {least:.0} to {most:.0} calls a second")
        }
    };
    Some(format!(
        "different loads: {cause}, and latencies belong to their load"
    ))
}

fn kind(body: &Body) -> (&'static str, &'static str) {
    match body {
        Body::Run(_) => ("run", "runs"),
        Body::Sweep(_) => ("sweep", "sweeps"),
        Body::Search(_) => ("search", "searches"),
        Body::Compare(_) => ("comparison", "comparisons"),
        Body::Calibrate(_) => ("calibration", "calibrations"),
        Body::Collection(_) => ("collection", "collections"),
    }
}

/// Appends a number to repeated names, so that all are unique.
pub(crate) fn unlike<'a>(names: impl Iterator<Item = &'a mut String>) {
    let mut known: Vec<String> = Vec::new();
    for name in names {
        let first = name.clone();
        let mut number = 2;
        while known.contains(name) {
            *name = format!("{first} ({number})");
            number += 1;
        }
        known.push(name.clone());
    }
}

#[cfg(test)]
mod tests;
