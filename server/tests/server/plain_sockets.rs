//! Plain requests on real sockets: every kind of listener, both versions of HTTP, and the drain.

#[path = "../../../runtime/tests/kit/engines.rs"]
mod engines;

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::os::unix::net::UnixStream;
use std::path::PathBuf;
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use corespun_http2::hpack::{Field, Indexing};
use corespun_http2::{Config as Http2Config, Connection, Event, Token};
use corespun_runtime::{Address, Engine};
use corespun_server::{
    CutOff, Health, PlainRequest, PlainResponse, Running, Server, ServerBuilder, TlsConfig,
};
use rcgen::{CertifiedKey, generate_simple_self_signed};
use rustls::crypto::ring;
use rustls::pki_types::ServerName;
use rustls::{ClientConfig, ClientConnection, RootCertStore, StreamOwned};

use engines::each_engine;

const HOST: &str = "plain.test";
const PATIENCE: Duration = Duration::from_secs(20);

/// Socket with or without TLS.
trait Socket: Read + Write {}

impl<S: Read + Write> Socket for S {}

/// Way to reach a server. Variants of TLS clients are named after the ALPN protocols offered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Way {
    Tcp,
    Unix,
    TlsAlone,
    TlsHttp10,
    TlsHttp1,
    TlsHttp2,
}

const ALL: [Way; 6] = [
    Way::Tcp,
    Way::Unix,
    Way::TlsAlone,
    Way::TlsHttp10,
    Way::TlsHttp1,
    Way::TlsHttp2,
];

/// Server with a listener of each kind, and the data that a client needs to reach them.
struct World {
    running: Running,
    roots: RootCertStore,
    folder: PathBuf,
}

impl World {
    fn start(name: &str, engine: Engine, offer: impl Fn(ServerBuilder) -> ServerBuilder) -> Self {
        let CertifiedKey { cert, signing_key } =
            generate_simple_self_signed([HOST.to_owned()]).expect("a certificate");
        let mut roots = RootCertStore::empty();
        roots.add(cert.der().clone()).expect("a root");
        let name = format!("corespun-{name}-{engine}-{}", std::process::id());
        let folder = std::env::temp_dir().join(name);
        std::fs::create_dir_all(&folder).expect("a folder");
        let server = Server::builder()
            .listen("127.0.0.1:0")
            .listen_plaintext("127.0.0.1:0")
            .listen_plaintext(format!("unix:{}", folder.join("socket").display()))
            .tls(TlsConfig::from_pem(cert.pem(), signing_key.serialize_pem()))
            .shards(1)
            .engine(engine);
        let running = offer(server).start().expect("a server");
        Self {
            running,
            roots,
            folder,
        }
    }

    fn tcp(&self, listener: usize) -> TcpStream {
        let Address::Tcp(address) = self.running.addresses()[listener] else {
            panic!("not TCP");
        };
        let stream = TcpStream::connect::<SocketAddr>(address).expect("a connection");
        stream.set_read_timeout(Some(PATIENCE)).expect("a timeout");
        stream
    }

    fn tls(&self, alpn: &[&[u8]]) -> StreamOwned<ClientConnection, TcpStream> {
        let provider = Arc::new(ring::default_provider());
        let mut config = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .expect("versions")
            .with_root_certificates(self.roots.clone())
            .with_no_client_auth();
        config.alpn_protocols = alpn.iter().map(|name| name.to_vec()).collect();
        let name = ServerName::try_from(HOST).expect("a name");
        let connection = ClientConnection::new(Arc::new(config), name).expect("a connection");
        StreamOwned::new(connection, self.tcp(0))
    }

    fn reach(&self, way: Way) -> Box<dyn Socket> {
        match way {
            Way::Tcp => Box::new(self.tcp(1)),
            Way::Unix => {
                let stream = UnixStream::connect(self.folder.join("socket"));
                let stream = stream.expect("a connection");
                stream.set_read_timeout(Some(PATIENCE)).expect("a timeout");
                Box::new(stream)
            }
            Way::TlsAlone => Box::new(self.tls(&[])),
            Way::TlsHttp10 => Box::new(self.tls(&[b"http/1.0"])),
            Way::TlsHttp1 => Box::new(self.tls(&[b"http/1.1"])),
            Way::TlsHttp2 => Box::new(self.tls(&[b"h2", b"http/1.1"])),
        }
    }

