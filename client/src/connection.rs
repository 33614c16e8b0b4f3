//! Client side of one connection, as the runtime drives it.

use std::rc::Rc;
use std::time::Duration;

use corespun_codec::Status;
use corespun_runtime::{Flow, Input, Protocol, SocketHandle};

use crate::channel::Channel;
use crate::config::Config;
use crate::link::Link;

/// Client side of a gRPC connection; a [`Protocol`] that any socket driver can run. The [`Channel`]
/// that shares its state starts the calls.
pub struct Connection {
    link: Rc<Link>,
}

impl Connection {
    /// Returns a connection over a transport that the caller drives, such as a simulator or another
    /// protocol, and its channel. The channel cannot reconnect: once the connection has ended,
    /// calls fail with UNAVAILABLE.
    pub fn pair(authority: &str, config: &Config, socket: SocketHandle) -> (Self, Channel) {
        let name: Rc<str> = authority.into();
        let link = Rc::new(Link::new(Rc::clone(&name), name, config, socket));
        let channel = Channel::over(authority, config, Rc::clone(&link));
        (Self::new(link), channel)
    }

    pub(crate) fn new(link: Rc<Link>) -> Self {
        Self { link }
    }
}

impl Protocol for Connection {
    fn receive(&mut self, now: Duration, input: Input<'_>) {
        let mut session = self.link.session();
        match input {
            Input::Bytes(bytes) => session.receive(now, bytes),
            Input::End => {
                let status = session.lost();
                session.end(status);
            }
        }
    }

    fn advance(&mut self, now: Duration) {
        self.link.session().advance(now);
    }

    fn transmit(&mut self, out: &mut Vec<u8>) -> Flow {
        self.link.session().transmit(out)
    }

    fn deadline(&self) -> Option<Duration> {
        self.link.session().deadline()
    }

    fn wants_input(&self) -> bool {
        self.link.session().wants_input()
    }

    fn drain(&mut self, _now: Duration) {
        self.link.session().retire();
    }
}

impl Drop for Connection {
    fn drop(&mut self) {
        let mut session = self.link.session();
        let text = format!("the connection to {} was closed locally", session.peer());
        session.end(Status::unavailable(text));
    }
}

impl std::fmt::Debug for Connection {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Connection").finish_non_exhaustive()
    }
}
