//! Terminal of the live view: alternate screen, no cursor, no echo of keys.
//!
//! Signals stay enabled, so that Ctrl-C ends the run as usual. The terminal is restored in every
//! case: when the view is dropped, before a panic message, and before the exit at a second signal.

use std::io::{self, Stderr};
use std::sync::{Mutex, Once, PoisonError};

use nix::sys::termios::{LocalFlags, SetArg, Termios, tcgetattr, tcsetattr};
use ratatui::Terminal;
use ratatui::backend::CrosstermBackend;
use ratatui::crossterm::cursor::{Hide, Show};
use ratatui::crossterm::execute;
use ratatui::crossterm::terminal::{EnterAlternateScreen, LeaveAlternateScreen};

use super::view::View;

/// Previous settings of the terminal while the view has it.
static BEFORE: Mutex<Option<Before>> = Mutex::new(None);

/// Previous settings of the terminal at standard input; `None` if that is not a terminal.
struct Before(Option<Termios>);

/// Terminal under control of the view.
#[derive(Debug)]
pub(super) struct Screen {
    terminal: Terminal<CrosstermBackend<Stderr>>,
}

impl Screen {
    /// Takes control of the terminal.
    pub(super) fn open() -> io::Result<Self> {
        let before = tcgetattr(io::stdin()).ok();
        if let Some(mut quiet) = before.clone() {
            quiet.local_flags -= LocalFlags::ECHO | LocalFlags::ICANON;
            tcsetattr(io::stdin(), SetArg::TCSANOW, &quiet)?;
        }
        *BEFORE.lock().unwrap_or_else(PoisonError::into_inner) = Some(Before(before));
        restore_before_panics();
        execute!(io::stderr(), EnterAlternateScreen, Hide)?;
        let terminal = Terminal::new(CrosstermBackend::new(io::stderr()))?;
        Ok(Self { terminal })
    }

    /// Draws the view.
    pub(super) fn draw(&mut self, view: &View) -> io::Result<()> {
        self.terminal.draw(|frame| view.render(frame))?;
        Ok(())
    }
}

impl Drop for Screen {
    fn drop(&mut self) {
        restore();
    }
}

/// Restores the terminal, if the view has it.
pub(crate) fn restore() {
    let before = BEFORE.lock().unwrap_or_else(PoisonError::into_inner).take();
    let Some(Before(keys)) = before else {
        return;
    };
    // A terminal that is gone needs nothing back.
    let _ = execute!(io::stderr(), LeaveAlternateScreen, Show);
    if let Some(keys) = keys {
        let _ = tcsetattr(io::stdin(), SetArg::TCSANOW, &keys);
    }
}

fn restore_before_panics() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        let tell = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |panic| {
            restore();
            tell(panic);
        }));
    });
}