    /// Sends `text` on a new connection; returns everything up to the end.
    fn converse(&self, way: Way, text: &str) -> String {
        let mut socket = self.reach(way);
        socket.write_all(text.as_bytes()).expect("sent");
        rest(&mut *socket)
    }

    /// Requests a path over HTTP/2; returns the status.
    fn ask_http2(&self, way: Way, path: &str) -> String {
        let mut socket = self.reach(way);
        let mut http2 = Connection::new(Http2Config::client());
        let fields = [
            (":method", "GET"),
            (":scheme", "http"),
            (":authority", HOST),
            (":path", path),
        ];
        let fields = fields.map(|(name, value)| Field {
            name: name.as_bytes(),
            value: value.as_bytes(),
            indexing: Indexing::Literal,
        });
        http2
            .open(fields.into_iter(), None, true)
            .expect("a stream");
        let mut buffer = [0; 4096];
        loop {
            let mut output = Vec::new();
            http2.transmit(&mut output);
            socket.write_all(&output).expect("sent");
            let len = socket.read(&mut buffer).expect("an answer");
            assert_ne!(len, 0, "the connection ended before the answer");
            let mut input = &buffer[..len];
            while let Some(event) = http2.receive(Duration::ZERO, &mut input).expect("HTTP/2") {
                if let Event::Headers { .. } = event {
                    let status = http2.headers().first(Token::Status).expect("a status");
                    return String::from_utf8_lossy(status).into_owned();
                }
            }
        }
    }

    fn stop(self) {
        let cut_off = self.running.stop().expect("a clean end");
        assert_eq!(cut_off, CutOff::default(), "all connections ended in order");
        std::fs::remove_dir_all(self.folder).expect("the folder");
    }
}

/// Returns everything up to the end of a stream.
fn rest(socket: &mut dyn Socket) -> String {
    let mut heard = Vec::new();
    socket.read_to_end(&mut heard).expect("an orderly end");
    String::from_utf8_lossy(&heard).into_owned()
}

/// Request, and the start and the end of its response.
const TABLE: &[(&str, &str, &str)] = &[
    (
        "GET /healthz HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n",
        "HTTP/1.1 200 OK\r\n",
        "\r\n\r\nok\n",
    ),
    // Default request of `option httpchk` in HAProxy.
    (
        "OPTIONS / HTTP/1.0\r\n\r\n",
        "HTTP/1.1 200 OK\r\n",
        "\r\n\r\nok\n",
    ),
    (
        "GET /livez HTTP/1.0\r\n\r\n",
        "HTTP/1.1 200 OK\r\n",
        "\r\n\r\nok\n",
    ),
    (
        "HEAD http://a.example/readyz HTTP/1.1\r\nhost: b\r\nconnection: close\r\n\r\n",
        "HTTP/1.1 200 OK\r\ncontent-length: 3\r\n",
        "\r\n\r\n",
    ),
    (
        "GET /healthz HTTP/1.1\r\nhost: a\r\nconnection: upgrade, http2-settings\r\n\
         upgrade: h2c\r\nhttp2-settings: AAMAAABkAAQAAP__\r\n\r\nGET /x HTTP/1.0\r\n\r\n",
        "HTTP/1.1 200 OK\r\ncontent-length: 3\r\n\r\nok\nHTTP/1.1 404 Not Found\r\n",
        "nothing is served at /x\n",
    ),
    (
        "GET /healthz HTTP/1.1\r\n\r\n",
        "HTTP/1.1 400 Bad Request\r\n",
        "no host field\n",
    ),
    (
        "POST /a.B/C HTTP/1.1\r\nhost: a\r\ncontent-type: application/grpc\r\n\r\n",
        "HTTP/1.1 505 HTTP Version Not Supported\r\n",
        "where the server offers it\n",
    ),
];

#[test]
fn plain_requests_are_answered_on_every_listener() {
    each_engine("plain_requests_are_answered_on_every_listener", |engine| {
        let health = Health::new();
        let world = World::start("plain", engine, |server| server.probes(&health));
        for way in ALL {
            for (request, start, end) in TABLE.iter().filter(|_| way != Way::TlsHttp2) {
                let answer = world.converse(way, request);
                let shown = format!("{way:?} {request:?}: {answer}");
                assert!(
                    answer.starts_with(start) && answer.ends_with(end),
                    "{shown}"
                );
            }
            if !matches!(way, Way::TlsHttp10 | Way::TlsHttp1) {
                assert_eq!(world.ask_http2(way, "/healthz"), "200", "{way:?}");
            }
            health.set_not_serving("");
            let get = "GET /healthz HTTP/1.0\r\n\r\n";
            if way != Way::TlsHttp2 {
                let answer = world.converse(way, get);
                assert!(answer.ends_with("\r\n\r\nnot serving\n"), "{answer}");
            }
            health.set_serving("");
        }
        world.stop();
    });
}

