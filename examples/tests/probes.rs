//! The `users` program as a load balancer meets it: plain requests, without gRPC.

use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use corespun_http2::hpack::{Field, Indexing};
use corespun_http2::{Config, Connection, Event, Token};

/// No answer here may take longer, however slow the machine is.
const TIMEOUT: Duration = Duration::from_secs(60);

/// The program on a database of its own, gone when the test is.
struct Users {
    child: Child,
    folder: PathBuf,
    address: String,
}

impl Users {
    fn start() -> Self {
        let folder = std::env::temp_dir().join(format!("corespun-probes-{}", std::process::id()));
        fs::create_dir_all(&folder).unwrap();
        let mut child = Command::new(env!("CARGO_BIN_EXE_users"))
            .args(["--listen", "127.0.0.1:0", "--shards", "1", "--db"])
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

    /// Asks over a connection of its own; the answer's status and body.
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

impl Drop for Users {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        let _ = fs::remove_dir_all(&self.folder);
    }
}

#[test]
fn probes_are_answered_beside_calls() {
    let users = Users::start();
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
    check("GET", "/nothing", "404", "nothing is served at /nothing\n");
}
