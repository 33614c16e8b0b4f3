//! Limit counters on real sockets: one peer exceeds a limit, the other is not affected.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::{Duration, Instant};

use corespun_http2::Limit;
use corespun_runtime::Address;
use corespun_server::{Config, Server};

const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0";
const PING: &[u8] = b"\0\0\x08\x06\0\0\0\0\0abcdefgh";
const PING_ACK: &[u8] = b"\0\0\x08\x06\x01\0\0\0\0abcdefgh";

/// Reads until `end` or the end of the connection; returns the bytes.
fn read_until(stream: &mut TcpStream, end: &[u8]) -> Vec<u8> {
    let patience = Some(Duration::from_secs(20));
    stream.set_read_timeout(patience).expect("a timeout");
    let (mut all, mut piece) = (Vec::new(), [0; 4096]);
    while !all.windows(end.len()).any(|window| window == end) {
        match stream.read(&mut piece).expect("an answer in time") {
            0 => break,
            len => all.extend_from_slice(&piece[..len]),
        }
    }
    all
}

#[test]
fn hits_are_summed_over_connections_and_shards() {
    let mut config = Config::default();
    config.http2.glitch_budget = 5;
    config.lifetime.keepalive_min_time = Duration::ZERO;
    config.http2.preface_time_max = Duration::from_secs(2);
    let server = Server::builder().listen("127.0.0.1:0").shards(2);
    let running = server.config(config).start().expect("a server");
    let Address::Tcp(address) = running.addresses()[0] else {
        panic!("not TCP")
    };
    let connect = || {
        let mut stream = TcpStream::connect(address).expect("a connection");
        stream.write_all(PREFACE).expect("sent");
        stream
    };
    let mut good = connect();
    let silent = TcpStream::connect(address).expect("a connection");
    for _ in 0..3 {
        let mut flood = connect();
        flood.write_all(&PING.repeat(5)).expect("sent");
        let calm = b"\0\0\0\x0bglitch_budget: 5 frames of no use without streams and data";
        let said = read_until(&mut flood, calm);
        assert!(said.ends_with(calm), "GOAWAY with ENHANCE_YOUR_CALM");
    }
    let stats = running.limit_stats().clone();
    let began = Instant::now();
    while stats.total().of(Limit::Glitches) < 3 || stats.total().of(Limit::PrefaceTime) < 1 {
        assert!(began.elapsed() < Duration::from_secs(20), "{stats:?}");
        std::thread::sleep(Duration::from_millis(5));
    }
    good.write_all(PING).expect("sent");
    assert!(
        read_until(&mut good, PING_ACK).ends_with(PING_ACK),
        "others live on"
    );
    let total = stats.total();
    assert_eq!(total.of(Limit::Glitches), 3);
    assert_eq!(total.iter().map(|(_, count)| count).sum::<u64>(), 4);
    assert_eq!(stats.by_shard().len(), 2);
    drop((good, silent));
    running.stop().expect("a clean end");
}

/// A proxy's connection carries the calls of many clients: it does not end for the behaviour of
/// one.
#[test]
fn a_trusted_proxy_is_on_its_own_listener() {
    let mut config = Config::default();
    config.http2.glitch_budget = 5;
    let server = Server::builder()
        .listen("127.0.0.1:0")
        .listen_trusted_proxy("127.0.0.1:0")
        .shards(1);
    let running = server.config(config).start().expect("a server");
    let connect = |listener: usize| {
        let Address::Tcp(address) = running.addresses()[listener] else {
            panic!("not TCP")
        };
        let mut stream = TcpStream::connect(address).expect("a connection");
        stream.write_all(PREFACE).expect("sent");
        stream
    };
    let mut anybody = connect(0);
    anybody.write_all(&PING.repeat(5)).expect("sent");
    let said = read_until(&mut anybody, b"too_many_pings");
    assert!(said.ends_with(b"too_many_pings"), "strikes are counted");
    let mut proxy = connect(1);
    for _ in 0..200 {
        proxy.write_all(PING).expect("sent");
        let said = read_until(&mut proxy, PING_ACK);
        assert!(said.ends_with(PING_ACK), "the proxy's connection lives on");
    }
    drop((anybody, proxy));
    running.stop().expect("a clean end");
}
