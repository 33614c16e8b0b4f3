//! Charts of latency by percentile, and over time.

use hdrhistogram::Histogram;

use super::super::plot::{ACROSS, APART, Axis, Plot, Series, Tip, UP};
use super::super::scale::{Kind, Scale};
use crate::chart::Chart;
use crate::command::Comparison;
use crate::report::{Report, Second};
use crate::units::{count, count_tick, time, time_tick};

/// Points per factor of ten in the percentile chart.
const STEPS: usize = 24;

/// Number of samples beyond a quantile for a reliable value.
const SURE: f64 = 10.0;

/// Largest number of lines in one chart.
const RUNS_MAX: usize = 12;

const SPECTRUM_CAPTION: &str = "The share of calls that ended within a time; each mark to the \
    right leaves a tenth as many slower. Dotted: fewer than ten calls lie beyond.";

/// Line of a chart: name, class, and latencies.
type Line<'a> = (&'a str, &'static str, Histogram<u64>);

/// Returns the percentile chart of a run.
pub(super) fn of_run(report: &Report) -> Result<Chart, String> {
    let mut lines = vec![("latency", "a", report.histograms.response.unpack()?)];
    if report.setup.is_open() {
        lines.push(("service", "a2", report.histograms.service.unpack()?));
        lines.push(("lag", "faint", report.histograms.lag.unpack()?));
    } else {
        lines.push(("first byte", "a2", report.histograms.first_byte.unpack()?));
    }
    Ok(spectrum(&lines, SPECTRUM_CAPTION.to_owned()))
}

/// Returns the percentile chart of both targets.
pub(super) fn of_comparison(comparison: &Comparison) -> Result<Option<Chart>, String> {
    let (Some(a), Some(b)) = (&comparison.a, &comparison.b) else {
        return Ok(None);
    };
    let [name_a, name_b] = &comparison.names;
    let lines = [
        (name_a.as_str(), "a", a.histograms.response.unpack()?),
        (name_b.as_str(), "b", b.histograms.response.unpack()?),
    ];
    Ok(Some(spectrum(&lines, SPECTRUM_CAPTION.to_owned())))
}

/// Returns the percentile chart of several runs.
pub(super) fn of_runs(runs: &[(&str, &Report)]) -> Result<Chart, String> {
    let mut lines = Vec::new();
    for ((name, report), class) in runs.iter().take(RUNS_MAX).zip(APART.into_iter().cycle()) {
        lines.push((*name, class, report.histograms.response.unpack()?));
    }
    let more = match runs.len().saturating_sub(RUNS_MAX) {
        0 => String::new(),
        more => format!(" {more} more runs are in the table alone."),
    };
    let caption = format!("Latency from the intended start. {SPECTRUM_CAPTION}{more}");
    Ok(spectrum(&lines, caption))
}

