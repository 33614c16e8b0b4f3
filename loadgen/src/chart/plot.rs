//! Lines over two axes, with their names beside their ends.

use super::scale::Scale;
use super::svg::{Anchor, Drawing, Spot};

const WIDTH: f64 = 720.0;
const HEIGHT: f64 = 330.0;
const LEFT: f64 = 64.0;
const RIGHT: f64 = 116.0;
const TOP: f64 = 26.0;
const BOTTOM: f64 = 46.0;

/// How far names keep from each other.
const NAME_GAP: f64 = 16.0;

/// The horizontal ends of the plot's area.
pub(super) const ACROSS: (f64, f64) = (LEFT, WIDTH - RIGHT);

/// The vertical ends, from the bottom up.
pub(super) const UP: (f64, f64) = (HEIGHT - BOTTOM, TOP);

/// An axis with its words.
pub(super) struct Axis {
    pub(super) title: String,
    pub(super) scale: Scale,
    /// Values to mark, each with its label.
    pub(super) ticks: Vec<(f64, String)>,
}

impl Axis {
    /// An axis whose ticks are the scale's own.
    pub(super) fn new(title: &str, scale: Scale, label: fn(f64) -> String) -> Self {
        let ticks = scale.ticks().into_iter().map(|tick| (tick, label(tick)));
        Self {
            title: title.to_owned(),
            scale,
            ticks: ticks.collect(),
        }
    }
}

/// One line.
pub(super) struct Series {
    pub(super) name: String,
    /// How it is drawn: a class of the style sheet.
    pub(super) class: &'static str,
    pub(super) points: Vec<(f64, f64)>,
    /// From this x on too few samples lie behind it to be sure.
    pub(super) unsure_from: f64,
    /// Its points are marked.
    pub(super) dots: bool,
    /// Its points are joined.
    pub(super) joined: bool,
}

/// A line across, with its words.
pub(super) struct Rule {
    pub(super) at: f64,
    pub(super) label: String,
}

/// A place that tells something when it is pointed at.
pub(super) struct Tip {
    pub(super) x: f64,
    pub(super) text: String,
}

/// A plot.
pub(super) struct Plot {
    pub(super) label: String,
    pub(super) x: Axis,
    pub(super) y: Axis,
    pub(super) series: Vec<Series>,
    pub(super) rule: Option<Rule>,
    pub(super) tips: Vec<Tip>,
}

impl Plot {
    /// The plot as an `<svg>` element.
    pub(super) fn draw(&self) -> String {
        let mut drawing = Drawing::new(WIDTH, HEIGHT, &self.label);
        self.draw_axes(&mut drawing);
        if let Some(rule) = &self.rule {
            let y = self.y.scale.place(rule.at);
            drawing.line("rule", (ACROSS.0, y), (ACROSS.1, y));
            drawing.text("bad", (ACROSS.1 + 8.0, y + 4.0), Anchor::Start, &rule.label);
        }
        for series in &self.series {
            self.draw_series(&mut drawing, series);
        }
        self.draw_names(&mut drawing);
        self.draw_tips(&mut drawing);
        drawing.finish()
    }

    fn draw_axes(&self, drawing: &mut Drawing) {
        for (value, label) in &self.y.ticks {
            let y = self.y.scale.place(*value);
            drawing.line("grid", (ACROSS.0, y), (ACROSS.1, y));
            drawing.text("tick", (ACROSS.0 - 9.0, y + 4.0), Anchor::End, label);
        }
        drawing.line("base", (ACROSS.0, UP.0), (ACROSS.1, UP.0));
        for (value, label) in &self.x.ticks {
            let x = self.x.scale.place(*value);
            drawing.line("base", (x, UP.0), (x, UP.0 + 5.0));
            drawing.text("tick", (x, UP.0 + 19.0), Anchor::Middle, label);
        }
        drawing.text("axis-title", (4.0, 13.0), Anchor::Start, &self.y.title);
        let end = (ACROSS.1, HEIGHT - 8.0);
        drawing.text("axis-title", end, Anchor::End, &self.x.title);
    }

    fn spot(&self, (x, y): (f64, f64)) -> Spot {
        (self.x.scale.place(x), self.y.scale.place(y))
    }

    fn draw_series(&self, drawing: &mut Drawing, series: &Series) {
        let all = || series.points.iter().copied();
        if series.joined {
            self.draw_line(drawing, series);
        }
        if series.dots || series.points.len() == 1 {
            all().for_each(|point| drawing.dot(series.class, self.spot(point), 3.5));
        }
    }

    fn draw_line(&self, drawing: &mut Drawing, series: &Series) {
        let all = || series.points.iter().copied();
        let sure: Vec<Spot> = all()
            .filter(|(x, _)| *x <= series.unsure_from)
            .map(|point| self.spot(point))
            .collect();
        let unsure: Vec<Spot> = all()
            .skip(sure.len().saturating_sub(1))
            .map(|p| self.spot(p))
            .collect();
        drawing.path(series.class, &sure);
        if sure.len() < series.points.len() {
            drawing.path(&format!("{} thin", series.class), &unsure);
        }
    }

    /// Names stand beside the ends of their lines, and keep their distance.
    fn draw_names(&self, drawing: &mut Drawing) {
        let mut ends: Vec<(Spot, &Series)> = self
            .series
            .iter()
            .filter_map(|series| Some((self.spot(*series.points.last()?), series)))
            .filter(|(_, series)| !series.name.is_empty())
            .collect();
        ends.sort_by(|((_, one), _), ((_, other), _)| one.total_cmp(other));
        let ruled = self.rule.as_ref().map(|rule| self.y.scale.place(rule.at));
        let mut free = f64::MIN;
        for ((_, y), series) in ends {
            let mut y = y.max(free);
            if let Some(rule) = ruled.filter(|rule| (rule - y).abs() < NAME_GAP) {
                y = rule + NAME_GAP;
            }
            free = y + NAME_GAP;
            let class = format!("name {}", series.class);
            drawing.text(
                &class,
                (ACROSS.1 + 8.0, y + 4.0),
                Anchor::Start,
                &series.name,
            );
        }
    }

    fn draw_tips(&self, drawing: &mut Drawing) {
        let places: Vec<f64> = self
            .tips
            .iter()
            .map(|tip| self.x.scale.place(tip.x))
            .collect();
        for (index, tip) in self.tips.iter().enumerate() {
            let before = index.checked_sub(1).map(|index| places[index]);
            let from = before.map_or(ACROSS.0, |before| (before + places[index]) / 2.0);
            let after = places.get(index + 1);
            let to = after.map_or(ACROSS.1, |after| (after + places[index]) / 2.0);
            let size = ((to - from).max(0.0), UP.0 - UP.1);
            drawing.strip((from, UP.1), size, &tip.text);
        }
    }
}
