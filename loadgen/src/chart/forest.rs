//! Forest plot: ratios with confidence intervals over the noise floor.

use super::Chart;
use super::scale::{Kind, Scale};
use super::svg::{Anchor, Drawing};
use crate::command::{Comparison, Metric};
use crate::stats::Verdict;

const WIDTH: f64 = 720.0;
const ROW: f64 = 40.0;
const TOP: f64 = 34.0;
const BOTTOM: f64 = 40.0;
const LEFT: f64 = 108.0;
const RIGHT: f64 = 196.0;

/// Returns the chart of the ratios of A to B.
pub(super) fn ratios(comparison: &Comparison) -> Chart {
    let [a, b] = &comparison.names;
    Chart {
        name: "ratios".to_owned(),
        title: format!("{a} beside {b}"),
        caption: format!(
            "{a} ÷ {b} for each metric, with the interval that holds the true ratio with 95 % \
             confidence. The shaded band is how far {a} beside itself was off: inside it there is \
             no difference to see."
        ),
        svg: draw(comparison),
    }
}

fn draw(comparison: &Comparison) -> String {
    let told: Vec<&Metric> = comparison
        .metrics
        .iter()
        .filter(|m| m.ratio.is_some())
        .collect();
    let height = TOP + ROW * told.len().max(1) as f64 + BOTTOM;
    let [a, b] = &comparison.names;
    let mut drawing = Drawing::new(WIDTH, height, &format!("Ratios of {a} to {b}"));
    let scale = scale(&told);
    let floor = height - BOTTOM;
    for tick in scale.ticks() {
        let x = scale.place(tick);
        drawing.line("grid", (x, TOP - 6.0), (x, floor));
        drawing.text(
            "tick",
            (x, floor + 18.0),
            Anchor::Middle,
            format!("{} ×", trimmed(tick)),
        );
    }
    for (index, metric) in told.iter().enumerate() {
        draw_row(
            &mut drawing,
            &scale,
            metric,
            TOP + ROW * (index as f64 + 0.5),
        );
    }
    let one = scale.place(1.0);
    drawing.line("base", (one, TOP - 10.0), (one, floor));
    drawing.text(
        "axis-title",
        (one - 8.0, 14.0),
        Anchor::End,
        format!("← {a} has less"),
    );
    drawing.text(
        "axis-title",
        (one + 8.0, 14.0),
        Anchor::Start,
        format!("{a} has more →"),
    );
    drawing.finish()
}

fn scale(told: &[&Metric]) -> Scale {
    let reach = told.iter().filter_map(|metric| {
        let estimate = metric.ratio?;
        Some(
            estimate
                .high
                .max(1.0 / estimate.low)
                .max(metric.noise.unwrap_or(1.0)),
        )
    });
    let ratios = told.iter().filter_map(|metric| metric.ratio);
    let far = ratios.map(|estimate| estimate.ratio.max(1.0 / estimate.ratio));
    // An interval that says nothing would leave the others no room; it runs off the paper.
    let most = far.fold(2.0, f64::max) * 2.0;
    let reach = reach.fold(1.25, f64::max).min(most) * 1.05;
    Scale::new(Kind::Log, (1.0 / reach, reach), (LEFT, WIDTH - RIGHT))
}

fn draw_row(drawing: &mut Drawing, scale: &Scale, metric: &Metric, y: f64) {
    let Some(estimate) = metric.ratio else {
        return;
    };
    if let Some(noise) = metric.noise {
        let (from, to) = (scale.place(1.0 / noise), scale.place(noise));
        drawing.rectangle("band", (from, y - ROW / 2.0 + 4.0), (to - from, ROW - 8.0));
    }
    let class = match metric.verdict {
        Verdict::Faster => "a",
        Verdict::Slower => "b",
        Verdict::WithinNoise | Verdict::CannotTell => "faint",
    };
    let place = |ratio: f64| (scale.place(ratio), y);
    drawing.line(class, place(estimate.low), place(estimate.high));
    drawing.dot(class, place(estimate.ratio), 5.0);
    let name = match metric.name.as_str() {
        "cpu_us" => "CPU per call",
        "rps" => "calls/s",
        "p999" => "p99.9",
        other => other,
    };
    drawing.text("name value", (LEFT - 10.0, y + 4.0), Anchor::End, name);
    let text = format!("{:.2} ×  {}", estimate.ratio, metric.verdict);
    drawing.text(
        &format!("name {class}"),
        (WIDTH - RIGHT + 14.0, y - 2.0),
        Anchor::Start,
        text,
    );
    let interval = format!("{:.2} to {:.2}", estimate.low, estimate.high);
    drawing.text(
        "tick",
        (WIDTH - RIGHT + 14.0, y + 14.0),
        Anchor::Start,
        interval,
    );
}

fn trimmed(ratio: f64) -> String {
    let text = format!("{ratio:.2}");
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}
