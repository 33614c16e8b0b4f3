//! Content and layout of the live view.

use std::time::Duration;

use hdrhistogram::Histogram;
use ratatui::Frame;
use ratatui::layout::{Constraint, Layout, Rect};
use ratatui::style::{Color, Style, Stylize};
use ratatui::text::{Line, Span};
use ratatui::widgets::{Gauge, Paragraph, Sparkline};

use crate::measure::{add, histogram};
use crate::plan::Plan;
use crate::report::Percentiles;
use crate::timeline::Moment;

/// Only colour that is not a shade of the text colour.
const ACCENT: Color = Color::Cyan;

/// State of the run so far.
#[derive(Debug)]
pub(super) struct View {
    title: String,
    warmup: Duration,
    total: Duration,
    began: Option<Duration>,
    passed: Duration,
    rates: Vec<u64>,
    tails: Vec<u64>,
    last: Percentiles,
    all: Histogram<u64>,
    failed: u64,
}

impl Default for View {
    fn default() -> Self {
        Self {
            title: String::new(),
            warmup: Duration::ZERO,
            total: Duration::ZERO,
            began: None,
            passed: Duration::ZERO,
            rates: Vec::new(),
            tails: Vec::new(),
            last: Percentiles::default(),
            all: histogram(),
            failed: 0,
        }
    }
}

impl View {
    /// Returns the view of a run that begins.
    pub(super) fn of(plan: &Plan) -> Self {
        let shape = &plan.shape;
        Self {
            title: format!(
                "{} at {}  {} × {}",
                plan.mix.name(),
                plan.target,
                shape.connections,
                shape.streams
            ),
            warmup: plan.pace.warmup,
            total: plan.pace.warmup + plan.pace.duration,
            ..Self::default()
        }
    }

    /// Adds the results of a second.
    pub(super) fn add(&mut self, moment: Moment<'_>) {
        let interval = moment.interval;
        if moment.after_end {
            return;
        }
        let response = interval.all();
        self.last = Percentiles::of(&response);
        self.rates
            .push((response.len() as f64 / interval.seconds()) as u64);
        self.tails
            .push(self.last.p99.or(self.last.max).unwrap_or_default() as u64);
        if moment.since_measure.is_some() {
            add(&mut self.all, &interval.measured.response);
            self.failed += interval.failed;
        }
    }

    /// Updates the elapsed time.
    pub(super) fn pass(&mut self, now: Duration) {
        let began = *self.began.get_or_insert(now);
        self.passed = now.saturating_sub(began).min(self.total);
    }

    /// Draws the view.
    pub(super) fn render(&self, frame: &mut Frame<'_>) {
        let rows = Layout::vertical([
            Constraint::Length(1),
            Constraint::Length(1),
            Constraint::Length(1),
            Constraint::Length(2),
            Constraint::Length(4),
            Constraint::Length(1),
            Constraint::Min(1),
            Constraint::Length(1),
            Constraint::Min(1),
            Constraint::Length(1),
        ]);
        let [title, _, bar, _, table, rate, rates, tail, tails, keys] =
            rows.areas(frame.area().inner(ratatui::layout::Margin::new(2, 1)));
        frame.render_widget(Paragraph::new(self.title.as_str()).bold(), title);
        self.render_progress(frame, bar);
        frame.render_widget(Paragraph::new(self.table()), table);
        let now = |values: &[u64]| values.last().map_or("–".to_owned(), u64::to_string);
        let label = |text: String| Paragraph::new(text).dim();
        frame.render_widget(label(format!("calls/s  {}", now(&self.rates))), rate);
        render_history(frame, rates, &self.rates, ACCENT);
        frame.render_widget(label(format!("p99 µs   {}", now(&self.tails))), tail);
        render_history(frame, tails, &self.tails, Color::Reset);
        frame.render_widget(label("Ctrl-C ends the run and reports".to_owned()), keys);
    }

