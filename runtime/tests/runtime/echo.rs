//! Bytes through sockets: every way a connection can go, on TCP and Unix, on both engines.

use std::io::{Read, Write};
use std::thread;
use std::time::{Duration, Instant};

use corespun_runtime::{Address, Engine};

use crate::engines::each_engine;
use crate::service::{Manner, any_port, start_echo};
use crate::streams::{Stream, dial, echo, local, pattern, socket_path, tiny_ring};

/// Runs `test` against an echo service on each kind of address.
fn check(name: &str, manner: Manner, test: impl Fn(&Address)) {
    each_engine(name, |engine| check_on(engine, name, manner, &test));
}

fn check_on(engine: Engine, name: &str, manner: Manner, test: impl Fn(&Address)) {
    let unix = Address::Unix(socket_path(&format!("{name}-{engine}")));
    let running = echo(engine, 1, &[any_port(), unix], manner);
    for address in running.addresses() {
        test(address);
    }
    running.stop();
    running.join().expect("a clean end");
}

#[test]
fn small_messages_come_back() {
    check("small_messages_come_back", Manner::default(), |address| {
        let mut stream = dial(address);
        for round in 0..100_u8 {
            let message = [round; 17];
            stream.write_all(&message).expect("send");
            let mut answer = [0; 17];
            stream.read_exact(&mut answer).expect("receive");
            assert_eq!(answer, message);
        }
    });
}

#[test]
fn megabytes_come_back_whole() {
    check("megabytes_come_back_whole", Manner::default(), |address| {
        let sent = pattern(5 << 20);
        let mut stream = dial(address);
        thread::scope(|scope| {
            let mut writer = dial(address);
            drop(scope.spawn(move || writer.write_all(&pattern(1 << 20)).is_ok()));
            for piece in sent.chunks(1 << 20) {
                stream.write_all(piece).expect("send");
                let mut answer = vec![0; piece.len()];
                stream.read_exact(&mut answer).expect("receive");
                assert!(answer == piece, "a megabyte came back changed");
            }
        });
    });
}

#[test]
fn a_half_closed_peer_gets_the_rest() {
    let name = "a_half_closed_peer_gets_the_rest";
    check(name, Manner::default(), |address| {
        let sent = pattern(100_000);
        let mut stream = dial(address);
        stream.write_all(&sent).expect("send");
        stream.half_close();
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer).expect("receive to the end");
        assert!(answer == sent);
    });
}

#[test]
fn close_comes_after_the_flush_and_without_a_reset() {
    let manner = Manner {
        close_after_first: true,
        ..Manner::default()
    };
    let name = "close_comes_after_the_flush_and_without_a_reset";
    check(name, manner, |address| {
        let mut stream = dial(address);
        stream.write_all(b"last words").expect("send");
        let mut answer = [0; 10];
        stream.read_exact(&mut answer).expect("receive");
        assert_eq!(&answer, b"last words");
        // Bytes the service no longer wants must not turn its orderly end into a reset.
        stream.write_all(b"too late").expect("send into the linger");
        let mut rest = Vec::new();
        stream.read_to_end(&mut rest).expect("an orderly end");
        assert!(rest.is_empty());
    });
}

#[test]
fn a_peer_that_dies_midway_harms_nobody() {
    let name = "a_peer_that_dies_midway_harms_nobody";
    check(name, Manner::default(), |address| {
        let mut survivor = dial(address);
        for _ in 0..20 {
            let mut victim = dial(address);
            victim.write_all(&pattern(300_000)).ok();
            drop(victim);
        }
        survivor.write_all(b"still here").expect("send");
        let mut answer = [0; 10];
        survivor.read_exact(&mut answer).expect("receive");
        assert_eq!(&answer, b"still here");
    });
}