fn spectrum(lines: &[Line<'_>], caption: String) -> Chart {
    let nines = |calls: u64| (calls.max(10) as f64).log10();
    let most = lines.iter().map(|(_, _, values)| nines(values.len()));
    let most = most.fold(2.0, f64::max);
    let series: Vec<Series> = lines
        .iter()
        .map(|(name, class, values)| Series {
            name: (*name).to_owned(),
            class,
            points: points(values),
            unsure_from: nines(values.len()) - SURE.log10(),
            dots: false,
            joined: true,
        })
        .collect();
    let all = series.iter().flat_map(|series| &series.points);
    let y = Scale::of(all.map(|(_, us)| *us).filter(|us| *us > 0.0), false, UP);
    let plot = Plot {
        label: "Latency by percentile".to_owned(),
        x: Axis {
            title: "percentile".to_owned(),
            scale: Scale::new(Kind::Linear, (0.0, most), ACROSS),
            ticks: percentile_ticks(most),
        },
        y: Axis::new("latency", y, time_tick),
        tips: tips(lines, most),
        series,
        rule: None,
    };
    Chart {
        name: "percentiles".to_owned(),
        title: "Latency by percentile".to_owned(),
        caption,
        svg: plot.draw(),
    }
}

/// Returns the ticks of an axis that counts nines: 1 is 90 %, 2 is 99 %.
fn percentile_ticks(most: f64) -> Vec<(f64, String)> {
    let marks = [
        (0.0, "0 %"),
        (0.301, "50 %"),
        (1.0, "90 %"),
        (2.0, "99 %"),
        (3.0, "99.9 %"),
        (4.0, "99.99 %"),
        (5.0, "99.999 %"),
        (6.0, "99.9999 %"),
        (7.0, "1 in 10⁷"),
        (8.0, "1 in 10⁸"),
    ];
    let marks = marks.into_iter().filter(|(nines, _)| *nines <= most);
    // Beside each other 0 % and 50 % need the room of half a nine.
    let marks = marks.filter(|(nines, _)| *nines != 0.0 || most < 4.0);
    marks
        .map(|(nines, text)| (nines, text.to_owned()))
        .collect()
}

fn points(values: &Histogram<u64>) -> Vec<(f64, f64)> {
    if values.is_empty() {
        return Vec::new();
    }
    let last = (values.len() as f64).log10();
    let steps = (last * STEPS as f64).ceil() as usize;
    let at = |step: usize| (step as f64 / STEPS as f64).min(last);
    // The fastest call of all says little, and would stretch the axis.
    (1..=steps)
        .map(|step| (at(step), value_at(values, at(step))))
        .collect()
}

fn value_at(values: &Histogram<u64>, nines: f64) -> f64 {
    // A latency of nothing has no place on a logarithmic axis; the histogram's own step is 1 ns.
    values.value_at_quantile(1.0 - 10f64.powf(-nines)).max(1) as f64 / 1e3
}

fn tips(lines: &[Line<'_>], most: f64) -> Vec<Tip> {
    let step = |index: usize| index as f64 / 4.0;
    let count = (most * 4.0) as usize;
    let tip = |nines: f64| {
        let percentile = 100.0 - 100.0 * 10f64.powf(-nines);
        let digits = (nines.ceil() as usize).saturating_sub(1);
        let told = lines
            .iter()
            .filter(|(_, _, values)| !values.is_empty() && nines <= (values.len() as f64).log10());
        let told: Vec<_> = told
            .map(|(name, _, values)| format!("{name} {}", time(value_at(values, nines))))
            .collect();
        Tip {
            x: nines,
            text: format!("{percentile:.digits$} %: {}", told.join(", ")),
        }
    };
    (0..=count).map(|index| tip(step(index))).collect()
}

/// Returns a chart of percentiles over time; `None` for fewer than two seconds.
pub(super) fn timeline(report: &Report) -> Option<Chart> {
    let seconds = &report.seconds;
    if seconds.len() < 2 {
        return None;
    }
    let line = |name: &str, class, value: fn(&Second) -> Option<f64>| Series {
        name: name.to_owned(),
        class,
        points: seconds
            .iter()
            .filter_map(|s| Some((middle(s), value(s)?)))
            .collect(),
        unsure_from: f64::MAX,
        dots: false,
        joined: true,
    };
    let series = vec![
        line("slowest", "faint", |second| second.latency_us.max),
        line("p99", "a", |second| second.latency_us.p99),
        line("p50", "a2", |second| second.latency_us.p50),
        line("generator", "faint thin", |second| {
            Some(second.stall_us).filter(|us| *us > 0.0)
        }),
    ];
    let all = series.iter().flat_map(|series| &series.points);
    let y = Scale::of(all.map(|(_, us)| *us), false, UP);
    let plot = Plot {
        label: "Latency over time".to_owned(),
        x: time_axis(seconds),
        y: Axis::new("latency of calls that ended in a second", y, time_tick),
        tips: seconds.iter().map(second_tip).collect(),
        series,
        rule: None,
    };
    Some(Chart {
        name: "timeline".to_owned(),
        title: "Latency over time".to_owned(),
        caption: "Each second of the measured window. Dotted: delay of the generator itself, \
                  which may have caused latency in that second."
            .to_owned(),
        svg: plot.draw(),
    })
}

/// Returns a chart of calls and failures over time.
pub(super) fn rate(report: &Report) -> Option<Chart> {
    let duration = report.setup.duration_s;
    let in_window = |second: &&Second| second.at_s < duration - 1e-6;
    let seconds: Vec<Second> = report.seconds.iter().filter(in_window).cloned().collect();
    if seconds.len() < 2 {
        return None;
    }
    let each = |calls: u64, second: &Second| calls as f64 / second.length_s;
    let line = |name: &str, class, value: &dyn Fn(&Second) -> f64| Series {
        name: name.to_owned(),
        class,
        points: seconds
            .iter()
            .map(|second| (middle(second), value(second)))
            .collect(),
        unsure_from: f64::MAX,
        dots: false,
        joined: true,
    };
    let mut series = vec![line("calls", "a", &|second| each(second.calls, second))];
    if report.failed() > 0 {
        series.push(line("failed", "bad", &|second| each(second.failed, second)));
    }
    let all = series.iter().flat_map(|series| &series.points);
    let y = Scale::of(all.map(|(_, rate)| *rate), true, UP);
    let plot = Plot {
        label: "Calls over time".to_owned(),
        x: time_axis(&seconds),
        y: Axis::new("calls that ended, each second", y, count_tick),
        tips: seconds.iter().map(second_tip).collect(),
        series,
        rule: None,
    };
    Some(Chart {
        name: "rate".to_owned(),
        title: "Calls over time".to_owned(),
        caption: "Calls that ended in each second of the window, whenever they were meant to \
                  start."
            .to_owned(),
        svg: plot.draw(),
    })
}

fn middle(second: &Second) -> f64 {
    second.at_s + second.length_s / 2.0
}

fn time_axis(seconds: &[Second]) -> Axis {
    let end = seconds
        .last()
        .map_or(1.0, |second| second.at_s + second.length_s);
    let scale = Scale::of([0.0, end].into_iter(), true, ACROSS);
    let ticks = scale.ticks().into_iter().filter(|tick| *tick <= end * 1.02);
    Axis {
        title: "seconds".to_owned(),
        scale: Scale::new(Kind::Linear, (0.0, end), ACROSS),
        ticks: ticks.map(|tick| (tick, count_tick(tick))).collect(),
    }
}

fn second_tip(second: &Second) -> Tip {
    let told = |us: Option<f64>| us.map_or_else(|| "n/a".to_owned(), time);
    let latency = &second.latency_us;
    let mut text = format!(
        "{:.0} s: {} calls, p50 {}, p99 {}, slowest {}",
        second.at_s,
        count(second.calls as f64),
        told(latency.p50),
        told(latency.p99),
        told(latency.max)
    );
    if second.failed > 0 {
        text += &format!(", {} failed", second.failed);
    }
    Tip {
        x: middle(second),
        text,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::measure::histogram;
    use crate::report::tests::report;

    #[test]
    fn a_spectrum_ends_with_the_slowest() {
        let mut values = histogram();
        (1..=1000).for_each(|ms| values.record(ms * 1_000_000).unwrap());
        let points = points(&values);
        let (nines, us) = *points.last().unwrap();
        assert!((nines - 3.0).abs() < 1e-9);
        assert!((us - 999_000.0).abs() < 2000.0, "{us}");
        let at = |wanted: f64| {
            points
                .iter()
                .find(|(x, _)| (x - wanted).abs() < 0.01)
                .unwrap()
                .1
        };
        assert!((at(1.0) - 900_000.0).abs() < 2000.0);
        assert!(super::points(&histogram()).is_empty());
    }

    #[test]
    fn charts_are_whole_whatever_the_report() {
        for (flags, calls) in [("", 0), ("--rate 9", 1), ("--rate 9", 100_000)] {
            let report = report(flags, calls);
            let svg = of_run(&report).unwrap().svg;
            assert!(svg.starts_with("<svg") && svg.ends_with("</svg>"));
            assert!(!svg.contains("NaN") && !svg.contains("inf"), "{svg}");
            assert_eq!(svg.contains(">service<"), flags.contains("rate"));
        }
    }

    #[test]
    fn a_timeline_needs_two_seconds() {
        let mut report = report("--rate 9", 50);
        assert!(timeline(&report).is_none() && rate(&report).is_none());
        let mut second = report.seconds[0].clone();
        second.at_s = 1.0;
        second.failed = 3;
        report.seconds.push(second);
        let svg = timeline(&report).unwrap().svg;
        assert!(svg.contains(">p50<") && svg.contains("3 failed"), "{svg}");
        assert!(rate(&report).unwrap().svg.contains(">failed<"));
    }
}
