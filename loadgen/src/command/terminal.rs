//! Width of the terminal for summaries.

use std::io::{self, IsTerminal};

use ratatui::crossterm::terminal;

/// Assumed width of a terminal that does not report one, in columns.
const COLUMNS: usize = 80;

/// Returns the columns of the terminal at standard error or standard output: `COLUMNS`, or the
/// terminal's own value. `None` without a terminal, so that lines are not wrapped.
pub(super) fn columns(stderr: bool) -> Option<usize> {
    let terminal = match stderr {
        true => io::stderr().is_terminal(),
        false => io::stdout().is_terminal(),
    };
    terminal.then(|| {
        let given = std::env::var("COLUMNS")
            .ok()
            .and_then(|text| text.parse().ok());
        let told = || {
            terminal::size()
                .ok()
                .map(|(columns, _)| usize::from(columns))
        };
        let columns = given.filter(|columns| *columns > 0).or_else(told);
        columns.filter(|columns| *columns > 0).unwrap_or(COLUMNS)
    })
}
