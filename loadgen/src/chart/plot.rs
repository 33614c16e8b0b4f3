//! Line charts over two axes, with labels at the ends of lines.

use super::scale::Scale;
use super::svg::{Anchor, Drawing, Spot};

const HEIGHT: f64 = 330.0;
const LEFT: f64 = 64.0;

/// Width of the area for labels to the right of the plot.
const RIGHT: f64 = 116.0;

const TOP: f64 = 26.0;
const BOTTOM: f64 = 46.0;

/// Smallest vertical distance between labels.
const NAME_GAP: f64 = 16.0;

/// Approximate width of a letter of a label.
const LETTER: f64 = 8.0;

/// Longest label in characters that is not shortened.
const LETTERS_MAX: usize = 32;

/// Classes that distinguish lines of equal rank; reused from the start after the last one.
pub(super) const APART: [&str; 6] = ["a", "b", "c", "d", "e", "f"];

/// Left and right end of the plot area.
pub(super) const ACROSS: (f64, f64) = (LEFT, 604.0);

/// Bottom and top end of the plot area.
pub(super) const UP: (f64, f64) = (HEIGHT - BOTTOM, TOP);

/// Axis with title and labels.
pub(super) struct Axis {
    pub(super) title: String,
    pub(super) scale: Scale,
    /// Values to mark, each with its label.
    pub(super) ticks: Vec<(f64, String)>,
}

impl Axis {
    /// Returns an axis with the default ticks of the scale.
    pub(super) fn new(title: &str, scale: Scale, label: fn(f64) -> String) -> Self {
        let ticks = scale.ticks().into_iter().map(|tick| (tick, label(tick)));
        Self {
            title: title.to_owned(),
            scale,
            ticks: ticks.collect(),
        }
    }
}

/// Line of a chart.
pub(super) struct Series {
    pub(super) name: String,
    /// Class of the line in the style sheet.
    pub(super) class: &'static str,
    pub(super) points: Vec<(f64, f64)>,
    /// Smallest x from which too few samples support the line.
    pub(super) unsure_from: f64,
    /// True if points are marked.
    pub(super) dots: bool,
    /// True if points are joined.
    pub(super) joined: bool,
}

/// Horizontal line with a label.
pub(super) struct Rule {
    pub(super) at: f64,
    /// Class of the horizontal line in the style sheet.
    pub(super) class: &'static str,
    pub(super) label: String,
}

/// Area with a tooltip.
pub(super) struct Tip {
    pub(super) x: f64,
    pub(super) text: String,
}

/// Label to the right of the plot.
struct Name {
    y: f64,
    class: String,
    text: String,
}

/// Returns the name, shortened in the middle if it is too long.
fn shortened(name: &str) -> String {
    let letters: Vec<char> = name.chars().collect();
    if letters.len() <= LETTERS_MAX {
        return name.to_owned();
    }
    let (head, tail) = (LETTERS_MAX / 2, LETTERS_MAX - LETTERS_MAX / 2 - 1);
    let ends = [&letters[..head], &['…'], &letters[letters.len() - tail..]];
    ends.concat().into_iter().collect()
}

/// Line chart.
pub(super) struct Plot {
    pub(super) label: String,
    pub(super) x: Axis,
    pub(super) y: Axis,
    pub(super) series: Vec<Series>,
    pub(super) rule: Option<Rule>,
    pub(super) tips: Vec<Tip>,
}

impl Plot {
    /// Returns the chart as an `<svg>` element.
    pub(super) fn draw(&self) -> String {
        let names = self.names();
        let longest = names.iter().map(|name| name.text.chars().count()).max();
        let right = (longest.unwrap_or(0) as f64 * LETTER + 12.0).max(RIGHT);
        let mut drawing = Drawing::new(ACROSS.1 + right, HEIGHT, &self.label);
        self.draw_axes(&mut drawing);
        if let Some(rule) = &self.rule {
            let y = self.y.scale.place(rule.at);
            let class = format!("rule {}", rule.class);
            drawing.line(&class, (ACROSS.0, y), (ACROSS.1, y));
        }
        for series in &self.series {
            self.draw_series(&mut drawing, series);
        }
        for Name { y, class, text } in names {
            drawing.text(&class, (ACROSS.1 + 8.0, y + 4.0), Anchor::Start, text);
        }
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

    /// Returns the labels of the lines and the horizontal line. They keep their distance, and stay
    /// within the height of the plot.
    fn names(&self) -> Vec<Name> {
        let lines = self.series.iter().filter(|series| !series.name.is_empty());
        let lines = lines.filter_map(|series| {
            Some(Name {
                y: self.spot(*series.points.last()?).1,
                class: format!("name {}", series.class),
                text: shortened(&series.name),
            })
        });
        let rule = self.rule.iter().map(|rule| Name {
            y: self.y.scale.place(rule.at),
            class: rule.class.to_owned(),
            text: shortened(&rule.label),
        });
        let mut names: Vec<Name> = lines.chain(rule).collect();
        names.sort_by(|one, other| one.y.total_cmp(&other.y));
        let gaps = names.len().saturating_sub(1).max(1);
        let gap = NAME_GAP.min((UP.0 - UP.1) / gaps as f64);
        let mut free = f64::MIN;
        for name in &mut names {
            name.y = name.y.max(free);
            free = name.y + gap;
        }
        let mut free = UP.0;
        for name in names.iter_mut().rev() {
            name.y = name.y.min(free);
            free = name.y - gap;
        }
        names
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

#[cfg(test)]
mod tests {
    use super::*;

    fn plot(names: &[&str], rule: Option<Rule>) -> Plot {
        let scale = |ends| Scale::of([0.0, 10.0].into_iter(), true, ends);
        let series = names.iter().map(|name| Series {
            name: (*name).to_owned(),
            class: "a",
            points: vec![(1.0, 1.0), (2.0, 0.1)],
            unsure_from: f64::MAX,
            dots: false,
            joined: true,
        });
        Plot {
            label: String::new(),
            x: Axis::new("x", scale(ACROSS), |x| x.to_string()),
            y: Axis::new("y", scale(UP), |y| y.to_string()),
            series: series.collect(),
            rule,
            tips: Vec::new(),
        }
    }

    #[test]
    fn names_keep_apart_and_beside_the_plot() {
        let rule = || Rule {
            at: 0.0,
            class: "faint",
            label: "the rule".to_owned(),
        };
        for count in [1, 3, 12, 40] {
            let plot = plot(&vec!["same"; count], Some(rule()));
            let names = plot.names();
            assert_eq!(names.len(), count + 1);
            let inside = |name: &Name| name.y >= UP.1 - 1e-6 && name.y <= UP.0;
            assert!(names.iter().all(inside), "{count}");
            let apart = NAME_GAP.min((UP.0 - UP.1) / count as f64) - 1e-6;
            let kept = |two: &[Name]| two[1].y - two[0].y >= apart;
            assert!(names.windows(2).all(kept), "{count}");
        }
    }

    #[test]
    fn long_names_get_their_room_and_longer_ones_keep_their_ends() {
        assert!(
            plot(&["short"], None)
                .draw()
                .contains("viewBox=\"0 0 720 330\"")
        );
        let long = format!("first-{}-last", "x".repeat(60));
        let svg = plot(&[&long], None).draw();
        assert!(svg.contains("first-x") && svg.contains("x-last"), "{svg}");
        assert!(
            svg.contains('…') && !svg.contains("viewBox=\"0 0 720"),
            "{svg}"
        );
        assert_eq!(shortened(&long).chars().count(), LETTERS_MAX);
    }
}
