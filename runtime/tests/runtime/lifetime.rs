//! Tests of runtimes: start, shared addresses, drain and end.

use std::io::{Read, Write};
use std::net::TcpListener;
use std::os::unix::net::{UnixListener, UnixStream};
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use corespun_runtime::{
    Address, Balance, Credentials, Engine, Flow, Input, LocalConfig, LocalShard, Peer, Protocol,
    Runtime, SocketHandle, StartError, invoke_on, shard_id, spawn, stats,
};
use nix::unistd::{getegid, geteuid};

use crate::engines::each_engine;
use crate::service::{Echo, Manner, any_port, start_echo};
use crate::streams::{dial, echo, pattern, socket_path};

fn exchange(address: &Address) {
    let mut stream = dial(address);
    stream.write_all(b"hello").expect("send");
    let mut answer = [0; 5];
    stream.read_exact(&mut answer).expect("receive");
}

#[test]
fn a_port_can_be_used_again_right_after_the_end() {
    each_engine("a_port_can_be_used_again", |engine| {
        for shards in [1, 2] {
            let mut address = any_port();
            for _ in 0..5 {
                let running = echo(engine, shards, &[address], Manner::default());
                address = running.addresses()[0].clone();
                let mut open = dial(&address);
                open.write_all(b"left open").expect("send");
                exchange(&address);
                running.stop_now();
                running.join().expect("a clean end");
            }
        }
    });
}

#[test]
fn a_unix_peer_is_known_to_the_kernel() {
    each_engine("a_unix_peer_is_known", |engine| {
        let peers = Arc::new(Mutex::new(Vec::new()));
        let unix = Address::Unix(socket_path(&format!("credentials-{engine}")));
        let builder = Runtime::builder().shards(2).engine(engine);
        let seen = peers.clone();
        let running = builder.listen(any_port()).listen(unix).start(move |_| {
            let seen = seen.clone();
            Ok(Box::new(move |peer: Peer, _: SocketHandle| {
                seen.lock().expect("whole").push(peer);
                Echo::boxed(Manner::default())
            }))
        });
        let running = running.expect("the service starts");
        running.addresses().iter().for_each(exchange);
        running.stop_now();
        running.join().expect("a clean end");
        let peers = peers.lock().expect("whole");
        let at = |listener| peers.iter().find(|peer| peer.listener == listener);
        assert_eq!(at(0).expect("by TCP").credentials, None);
        let found = at(1).and_then(|peer| peer.credentials);
        let (pid, uid, gid) = (std::process::id() as i32, geteuid(), getegid());
        let ours = Credentials::new(pid, uid.as_raw(), gid.as_raw());
        assert_eq!(found, Some(ours));
    });
}

#[test]
fn a_port_in_use_is_a_clear_error() {
    each_engine("a_port_in_use", |engine| {
        let first = echo(engine, 2, &[any_port()], Manner::default());
        let address = first.addresses()[0].clone();
        for shards in [1, 2] {
            let builder = Runtime::builder().engine(engine).shards(shards);
            let error = builder
                .listen(address.clone())
                .start(|_| Err("unused".into()));
            let error = error.expect_err("the port is taken").to_string();
            let expected =
                format!("failed to listen on {address}: Address already in use (os error 98)");
            assert_eq!(error, expected);
        }
        exchange(&address);
    });
}

#[test]
fn a_foreign_listener_is_not_shared_with() {
    let foreign = TcpListener::bind("127.0.0.1:0").expect("bind");
    let address = Address::Tcp(foreign.local_addr().expect("an address"));
    let builder = Runtime::builder().engine(Engine::Epoll).shards(2);
    let error = builder.listen(address).start(|_| Err("unused".into()));
    let error = error.expect_err("the port is taken");
    assert!(matches!(error, StartError::Listen { .. }), "{error}");
}

