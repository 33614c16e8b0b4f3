//! Opening sentence of a page: the main result.

use super::collection::finished_unix_s;
use crate::command::{Calibration, Collection, Comparison, Search, Sweep};
use crate::report::{Body, Document, Report};
use crate::units::{count, percent, several, time};

/// Texts at the head of a page.
pub(super) struct Words<'a> {
    /// Command and time of the result.
    pub(super) kicker: String,
    /// Main result as a sentence.
    pub(super) verdict: String,
    /// Target and parameters.
    pub(super) lead: String,
    /// Warnings about the validity of the result.
    pub(super) warnings: &'a [String],
}

/// Returns the texts for a document.
pub(super) fn words(document: &Document) -> Words<'_> {
    match &document.body {
        Body::Run(report) => of_run(report),
        Body::Compare(comparison) => of_comparison(comparison),
        Body::Search(search) => of_search(search),
        Body::Sweep(sweep) => of_sweep(sweep),
        Body::Calibrate(calibration) => of_calibration(calibration),
        Body::Collection(collection) => of_collection(collection),
    }
}

fn of_run(report: &Report) -> Words<'_> {
    Words {
        kicker: kicker("Load run", Some(report)),
        verdict: run_verdict(report),
        lead: lead(report),
        warnings: &report.warnings,
    }
}

fn run_verdict(report: &Report) -> String {
    let rate = count(report.counts.rps.round());
    let bad = report.failed() + report.counts.censored;
    let mut text = match (report.latency_us.p99, report.latency_us.max) {
        (Some(p99), _) if report.setup.is_open() => {
            format!(
                "At {rate} calls a second, 99 of 100 ended within {}",
                time(p99)
            )
        }
        (Some(p99), _) => format!("{rate} calls a second, 99 of 100 within {}", time(p99)),
        (None, Some(max)) => format!(
            "Too few calls to tell the tail: the slowest of {} took {}",
            count(report.counts.ok as f64),
            time(max)
        ),
        (None, None) => "No call ended".to_owned(),
    };
    if bad > 0 {
        let calls = if bad == 1 { "call" } else { "calls" };
        text += &format!("; {} {calls} failed or never ended", count(bad as f64));
    }
    text + "."
}

fn lead(report: &Report) -> String {
    let setup = &report.setup;
    let mode = match report.counts.offered_rps {
        Some(offered) => format!("{} calls offered each second", count(offered.round())),
        None => "a closed loop".to_owned(),
    };
    format!(
        "{} at {}: {}, {mode}, for {:.0} s after {:.0} s of warm-up.",
        setup.method,
        setup.target,
        setup.shape(),
        setup.duration_s,
        setup.warmup_s
    )
}

fn of_comparison(comparison: &Comparison) -> Words<'_> {
    let [a, b] = &comparison.names;
    let (good, all) = comparison.pairs;
    let some = comparison.a.as_deref().or(comparison.b.as_deref());
    let shape = some.map_or(String::new(), |report| {
        format!("{}, {}. ", report.setup.method, report.setup.shape())
    });
    Words {
        kicker: kicker("Comparison", some),
        verdict: comparison.verdict.clone(),
        lead: format!(
            "{shape}{a} at {} and {b} at {} in alternating turns: {all} pairs of turns, of \
             which {good} count.",
            comparison.targets[0], comparison.targets[1]
        ),
        warnings: &comparison.warnings,
    }
}

fn of_search(search: &Search) -> Words<'_> {
    let report = search.confirmation.as_deref();
    let (name, limit) = (&search.percentile, time(search.limit_us));
    let verdict = match (search.rate, search.generator_limited) {
        (Some(rate), false) => {
            format!(
                "{} calls a second hold {name} within {limit}.",
                count(rate.round())
            )
        }
        (Some(rate), true) => format!(
            "At least {} calls a second hold {name} within {limit}; the generator could offer no \
             more.",
            count(rate.round())
        ),
        (None, _) => format!("No rate was confirmed to hold {name} within {limit}."),
    };
    Words {
        kicker: kicker("Search", report),
        verdict,
        lead: report.map_or(String::new(), lead),
        warnings: &search.warnings,
    }
}

fn of_sweep(sweep: &Sweep) -> Words<'_> {
    let best = sweep
        .reports()
        .max_by(|one, other| one.counts.rps.total_cmp(&other.counts.rps));
    let verdict = best.map_or("Nothing was measured.".to_owned(), |report| {
        format!(
            "The most was {} calls a second, at {}.",
            count(report.counts.rps.round()),
            report.setup.shape()
        )
    });
    let lead = best.map_or(String::new(), |report| {
        let points = sweep.points.len();
        format!(
            "{} at {}, {points} points.{}",
            report.setup.method,
            report.setup.target,
            beside_echo(sweep)
        )
    });
    Words {
        kicker: kicker("Sweep", best),
        verdict,
        lead,
        warnings: &sweep.warnings,
    }
}

