//! Live view for a terminal: rate, percentiles, errors, progress.
//!
//! It is drawn on the thread of the run at most four times a second, from data that the cores
//! report anyway. It therefore costs the measurement nothing.

mod screen;
mod view;

use std::time::{Duration, Instant};

use super::Observer;
use crate::plan::Plan;
use crate::timeline::Moment;
use screen::Screen;
use view::View;

pub(crate) use screen::restore;

/// Shortest time between two drawings.
const FRAME: Duration = Duration::from_millis(250);

/// Live view. If the terminal refuses it, the run continues without a view.
#[derive(Debug, Default)]
pub struct Live {
    view: View,
    screen: Option<Screen>,
    drawn: Option<Instant>,
}

impl Live {
    /// Returns a view that opens when calls begin.
    pub fn new() -> Self {
        Self::default()
    }
}

impl Observer for Live {
    fn began(&mut self, plan: &Plan) {
        self.view = View::of(plan);
        self.screen = Screen::open().ok();
        self.drawn = None;
    }

    fn interval(&mut self, moment: Moment<'_>) {
        self.view.add(moment);
    }

    fn look(&mut self) {
        let Some(screen) = &mut self.screen else {
            return;
        };
        if self.drawn.is_some_and(|drawn| drawn.elapsed() < FRAME) {
            return;
        }
        self.drawn = Some(Instant::now());
        self.view.pass(corespun_runtime::now());
        // A terminal that is gone does not end the run.
        let _ = screen.draw(&self.view);
    }

    fn ended(&mut self) {
        self.screen = None;
    }
}