#[test]
fn a_panicking_protocol_closes_its_own_socket_only() {
    let manner = Manner {
        panic_on: Some(0xff),
        ..Manner::default()
    };
    let name = "a_panicking_protocol_closes_its_own_socket_only";
    check(name, manner, |address| {
        let mut healthy = dial(address);
        let mut fatal = dial(address);
        fatal.write_all(&[0xff]).expect("send");
        let mut rest = Vec::new();
        // Closed at once, in an orderly way or not.
        let _ = fatal.read_to_end(&mut rest);
        assert!(rest.is_empty());
        healthy.write_all(b"fine").expect("send");
        let mut answer = [0; 4];
        healthy.read_exact(&mut answer).expect("receive");
    });
}

#[test]
fn hundreds_of_connections_at_once() {
    let name = "hundreds_of_connections_at_once";
    check(name, Manner::default(), |address| {
        let mut streams: Vec<_> = (0..256).map(|_| dial(address)).collect();
        for round in 0..5 {
            for (index, stream) in streams.iter_mut().enumerate() {
                stream.write_all(&[index as u8, round]).expect("send");
            }
            for (index, stream) in streams.iter_mut().enumerate() {
                let mut answer = [0; 2];
                stream.read_exact(&mut answer).expect("receive");
                assert_eq!(answer, [index as u8, round]);
            }
        }
    });
}

#[test]
fn a_ring_with_hardly_any_buffers_still_delivers() {
    let name = "a_ring_with_hardly_any_buffers_still_delivers";
    each_engine(name, |engine| {
        let builder = corespun_runtime::Runtime::builder()
            .engine(engine)
            .shards(1)
            .ring(tiny_ring());
        let running = start_echo(builder, &[any_port()], Manner::default());
        let mut streams: Vec<_> = (0..16).map(|_| dial(&running.addresses()[0])).collect();
        let sent = pattern(20_000);
        for stream in &mut streams {
            stream.write_all(&sent).expect("send");
        }
        for stream in &mut streams {
            let mut answer = vec![0; sent.len()];
            stream.read_exact(&mut answer).expect("receive");
            assert!(answer == sent);
        }
        running.stop_now();
        running.join().expect("a clean end");
    });
}

#[test]
fn a_slow_reader_loses_nothing() {
    let name = "a_slow_reader_loses_nothing";
    check(name, Manner::default(), |address| {
        // More than the socket buffers and the pump's allowance hold together.
        let sent = pattern(24 << 20);
        let (mut reader, mut writer) = match address {
            Address::Tcp(address) => {
                let stream = std::net::TcpStream::connect(address).expect("connect");
                let other = stream.try_clone().expect("clone");
                (
                    Box::new(stream) as Box<dyn Stream>,
                    Box::new(other) as Box<dyn Stream>,
                )
            }
            Address::Unix(path) => {
                let stream = std::os::unix::net::UnixStream::connect(path).expect("connect");
                let other = stream.try_clone().expect("clone");
                (Box::new(stream) as _, Box::new(other) as _)
            }
            Address::Abstract(_) => unreachable!("not among the addresses of this test"),
        };
        thread::scope(|scope| {
            let expected = &sent;
            scope.spawn(move || {
                writer.write_all(expected).expect("send");
                writer.half_close();
            });
            thread::sleep(Duration::from_millis(300));
            let mut answer = Vec::with_capacity(expected.len());
            reader.read_to_end(&mut answer).expect("receive");
            assert!(answer == *expected, "{} bytes came back", answer.len());
        });
    });
}

#[test]
fn an_idle_shard_burns_no_cpu() {
    each_engine("an_idle_shard_burns_no_cpu", |engine| {
        let mut shard = local(engine);
        let began = Instant::now();
        let turns = shard.block_on(async {
            let before = corespun_runtime::stats().turns;
            corespun_runtime::sleep(Duration::from_millis(200)).await;
            corespun_runtime::stats().turns - before
        });
        assert!(began.elapsed() >= Duration::from_millis(200));
        assert!(turns <= 4, "{turns} turns for one sleep");
    });
}
