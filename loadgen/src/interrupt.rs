//! Handling of Ctrl-C: a thread waits for the signal and sets a flag.

use std::sync::Arc;
use std::sync::atomic::{AtomicI32, Ordering};

use nix::sys::signal::{SigSet, Signal};

use crate::error::LoadError;

/// Flag that a run was interrupted. Clones share the flag.
#[derive(Clone, Debug, Default)]
pub struct Interrupt(Arc<AtomicI32>);

impl Interrupt {
    /// Returns a flag that only [`Interrupt::set`] sets.
    pub fn manual() -> Self {
        Self::default()
    }

    /// Returns a flag that SIGINT and SIGTERM set; at the second signal the process exits at once.
    ///
    /// Call this before other threads start, because they must inherit the blocked signals.
    ///
    /// # Errors
    /// The system refuses to block the signals or to start the thread.
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

    /// Sets the flag, as this signal does.
    pub fn set(&self, signal: i32) {
        self.0.store(signal, Ordering::Release);
    }

    /// Returns the signal that interrupted the run, if there was one.
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
