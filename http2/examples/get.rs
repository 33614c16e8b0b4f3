//! `get http://127.0.0.1:8080/`: the client's side of HTTP/2 over a blocking socket.
//!
//! Sends one request and prints what becomes of it. It then stays until the server says goodbye,
//! so that a suite of conformance tests may do to it what it likes meanwhile.

use std::error::Error;
use std::io::{ErrorKind, Read, Write};
use std::net::{Shutdown, TcpStream};
use std::process::ExitCode;
use std::time::{Duration, Instant};

use corespun_http2::hpack::{Field, Indexing};
use corespun_http2::{Config, Connection, Event};

/// How long a server may keep us.
const STAY_MAX: Duration = Duration::from_secs(2);

/// How long the last bytes may take to reach a server that we are done with.
const LINGER: Duration = Duration::from_millis(200);

fn main() -> ExitCode {
    let Some(url) = std::env::args().nth(1) else {
        eprintln!("get: one argument is needed, such as http://127.0.0.1:8080/");
        return ExitCode::FAILURE;
    };
    match get(&url) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("get: {error}");
            ExitCode::FAILURE
        }
    }
}

fn get(url: &str) -> Result<(), Box<dyn Error>> {
    let rest = url.strip_prefix("http://");
    let rest = rest.ok_or_else(|| format!("failed to read {url}: it is no http:// URL"))?;
    let (authority, path) = rest.split_once('/').unwrap_or((rest, ""));
    let mut socket = TcpStream::connect(authority)?;
    let mut http2 = Connection::new(Config::client());
    let path = format!("/{path}");
    let fields = [
        (":method", "GET"),
        (":scheme", "http"),
        (":authority", authority),
        (":path", &path),
    ];
    let fields = fields.map(|(name, value)| Field {
        name: name.as_bytes(),
        value: value.as_bytes(),
        indexing: Indexing::Literal,
    });
    http2.open(fields.into_iter(), None, true)?;
    let outcome = converse(&mut http2, &mut socket);
    send(&mut http2, &mut socket)?;
    close(&mut socket)?;
    outcome
}

/// Reads and answers until the connection ends, one way or another.
fn converse(http2: &mut Connection, socket: &mut TcpStream) -> Result<(), Box<dyn Error>> {
    let start = Instant::now();
    let mut buffer = vec![0; 64 << 10];
    while start.elapsed() < STAY_MAX {
        send(http2, socket)?;
        socket.set_read_timeout(Some(LINGER))?;
        let len = match socket.read(&mut buffer) {
            Ok(0) => return Ok(()),
            Ok(len) => len,
            Err(error) if error.kind() == ErrorKind::WouldBlock => continue,
            Err(error) => return Err(error.into()),
        };
        let mut input = &buffer[..len];
        while let Some(event) = http2.receive(start.elapsed(), &mut input)? {
            println!("{event:?}");
            match event {
                Event::GoAway { .. } => return Ok(()),
                Event::Data { stream, bytes, .. } => http2.release(stream, bytes.len()),
                _ => {}
            }
        }
    }
    Ok(())
}

fn send(http2: &mut Connection, socket: &mut TcpStream) -> Result<(), Box<dyn Error>> {
    let mut output = Vec::new();
    http2.transmit(&mut output);
    Ok(socket.write_all(&output)?)
}

/// Ends our side first: what we sent last would be lost if we closed over unread bytes.
fn close(socket: &mut TcpStream) -> Result<(), Box<dyn Error>> {
    socket.shutdown(Shutdown::Write)?;
    let start = Instant::now();
    let mut rest = [0; 4096];
    while start.elapsed() < LINGER && matches!(socket.read(&mut rest), Ok(1..)) {}
    Ok(())
}