#[test]
fn a_stale_unix_socket_is_replaced_and_a_live_one_is_not() {
    each_engine("a_stale_unix_socket", |engine| {
        let path = socket_path(&format!("stale-{engine}"));
        drop(UnixListener::bind(&path).expect("bind"));
        assert!(path.exists(), "left behind by its listener");
        let address = Address::Unix(path.clone());
        let running = echo(engine, 2, std::slice::from_ref(&address), Manner::default());
        exchange(&address);
        let builder = Runtime::builder().engine(engine).shards(1);
        let error = builder
            .listen(address.clone())
            .start(|_| Err("unused".into()));
        let error = error.expect_err("somebody answers there").to_string();
        assert!(error.contains("Address already in use"), "{error}");
        exchange(&address);
        drop(running);
        assert!(!path.exists(), "removed at the end");
    });
}

#[test]
fn a_file_that_is_no_socket_is_left_alone() {
    let path = socket_path("a-file");
    std::fs::write(&path, "precious").expect("write");
    let builder = Runtime::builder().engine(Engine::Epoll).shards(1);
    let started = builder
        .listen(Address::Unix(path.clone()))
        .start(|_| Err("unused".into()));
    assert!(matches!(started, Err(StartError::Listen { .. })));
    assert_eq!(std::fs::read_to_string(&path).expect("read"), "precious");
    std::fs::remove_file(&path).expect("remove");
}

#[test]
fn a_failing_factory_stops_all_shards() {
    each_engine("a_failing_factory", |engine| {
        for panics in [false, true] {
            let builder = Runtime::builder().engine(engine).shards(3);
            let error = builder.listen(any_port()).start(move |shard| {
                if shard.index() == 1 {
                    assert!(!panics, "no database");
                    return Err("no database".into());
                }
                Ok(Box::new(|_: Peer, _: SocketHandle| {
                    Echo::boxed(Manner::default())
                }))
            });
            let error = error.expect_err("shard 1 fails").to_string();
            assert!(
                error.starts_with("failed to make the service of shard 1: "),
                "{error}"
            );
            assert!(error.ends_with("no database"), "{error}");
        }
    });
}

#[test]
fn bad_settings_are_named() {
    let error = Runtime::builder().shards(0).start(|_| Err("unused".into()));
    let error = error.expect_err("no shards").to_string();
    assert_eq!(error, "failed to start shards: 0 shards asked for");
    let error = Runtime::builder().cpus(Vec::new()).bind();
    let error = error.expect_err("no CPUs").to_string();
    assert_eq!(error, "failed to start shards: the list of CPUs is empty");
    let config = LocalConfig {
        cpu: Some(4096),
        ..LocalConfig::default()
    };
    let error = LocalShard::new(config).err().expect("no such CPU");
    assert!(error.to_string().contains("CPU 4096"), "{error}");
}

#[test]
fn a_cpu_that_is_not_there_keeps_nobody_from_serving() {
    let builder = Runtime::builder().cpus(vec![4096]);
    let running = start_echo(builder, &[any_port()], Manner::default());
    assert_eq!(running.shards(), 1);
    exchange(&running.addresses()[0]);
}

/// Answers the number of the shard it runs on, to every byte.
struct WhichShard {
    output: Vec<u8>,
    ended: bool,
}

impl Protocol for WhichShard {
    fn receive(&mut self, _now: Duration, input: Input<'_>) {
        match input {
            Input::Bytes(bytes) => self.output.extend(bytes.iter().map(|_| shard_id() as u8)),
            Input::End => self.ended = true,
        }
    }
    fn advance(&mut self, _now: Duration) {}
    fn transmit(&mut self, out: &mut Vec<u8>) -> Flow {
        out.append(&mut self.output);
        if self.ended { Flow::Close } else { Flow::Open }
    }
    fn deadline(&self) -> Option<Duration> {
        None
    }
}

/// A service on two shards that tells them apart.
fn which_shard(engine: Engine, balance: Balance, address: Address) -> corespun_runtime::Running {
    let mut builder = Runtime::builder().engine(engine).balance(balance).shards(2);
    if balance == Balance::Cpu {
        let cores = core_affinity::get_core_ids().unwrap_or_default();
        builder = builder.cpus(cores.iter().take(2).map(|core| core.id).collect());
    }
    let running = builder.listen(address).start(|_| {
        let accept = |_: Peer, _: SocketHandle| -> Box<dyn Protocol> {
            Box::new(WhichShard {
                output: Vec::new(),
                ended: false,
            })
        };
        Ok(Box::new(accept))
    });
    running.expect("started")
}

