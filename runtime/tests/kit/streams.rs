//! The blocking side of a test: streams, paths and bytes.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::os::linux::net::SocketAddrExt;
use std::os::unix::net::{SocketAddr, UnixStream};
use std::path::PathBuf;
use std::time::Duration;

use corespun_runtime::{Address, Engine, LocalConfig, LocalShard, RingOptions, Running, Runtime};

use crate::service::{Manner, start_echo};

/// A shard on this thread.
pub fn local(engine: Engine) -> LocalShard {
    LocalShard::new(LocalConfig { engine, cpu: None }).expect("a shard")
}

/// A shard on this thread with hardly any receive buffers.
pub fn starving(engine: Engine) -> LocalShard {
    LocalShard::with_ring(LocalConfig { engine, cpu: None }, tiny_ring()).expect("a shard")
}

/// Two buffers of 64 bytes: enough for nothing.
pub fn tiny_ring() -> RingOptions {
    RingOptions {
        buffers: 2,
        buffer_bytes: 64,
        buffers_initial: 1,
        ..RingOptions::default()
    }
}

/// A fresh path for a Unix socket.
pub fn socket_path(name: &str) -> PathBuf {
    std::env::temp_dir().join(format!("corespun-{}-{name}.sock", std::process::id()))
}

/// An echo service on `addresses` with the usual settings.
pub fn echo(engine: Engine, shards: usize, addresses: &[Address], manner: Manner) -> Running {
    let builder = Runtime::builder().shards(shards).engine(engine);
    start_echo(builder, addresses, manner)
}

/// A blocking stream of either kind.
pub trait Stream: Read + Write + Send {
    fn half_close(&self);
}

impl Stream for TcpStream {
    fn half_close(&self) {
        self.shutdown(std::net::Shutdown::Write)
            .expect("half-close");
    }
}

impl Stream for UnixStream {
    fn half_close(&self) {
        self.shutdown(std::net::Shutdown::Write)
            .expect("half-close");
    }
}

/// Connects a blocking stream that gives up rather than hang a test.
pub fn dial(address: &Address) -> Box<dyn Stream> {
    let patience = Some(Duration::from_secs(20));
    match address {
        Address::Tcp(address) => {
            let stream = TcpStream::connect(address).expect("connect");
            stream.set_read_timeout(patience).expect("a timeout");
            stream.set_write_timeout(patience).expect("a timeout");
            Box::new(stream)
        }
        Address::Abstract(name) => {
            let name = SocketAddr::from_abstract_name(name).expect("a name");
            let stream = UnixStream::connect_addr(&name).expect("connect");
            stream.set_read_timeout(patience).expect("a timeout");
            Box::new(stream)
        }
        Address::Unix(path) => {
            let stream = UnixStream::connect(path).expect("connect");
            stream.set_read_timeout(patience).expect("a timeout");
            stream.set_write_timeout(patience).expect("a timeout");
            Box::new(stream)
        }
    }
}

/// Bytes that differ from place to place, so that a mix-up is seen.
pub fn pattern(len: usize) -> Vec<u8> {
    (0..len).map(|i| (i * 31 + i / 251) as u8).collect()
}
