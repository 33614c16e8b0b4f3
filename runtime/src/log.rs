//! Log lines for stderr, written by a thread of their own, so that a caller never waits and never
//! fails even if the reader of a pipe is gone or stalled.

use std::backtrace::{Backtrace, BacktraceStatus};
use std::fmt::Display;
use std::io;
use std::os::fd::AsFd;
use std::panic;
use std::sync::{Condvar, Mutex, MutexGuard, Once, PoisonError};
use std::thread;
use std::time::Duration;

use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::signal::{SigSet, SigmaskHow};
use nix::unistd::write;

use crate::cpu;

/// Limit on the bytes that wait to be written; further lines are dropped and counted.
const BYTES_MAX: usize = 1 << 20;
/// Limit on the time that a panic waits for its line to be written, because an abort may follow.
const PANIC_TIME_MAX: Duration = Duration::from_millis(20);

static LINES: Lines = Lines {
    queue: Mutex::new(Queue {
        text: Vec::new(),
        lost: 0,
        is_writing: false,
    }),
    filled: Condvar::new(),
    written: Condvar::new(),
    thread: Once::new(),
};

/// Writes a line to stderr. The line is dropped if 1 MiB waits there already.
pub fn log_line(line: impl Display) {
    LINES.push(format!("{line}\n").as_bytes());
}

/// Waits until all lines logged so far are on stderr, at most for `patience`.
pub fn flush_log(patience: Duration) {
    LINES.flush(patience);
}

/// Logs the messages of panics as [`log_line`] does from now on: by default a thread that panics
/// waits for stderr.
pub fn log_panics() {
    panic::set_hook(Box::new(|info| {
        let thread = thread::current();
        let name = thread.name().unwrap_or("<unnamed>");
        let mut text = format!("thread '{name}' {info}\n");
        let backtrace = Backtrace::capture();
        if backtrace.status() == BacktraceStatus::Captured {
            text += &format!("stack backtrace:\n{backtrace}\n");
        }
        // If others wait, stderr stands still perhaps, and this thread must go on.
        if LINES.push(text.as_bytes()) {
            LINES.flush(PANIC_TIME_MAX);
        }
    }));
}

/// Writer for `tracing` subscribers, which writes to stderr as [`log_line`] does: each write is a
/// line.
#[derive(Debug, Clone, Copy, Default)]
pub struct LogWriter(());

impl io::Write for LogWriter {
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        LINES.push(line);
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

struct Queue {
    text: Vec<u8>,
    /// Number of dropped lines.
    lost: u64,
    /// True while the thread writes what it has taken.
    is_writing: bool,
}

impl Queue {
    fn is_at_rest(&self) -> bool {
        self.text.is_empty() && self.lost == 0 && !self.is_writing
    }

    /// Adds a line, or counts it as dropped.
    fn add(&mut self, line: &[u8]) {
        if self.text.len() + line.len() <= BYTES_MAX {
            self.text.extend_from_slice(line);
        } else {
            self.lost += 1;
        }
    }

    /// Moves all lines to `batch`, with a line about those that were dropped.
    fn take(&mut self, batch: &mut Vec<u8>) {
        batch.clear();
        std::mem::swap(&mut self.text, batch);
        if self.lost > 0 {
            let lost = std::mem::take(&mut self.lost);
            let note = format!("{lost} log lines are lost: stderr is read too slowly\n");
            batch.extend_from_slice(note.as_bytes());
        }
        self.is_writing = true;
    }
}

struct Lines {
    queue: Mutex<Queue>,
    filled: Condvar,
    written: Condvar,
    thread: Once,
}

impl Lines {
    /// Passes a line to the thread. Returns `true` if the thread had nothing else to write.
    fn push(&'static self, line: &[u8]) -> bool {
        self.thread.call_once(|| self.start());
        let mut queue = self.lock();
        let was_at_rest = queue.is_at_rest();
        queue.add(line);
        drop(queue);
        self.filled.notify_one();
        was_at_rest
    }

    fn flush(&self, patience: Duration) {
        let queue = self.lock();
        let busy = |queue: &mut Queue| !queue.is_at_rest();
        drop(self.written.wait_timeout_while(queue, patience, busy));
    }

    fn start(&'static self) {
        // A signal that this thread took would not be read by the one that waits for it.
        let before = SigSet::all().thread_swap_mask(SigmaskHow::SIG_SETMASK);
        let thread = thread::Builder::new().name("log".to_owned());
        // Without a thread nothing is logged, and everything else goes on.
        drop(thread.spawn(|| self.run()));
        if let Ok(before) = before {
            let _ = before.thread_set_mask();
        }
    }

    fn run(&self) {
        cpu::unpin();
        let mut batch = Vec::new();
        loop {
            let queue = self.lock();
            let idle = |queue: &mut Queue| queue.is_at_rest();
            let filled = self.filled.wait_while(queue, idle);
            filled
                .unwrap_or_else(PoisonError::into_inner)
                .take(&mut batch);
            write_all(&io::stderr(), &batch);
            self.lock().is_writing = false;
            self.written.notify_all();
        }
    }

    fn lock(&self) -> MutexGuard<'_, Queue> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Writes all bytes, or drops the rest if that fails. Avoids the lock of `std::io::Stderr`, which
/// others may hold.
fn write_all(to: &impl AsFd, mut bytes: &[u8]) {
    while !bytes.is_empty() {
        match write(to, bytes) {
            Ok(count) => bytes = &bytes[count..],
            Err(Errno::EINTR) => {}
            Err(Errno::EAGAIN) => {
                let mut watched = [PollFd::new(to.as_fd(), PollFlags::POLLOUT)];
                let _ = poll(&mut watched, PollTimeout::NONE);
            }
            Err(_) => return,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Read;

    fn queue() -> Queue {
        Queue {
            text: Vec::new(),
            lost: 0,
            is_writing: false,
        }
    }

    #[test]
    fn lines_beyond_the_bound_are_lost_and_counted() {
        let (mut queue, mut batch) = (queue(), Vec::new());
        queue.add(&vec![b'a'; BYTES_MAX - 2]);
        queue.add(b"b\n");
        queue.add(b"c");
        queue.add(b"d");
        queue.take(&mut batch);
        assert_eq!(&batch[BYTES_MAX - 2..BYTES_MAX], b"b\n");
        let note = b"2 log lines are lost: stderr is read too slowly\n";
        assert_eq!(&batch[BYTES_MAX..], note);
        assert!(queue.is_writing && queue.text.is_empty() && queue.lost == 0);
        queue.add(b"e\n");
        queue.take(&mut batch);
        assert_eq!(batch, b"e\n");
    }

    #[test]
    fn a_reader_that_left_is_no_failure() {
        let (reader, writer) = io::pipe().expect("a pipe");
        drop(reader);
        write_all(&writer, b"nobody reads this");
    }

    #[test]
    fn a_descriptor_that_does_not_block_gets_everything() {
        let (mut reader, writer) = io::pipe().expect("a pipe");
        let flags = nix::fcntl::FcntlArg::F_SETFL(nix::fcntl::OFlag::O_NONBLOCK);
        nix::fcntl::fcntl(&writer, flags).expect("a flag");
        let sent = vec![b'x'; 1 << 20];
        thread::scope(|scope| {
            let expected = sent.len();
            scope.spawn(move || {
                write_all(&writer, &sent);
            });
            let mut received = Vec::new();
            reader.read_to_end(&mut received).expect("all of it");
            assert_eq!(received.len(), expected);
        });
    }
}
