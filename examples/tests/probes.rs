//! `users` program with load balancers and `curl`: plain requests, HTTP/1.1.

use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use corespun_http2::hpack::{Field, Indexing};
use corespun_http2::{Config, Connection, Event, Token};

/// Longest wait for a response, however slow the machine is.
const TIMEOUT: Duration = Duration::from_secs(60);

/// The program on a new database, removed on drop.
struct Users {
    child: Child,
    folder: PathBuf,
    address: String,
}

impl Users {
    /// Starts the program with additional flags; `name` distinguishes it from those of other tests.
    fn start(name: &str, more: &[&str]) -> Self {
        let name = format!("corespun-{name}-{}", std::process::id());
        let folder = std::env::temp_dir().join(name);
        fs::create_dir_all(&folder).unwrap();
        let mut child = Command::new(env!("CARGO_BIN_EXE_users"))
            .args(["--listen", "127.0.0.1:0", "--shards", "1"])
            .args(more)
            .arg("--db")
            .arg(folder.join("users.db"))
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(child.stderr.take().unwrap()).lines();
        let address = lines.find_map(|line| {
            let line = line.unwrap();
            let (_, rest) = line.split_once("listening on ")?;
            rest.split_whitespace().next().map(str::to_owned)
        });
        Self {
            child,
            folder,
            address: address.expect("it listens"),
        }
    }

    /// Sends a request on a new connection; returns the status and body of the response.
    fn ask(&self, method: &str, path: &str) -> (String, String) {
        let mut socket = TcpStream::connect(&self.address).unwrap();
        socket.set_read_timeout(Some(TIMEOUT)).unwrap();
        let mut http2 = Connection::new(Config::client());
        let fields = [
            (":method", method),
            (":scheme", "http"),
            (":authority", &self.address),
            (":path", path),
        ];
        let fields = fields.map(|(name, value)| Field {
            name: name.as_bytes(),
            value: value.as_bytes(),
            indexing: Indexing::Literal,
        });
        http2.open(fields.into_iter(), None, true).unwrap();
        let (mut status, mut body) = (String::new(), String::new());
        let mut buffer = [0; 4096];
        loop {
            let mut output = Vec::new();
            http2.transmit(&mut output);
            socket.write_all(&output).unwrap();
            let len = socket.read(&mut buffer).unwrap();
            assert_ne!(len, 0, "the connection ended before the answer");
            let mut input = &buffer[..len];
            while let Some(event) = http2.receive(Duration::ZERO, &mut input).unwrap() {
                let ended = match event {
                    Event::Headers { end_stream, .. } => {
                        let value = http2.headers().first(Token::Status).unwrap();
                        status = String::from_utf8_lossy(value).into_owned();
                        end_stream
                    }
                    Event::Data {
                        bytes, end_stream, ..
                    } => {
                        body.push_str(&String::from_utf8_lossy(bytes));
                        end_stream
                    }
                    _ => false,
                };
                if ended {
                    return (status, body);
                }
            }
        }
    }
}

impl Users {
    /// Starts the program with one origin whose pages may call.
    fn for_browsers(name: &str) -> Self {
        Self::start(name, &["--web-origin", "http://a.example"])
    }

    /// Sends `text` on a new connection, and returns everything up to its end.
    fn converse(&self, text: &[u8]) -> String {
        let mut socket = TcpStream::connect(&self.address).unwrap();
        socket.set_read_timeout(Some(TIMEOUT)).unwrap();
        socket.write_all(text).unwrap();
        let mut heard = Vec::new();
        socket.read_to_end(&mut heard).unwrap();
        String::from_utf8_lossy(&heard).into_owned()
    }

    /// Returns the output of curl for a path.
    fn curl(&self, path: &str, arguments: &[&str]) -> String {
        let mut curl = Command::new("curl")
            .args(["--silent", "--show-error", "--include", "--max-time", "60"])
            .args(arguments)
            .arg(format!("http://{}{path}", self.address))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        curl.stdin.take().unwrap().write_all(CALL).unwrap();
        let output = curl.wait_with_output().unwrap();
        assert!(output.status.success(), "{arguments:?}");
        String::from_utf8_lossy(&output.stdout).into_owned()
    }
}

/// Framed `UserRequest { id: 1 }`.
const CALL: &[u8] = b"\0\0\0\0\x02\x08\x01";

const GET_USER: &str = "/user.UserService/GetUser";

impl Drop for Users {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        let _ = fs::remove_dir_all(&self.folder);
    }
}

