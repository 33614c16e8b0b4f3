//! A shard that may wait for more: it does in a crowd, and for a lonely socket it does not.

use std::io::{Read, Write};
use std::thread;
use std::time::{Duration, Instant};

use corespun_runtime::{Engine, Flow, Input, Peer, Protocol, Running, Runtime, SocketHandle};

use crate::engines::each_engine;
use crate::service::any_port;
use crate::streams::{Stream, dial};

const SOCKETS: usize = 12;
/// Time that the shard is blocked, so that all sockets have bytes by then.
const STALL: Duration = Duration::from_millis(100);

/// Echoes; a zero among what comes keeps the whole shard for a while.
#[derive(Default)]
struct Stalling {
    output: Vec<u8>,
}

impl Protocol for Stalling {
    fn receive(&mut self, _now: Duration, input: Input<'_>) {
        if let Input::Bytes(bytes) = input {
            if bytes.contains(&0) {
                thread::sleep(STALL);
            }
            self.output.extend_from_slice(bytes);
        }
    }

    fn advance(&mut self, _now: Duration) {}

    fn transmit(&mut self, out: &mut Vec<u8>) -> Flow {
        out.append(&mut self.output);
        Flow::Open
    }

    fn deadline(&self) -> Option<Duration> {
        None
    }
}

fn start(engine: Engine, coalesce_time: Duration) -> (Running, Vec<Box<dyn Stream>>) {
    let builder = Runtime::builder().engine(engine).shards(1);
    let builder = builder.coalesce_time(coalesce_time).listen(any_port());
    let running = builder.start(|_| {
        Ok(Box::new(|_: Peer, _: SocketHandle| {
            Box::<Stalling>::default() as Box<dyn Protocol>
        }))
    });
    let running = running.expect("started");
    let mut streams: Vec<_> = (0..SOCKETS)
        .map(|_| dial(&running.addresses()[0]))
        .collect();
    for stream in &mut streams {
        ask(stream, 1);
    }
    (running, streams)
}

/// Sends a byte and waits for its echo; answers how long that took.
fn ask(stream: &mut Box<dyn Stream>, byte: u8) -> Duration {
    let began = Instant::now();
    stream.write_all(&[byte]).expect("send");
    hear(stream, byte);
    began.elapsed()
}

fn hear(stream: &mut Box<dyn Stream>, byte: u8) {
    let mut answer = [0xff];
    stream.read_exact(&mut answer).expect("receive");
    assert_eq!(answer, [byte]);
}

/// Makes one turn of the shard hear from every socket but the first.
fn crowd(streams: &mut [Box<dyn Stream>]) {
    let (first, others) = streams.split_first_mut().expect("there are sockets");
    first.write_all(&[0]).expect("send");
    thread::sleep(STALL / 4);
    for stream in others.iter_mut() {
        stream.write_all(&[2]).expect("send");
    }
    hear(first, 0);
    for stream in others {
        hear(stream, 2);
    }
}

#[test]
fn a_crowd_is_waited_for_and_one_socket_is_not() {
    let name = "a_crowd_is_waited_for_and_one_socket_is_not";
    each_engine(name, |engine| {
        let time = Duration::from_millis(400);
        let (running, mut streams) = start(engine, time);
        crowd(&mut streams);
        let in_the_crowd = ask(&mut streams[1], 3);
        assert!(in_the_crowd > time / 2, "answered after {in_the_crowd:?}");
        for _ in 0..20 {
            let alone = ask(&mut streams[1], 4);
            assert!(alone < time / 2, "answered after {alone:?}");
        }
        running.stop_now();
        running.join().expect("a clean end");
    });
}

#[test]
fn nobody_waits_for_more_than_there_are() {
    each_engine("nobody_waits_for_more_than_there_are", |engine| {
        if engine != Engine::Uring {
            println!("on {engine} the time is waited out");
            return;
        }
        let (running, mut streams) = start(engine, Duration::from_secs(1));
        crowd(&mut streams);
        let began = Instant::now();
        for stream in &mut streams {
            stream.write_all(&[5]).expect("send");
        }
        for stream in &mut streams {
            hear(stream, 5);
        }
        assert!(
            began.elapsed() < Duration::from_millis(500),
            "all have spoken"
        );
        running.stop_now();
        running.join().expect("a clean end");
    });
}
