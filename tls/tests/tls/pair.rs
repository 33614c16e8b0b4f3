//! Two ends without a socket: the output of one is the input of the other, in pieces of any size.

use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::time::Duration;

use corespun_runtime::{Flow, Input, Protocol};
use corespun_tls::{Acceptor, ClientTlsConfig, Connector, Error, Handshake, Inside, TlsConfig};

use crate::authority::{Authority, Issued};

/// Host name of the test servers.
pub const HOST: &str = "corespun.test";

/// State of the protocol inside TLS, shared with the test.
#[derive(Default)]
pub struct Inner {
    pub handshake: RefCell<Option<Handshake>>,
    pub failed: RefCell<Option<Error>>,
    pub received: RefCell<Vec<u8>>,
    pub output: RefCell<Vec<u8>>,
    pub ended: Cell<bool>,
    pub drained: Cell<bool>,
    pub cut: Cell<bool>,
    pub advanced: Cell<usize>,
    pub deadline: Cell<Option<Duration>>,
    /// True if it returns [`Flow::Close`] once all output was handed over.
    pub closes: Cell<bool>,
    /// True if it accepts no input while a send is in flight.
    pub deaf: Cell<bool>,
    /// True if it has input that waits for a later turn.
    pub busy: Cell<bool>,
}

struct Probe(Rc<Inner>);

impl Inside for Probe {
    fn open(&mut self, handshake: Handshake) -> Box<dyn Protocol> {
        let before = self.0.handshake.replace(Some(handshake));
        assert_eq!(before, None, "opened once");
        Box::new(Probe(self.0.clone()))
    }

    fn fail(&mut self, error: &Error) {
        let before = self.0.failed.replace(Some(error.clone()));
        assert_eq!(before, None, "failed once");
    }

    fn answer_plaintext(&mut self, first: &[u8]) -> Vec<u8> {
        [b"answer to ", &first[..1]].concat()
    }
}

impl Protocol for Probe {
    fn receive(&mut self, _now: Duration, input: Input<'_>) {
        assert!(!self.0.ended.get(), "the end comes last");
        match input {
            Input::Bytes(bytes) => self.0.received.borrow_mut().extend_from_slice(bytes),
            Input::End => self.0.ended.set(true),
        }
    }

    fn advance(&mut self, _now: Duration) {
        self.0.advanced.set(self.0.advanced.get() + 1);
    }

    fn transmit(&mut self, out: &mut Vec<u8>) -> Flow {
        assert!(
            out.is_empty(),
            "the inner protocol gets a buffer of its own"
        );
        out.append(&mut self.0.output.borrow_mut());
        if self.0.closes.get() {
            Flow::Close
        } else {
            Flow::Open
        }
    }

    fn deadline(&self) -> Option<Duration> {
        self.0.deadline.get()
    }

    fn wants_input(&self) -> bool {
        !self.0.deaf.get()
    }

    fn has_backlog(&self) -> bool {
        self.0.busy.get()
    }

    fn drain(&mut self, _now: Duration) {
        self.0.drained.set(true);
    }

    fn cut(&mut self, _now: Duration) {
        self.0.cut.set(true);
    }
}

/// One end, with the state that a socket would hold.
pub struct End {
    pub protocol: Box<dyn Protocol>,
    pub inner: Rc<Inner>,
    pub closed: bool,
}

impl End {
    pub fn server(acceptor: &Acceptor, now: Duration) -> Self {
        let inner = Rc::<Inner>::default();
        let inside = Box::new(Probe(inner.clone()));
        let protocol = acceptor.accept("client".into(), now, inside);
        Self {
            protocol: protocol.expect("settings that hold"),
            inner,
            closed: false,
        }
    }

    pub fn client(connector: &Connector, host: &str, now: Duration) -> Self {
        let inner = Rc::<Inner>::default();
        let inside = Box::new(Probe(inner.clone()));
        let protocol = connector.connect(host, "server".into(), now, inside);
        Self {
            protocol: protocol.expect("a host"),
            inner,
            closed: false,
        }
    }

    pub fn send(&self, bytes: &[u8]) {
        self.inner.output.borrow_mut().extend_from_slice(bytes);
    }

    /// Returns the bytes to send now, if sending is possible.
    pub fn transmit(&mut self) -> Vec<u8> {
        let mut out = Vec::new();
        if !self.closed {
            self.closed = self.protocol.transmit(&mut out) == Flow::Close;
        }
        out
    }

    pub fn received(&self) -> Vec<u8> {
        self.inner.received.take()
    }

    pub fn error(&self) -> String {
        let failed = self.inner.failed.borrow();
        failed.as_ref().map_or(String::new(), ToString::to_string)
    }

    pub fn handshake(&self) -> Handshake {
        let handshake = self.inner.handshake.borrow();
        handshake.clone().expect("a handshake that is done")
    }

    pub fn is_open(&self) -> bool {
        self.inner.handshake.borrow().is_some()
    }
}

/// Both ends, and the size of the pieces in which bytes arrive.
pub struct Pair {
    pub client: End,
    pub server: End,
    pub piece: usize,
    pub now: Duration,
}

impl Pair {
    pub fn new(acceptor: &Acceptor, connector: &Connector) -> Self {
        let now = Duration::from_secs(100);
        Self {
            client: End::client(connector, HOST, now),
            server: End::server(acceptor, now),
            piece: usize::MAX,
            now,
        }
    }

    /// Exchanges bytes until nothing changes. An end that closed is seen as closed by the other.
    pub fn settle(&mut self) -> &mut Self {
        loop {
            let there = deliver(&mut self.client, &mut self.server, self.piece, self.now);
            let back = deliver(&mut self.server, &mut self.client, self.piece, self.now);
            if !there && !back {
                return self;
            }
        }
    }
}

fn deliver(from: &mut End, to: &mut End, piece: usize, now: Duration) -> bool {
    let was_closed = from.closed;
    let bytes = from.transmit();
    for piece in bytes.chunks(piece.min(bytes.len().max(1))) {
        to.protocol.receive(now, Input::Bytes(piece));
    }
    let closes = from.closed && !was_closed;
    if closes {
        to.protocol.receive(now, Input::End);
    }
    closes || !bytes.is_empty()
}

/// Authority, a server with its certificate, and a client that trusts it.
pub struct World {
    pub authority: Authority,
    pub server: Issued,
}

impl World {
    pub fn new() -> Self {
        let authority = Authority::new("an authority");
        let server = authority.issue(&[HOST]);
        Self { authority, server }
    }

    pub fn config(&self) -> TlsConfig {
        TlsConfig::from_pem(&self.server.chain, &self.server.key)
    }

    pub fn acceptor(&self) -> Acceptor {
        self.config().load().expect("an acceptor")
    }

    pub fn client_config(&self) -> ClientTlsConfig {
        ClientTlsConfig::new(self.authority.roots())
    }

    pub fn connector(&self) -> Connector {
        self.client_config().load().expect("a connector")
    }
}