#[test]
fn probes_are_answered_beside_calls() {
    let users = Users::start("probes", &[]);
    let check = |method: &str, path: &str, status: &str, body: &str| {
        let answer = users.ask(method, path);
        assert_eq!(
            answer,
            (status.to_owned(), body.to_owned()),
            "{method} {path}"
        );
    };
    check("GET", "/healthz", "200", "ok\n");
    check("HEAD", "/healthz", "200", "");
    check("GET", "/healthz?verbose", "200", "ok\n");
    check("DELETE", "/healthz", "405", "");
    check("GET", "/readyz?service=user.UserService", "200", "ok\n");
    check(
        "GET",
        "/readyz?service=a.B",
        "404",
        "unknown service \"a.B\"\n",
    );
    check("GET", "/livez", "200", "ok\n");
    check("GET", "/nothing", "404", "nothing is served at /nothing\n");
}

#[test]
fn http1_needs_no_flag() {
    let users = Users::start("http1-alone", &[]);
    let ok = "HTTP/1.1 200 OK\r\ncontent-length: 3\r\nconnection: close\r\n\r\nok\n";
    for request in [
        "GET /healthz HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n",
        "OPTIONS / HTTP/1.0\r\n\r\n",
    ] {
        assert_eq!(users.converse(request.as_bytes()), ok, "{request:?}");
    }
    let native = "HTTP/1.1\r\nhost: a\r\ncontent-type: application/grpc\r\n\r\n";
    let heard = users.converse(format!("POST {GET_USER} {native}").as_bytes());
    assert!(heard.starts_with("HTTP/1.1 505 "), "{heard}");
}

#[test]
fn http1_and_http2_are_spoken_on_one_port() {
    let users = Users::for_browsers("http1");
    let probe = ("200".to_owned(), "ok\n".to_owned());
    assert_eq!(users.ask("GET", "/healthz"), probe);
    let get = "GET /healthz HTTP/1.1\r\nhost: a\r\n\r\n";
    let last = "HEAD /healthz HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n";
    let ok = "HTTP/1.1 200 OK\r\ncontent-length: 3\r\n";
    assert_eq!(
        users.converse(format!("{get}{get}{last}").as_bytes()),
        format!("{ok}\r\nok\n{ok}\r\nok\n{ok}connection: close\r\n\r\n"),
    );
    let head = format!(
        "POST {GET_USER} HTTP/1.1\r\nhost: a\r\norigin: http://a.example\r\nconnection: close\r\n\
         content-type: application/grpc-web\r\ncontent-length: {}\r\n\r\n",
        CALL.len()
    );
    let heard = users.converse(&[head.as_bytes(), CALL].concat());
    assert!(
        heard.contains("access-control-allow-origin: http://a.example\r\n"),
        "{heard}"
    );
    assert!(heard.contains("@example.com"), "{heard}");
    assert!(
        heard.ends_with("grpc-status: 0\r\n\r\n0\r\n\r\n"),
        "{heard}"
    );
    let heard = users.converse(b"GET / HTTP/1.1\nhost: a\n\n");
    assert!(heard.starts_with("HTTP/1.1 400 Bad Request\r\n"), "{heard}");
}

#[test]
fn curl_understands_the_answers() {
    let version = Command::new("curl").arg("--version").output();
    let Ok(version) = version.map(|output| String::from_utf8_lossy(&output.stdout).into_owned())
    else {
        println!("SKIPPED curl: there is no curl on this machine");
        return;
    };
    let users = Users::for_browsers("curl");
    let found = users.curl("/healthz", &["--http1.1"]);
    assert!(
        found.starts_with("HTTP/1.1 200 OK") && found.ends_with("\r\n\r\nok\n"),
        "{found}"
    );
    let found = users.curl("/healthz", &["--http1.1", "--head"]);
    assert!(
        found.contains("content-length: 3") && found.ends_with("\r\n\r\n"),
        "{found}"
    );
    // Asks for an upgrade to HTTP/2, which is not granted (RFC 9113 §3.1).
    if version.contains("HTTP2") {
        let found = users.curl("/healthz", &["--http2"]);
        assert!(found.starts_with("HTTP/1.1 200 OK"), "{found}");
    }
    let found = users.curl("/healthz", &["--http1.0"]);
    assert!(
        found.contains("connection: close") && found.ends_with("ok\n"),
        "{found}"
    );
    let post = [
        "--data-binary",
        "@-",
        "--header",
        "content-type: application/grpc-web+proto",
    ];
    for shape in [
        &["--http1.1"][..],
        &["--http1.1", "--header", "transfer-encoding: chunked"],
        &["--http1.1", "--header", "expect: 100-continue"],
        &["--http2-prior-knowledge"],
    ] {
        if shape == ["--http2-prior-knowledge"] && !version.contains("HTTP2") {
            println!("SKIPPED curl-http2: this curl has no HTTP/2");
            continue;
        }
        let found = users.curl(GET_USER, &[shape, &post].concat());
        assert!(found.contains("200"), "{shape:?}: {found}");
        assert!(found.contains("@example.com"), "{shape:?}: {found}");
        assert!(found.ends_with("grpc-status: 0\r\n"), "{shape:?}: {found}");
    }
}
