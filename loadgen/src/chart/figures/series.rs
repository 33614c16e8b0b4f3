//! Charts of latency and cost over load, and of the turns of a comparison.

use super::super::plot::{ACROSS, APART, Axis, Plot, Rule, Series, Tip, UP};
use super::super::scale::Scale;
use crate::chart::Chart;
use crate::command::{Comparison, RawEcho, Search, Side, Slice, Sweep};
use crate::report::Report;
use crate::stats::median;
use crate::units::{count, count_tick, time, time_or_none, time_tick};

/// Measurement under one load.
struct Sample {
    load: f64,
    value: f64,
    tip: String,
}

/// Returns charts of a search: latency over load with the objective, and the cost of a call.
pub(super) fn search(search: &Search) -> Vec<Chart> {
    let value = |probe: &crate::command::Probe| {
        let named = probe.latency_us.named(&search.percentile).flatten();
        named.or(probe.latency_us.max)
    };
    let samples = |held: bool| {
        let probes = search.probes.iter();
        let mut samples: Vec<Sample> = probes
            .filter(|probe| probe.failure.is_none() == held)
            .filter_map(|probe| {
                let word = probe.failure.as_deref().unwrap_or("holds");
                Some(Sample {
                    load: probe.rate,
                    value: value(probe)?,
                    tip: format!("{} calls/s: {word}", count(probe.rate)),
                })
            })
            .collect();
        samples.sort_by(|one, other| one.load.total_cmp(&other.load));
        samples
    };
    let (held, failed) = (samples(true), samples(false));
    let mut tips: Vec<&Sample> = held.iter().chain(&failed).collect();
    tips.sort_by(|one, other| one.load.total_cmp(&other.load));
    let tips = tips.iter().map(|sample| tip(sample)).collect();
    let marks = |name: &str, class, samples: &[Sample]| Series {
        joined: false,
        ..line(name, class, samples)
    };
    let failing = if failed.is_empty() {
        ""
    } else {
        "does not hold"
    };
    let series = vec![
        Series {
            dots: false,
            points: medians(held.iter().chain(&failed)),
            ..line(&search.percentile, "a", &[])
        },
        marks("", "a", &held),
        marks(failing, "bad", &failed),
    ];
    let rule = Rule {
        at: search.limit_us,
        class: "bad",
        label: format!("≤ {}", time(search.limit_us)),
    };
    vec![Chart {
        name: "latency-against-load".to_owned(),
        title: "Latency against load".to_owned(),
        caption: format!(
            "{} at each rate that was tried; the dashed line is the objective. Hollow marks do \
             not hold it, for whatever reason.",
            search.percentile
        ),
        svg: plot("latency", series, Some(rule), tips, time_tick),
    }]
}

/// Returns the median of the tries at each load.
fn medians<'a>(samples: impl Iterator<Item = &'a Sample>) -> Vec<(f64, f64)> {
    let mut samples: Vec<&Sample> = samples.collect();
    samples.sort_by(|one, other| one.load.total_cmp(&other.load));
    let loads = samples.chunk_by(|one, other| one.load == other.load);
    let middle = |tries: &[&Sample]| median(tries.iter().map(|sample| sample.value));
    loads
        .filter_map(|tries| Some((tries.first()?.load, middle(tries)?)))
        .collect()
}

/// Returns charts of a sweep: latency and CPU time over the achieved rate, with a line for each
/// shape.
pub(super) fn sweep(sweep: &Sweep) -> Vec<Chart> {
    let latency = sweep_chart(sweep, "p99", time_tick, None, |report| {
        let latency = &report.latency_us;
        latency.p99.or(latency.max)
    });
    let cost = |report: &Report| report.cost.target_cpu_us_per_rpc;
    let raw_echo = sweep.raw_echo.as_ref().map(|echo| Rule {
        at: echo.server_cpu_us,
        class: "faint",
        label: format!("raw echo {}", time(echo.server_cpu_us)),
    });
    let measured = sweep
        .points
        .iter()
        .any(|point| cost(&point.report).is_some());
    let mut charts = vec![Chart {
        name: "latency-against-load".to_owned(),
        title: "Latency against load".to_owned(),
        caption: "p99 at the rate that was reached; a line for each number of connections × \
                  streams."
            .to_owned(),
        svg: latency,
    }];
    if measured {
        charts.push(Chart {
            name: "cpu-against-load".to_owned(),
            title: "CPU per call against load".to_owned(),
            caption: cost_caption(sweep.raw_echo.as_ref()),
            svg: sweep_chart(sweep, "CPU-µs per call", count_tick, raw_echo, cost),
        });
    }
    charts
}

fn cost_caption(raw_echo: Option<&RawEcho>) -> String {
    let mut caption = "CPU time of the target for each call, by its own clock.".to_owned();
    if let Some(echo) = raw_echo {
        caption += &format!(
            " The dashed line is what a server that only gives back 64 bytes costs for each \
             message, with {} in flight in a closed loop: about the least that a call can cost \
             over these sockets.",
            echo.shape()
        );
    }
    caption
}