/// Returns the number of `count` connections to `address`, kept open meanwhile, on each shard.
fn spread(address: &Address, count: usize) -> [usize; 2] {
    let mut spread = [0; 2];
    let mut streams = Vec::new();
    for _ in 0..count {
        let mut stream = dial(address);
        stream.write_all(b"?").expect("send");
        let mut shard = [0];
        stream.read_exact(&mut shard).expect("receive");
        spread[usize::from(shard[0])] += 1;
        streams.push(stream);
    }
    spread
}

#[test]
fn connections_are_spread_evenly() {
    each_engine("connections_are_spread_evenly", |engine| {
        let unix = Address::Unix(socket_path(&format!("spread-{engine}")));
        for address in [any_port(), unix] {
            let running = which_shard(engine, Balance::Balanced, address);
            assert_eq!(spread(&running.addresses()[0], 10), [5, 5]);
        }
    });
}

#[test]
fn reuseport_lets_the_kernel_choose() {
    each_engine("reuseport_lets_the_kernel_choose", |engine| {
        let running = which_shard(engine, Balance::ReusePort, any_port());
        let spread = spread(&running.addresses()[0], 64);
        assert_eq!(spread[0] + spread[1], 64);
        assert!(spread[0] > 5 && spread[1] > 5, "{spread:?}");
    });
}

#[test]
fn connections_stay_on_the_cpu_they_come_in_on() {
    let cores = core_affinity::get_core_ids().unwrap_or_default();
    if cores.len() < 2 {
        return println!("SKIPPED connections_stay_on_the_cpu: a single CPU");
    }
    each_engine("connections_stay_on_the_cpu", |engine| {
        let running = which_shard(engine, Balance::Cpu, any_port());
        for (shard, core) in cores[..2].iter().copied().enumerate() {
            let address = running.addresses()[0].clone();
            // On loopback a packet comes in on the CPU it was sent from.
            let counted = thread::spawn(move || {
                assert!(core_affinity::set_for_current(core));
                spread(&address, 20)
            });
            assert_eq!(counted.join().expect("no panic")[shard], 20);
        }
    });
}

#[test]
fn a_drain_lets_connections_finish() {
    each_engine("a_drain_lets_connections_finish", |engine| {
        let running = echo(engine, 2, &[any_port()], Manner::default());
        let address = running.addresses()[0].clone();
        let mut streams: Vec<_> = (0..8).map(|_| dial(&address)).collect();
        for stream in &mut streams {
            stream.write_all(b"before").expect("send");
            let mut answer = [0; 6];
            stream.read_exact(&mut answer).expect("receive");
        }
        running.stop();
        for stream in &mut streams {
            let mut rest = Vec::new();
            stream.read_to_end(&mut rest).expect("an orderly end");
        }
        drop(streams);
        running.join().expect("a clean end");
        let Address::Tcp(address) = address else {
            unreachable!("asked for TCP")
        };
        std::net::TcpStream::connect(address).expect_err("nobody listens any more");
    });
}

#[test]
fn a_drain_ends_when_the_grace_is_over() {
    each_engine("a_drain_ends_when_the_grace_is_over", |engine| {
        let manner = Manner {
            ignore_drain: true,
            ..Manner::default()
        };
        let grace = Duration::from_millis(150);
        let builder = Runtime::builder().engine(engine).shards(1).grace(grace);
        let running = start_echo(builder, &[any_port()], manner);
        let mut stream = dial(&running.addresses()[0]);
        stream.write_all(b"open").expect("send");
        let mut answer = [0; 4];
        stream.read_exact(&mut answer).expect("receive");
        let began = Instant::now();
        running.stop();
        stream.write_all(b"open").expect("still served");
        stream.read_exact(&mut answer).expect("still answered");
        running.join().expect("a clean end");
        let took = began.elapsed();
        assert!(took >= grace, "{took:?}");
        assert!(took < grace + Duration::from_secs(5), "{took:?}");
        let mut rest = Vec::new();
        stream.read_to_end(&mut rest).expect("an orderly end");
        assert_eq!(rest, b"cut", "the last words");
    });
}