/// Returns the best ratio of the target's calls to raw echo messages per CPU-second.
fn beside_echo(sweep: &Sweep) -> String {
    let Some((echo, (report, share))) = sweep
        .raw_echo
        .as_ref()
        .and_then(|echo| Some((echo, echo.best(sweep.reports())?)))
    else {
        return String::new();
    };
    format!(
        " At its best, with {}, the target makes {} of the calls for each CPU-second that a raw \
         echo has messages ({} each).",
        report.setup.shape(),
        percent(share),
        time(echo.server_cpu_us)
    )
}

fn of_calibration(calibration: &Calibration) -> Words<'_> {
    let report = &calibration.null;
    Words {
        kicker: kicker("Calibration", Some(report)),
        verdict: format!(
            "The generator reaches {} calls a second on {}.",
            count(report.counts.rps.round()),
            several(report.setup.cores, "core")
        ),
        lead: format!(
            "Against a server that answers without parsing, {}; no server can be measured to \
             be faster.",
            report.setup.shape()
        ),
        warnings: &calibration.warnings,
    }
}

fn of_collection(collection: &Collection) -> Words<'_> {
    if let [only] = collection.findings.as_slice() {
        return Words {
            warnings: &collection.warnings,
            ..words(&only.finding)
        };
    }
    let runs: Vec<_> = collection.runs().collect();
    let lead = match runs.first() {
        Some((_, first)) => format!("The runs called {}{}.", first.setup.method, span(&runs)),
        None => String::new(),
    };
    Words {
        kicker: at_moment("Report", finished_unix_s(collection)),
        verdict: format!("{}, shown together.", collection.census()),
        lead,
        warnings: &collection.warnings,
    }
}

/// Returns the range of p99 over several runs, if more than one has it.
fn span(runs: &[(&str, &Report)]) -> String {
    let tails = runs
        .iter()
        .filter_map(|(name, run)| Some((*name, run.latency_us.p99?)));
    let mut tails: Vec<_> = tails.collect();
    tails.sort_by(|(_, one), (_, other)| one.total_cmp(other));
    match tails.as_slice() {
        [(least, low), .., (most, high)] => format!(
            "; their p99 go from {} ({least}) to {} ({most})",
            time(*low),
            time(*high)
        ),
        _ => String::new(),
    }
}

fn kicker(what: &str, report: Option<&Report>) -> String {
    at_moment(what, report.map(|report| report.setup.finished_unix_s))
}

fn at_moment(what: &str, unix_s: Option<f64>) -> String {
    match unix_s {
        None => what.to_owned(),
        Some(unix_s) => format!("{what} · {}", moment(unix_s)),
    }
}

/// Formats a time as `2026-11-23 08:15 UTC`, in the Gregorian calendar.
pub(super) fn moment(unix_s: f64) -> String {
    let seconds = unix_s.max(0.0) as u64;
    let (days, rest) = (seconds / 86_400, seconds % 86_400);
    // Counted from a March, so that the leap day is the last of its year; 400 years have 146 097
    // days.
    let shifted = days + 719_468;
    let (era, day) = (shifted / 146_097, shifted % 146_097);
    let year = (day - day / 1_460 + day / 36_524 - day / 146_096) / 365;
    let day = day - (365 * year + year / 4 - year / 100);
    let month = (5 * day + 2) / 153;
    let day = day - (153 * month + 2) / 5 + 1;
    let (month, carry) = if month < 10 {
        (month + 3, 0)
    } else {
        (month - 9, 1)
    };
    let year = era * 400 + year + carry;
    let (hour, minute) = (rest / 3600, rest % 3600 / 60);
    format!("{year}-{month:02}-{day:02} {hour:02}:{minute:02} UTC")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::tests::report;

    #[test]
    fn moments_follow_the_calendar() {
        for (unix, text) in [
            (0.0, "1970-01-01 00:00 UTC"),
            (951_782_399.0, "2000-02-28 23:59 UTC"),
            (951_825_600.0, "2000-02-29 12:00 UTC"),
            (1_795_420_800.0, "2026-11-23 08:00 UTC"),
            (4_107_542_400.0, "2100-03-01 00:00 UTC"),
        ] {
            assert_eq!(moment(unix), text);
        }
    }

    #[test]
    fn the_sentence_fits_what_was_found() {
        let open = run_verdict(&report("--rate 9", 2000));
        assert!(
            open.contains("99 of 100 ended within") && open.contains("2 calls failed"),
            "{open}"
        );
        assert!(run_verdict(&report("", 30)).starts_with("Too few calls"));
    }
}
