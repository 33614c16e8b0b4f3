//! Ctrl-C: a thread that waits for the signal and leaves a note for whoever asks.

use std::sync::Arc;
use std::sync::atomic::{AtomicI32, Ordering};

use nix::sys::signal::{SigSet, Signal};

use crate::error::LoadError;

/// Tells whether the run was interrupted. Clones share one note.
#[derive(Clone, Debug, Default)]
pub struct Interrupt(Arc<AtomicI32>);

impl Interrupt {
    /// One that only [`Interrupt::set`] raises.
    pub fn manual() -> Self {
        Self::default()
    }

    /// One that SIGINT and SIGTERM raise; at the second signal the process exits at once.
    ///
    /// Call this before other threads start: they must inherit that these signals are blocked.
    ///
    /// # Errors
    /// When the system refuses to block the signals or to start the thread.
    pub fn on_signals() -> Result<Self, LoadError> {
        let failed = |cause: String| LoadError::Signals { cause };
        let mut signals = SigSet::empty();
        signals.add(Signal::SIGINT);
        signals.add(Signal::SIGTERM);
        signals
            .thread_block()
            .map_err(|error| failed(error.to_string()))?;
        let interrupt = Self::default();
        let raised = interrupt.clone();
        let watch = move || {
            while let Ok(signal) = signals.wait() {
                if raised.signal().is_some() {
                    crate::progress::restore();
                    std::process::exit(128 + signal as i32);
                }
                raised.set(signal as i32);
            }
        };
        let thread = std::thread::Builder::new()
            .name("signals".to_owned())
            .spawn(watch);
        thread
            .map(|_| interrupt)
            .map_err(|error| failed(error.to_string()))
    }

    /// Interrupts, as this signal does.
    pub fn set(&self, signal: i32) {
        self.0.store(signal, Ordering::Release);
    }

    /// The signal that interrupted, if one did.
    pub fn signal(&self) -> Option<i32> {
        Some(self.0.load(Ordering::Acquire)).filter(|signal| *signal != 0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn clones_share_one_note() {
        let interrupt = Interrupt::manual();
        assert_eq!(interrupt.clone().signal(), None);
        interrupt.clone().set(2);
        assert_eq!(interrupt.signal(), Some(2));
    }
}