fn sweep_chart(
    sweep: &Sweep,
    title: &str,
    label: fn(f64) -> String,
    rule: Option<Rule>,
    value: impl Fn(&Report) -> Option<f64>,
) -> String {
    let mut shapes: Vec<(usize, usize)> = Vec::new();
    for point in &sweep.points {
        let shape = (point.report.setup.connections, point.report.setup.streams);
        if !shapes.contains(&shape) {
            shapes.push(shape);
        }
    }
    let mut series = Vec::new();
    let mut tips = Vec::new();
    for (index, shape) in shapes.iter().enumerate() {
        let of_shape = sweep.points.iter().map(|point| &point.report);
        let of_shape = of_shape.filter(|r| (r.setup.connections, r.setup.streams) == *shape);
        let mut samples: Vec<Sample> = of_shape
            .filter_map(|report| {
                Some(Sample {
                    load: report.counts.rps,
                    value: value(report)?,
                    tip: describe(report),
                })
            })
            .collect();
        samples.sort_by(|one, other| one.load.total_cmp(&other.load));
        tips.extend(samples.iter().map(tip));
        let name = format!("{} × {}", shape.0, shape.1);
        let class = APART[index % APART.len()];
        series.push(line(&name, class, &samples));
    }
    tips.sort_by(|one, other| one.x.total_cmp(&other.x));
    plot(title, series, rule, tips, label)
}

fn describe(report: &Report) -> String {
    format!(
        "{} × {}: {} calls/s, p50 {}, p99 {}",
        report.setup.connections,
        report.setup.streams,
        count(report.counts.rps),
        time_or_none(report.latency_us.p50),
        time_or_none(report.latency_us.p99)
    )
}

fn tip(sample: &Sample) -> Tip {
    Tip {
        x: sample.load,
        text: sample.tip.clone(),
    }
}

fn line(name: &str, class: &'static str, samples: &[Sample]) -> Series {
    let points = samples.iter().map(|sample| (sample.load, sample.value));
    Series {
        name: name.to_owned(),
        class,
        points: points.collect(),
        unsure_from: f64::MAX,
        dots: true,
        joined: true,
    }
}

fn plot(
    title: &str,
    series: Vec<Series>,
    rule: Option<Rule>,
    tips: Vec<Tip>,
    label: fn(f64) -> String,
) -> String {
    let points = || series.iter().flat_map(|series| &series.points);
    let ruled = rule.iter().map(|rule| rule.at);
    let y = Scale::of(points().map(|(_, y)| *y).chain(ruled), false, UP);
    let x = Scale::of(points().map(|(x, _)| *x), true, ACROSS);
    let plot = Plot {
        label: format!("{title} against load"),
        x: Axis::new("calls per second", x, count_tick),
        y: Axis::new(title, y, label),
        series,
        rule,
        tips,
    };
    plot.draw()
}

/// Returns a chart of the turns of a comparison in order, which shows drift.
pub(super) fn turns(comparison: &Comparison) -> Option<Chart> {
    let value = |slice: &Slice| slice.latency_us.p99.or(slice.latency_us.max);
    let [name_a, name_b] = &comparison.names;
    let place = |index: usize| (index + 1) as f64;
    let numbered = || comparison.slices.iter().enumerate();
    let line = |name: &str, class, wanted: &dyn Fn(&Slice) -> bool| Series {
        name: name.to_owned(),
        class,
        points: numbered()
            .filter(|(_, slice)| wanted(slice))
            .filter_map(|(index, slice)| Some((place(index), value(slice)?)))
            .collect(),
        unsure_from: f64::MAX,
        dots: true,
        joined: true,
    };
    let series = vec![
        line("", "a2", &|slice| slice.noise),
        line(name_a, "a", &|slice| !slice.noise && slice.side == Side::A),
        line(name_b, "b", &|slice| !slice.noise && slice.side == Side::B),
    ];
    let points = || series.iter().flat_map(|series| &series.points);
    points().nth(1)?;
    let y = Scale::of(points().map(|(_, us)| *us), false, UP);
    let x = Scale::of(points().map(|(turn, _)| *turn), true, ACROSS);
    let tips = numbered().map(|(index, slice)| Tip {
        x: place(index),
        text: turn_tip(index, slice, comparison),
    });
    let plot = Plot {
        label: "p99 of every turn".to_owned(),
        tips: tips.collect(),
        x: Axis::new("turn", x, count_tick),
        y: Axis::new("p99 of the turn", y, time_tick),
        series,
        rule: None,
    };
    Some(Chart {
        name: "turns".to_owned(),
        title: "Every turn, in order".to_owned(),
        caption: format!(
            "First {name_a} alone (pale), for the noise floor; then both in alternating turns. \
             Drift affects both equally."
        ),
        svg: plot.draw(),
    })
}

fn turn_tip(index: usize, slice: &Slice, comparison: &Comparison) -> String {
    let name = match (slice.noise, slice.side) {
        (true, _) | (_, Side::A) => &comparison.names[0],
        (false, Side::B) => &comparison.names[1],
    };
    let mut text = format!(
        "turn {}, {name}: {} calls/s, p99 {}",
        index + 1,
        count(slice.rps),
        time_or_none(slice.latency_us.p99)
    );
    if let Some(reason) = &slice.rejected {
        text += &format!(" (does not count: {reason})");
    }
    text
}
