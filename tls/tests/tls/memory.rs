//! TLS protocol without sockets: data, refusals, and ends.

use std::rc::Rc;
use std::time::Duration;

use corespun_runtime::Input;
use corespun_tls::{Acceptor, ClientTlsConfig, Connector, Error, Roots};

use crate::authority::Authority;
use crate::pair::{End, HOST, Pair, World};

/// Returns bytes that differ by position, so that misplaced data is detected.
fn pattern(len: usize) -> Vec<u8> {
    (0..len).map(|i| (i * 31 + i / 251) as u8).collect()
}

#[test]
fn a_handshake_tells_both_ends() {
    let world = World::new();
    let mut pair = Pair::new(&world.acceptor(), &world.connector());
    pair.settle();
    let (server, client) = (pair.server.handshake(), pair.client.handshake());
    assert_eq!(server.server_name.as_deref(), Some(HOST));
    assert!(server.certificates.is_empty(), "none was asked for");
    assert_eq!(client.certificates.len(), 1);
    for end in [&server, &client] {
        assert_eq!((&*end.alpn, end.version), (&b"h2"[..], "TLSv1_3"));
        assert!(end.cipher.starts_with("TLS13_"), "{}", end.cipher);
        assert!(!end.resumed);
    }
}

#[test]
fn bytes_pass_whatever_the_pieces() {
    let world = World::new();
    for (piece, len) in [
        (1, 20_000),
        (7, 20_000),
        (1000, 300_000),
        (usize::MAX, 1 << 20),
    ] {
        let mut pair = Pair::new(&world.acceptor(), &world.connector());
        pair.piece = piece;
        let sent = pattern(len);
        pair.client.send(&sent);
        pair.server.send(&sent);
        pair.settle();
        assert!(
            pair.server.received() == sent,
            "to the server in pieces of {piece}"
        );
        assert!(
            pair.client.received() == sent,
            "to the client in pieces of {piece}"
        );
    }
}

#[test]
fn an_orderly_end_is_an_end_inside() {
    let world = World::new();
    let mut pair = Pair::new(&world.acceptor(), &world.connector());
    pair.settle();
    pair.client.send(b"last words");
    pair.client.inner.closes.set(true);
    let bytes = pair.client.transmit();
    pair.server.protocol.receive(pair.now, Input::Bytes(&bytes));
    assert_eq!(pair.server.received(), b"last words");
    assert!(pair.server.inner.ended.get() && pair.client.closed);
    // The peer's half is closed, ours is not, and data after a closure alert is ignored.
    pair.server
        .protocol
        .receive(pair.now, Input::Bytes(&[23; 100]));
    pair.server.send(b"an answer");
    assert!(!pair.server.transmit().is_empty() && !pair.server.closed);
    pair.server.protocol.receive(pair.now, Input::End);
    assert_eq!(pair.server.error(), "");
}

#[test]
fn a_cut_is_told_from_an_end() {
    let world = World::new();
    let mut pair = Pair::new(&world.acceptor(), &world.connector());
    pair.settle();
    pair.server.protocol.receive(pair.now, Input::End);
    assert_eq!(*pair.server.inner.failed.borrow(), Some(Error::Truncated));
    assert!(pair.server.inner.ended.get());
    pair.server.transmit();
    assert!(
        pair.server.closed,
        "nothing may be built on what was cut off"
    );
}

#[test]
fn a_changed_record_ends_the_connection() {
    let world = World::new();
    let mut pair = Pair::new(&world.acceptor(), &world.connector());
    pair.settle();
    pair.client.send(b"seventeen bytes..");
    let mut bytes = pair.client.transmit();
    *bytes.last_mut().expect("a record") ^= 1;
    pair.server.protocol.receive(pair.now, Input::Bytes(&bytes));
    assert!(pair.server.received().is_empty() && pair.server.inner.ended.get());
    assert_eq!(pair.server.error(), "cannot decrypt peer's message");
    pair.settle();
    assert_eq!(pair.client.error(), "received fatal alert: BadRecordMac");
    assert!(pair.server.closed && pair.client.closed);
}

/// Checks the errors of both ends of a handshake that fails.
fn check_refused(acceptor: &Acceptor, connector: &Connector, server: &str, client: &str) {
    let mut pair = Pair::new(acceptor, connector);
    pair.settle();
    assert!(!pair.server.is_open(), "let in although {server:?} was due");
    assert!(
        pair.server.error().contains(server),
        "server: {}",
        pair.server.error()
    );
    assert!(
        pair.client.error().contains(client),
        "client: {}",
        pair.client.error()
    );
    assert!(pair.server.closed && pair.client.closed);
}

