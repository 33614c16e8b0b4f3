//! Signals, read from a descriptor instead of handled by interrupts.

use std::fs;
use std::io;
use std::os::fd::AsFd;
use std::time::Duration;

use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::eventfd::{EfdFlags, EventFd};
use nix::sys::signal::{SigSet, Signal};
use nix::sys::signalfd::{SfdFlags, SignalFd};

use crate::clock;

/// Event that a shard's thread writes when it has ended.
pub(crate) struct Ended(EventFd);

impl Ended {
    pub(crate) fn new() -> io::Result<Self> {
        let flags = EfdFlags::EFD_CLOEXEC | EfdFlags::EFD_NONBLOCK;
        Ok(Self(EventFd::from_flags(flags)?))
    }

    pub(crate) fn announce(&self) {
        // Cannot fail: the counter holds far more than there are shards.
        let _ = self.0.write(1);
    }

    /// Returns the number of shards that ended since the last call.
    fn take(&self) -> usize {
        self.0.read().map_or(0, |count| count as usize)
    }
}

/// Reason that a wait ended.
pub(crate) enum News {
    /// Signal with this name that ends the server.
    End(&'static str),
    /// SIGHUP was received.
    Hangup,
    /// Signal with this name that has no use here.
    Idle(&'static str),
    /// Number of shards that ended.
    Ended(usize),
    /// The time to wait for has come.
    Time,
}

/// Signals that end a server.
const ENDS: [Signal; 2] = [Signal::SIGTERM, Signal::SIGINT];

/// Signals without a use whose default action would end a server: SIGHUP comes from a closed
/// terminal or a log rotation, SIGXFSZ from a log file that is full, the others from mistakes.
/// SIGPROF is left to profilers, which install their handler late.
const IDLE: [Signal; 8] = [
    Signal::SIGHUP,
    Signal::SIGUSR1,
    Signal::SIGUSR2,
    Signal::SIGALRM,
    Signal::SIGVTALRM,
    Signal::SIGIO,
    Signal::SIGPWR,
    Signal::SIGXFSZ,
];

/// Descriptor for the signals that a server reads.
pub(crate) struct Signals(SignalFd);

/// Blocks the signals that a server reads in the calling thread, and in threads that it starts
/// later: those that end it, and those without a use that would end it. Of the latter, signals that
/// the program handles or ignores are not blocked, except SIGHUP if `hangup` is set: an ignored
/// signal is read only if no thread is left that would discard it.
pub(crate) fn block(hangup: bool) -> io::Result<SigSet> {
    let mut signals = SigSet::from_iter(ENDS);
    signals.extend(IDLE.into_iter().filter(|signal| is_default(*signal)));
    if hangup {
        signals.add(Signal::SIGHUP);
    }
    signals.thread_block()?;
    Ok(signals)
}

/// Returns `true` if a signal has its default action, or the system does not tell.
fn is_default(signal: Signal) -> bool {
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let mask = |name: &str| {
        let text = status.lines().find_map(|line| line.strip_prefix(name));
        text.and_then(|text| u64::from_str_radix(text.trim(), 16).ok())
    };
    let set = mask("SigIgn:").unwrap_or(0) | mask("SigCgt:").unwrap_or(0);
    set & 1 << (signal as u32 - 1) == 0
}

impl Signals {
    /// Blocks the signals as [`block`] does, and opens the descriptor from which they are read.
    pub(crate) fn open(hangup: bool) -> io::Result<Self> {
        let signals = block(hangup)?;
        let flags = SfdFlags::SFD_CLOEXEC | SfdFlags::SFD_NONBLOCK;
        Ok(Self(SignalFd::with_flags(&signals, flags)?))
    }

    /// Waits for a signal, for shards to end, or until a moment on the process's clock.
    pub(crate) fn wait(&self, ended: &Ended, until: Option<Duration>) -> io::Result<News> {
        loop {
            let mut watched = [
                PollFd::new(self.0.as_fd(), PollFlags::POLLIN),
                PollFd::new(ended.0.as_fd(), PollFlags::POLLIN),
            ];
            let left = until.map(|until| until.saturating_sub(clock::now()));
            match poll(&mut watched, timeout(left)) {
                Ok(_) | Err(nix::errno::Errno::EINTR) => {}
                Err(errno) => return Err(errno.into()),
            }
            if let Some(signal) = self.0.read_signal()? {
                let signal = Signal::try_from(signal.ssi_signo as i32).ok();
                return Ok(match signal {
                    Some(Signal::SIGHUP) => News::Hangup,
                    Some(signal) if ENDS.contains(&signal) => News::End(signal.as_str()),
                    signal => News::Idle(signal.map_or("a signal", Signal::as_str)),
                });
            }
            let count = ended.take();
            if count > 0 {
                return Ok(News::Ended(count));
            }
            if left.is_some_and(|left| left.is_zero()) {
                return Ok(News::Time);
            }
        }
    }
}

/// Returns whole milliseconds, rounded up so that waiting does not repeatedly end too early.
fn timeout(left: Option<Duration>) -> PollTimeout {
    left.map_or(PollTimeout::NONE, |left| {
        PollTimeout::try_from(left.as_millis().saturating_add(1)).unwrap_or(PollTimeout::MAX)
    })
}

#[cfg(test)]
mod tests {
    use super::{Signal, is_default};

    #[test]
    fn dispositions_are_read() {
        assert!(is_default(Signal::SIGUSR2));
        assert!(
            !is_default(Signal::SIGPIPE),
            "ignored by every Rust program"
        );
        assert!(
            !is_default(Signal::SIGSEGV),
            "handled by every Rust program"
        );
    }
}
