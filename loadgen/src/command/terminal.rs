//! Width of the terminal that a summary is for.

use std::io::{self, IsTerminal};

use ratatui::crossterm::terminal;

/// Columns of a terminal that does not tell.
const COLUMNS: usize = 80;

/// Columns of the terminal at standard error or standard output: `COLUMNS`, or the terminal's own
/// word. `None` if no terminal is there, so that nothing need be broken into lines.
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