#[test]
fn a_plain_handler_alone_turns_http1_on() {
    each_engine("a_plain_handler_alone_turns_http1_on", |engine| {
        let world = World::start("handler", engine, |server| {
            server.plain(|_shard| Ok(|_: &PlainRequest<'_>| PlainResponse::new(200, "mine\n")))
        });
        for way in [Way::Tcp, Way::Unix, Way::TlsAlone, Way::TlsHttp1] {
            let answer = world.converse(way, "OPTIONS / HTTP/1.0\r\n\r\n");
            assert!(answer.ends_with("\r\n\r\nmine\n"), "{way:?}: {answer}");
        }
        world.stop();
    });
}

#[test]
fn without_a_handler_there_is_no_http1() {
    each_engine("without_a_handler_there_is_no_http1", |engine| {
        let health = Health::new();
        let world = World::start("grpc-only", engine, |server| server.health(&health));
        let get = "GET /healthz HTTP/1.1\r\nhost: a\r\n\r\n";
        let answer = world.converse(Way::Tcp, get);
        assert!(!answer.contains("HTTP/1.1"), "{answer:?}");
        assert_eq!(world.converse(Way::TlsAlone, get), "");
        let mut socket = world.tls(&[b"http/1.1"]);
        let refused = socket.write_all(b"GET").expect_err("no common protocol");
        assert!(
            refused.to_string().contains("NoApplicationProtocol"),
            "{refused}"
        );
        assert_eq!(world.ask_http2(Way::TlsHttp2, "/"), "405");
        world.stop();
    });
}

#[test]
fn who_comes_to_the_wrong_port_is_told() {
    each_engine("who_comes_to_the_wrong_port_is_told", |engine| {
        let health = Health::new();
        let world = World::start("wrong-port", engine, |server| server.probes(&health));
        let mut plain = world.tcp(0);
        plain
            .write_all(b"GET / HTTP/1.1\r\nhost: a\r\n\r\n")
            .expect("sent");
        let answer = rest(&mut plain);
        assert!(
            answer.starts_with("HTTP/1.1 400 Bad Request\r\n"),
            "{answer}"
        );
        assert!(answer.ends_with("this port speaks TLS only\n"), "{answer}");
        let mut plain = world.tcp(0);
        plain
            .write_all(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n")
            .expect("sent");
        assert_eq!(rest(&mut plain), "");
        let mut hello = world.tcp(1);
        hello.write_all(b"\x16\x03\x01\x02\0\x01").expect("sent");
        let answer = rest(&mut hello);
        assert!(
            answer.ends_with("this port does not speak TLS\n"),
            "{answer}"
        );
        world.stop();
    });
}

#[test]
fn a_drain_ends_connections_of_http1_well() {
    each_engine("a_drain_ends_connections_of_http1_well", |engine| {
        let health = Health::new();
        let world = World::start("drain", engine, |server| server.probes(&health));
        let get = b"GET /healthz HTTP/1.1\r\nhost: a\r\n\r\n";
        let ok = b"HTTP/1.1 200 OK\r\ncontent-length: 3\r\n\r\nok\n";
        let mut sockets: Vec<_> = (0..2).map(|_| world.reach(Way::Tcp)).collect();
        for socket in &mut sockets {
            socket.write_all(get).expect("sent");
            let mut answer = vec![0; ok.len()];
            socket.read_exact(&mut answer).expect("an answer");
            assert_eq!(answer, ok);
        }
        // The second connection is in the middle of a request when the drain begins.
        sockets[1].write_all(&get[..10]).expect("sent");
        let silent = world.reach(Way::Tcp);
        let stopping = thread::spawn(move || world.stop());
        assert_eq!(rest(&mut *sockets[0]), "");
        sockets[1].write_all(&get[10..]).expect("sent");
        let answer = rest(&mut *sockets[1]);
        assert!(
            answer.starts_with("HTTP/1.1 503 Service Unavailable\r\n"),
            "{answer}"
        );
        assert!(answer.contains("\r\nconnection: close\r\n"), "{answer}");
        stopping.join().expect("the end");
        drop(silent);
    });
}
