//! State shared by a channel, its calls and their connection.

use std::cell::{RefCell, RefMut};
use std::future::poll_fn;
use std::rc::Rc;
use std::task::Poll;

use corespun_codec::Status;
use corespun_http2::StreamKey;
use corespun_runtime::SocketHandle;

use crate::bell::Bell;
use crate::config::Config;
use crate::outgoing::Outgoing;
use crate::session::{Session, Unopened};

/// Handle of one connection. Its session is borrowed only for short spans: never across an await,
/// and never by code that rings the bell.
pub(crate) struct Link {
    session: RefCell<Session>,
    bell: Rc<Bell>,
}

impl Link {
    /// Creates a link over `socket`, named `peer` in errors.
    pub(crate) fn new(
        authority: Rc<str>,
        peer: Rc<str>,
        config: &Config,
        socket: SocketHandle,
    ) -> Self {
        let bell = Rc::new(Bell::new(socket));
        let session = RefCell::new(Session::new(authority, peer, config, Rc::clone(&bell)));
        Self { session, bell }
    }

    pub(crate) fn session(&self) -> RefMut<'_, Session> {
        self.session.borrow_mut()
    }

    pub(crate) fn bell(&self) -> &Rc<Bell> {
        &self.bell
    }

    /// Returns true if new calls may be started.
    pub(crate) fn is_open(&self) -> bool {
        self.session.borrow().is_open()
    }

    /// Starts no more calls, and closes the socket when the calls in progress have ended.
    pub(crate) fn retire(&self) {
        self.session().retire();
        self.bell.touch();
    }

    /// Ends the connection at once.
    pub(crate) fn close(&self, status: Status) {
        self.session().end(status);
        self.bell.close();
    }

    /// Waits for the server's first SETTINGS.
    ///
    /// # Errors
    ///
    /// UNAVAILABLE when the connection ended instead.
    pub(crate) async fn established(&self) -> Result<(), Status> {
        poll_fn(|context| self.session().poll_established(context)).await
    }

    /// Opens a stream as soon as the server's limit admits it, in the order of calls, and passes it
    /// to `begin` at once.
    ///
    /// # Errors
    ///
    /// The connection accepts no new calls, or the call cannot be sent.
    pub(crate) async fn open<T>(
        &self,
        outgoing: &Outgoing,
        begin: &mut impl FnMut(&mut Session, StreamKey) -> T,
    ) -> Result<T, Unopened> {
        let mut place = Place {
            link: self,
            ticket: None,
        };
        let begun = poll_fn(|context| {
            let mut session = self.session();
            match session.poll_open(context, &mut place.ticket, outgoing) {
                Poll::Ready(Ok(stream)) => Poll::Ready(Ok(begin(&mut session, stream))),
                Poll::Ready(Err(unopened)) => Poll::Ready(Err(unopened)),
                Poll::Pending => Poll::Pending,
            }
        });
        let begun = begun.await;
        self.bell.touch();
        begun
    }
}

/// Position in the queue of calls that wait for a stream.
struct Place<'a> {
    link: &'a Link,
    ticket: Option<u64>,
}

impl Drop for Place<'_> {
    fn drop(&mut self) {
        if let Some(ticket) = self.ticket {
            self.link.session().leave_queue(ticket);
        }
    }
}
