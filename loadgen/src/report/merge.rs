//! Merge of several reports: counts and histograms are added, percentiles computed from the sum.

use hdrhistogram::Histogram;

use super::{
    Cost, Counts, FailureRow, Histograms, MessageReport, MethodRow, OutcomeRow, Packed,
    Percentiles, Report,
};
use crate::measure::{add, histogram};
use crate::process::{Memory, PressureShares, Switches, Used};
use crate::warnings;

impl Report {
    /// Merges reports on the same method. Runs that overlap in time are treated as generators of
    /// one load, whose rates add up. Other runs are treated as repeats, whose windows add up. The
    /// decision uses the clocks in the reports, so the clocks of several machines must agree.
    ///
    /// # Errors
    /// The list is empty, methods or kinds of loop differ, or a histogram cannot be decoded.
    pub fn merge(reports: &[Self]) -> Result<Self, String> {
        Self::merge_as(reports, overlap(reports))
    }

    /// Merges reports of generators of one load, without a check of their clocks.
    ///
    /// # Errors
    /// As for [`merge`](Self::merge).
    pub fn merge_together(reports: &[Self]) -> Result<Self, String> {
        Self::merge_as(reports, true)
    }

    fn merge_as(reports: &[Self], together: bool) -> Result<Self, String> {
        let (first, rest) = reports.split_first().ok_or("there is nothing to merge")?;
        for other in rest {
            check_alike("method", &first.setup.method, &other.setup.method)?;
            check_alike("loop", &first.setup.mode, &other.setup.mode)?;
        }
        let sums = Sums::of(reports)?;
        let mut merged = first.clone();
        merge_setup(&mut merged, reports, together);
        merged.counts = counts(reports, merged.setup.duration_s);
        merged.cost = cost(reports, &merged.counts, together, &sums.stall);
        merged.latency_us = Percentiles::of(&sums.response);
        merged.service_us = Percentiles::of(&sums.service);
        merged.first_byte_us = Percentiles::of(&sums.first_byte);
        merged.lag_us = first.lag_us.map(|_| Percentiles::of(&sums.lag));
        merged.late_us = first.late_us.map(|_| Percentiles::of(&sums.late));
        merged.methods = MethodRow::merge(reports)?;
        merged.outcomes = outcomes(reports)?;
        merged.failures = FailureRow::merge(reports);
        let messages = reports.iter().filter_map(|report| report.messages.as_ref());
        merged.messages = MessageReport::merge(messages, merged.setup.duration_s)?;
        merged.interrupted = reports.iter().any(|report| report.interrupted);
        merge_seconds(&mut merged, rest, together)?;
        merged.histograms = sums.pack();
        merged.warnings = warnings::all(&merged, &sums.response, &sums.service);
        Ok(merged)
    }
}

fn check_alike(what: &str, one: &str, other: &str) -> Result<(), String> {
    match one == other {
        true => Ok(()),
        false => Err(format!("the {what} of one is {one}, of another {other}")),
    }
}

/// Returns true if all windows overlap.
fn overlap(reports: &[Report]) -> bool {
    let ends = reports.iter().map(|report| report.setup.finished_unix_s);
    let begins = reports
        .iter()
        .map(|report| report.setup.finished_unix_s - report.setup.duration_s);
    begins.fold(f64::MIN, f64::max) < ends.fold(f64::MAX, f64::min)
}

struct Sums {
    response: Histogram<u64>,
    service: Histogram<u64>,
    lag: Histogram<u64>,
    late: Histogram<u64>,
    first_byte: Histogram<u64>,
    stall: Histogram<u64>,
}

impl Sums {
    fn of(reports: &[Report]) -> Result<Self, String> {
        let sum = |which: fn(&Histograms) -> &Packed| {
            let mut sum = histogram();
            for report in reports {
                add(&mut sum, &which(&report.histograms).unpack()?);
            }
            Ok::<_, String>(sum)
        };
        Ok(Self {
            response: sum(|all| &all.response)?,
            service: sum(|all| &all.service)?,
            lag: sum(|all| &all.lag)?,
            late: sum(|all| &all.late)?,
            first_byte: sum(|all| &all.first_byte)?,
            stall: sum(|all| &all.stall)?,
        })
    }