    fn render_progress(&self, frame: &mut Frame<'_>, area: Rect) {
        let share = self.passed.as_secs_f64() / self.total.as_secs_f64().max(1e-9);
        let phase = match self.passed < self.warmup {
            true => "warm-up",
            false => "measuring",
        };
        let (passed, total) = (self.passed.as_secs_f64(), self.total.as_secs_f64());
        let gauge = Gauge::default()
            .gauge_style(Style::new().fg(ACCENT))
            .ratio(share.clamp(0.0, 1.0))
            .label(format!("{phase}  {passed:.0} of {total:.0} s"));
        frame.render_widget(gauge, area);
    }

    fn table(&self) -> Vec<Line<'static>> {
        let row = |name: &str, values: [String; 5]| {
            let mut text = format!("{name:<12}");
            values
                .iter()
                .for_each(|value| text += &format!("{value:>11}"));
            text
        };
        let told = |all: Percentiles| {
            let text = |us: Option<f64>| us.map_or("n/a".to_owned(), |us| format!("{us:.0}"));
            all.values().map(text)
        };
        let head = ["p50", "p90", "p99", "p99.9", "max"].map(str::to_owned);
        let failed = Span::raw(format!("{:<12}{:>11}", "failed", self.failed));
        vec![
            Line::raw(row("µs", head)).dim(),
            Line::raw(row("last second", told(self.last))),
            Line::raw(row("window", told(Percentiles::of(&self.all)))),
            match self.failed {
                0 => Line::from(failed),
                _ => Line::from(failed.fg(Color::Red).bold()),
            },
        ]
    }
}

fn render_history(frame: &mut Frame<'_>, area: Rect, values: &[u64], color: Color) {
    let first = values.len().saturating_sub(usize::from(area.width));
    let sparkline = Sparkline::default().data(&values[first..]);
    frame.render_widget(sparkline.style(Style::new().fg(color)), area);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::measure::{Phases, Record, Times};
    use crate::outcome::Outcome;
    use ratatui::Terminal;
    use ratatui::backend::TestBackend;

    fn shown(view: &View, width: u16, height: u16) -> String {
        let mut terminal = Terminal::new(TestBackend::new(width, height)).unwrap();
        terminal.draw(|frame| view.render(frame)).unwrap();
        terminal.backend().to_string()
    }

    fn at(millis: u64) -> Duration {
        Duration::from_millis(millis)
    }

    #[test]
    fn the_view_tells_rate_percentiles_errors_and_progress() {
        let mut view = View::of(&crate::plan::tests::plan("--duration 8s").unwrap());
        let phases = Phases {
            begin: at(0),
            measure: at(0),
            end: at(9000),
        };
        let mut record = Record::default();
        let times = Times {
            intended: at(1),
            ready: at(1),
            sent: at(1),
            first: None,
            ended: at(3),
        };
        for call in 0..2000 {
            let outcome = match call {
                0..7 => Outcome::MissingStatus,
                _ => Outcome::OK,
            };
            record.ended(&phases, times, outcome);
        }
        let interval = record.take_interval((at(0), at(1000)));
        view.add(Moment {
            interval: &interval,
            since_begin: at(1000),
            since_measure: Some(at(0)),
            after_end: false,
        });
        view.pass(at(500));
        view.pass(at(5500));
        let text = shown(&view, 80, 24);
        for wanted in ["GetUser", "measuring  5 of 10 s", "calls/s  2000", "n/a"] {
            assert!(text.contains(wanted), "{wanted}:\n{text}");
        }
        let window = text.lines().find(|line| line.contains("window")).unwrap();
        assert!(window.contains("2001"), "{window}");
        let failed = text.lines().find(|line| line.contains("failed")).unwrap();
        assert!(failed.contains(" 7 "), "{failed}");
    }

    #[test]
    fn a_tiny_terminal_is_no_reason_to_end() {
        shown(&View::default(), 3, 2);
        shown(&View::default(), 20, 5);
    }
}