#[test]
fn who_is_refused() {
    let world = World::new();
    let (acceptor, stranger) = (world.acceptor(), Authority::new("a stranger"));
    let trusting = |roots: Roots| ClientTlsConfig::new(roots).load().expect("a connector");
    let unknown = trusting(stranger.roots());
    check_refused(&acceptor, &unknown, "UnknownCA", "UnknownIssuer");
    let other = world.client_config().server_name("other.test").load();
    check_refused(
        &acceptor,
        &other.expect("a connector"),
        "fatal alert",
        "not valid for name",
    );
    let http1 = world.client_config().alpn(&[b"http/1.1"]).load();
    check_refused(
        &acceptor,
        &http1.expect("a connector"),
        "protocol",
        "NoApplicationProtocol",
    );
    let silent = world.client_config().alpn(&[]).load();
    let mut pair = Pair::new(&acceptor, &silent.expect("a connector"));
    pair.settle();
    assert_eq!(*pair.server.inner.failed.borrow(), Some(Error::Alpn));
    assert!(
        pair.client.is_open() && pair.client.inner.ended.get(),
        "told of an orderly end"
    );
    assert_eq!(pair.client.error(), "");
    let anybody = trusting(Roots::danger_anybody());
    assert!(Pair::new(&acceptor, &anybody).settle().server.is_open());
}

#[test]
fn fallbacks_let_more_clients_in() {
    let world = World::new();
    let acceptor = |protocols: &[&[u8]]| {
        let loaded = world.config().alpn(protocols).load();
        loaded
            .expect("an acceptor")
            .with_fallbacks(&[b"http/1.1", b"http/1.0"])
    };
    let (http2, both) = (acceptor(&[b"h2"]), acceptor(&[b"http/1.1", b"h2"]));
    let none = acceptor(&[]);
    let check = |acceptor: &Acceptor, offered: &[&[u8]], agreed: Option<&str>| {
        let connector = world.client_config().alpn(offered).load();
        let mut pair = Pair::new(acceptor, &connector.expect("a connector"));
        pair.settle();
        let is_open = pair.server.is_open();
        let alpn = is_open.then(|| pair.server.handshake().alpn);
        assert_eq!(
            alpn.as_deref(),
            agreed.map(str::as_bytes),
            "{}",
            pair.server.error()
        );
    };
    check(&http2, &[b"h2"], Some("h2"));
    check(&http2, &[b"http/1.1", b"h2"], Some("h2"));
    check(&http2, &[b"http/1.1"], Some("http/1.1"));
    check(&http2, &[b"http/1.0", b"http/1.1"], Some("http/1.1"));
    check(&http2, &[b"http/1.0"], Some("http/1.0"));
    check(&http2, &[], Some(""));
    check(&http2, &[b"h3"], None);
    check(&both, &[b"h2", b"http/1.1"], Some("http/1.1"));
    check(&none, &[], Some(""));
    check(&none, &[b"h2"], Some(""));
}

#[test]
fn a_client_without_tls_is_answered() {
    let world = World::new();
    for (first, answer) in [
        (&b"GET / HTTP/1.1\r\n\r\n"[..], &b"answer to G"[..]),
        (b"\x15\x03\x01", b"answer to \x15"),
        (b"\x16\x03\x01", b""),
    ] {
        let mut server = End::server(&world.acceptor(), Duration::ZERO);
        server.protocol.receive(Duration::ZERO, Input::Bytes(first));
        assert_eq!(server.transmit(), answer);
        assert_eq!(server.closed, !answer.is_empty());
        // Data after this is ignored.
        server.protocol.receive(Duration::ZERO, Input::Bytes(b"x"));
        let error = if answer.is_empty() {
            ""
        } else {
            "the peer does not speak TLS"
        };
        assert_eq!(server.error(), error);
    }
}

#[test]
fn a_server_without_alpn_is_refused() {
    let world = World::new();
    let acceptor = world.config().alpn(&[]).load().expect("an acceptor");
    let mut pair = Pair::new(&acceptor, &world.connector());
    pair.settle();
    assert_eq!(*pair.client.inner.failed.borrow(), Some(Error::Alpn));
    assert!(!pair.client.is_open());
    assert!(pair.server.is_open(), "{}", pair.server.error());
}

#[test]
fn client_certificates() {
    let world = World::new();
    let (clients, stranger) = (Authority::new("clients"), Authority::new("a stranger"));
    let required = world.config().client_ca_pem(clients.pem());
    let optional = required.clone().client_auth_optional();
    let required = required.load().expect("an acceptor");
    let optional = optional.load().expect("an acceptor");
    let shows = |authority: &Authority| {
        let issued = authority.issue(&["client.test", "spiffe://test/client"]);
        let config = world.client_config().identity(issued.chain, issued.key);
        config.load().expect("a connector")
    };
    let (known, unknown, none) = (shows(&clients), shows(&stranger), world.connector());
    for acceptor in [&required, &optional] {
        let mut pair = Pair::new(acceptor, &known);
        let shown = pair.settle().server.handshake().certificates;
        assert_eq!(shown.len(), 1, "the client's own certificate");
        // A DER certificate is a sequence, and this one names its subject.
        assert!(shown[0][0] == 0x30 && shown[0].windows(8).any(|part| part == b"client.t"));
        let names = pair.server.handshake().names;
        assert_eq!(names, ["client.test", "spiffe://test/client"]);
    }
    // TLS 1.3 clients are done before the server has judged their certificate.
    check_late(&required, &none, "no certificates", "CertificateRequired");
    check_late(&required, &unknown, "UnknownIssuer", "UnknownCA");
    check_late(&optional, &unknown, "UnknownIssuer", "UnknownCA");
    let mut pair = Pair::new(&optional, &none);
    assert!(pair.settle().server.handshake().certificates.is_empty());
}

