//! SIGTERM, SIGINT and SIGHUP, read from a descriptor instead of interrupting anybody.

use std::io;
use std::os::fd::AsFd;

use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::eventfd::{EfdFlags, EventFd};
use nix::sys::signal::{SigSet, Signal};
use nix::sys::signalfd::{SfdFlags, SignalFd};

/// Written once a shard's thread has ended.
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

    /// How many shards ended since the last call.
    fn take(&self) -> usize {
        self.0.read().map_or(0, |count| count as usize)
    }
}

/// What a wait was ended by.
pub(crate) enum News {
    /// A signal of this name.
    Signal(&'static str),
    /// A wish to read settings anew: SIGHUP.
    Hangup,
    /// This many shards ended.
    Ended(usize),
}

/// The signals that end a server, and maybe SIGHUP, as a descriptor.
pub(crate) struct Signals(SignalFd);

/// Blocks the signals that end a server in the calling thread, and in those it starts from now
/// on. SIGHUP is among them if `hangup`, and otherwise ends the process as it always does.
pub(crate) fn block(hangup: bool) -> io::Result<SigSet> {
    let mut signals = SigSet::empty();
    signals.add(Signal::SIGTERM);
    signals.add(Signal::SIGINT);
    if hangup {
        signals.add(Signal::SIGHUP);
    }
    signals.thread_block()?;
    Ok(signals)
}

impl Signals {
    /// Blocks the signals as [`block`] does, and opens the descriptor they are read from.
    pub(crate) fn open(hangup: bool) -> io::Result<Self> {
        let signals = block(hangup)?;
        let flags = SfdFlags::SFD_CLOEXEC | SfdFlags::SFD_NONBLOCK;
        Ok(Self(SignalFd::with_flags(&signals, flags)?))
    }

    /// Waits for a signal or for shards to end.
    pub(crate) fn wait(&self, ended: &Ended) -> io::Result<News> {
        loop {
            let mut watched = [
                PollFd::new(self.0.as_fd(), PollFlags::POLLIN),
                PollFd::new(ended.0.as_fd(), PollFlags::POLLIN),
            ];
            match poll(&mut watched, PollTimeout::NONE) {
                Ok(_) | Err(nix::errno::Errno::EINTR) => {}
                Err(errno) => return Err(errno.into()),
            }
            if let Some(signal) = self.0.read_signal()? {
                let signal = Signal::try_from(signal.ssi_signo as i32).ok();
                return Ok(match signal {
                    Some(Signal::SIGHUP) => News::Hangup,
                    signal => News::Signal(signal.map_or("a signal", Signal::as_str)),
                });
            }
            let count = ended.take();
            if count > 0 {
                return Ok(News::Ended(count));
            }
        }
    }
}
