//! rustls's own blocking client, and handmade bytes, with our acceptor on real sockets.

use std::io::{ErrorKind, Read, Write};
use std::net::{Shutdown, TcpStream};
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use rustls::crypto::ring;
use rustls::pki_types::ServerName;
use rustls::pki_types::pem::PemObject;
use rustls::{ClientConfig, ClientConnection, RootCertStore, StreamOwned};
use rustls::{SupportedProtocolVersion, version};

use crate::pair::{HOST, World};
use crate::sockets::{Service, each_engine};

type Stream = StreamOwned<ClientConnection, TcpStream>;

fn tcp(service: &Service) -> TcpStream {
    let stream = TcpStream::connect(service.address()).expect("connect");
    let patience = Some(Duration::from_secs(20));
    stream.set_read_timeout(patience).expect("a timeout");
    stream.set_write_timeout(patience).expect("a timeout");
    stream
}

fn dial(service: &Service, world: &World, version: &'static SupportedProtocolVersion) -> Stream {
    let mut roots = RootCertStore::empty();
    let root = PemObject::from_pem_slice(world.authority.pem().as_bytes());
    roots.add(root.expect("a certificate")).expect("a root");
    let provider = Arc::new(ring::default_provider());
    let mut config = ClientConfig::builder_with_provider(provider)
        .with_protocol_versions(&[version])
        .expect("a version")
        .with_root_certificates(roots)
        .with_no_client_auth();
    config.alpn_protocols = vec![b"h2".to_vec()];
    let name = ServerName::try_from(HOST).expect("a name");
    let connection = ClientConnection::new(Arc::new(config), name).expect("a connection");
    StreamOwned::new(connection, tcp(service))
}

fn greeting(stream: &mut Stream) -> String {
    let (mut line, mut byte) = (String::new(), [0]);
    while byte != *b"\n" {
        stream.read_exact(&mut byte).expect("a greeting");
        line.push(byte[0] as char);
    }
    line
}

#[test]
fn both_versions_on_both_engines() {
    let world = World::new();
    each_engine("both_versions_on_both_engines", |engine| {
        let service = Service::start(engine, world.acceptor());
        for (version, name) in [(&version::TLS12, "TLSv1_2"), (&version::TLS13, "TLSv1_3")] {
            let mut stream = dial(&service, &world, version);
            let line = greeting(&mut stream);
            assert!(line.starts_with(&format!("{name} h2 {HOST} ")), "{line}");
            for round in 0..50_u8 {
                let sent = [round; 117];
                stream.write_all(&sent).expect("send");
                let mut answer = [0; 117];
                stream.read_exact(&mut answer).expect("receive");
                assert_eq!(answer, sent);
            }
            // Data in flight arrives before the end, and the end is orderly.
            stream.write_all(b"the last").expect("send");
            stream.conn.send_close_notify();
            stream.flush().expect("flush");
            let mut rest = Vec::new();
            stream
                .read_to_end(&mut rest)
                .expect("close_notify, not a cut");
            assert_eq!(rest, b"the last");
        }
        service.stop();
    });
}

#[test]
fn a_slow_reader_loses_nothing() {
    let world = World::new();
    each_engine("a_slow_reader_loses_nothing", |engine| {
        let service = Service::start(engine, world.acceptor());
        let mut stream = dial(&service, &world, &version::TLS13);
        greeting(&mut stream);
        let sent: Vec<u8> = (0..12_u32 << 20)
            .map(|i| (i * 31 + i / 251) as u8)
            .collect();
        // More than the socket buffers hold goes out before any of it is read back.
        let mut answer = Vec::with_capacity(sent.len());
        for piece in sent.chunks(3 << 20) {
            stream.write_all(piece).expect("send");
            thread::sleep(Duration::from_millis(50));
            let start = answer.len();
            answer.resize(start + piece.len(), 0);
            stream.read_exact(&mut answer[start..]).expect("receive");
        }
        assert!(answer == sent);
        service.stop();
    });
}

#[test]
fn plaintext_and_silence_are_closed() {
    let world = World::new();
    each_engine("plaintext_and_silence_are_closed", |engine| {
        let limit = Duration::from_millis(300);
        let acceptor = world.config().handshake_timeout(limit).load();
        let service = Service::start(engine, acceptor.expect("an acceptor"));
        let mut plain = tcp(&service);
        plain.write_all(b"GET / HTTP/1.1\r\n\r\n").expect("send");
        assert_eq!(end(&mut plain), b"");
        let began = Instant::now();
        let mut silent = tcp(&service);
        assert_eq!(end(&mut silent), b"");
        assert!(began.elapsed() >= limit / 2, "closed ahead of its time");
        // A peer that leaves midway affects no other.
        let mut leaver = tcp(&service);
        leaver.write_all(&[22, 3, 1, 0, 200, 1]).expect("send");
        leaver.shutdown(Shutdown::Write).expect("half-close");
        assert_eq!(end(&mut leaver), b"");
        let mut stream = dial(&service, &world, &version::TLS13);
        greeting(&mut stream);
        service.stop();
    });
}

/// Returns everything up to the end of the stream, however it ends.
fn end(stream: &mut TcpStream) -> Vec<u8> {
    let mut rest = Vec::new();
    match stream.read_to_end(&mut rest) {
        Ok(_) => {}
        Err(error) => assert_eq!(error.kind(), ErrorKind::ConnectionReset, "{error}"),
    }
    rest
}