fn check_late(acceptor: &Acceptor, connector: &Connector, server: &str, client: &str) {
    let mut pair = Pair::new(acceptor, connector);
    pair.settle();
    assert!(!pair.server.is_open() && pair.client.is_open());
    assert!(
        pair.server.error().contains(server),
        "server: {}",
        pair.server.error()
    );
    assert!(
        pair.client.error().contains(client),
        "client: {}",
        pair.client.error()
    );
    assert!(
        pair.client.inner.ended.get(),
        "what runs inside is told, too"
    );
}

#[test]
fn plaintext_is_named() {
    let world = World::new();
    let now = Duration::ZERO;
    let mut server = End::server(&world.acceptor(), now);
    let preface = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
    server.protocol.receive(now, Input::Bytes(preface));
    assert_eq!(*server.inner.failed.borrow(), Some(Error::Plaintext));
    assert!(server.transmit() == b"answer to P" && server.closed);
    let mut client = End::client(&world.connector(), HOST, now);
    client.transmit();
    client
        .protocol
        .receive(now, Input::Bytes(b"HTTP/1.1 400 Bad Request\r\n"));
    assert_eq!(*client.inner.failed.borrow(), Some(Error::Plaintext));
}

#[test]
fn deadlines_pass_through() {
    let world = World::new();
    let limit = Duration::from_secs(3);
    let acceptor = world.config().handshake_timeout(limit).load();
    let acceptor = acceptor.expect("an acceptor");
    let mut silent = End::server(&acceptor, Duration::ZERO);
    assert_eq!(silent.protocol.deadline(), Some(limit));
    silent.protocol.advance(limit - Duration::from_millis(1));
    assert_eq!(silent.error(), "");
    silent.protocol.advance(limit);
    assert_eq!(silent.error(), "the handshake took longer than 3s");
    silent.transmit();
    assert!(silent.closed && silent.protocol.deadline().is_none());

    let mut pair = Pair::new(&acceptor, &world.connector());
    pair.settle();
    let (protocol, inner) = (&mut pair.server.protocol, &pair.server.inner);
    assert_eq!(protocol.deadline(), None, "the handshake's is over");
    inner.deadline.set(Some(limit));
    assert_eq!(protocol.deadline(), Some(limit));
    protocol.advance(limit);
    assert_eq!(inner.advanced.get(), 1);
}

#[test]
fn whether_input_is_wanted_is_asked_inside() {
    let world = World::new();
    let mut pair = Pair::new(&world.acceptor(), &world.connector());
    let inner = Rc::clone(&pair.server.inner);
    let answers = |pair: &Pair| {
        let protocol = &pair.server.protocol;
        (protocol.wants_input(), protocol.has_backlog())
    };
    inner.deaf.set(true);
    inner.busy.set(true);
    assert_eq!(answers(&pair), (true, false), "a handshake goes on");
    pair.settle();
    assert_eq!(answers(&pair), (false, true));
    inner.deaf.set(false);
    assert_eq!(answers(&pair), (true, true));
    inner.busy.set(false);
    assert_eq!(answers(&pair), (true, false));
}

#[test]
fn a_drain_reaches_inside() {
    let world = World::new();
    let mut pair = Pair::new(&world.acceptor(), &world.connector());
    pair.server.protocol.drain(pair.now);
    let patience = pair.server.protocol.deadline().expect("a deadline") - pair.now;
    assert!(
        patience <= Duration::from_secs(1),
        "a drain waits {patience:?}"
    );
    pair.settle();
    assert!(pair.server.inner.drained.get(), "drained at birth");
    assert!(!pair.client.inner.drained.get());
    pair.client.protocol.drain(pair.now);
    assert!(pair.client.inner.drained.get());
    pair.server.protocol.cut(pair.now);
    assert!(pair.server.inner.cut.get() && !pair.client.inner.cut.get());
}

#[test]
fn a_second_connection_is_resumed() {
    let world = World::new();
    let (acceptor, connector) = (world.acceptor(), world.connector());
    for resumed in [false, true, true] {
        let mut pair = Pair::new(&acceptor, &connector);
        pair.settle();
        assert_eq!(pair.server.handshake().resumed, resumed);
        assert_eq!(pair.server.handshake().server_name.as_deref(), Some(HOST));
    }
}

#[test]
fn an_idle_end_owns_no_buffer() {
    let world = World::new();
    let mut pair = Pair::new(&world.acceptor(), &world.connector());
    pair.settle();
    // The pool is emptied, so that returned buffers are visible.
    while corespun_runtime::take_buffer().capacity() > 0 {}
    pair.client.send(b"ping");
    pair.settle();
    assert_eq!(pair.server.received(), b"ping");
    // One buffer was used for both: the client's plain bytes, then the server's records.
    assert!(corespun_runtime::take_buffer().capacity() > 0);
    assert_eq!(corespun_runtime::take_buffer().capacity(), 0);
}