#[test]
fn a_flood_without_reading_pauses_the_receive() {
    each_engine("a_flood_without_reading", |engine| {
        static PAUSES: AtomicU64 = AtomicU64::new(0);
        PAUSES.store(0, Ordering::Relaxed);
        let running = Runtime::builder()
            .engine(engine)
            .shards(1)
            .listen(any_port());
        let running = running.start(|_| {
            spawn(async {
                loop {
                    corespun_runtime::sleep(Duration::from_millis(5)).await;
                    PAUSES.store(stats().pauses, Ordering::Relaxed);
                }
            });
            Ok(Box::new(|_: Peer, _: SocketHandle| {
                Echo::boxed(Manner::default())
            }))
        });
        let running = running.expect("started");
        let mut stream = dial(&running.addresses()[0]);
        let flood = pattern(1 << 20);
        let mut sent = 0;
        // The service must at some point refuse to buffer any more.
        let Address::Tcp(address) = running.addresses()[0].clone() else {
            unreachable!("asked for TCP")
        };
        let deaf = std::net::TcpStream::connect(address).expect("connect");
        deaf.set_write_timeout(Some(Duration::from_millis(500)))
            .expect("a timeout");
        while sent < 256 << 20 {
            match (&deaf).write(&flood) {
                Ok(len) => sent += len,
                Err(_) => break,
            }
        }
        assert!(sent < 64 << 20, "{sent} bytes went into memory");
        assert!(PAUSES.load(Ordering::Relaxed) > 0, "the pump paused");
        stream.write_all(b"others").expect("others are served");
        let mut answer = [0; 6];
        stream.read_exact(&mut answer).expect("others are answered");
    });
}

#[test]
fn closures_run_on_other_shards() {
    each_engine("closures_run_on_other_shards", |engine| {
        static SUM: AtomicUsize = AtomicUsize::new(0);
        SUM.store(0, Ordering::Relaxed);
        let (report, reports) = std::sync::mpsc::channel();
        let report = Arc::new(std::sync::Mutex::new(report));
        let running = Runtime::builder()
            .engine(engine)
            .shards(2)
            .start(move |shard| {
                let report = report.clone();
                if shard.index() == 0 {
                    spawn(async move {
                        let there = invoke_on(1, shard_id).await.expect("shard 1 answers");
                        let here = invoke_on(0, shard_id).await.expect("shard 0 answers");
                        let lost = invoke_on(1, || assert!(shard_id() == 0, "on purpose")).await;
                        lost.expect_err("a panic is no answer");
                        let report = report.lock().expect("unpoisoned");
                        report.send((there, here)).expect("waited for");
                    });
                }
                Ok(Box::new(|_: Peer, _: SocketHandle| {
                    Echo::boxed(Manner::default())
                }))
            });
        let _running = running.expect("started");
        let patience = Duration::from_secs(10);
        assert_eq!(reports.recv_timeout(patience), Ok((1, 0)));
    });
}

#[test]
fn peers_are_named() {
    each_engine("peers_are_named", |engine| {
        let (report, reports) = std::sync::mpsc::channel();
        let unix = Address::Unix(socket_path(&format!("named-{engine}")));
        let builder = Runtime::builder().engine(engine).shards(1);
        let builder = builder.listen(any_port()).listen(unix.clone());
        let report = std::sync::Mutex::new(report);
        let running = builder.start(move |_| {
            let report = report.lock().expect("unpoisoned").clone();
            Ok(Box::new(move |peer: Peer, _: SocketHandle| {
                report.send(peer).expect("waited for");
                Echo::boxed(Manner::default())
            }))
        });
        let running = running.expect("started");
        let Address::Tcp(tcp) = running.addresses()[0] else {
            unreachable!("asked for TCP")
        };
        let stream = std::net::TcpStream::connect(tcp).expect("connect");
        let peer = reports
            .recv_timeout(Duration::from_secs(10))
            .expect("accepted");
        let own = stream.local_addr().expect("an address");
        assert_eq!((peer.address, peer.listener), (Some(Address::Tcp(own)), 0));
        let Address::Unix(path) = &unix else {
            unreachable!("asked for Unix")
        };
        let _stream = UnixStream::connect(path).expect("connect");
        let peer = reports
            .recv_timeout(Duration::from_secs(10))
            .expect("accepted");
        assert_eq!((peer.address, peer.listener), (None, 1));
    });
}