    fn pack(&self) -> Histograms {
        Histograms {
            response: Packed::pack(&self.response),
            service: Packed::pack(&self.service),
            lag: Packed::pack(&self.lag),
            late: Packed::pack(&self.late),
            first_byte: Packed::pack(&self.first_byte),
            stall: Packed::pack(&self.stall),
        }
    }
}

fn merge_setup(merged: &mut Report, reports: &[Report], together: bool) {
    let setups = || reports.iter().map(|report| &report.setup);
    let setup = &mut merged.setup;
    setup.finished_unix_s = setups()
        .map(|setup| setup.finished_unix_s)
        .fold(0.0, f64::max);
    setup.streams_allowed = setups().filter_map(|setup| setup.streams_allowed).min();
    if together {
        setup.connections = setups().map(|setup| setup.connections).sum();
        setup.cores = setups().map(|setup| setup.cores).sum();
        setup.duration_s = setups().map(|setup| setup.duration_s).fold(0.0, f64::max);
    } else {
        setup.duration_s = setups().map(|setup| setup.duration_s).sum();
    }
}

fn counts(reports: &[Report], seconds: f64) -> Counts {
    let counts = || reports.iter().map(|report| &report.counts);
    let sum = |which: fn(&Counts) -> u64| counts().map(which).sum::<u64>();
    let mut failed = std::collections::BTreeMap::new();
    for (name, calls) in counts().flat_map(|counts| &counts.failed) {
        *failed.entry(name.clone()).or_insert(0) += calls;
    }
    let (ok, censored) = (sum(|counts| counts.ok), sum(|counts| counts.censored));
    let offered = (ok + censored + failed.values().sum::<u64>()) as f64 / seconds.max(1e-9);
    Counts {
        ok,
        failed,
        censored,
        rps: ok as f64 / seconds.max(1e-9),
        offered_rps: reports[0].counts.offered_rps.map(|_| offered),
        ended_in_window: sum(|counts| counts.ended_in_window),
        carried_in: counts().map(|counts| counts.carried_in).sum(),
        lost: sum(|counts| counts.lost),
        reconnects: sum(|counts| counts.reconnects),
        unconnected_s: counts().map(|counts| counts.unconnected_s).sum(),
    }
}

fn cost(reports: &[Report], counts: &Counts, together: bool, stall: &Histogram<u64>) -> Cost {
    let ended = counts.ended_in_window as f64;
    let each = |cpu_s: f64| (ended > 0.0).then_some(cpu_s * 1e6 / ended);
    let costs = || reports.iter().map(|report| &report.cost);
    let core_seconds = |report: &Report| report.setup.cores as f64 * report.setup.duration_s;
    let busy: f64 = reports
        .iter()
        .map(|report| report.cost.generator_cpu_share * core_seconds(report))
        .sum();
    let target_use = target_use(costs().filter_map(|cost| cost.target_use), together);
    let highest = |which: fn(&Cost) -> Option<f64>| costs().filter_map(which).reduce(f64::max);
    Cost {
        target_cpu_us_per_rpc: target_use.and_then(|used| each(used.cpu_s)),
        target_use,
        generator_cpu_us_per_rpc: each(busy),
        generator_cpu_share: busy / reports.iter().map(core_seconds).sum::<f64>().max(1e-9),
        busiest_core_share: costs()
            .map(|cost| cost.busiest_core_share)
            .fold(0.0, f64::max),
        generator_switches: costs()
            .filter_map(|cost| cost.generator_switches)
            .reduce(plus),
        generator_stall_us: Percentiles::of(stall),
        steal_share: highest(|cost| cost.steal_share),
        pressure: PressureShares {
            cpu: highest(|cost| cost.pressure.cpu),
            memory: highest(|cost| cost.pressure.memory),
            io: highest(|cost| cost.pressure.io),
        },
    }
}

/// Merges the target's resource use: the first report's value for generators of one load, the sum
/// of repeats.
fn target_use(mut uses: impl Iterator<Item = Used>, together: bool) -> Option<Used> {
    let first = uses.next()?;
    if together {
        return Some(first);
    }
    let most = |one: Option<u64>, other: Option<u64>| one.max(other);
    Some(uses.fold(first, |sum, used| Used {
        cpu_s: sum.cpu_s + used.cpu_s,
        switches: sum.switches.zip(used.switches).map(|(a, b)| plus(a, b)),
        run_delay_s: sum.run_delay_s.zip(used.run_delay_s).map(|(a, b)| a + b),
        memory: Memory {
            resident_bytes: most(sum.memory.resident_bytes, used.memory.resident_bytes),
            peak_bytes: most(sum.memory.peak_bytes, used.memory.peak_bytes),
        },
    }))
}

