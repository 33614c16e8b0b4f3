//! Probe of the kernel's io_uring: performs the operations rather than reading a version.

use std::io::{self, Write};
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use super::{RingOptions, Uring};
use crate::clock;
use crate::driver::{Driver, Sink, Wait};
use crate::mailbox::Mailbox;
use crate::slots::ConnId;

/// Time limit for a byte through a socket pair of our own.
const PATIENCE: Duration = Duration::from_secs(2);

/// Sizes of the ring that probes the kernel.
pub(crate) const OPTIONS: RingOptions = RingOptions {
    submissions: 8,
    completions: 32,
    buffers: 4,
    buffer_bytes: 64,
    buffers_initial: 4,
};

/// Events received on the probe's socket.
#[derive(Default)]
struct Heard {
    bytes: Vec<u8>,
    failure: Option<io::Error>,
    sent: bool,
}

impl Sink for Heard {
    fn accepted(&mut self, _listener: usize, _socket: OwnedFd) {}
    fn accept_failed(&mut self, _listener: usize, _error: io::Error) {}

    fn received(&mut self, _conn: ConnId, bytes: &[u8]) {
        self.bytes.extend_from_slice(bytes);
    }

    fn ended(&mut self, _conn: ConnId, failure: Option<io::Error>) {
        self.failure = Some(failure.unwrap_or_else(|| io::ErrorKind::UnexpectedEof.into()));
    }

    fn sent(&mut self, _conn: ConnId, _buffer: Vec<u8>) {
        self.sent = true;
    }

    fn connected(&mut self, _conn: ConnId, _result: io::Result<()>) {}
}

/// Sets up a small ring and receives two messages with a real multishot receive.
///
/// # Errors
///
/// The kernel's, or [`io::ErrorKind::Unsupported`] if it accepted the ops and did not do them.
pub(crate) fn probe() -> io::Result<()> {
    let mailbox = Arc::new(Mailbox::new()?);
    let mut uring = Uring::new(&OPTIONS, mailbox, Rc::default(), 0)?;
    let result = exchange(&mut uring);
    uring.shutdown(PATIENCE);
    result
}

fn exchange(uring: &mut Uring) -> io::Result<()> {
    let (ours, mut theirs) = UnixStream::pair()?;
    let conn = uring.adopt(ours.into())?;
    uring.receive(conn, true);
    uring.send(conn, b"ping".to_vec());
    let mut heard = Heard::default();
    for message in [b"one", b"two"] {
        theirs.write_all(message)?;
        heard.bytes.clear();
        listen(uring, &mut heard, message)?;
    }
    if !heard.sent {
        return Err(io::Error::new(io::ErrorKind::Unsupported, "no send"));
    }
    Ok(())
}

fn listen(uring: &mut Uring, heard: &mut Heard, message: &[u8]) -> io::Result<()> {
    let deadline = clock::now() + PATIENCE;
    while heard.bytes != message {
        let now = clock::now();
        if now >= deadline {
            let text = "the ring was set up but receives nothing";
            return Err(io::Error::new(io::ErrorKind::Unsupported, text));
        }
        uring.wait(Wait::AtMost(deadline - now))?;
        uring.dispatch(heard);
        if let Some(failure) = heard.failure.take() {
            return Err(failure);
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    #[test]
    fn the_probe_leaves_nothing_behind() {
        match super::probe() {
            Ok(()) => super::probe().expect("works again"),
            Err(error) => println!("SKIPPED the_probe_leaves_nothing_behind: {error}"),
        }
    }
}
