//! Servers of a calibration: one answers every call with constant bytes, the other echoes. Neither
//! parses its input beyond that.

use std::io::{self, Write as _};
use std::process::ExitCode;
use std::time::Duration;

use clap::Args;
use corespun_http2::hpack::{Field, Indexing};
use corespun_http2::{Config, Connection, Event, StreamKey};
use corespun_runtime::{
    Accept, Address, CpuList, Engine, Flow, Input, Peer, Protocol, Runtime, SocketHandle,
};

use crate::error::LoadError;
use crate::interrupt::Interrupt;

/// Response `UserResponse { id: 1, name: "name", email: "email@example.com" }` with its prefix.
const REPLY: &[u8] = b"\0\0\0\0\x1b\x08\x01\x12\x04name\x1a\x11email@example.com";

/// Arguments of a responder.
#[derive(Args, Clone, Debug)]
pub struct RespondArgs {
    /// Address to listen on
    #[arg(long, value_name = "ADDR", default_value = "127.0.0.1:0")]
    pub listen: Address,
    /// Kernel interface for sockets: auto, uring or epoll
    #[arg(long, default_value = "auto")]
    pub engine: Engine,
    /// CPUs to pin the threads to
    #[arg(long, value_name = "LIST")]
    pub cpu: Option<CpuList>,
    /// Return the received bytes instead of speaking HTTP/2
    #[arg(long)]
    pub echo: bool,
}

/// Serves until a signal ends it.
pub(in crate::command) fn respond(
    args: &RespondArgs,
    interrupt: &Interrupt,
) -> Result<ExitCode, LoadError> {
    let echo = args.echo;
    let mut builder = Runtime::builder()
        .listen(args.listen.clone())
        .shards(1)
        .engine(args.engine);
    if let Some(cpus) = &args.cpu {
        builder = builder.cpus(cpus.as_slice().to_vec());
    }
    let running = builder
        .start(move |_| Ok(Box::new(Door { echo }) as Box<dyn Accept>))
        .map_err(LoadError::Start)?;
    for address in running.addresses() {
        let _ = writeln!(io::stderr(), "listening on {address}");
    }
    while interrupt.signal().is_none() {
        std::thread::sleep(Duration::from_millis(20));
    }
    Ok(ExitCode::SUCCESS)
}

/// Starts the null responder in this process, for tests.
#[cfg(test)]
pub(in crate::command) fn null_for_tests() -> corespun_runtime::Running {
    let builder = Runtime::builder().shards(1);
    let builder = builder.listen("127.0.0.1:0".parse().unwrap());
    let door = |_| Ok(Box::new(Door { echo: false }) as Box<dyn Accept>);
    builder.start(door).unwrap()
}

struct Door {
    echo: bool,
}

impl Accept for Door {
    fn accept(&mut self, _peer: Peer, _socket: SocketHandle) -> Box<dyn Protocol> {
        match self.echo {
            true => Box::new(Echo::default()),
            false => Box::new(Null {
                http2: Connection::new(Config::server()),
                over: false,
            }),
        }
    }
}

#[derive(Default)]
struct Echo {
    bytes: Vec<u8>,
    over: bool,
}

impl Protocol for Echo {
    fn receive(&mut self, _now: Duration, input: Input<'_>) {
        match input {
            Input::Bytes(bytes) => self.bytes.extend_from_slice(bytes),
            _ => self.over = true,
        }
    }

    fn advance(&mut self, _now: Duration) {}

    fn transmit(&mut self, out: &mut Vec<u8>) -> Flow {
        out.append(&mut self.bytes);
        if self.over { Flow::Close } else { Flow::Open }
    }

    fn deadline(&self) -> Option<Duration> {
        None
    }
}

struct Null {
    http2: Connection,
    over: bool,
}

impl Null {
    fn on_event(&mut self, event: Event<'_>) {
        if let Event::Data {
            stream,
            bytes,
            end_stream,
        } = event
        {
            self.http2.release(stream, bytes.len());
            if end_stream {
                self.reply(stream);
            }
        }
    }

    fn reply(&mut self, stream: StreamKey) {
        let field = |(name, value): (&'static str, &'static str)| Field {
            name: name.as_bytes(),
            value: value.as_bytes(),
            indexing: Indexing::Index,
        };
        let head = [(":status", "200"), ("content-type", "application/grpc")];
        let head = head.into_iter().map(field);
        self.http2.send_headers(stream, head, None, false);
        self.http2.send_data(stream, REPLY, false);
        let trailers = [("grpc-status", "0")].into_iter().map(field);
        self.http2.send_headers(stream, trailers, None, true);
    }
}

impl Protocol for Null {
    fn receive(&mut self, now: Duration, input: Input<'_>) {
        let Input::Bytes(mut bytes) = input else {
            self.over = true;
            return;
        };
        while !self.over {
            match self.http2.receive(now, &mut bytes) {
                Ok(Some(event)) => self.on_event(event),
                Ok(None) => break,
                Err(_) => self.over = true,
            }
        }
    }

    fn advance(&mut self, _now: Duration) {}

    fn transmit(&mut self, out: &mut Vec<u8>) -> Flow {
        self.http2.transmit(out);
        if self.over { Flow::Close } else { Flow::Open }
    }

    fn deadline(&self) -> Option<Duration> {
        None
    }
}