fn plus(one: Switches, other: Switches) -> Switches {
    Switches {
        voluntary: one.voluntary + other.voluntary,
        involuntary: one.involuntary + other.involuntary,
    }
}

fn outcomes(reports: &[Report]) -> Result<Vec<OutcomeRow>, String> {
    let mut merged: Vec<(String, Histogram<u64>)> = Vec::new();
    for row in reports.iter().flat_map(|report| &report.outcomes) {
        let response = row.response.unpack()?;
        match merged.iter_mut().find(|(name, _)| *name == row.name) {
            Some((_, sum)) => add(sum, &response),
            None => merged.push((row.name.clone(), response)),
        }
    }
    let rows = merged.into_iter().map(|(name, response)| OutcomeRow {
        name,
        calls: response.len(),
        latency_us: Percentiles::of(&response),
        response: Packed::pack(&response),
    });
    Ok(rows.collect())
}

fn merge_seconds(merged: &mut Report, rest: &[Report], together: bool) -> Result<(), String> {
    let mut offset_s = merged.seconds.iter().map(|second| second.length_s).sum();
    for other in rest {
        for second in &other.seconds {
            let place = merged
                .seconds
                .iter_mut()
                .find(|ours| together && ours.at_s == second.at_s);
            match place {
                Some(ours) => ours.merge(second)?,
                None => {
                    let mut second = second.clone();
                    second.at_s += if together { 0.0 } else { offset_s };
                    merged.seconds.push(second);
                }
            }
        }
        offset_s += other.seconds.iter().map(|s| s.length_s).sum::<f64>();
    }
    merged
        .seconds
        .sort_by(|one, other| one.at_s.total_cmp(&other.at_s));
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::tests::report;

    #[test]
    fn generators_that_loaded_together_add_their_rates() {
        let reports = [report("--rate 9", 1000), report("--rate 9", 3000)];
        let merged = Report::merge(&reports).unwrap();
        assert_eq!((merged.counts.ok, merged.counts.censored), (4000, 2));
        let sum = reports[0].counts.rps + reports[1].counts.rps;
        assert!((merged.counts.rps - sum).abs() < 1e-6);
        assert_eq!((merged.setup.connections, merged.setup.cores), (2, 2));
        let response = merged.histograms.response.unpack().unwrap();
        assert_eq!(response.len(), 4004);
        assert_eq!(merged.outcomes[0].calls, 4000);
        // Read off the sum: the censored calls are too few now to be the p99.9.
        assert!(merged.latency_us.p99.unwrap() < 200.0, "{merged:?}");
    }

    #[test]
    fn repeats_add_their_windows() {
        let mut reports = [report("", 1000), report("", 2000)];
        reports[1].setup.finished_unix_s += 100.0;
        let merged = Report::merge(&reports).unwrap();
        assert_eq!((merged.setup.duration_s, merged.setup.cores), (4.0, 1));
        assert!((merged.counts.rps - 750.0).abs() < 1e-6);
        let at: Vec<_> = merged.seconds.iter().map(|second| second.at_s).collect();
        assert_eq!(at, [0.0, 1.0]);
        assert!((merged.cost.target_use.unwrap().cpu_s - 0.008).abs() < 1e-9);
    }

    #[test]
    fn generators_whose_clocks_differ_loaded_together_if_they_are_known_to() {
        let mut reports = [report("--rate 9", 1000), report("--rate 9", 3000)];
        reports[1].setup.finished_unix_s += 3600.0;
        let sum = reports[0].counts.rps + reports[1].counts.rps;
        let merged = Report::merge_together(&reports).unwrap();
        assert!((merged.counts.rps - sum).abs() < 1e-6);
        assert!(Report::merge(&reports).unwrap().counts.rps < sum);
    }

    #[test]
    fn what_differs_is_not_merged() {
        assert!(Report::merge(&[]).unwrap_err().contains("nothing"));
        let error = Report::merge(&[report("--rate 9", 1), report("", 1)]).unwrap_err();
        assert!(
            error.contains("open") && error.contains("closed"),
            "{error}"
        );
        let mut broken = report("", 1);
        broken.histograms.lag = serde_json::from_str(r#""AAAA""#).unwrap();
        assert!(Report::merge(&[broken]).is_err());
    }
}
