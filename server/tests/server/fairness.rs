//! Fair share of a turn for each connection: the rest of its requests waits, in order and complete.

use std::cell::RefCell;
use std::rc::Rc;
use std::time::{Duration, Instant};

use corespun_codec::{Code, Kind, Method, Request, Response, Status};
use corespun_http2::{Config as Http2Config, Limits};
use corespun_runtime::{Flow, Input, Protocol, block_on};
use corespun_server::{Config, Routes, Service};

use crate::support::Pair;

const REPLY: Method<u32, String> = Method::new("/test.Large/Reply", Kind::Unary);
const CALLS: u32 = 64;
const LARGE: usize = 1 << 20;
const SMALL: usize = 100;

/// Payloads of the requests in the order in which they reached the handler.
type Order = Rc<RefCell<Vec<u32>>>;

struct Large {
    bytes: usize,
    /// Run time of the handler.
    work: Duration,
    order: Order,
}

impl Service for Large {
    const NAME: &'static str = "test.Large";

    fn register(self, routes: &mut Routes) {
        let service = Rc::new(self);
        routes.unary(REPLY, &service, |service, request: Request<u32>| {
            service.order.borrow_mut().push(request.into_inner());
            let began = Instant::now();
            while began.elapsed() < service.work {
                std::hint::spin_loop();
            }
            let reply = "x".repeat(service.bytes);
            async move { Ok::<_, Status>(Response::new(reply)) }
        });
    }
}

/// Creates a pair, the log of its handler, and a batch of requests for replies of `bytes` each.
fn batch(bytes: usize) -> (Pair, Order, Vec<u8>) {
    working_batch(bytes, Duration::ZERO)
}

/// Creates a batch of requests that each take the handler `work` long.
fn working_batch(bytes: usize, work: Duration) -> (Pair, Order, Vec<u8>) {
    let order = Order::default();
    let mut routes = Routes::new();
    routes.add(Large {
        bytes,
        work,
        order: Rc::clone(&order),
    });
    let mut client = Http2Config::client();
    client.limits = Limits {
        stream_window_bytes: 2 * LARGE as u32,
        connection_window_bytes: 2 * CALLS * LARGE as u32,
        ..client.limits
    };
    let mut pair = Pair::with(routes, Config::default(), client);
    for number in 1..=CALLS {
        let stream = pair.open(REPLY.path(), &[], false);
        pair.send(stream, &number, true);
    }
    let mut wire = Vec::new();
    pair.client.transmit(&mut wire);
    (pair, order, wire)
}

fn turn(number: u64) -> Duration {
    Duration::from_millis(number)
}

/// Lets the client read all that the server transmits in one turn.
fn transmit(pair: &mut Pair) {
    loop {
        let mut wire = Vec::new();
        pair.flow = pair.server.transmit(&mut wire);
        pair.absorb(&wire);
        if wire.is_empty() || pair.flow == Flow::Close {
            return;
        }
    }
}

/// Runs turns until no input waits; returns their number.
fn catch_up(pair: &mut Pair) -> u64 {
    for number in 1..=2 * u64::from(CALLS) {
        if !pair.server.has_backlog() {
            return number;
        }
        let due = pair.server.deadline().expect("the next turn is due");
        assert!(due < turn(number), "at once: {due:?}");
        assert_eq!(pair.flow, Flow::Open);
        pair.server.advance(turn(number));
        transmit(pair);
    }
    panic!("{CALLS} requests take more turns than there are");
}

/// Checks that all calls reached their handler once and in order, and that all replies are
/// complete.
fn assert_answered(pair: &Pair, order: &Order) {
    assert_eq!(*order.borrow(), (1..=CALLS).collect::<Vec<_>>());
    assert_eq!(pair.answers.len(), CALLS as usize);
    for answer in pair.answers.values() {
        assert!(answer.ended);
        assert_eq!(answer.status().code(), Code::Ok);
        assert!(answer.body.len() > LARGE);
    }
}

fn on_shard(test: impl FnOnce()) {
    block_on(async { test() }).unwrap();
}

#[test]
fn large_replies_are_made_over_several_turns() {
    on_shard(|| {
        let (mut pair, order, wire) = batch(LARGE);
        pair.server.receive(turn(0), Input::Bytes(&wire));
        assert_eq!(order.borrow().len(), 1, "one is more than the share");
        assert!(pair.server.has_backlog());
        pair.server.advance(turn(0));
        assert_eq!(order.borrow().len(), 1, "the same turn brings no new share");
        transmit(&mut pair);
        pair.server.advance(turn(0));
        assert_eq!(order.borrow().len(), 1, "nor does a transmit");
        let turns = catch_up(&mut pair);
        assert!(turns > 30, "only {turns} turns");
        pair.exchange();
        assert_answered(&pair, &order);
    });
}

#[test]
fn input_that_comes_meanwhile_stays_behind() {
    on_shard(|| {
        let (mut pair, order, wire) = batch(LARGE);
        for piece in wire.chunks(1000) {
            pair.server.receive(turn(0), Input::Bytes(piece));
        }
        assert_eq!(order.borrow().len(), 1);
        let (mut now, mut calls) = (turn(1), 0);
        while pair.server.has_backlog() {
            assert!(order.borrow().len() > calls, "each turn moves it on");
            calls = order.borrow().len();
            // An unknown frame, which changes nothing but its place in the line.
            let unknown = [0, 0, 0, 0xee, 0, 0, 0, 0, 0];
            pair.server.receive(now, Input::Bytes(&unknown));
            transmit(&mut pair);
            now += turn(1);
        }
        pair.exchange();
        assert_answered(&pair, &order);
    });
}

/// A client that half-closes directly after its requests still gets every reply.
#[test]
fn the_end_comes_last() {
    on_shard(|| {
        let (mut pair, order, wire) = batch(LARGE);
        pair.server.receive(turn(0), Input::Bytes(&wire));
        pair.server.receive(turn(0), Input::End);
        transmit(&mut pair);
        catch_up(&mut pair);
        assert_eq!(pair.flow, Flow::Close);
        assert_answered(&pair, &order);
    });
}

#[test]
fn an_error_among_what_waits_ends_the_connection() {
    on_shard(|| {
        let (mut pair, order, mut wire) = batch(LARGE);
        // DATA on stream 0.
        let at = wire.len();
        wire.extend([0, 0, 0, 0, 0, 0, 0, 0, 0]);
        pair.server.receive(turn(0), Input::Bytes(&wire[..at]));
        pair.server.receive(turn(0), Input::Bytes(&wire[at..]));
        transmit(&mut pair);
        catch_up(&mut pair);
        assert_eq!(
            order.borrow().len(),
            CALLS as usize,
            "those before it are served"
        );
        assert_eq!(pair.flow, Flow::Close);
        pair.server.receive(turn(100), Input::Bytes(&wire));
        assert!(!pair.server.has_backlog(), "nothing is kept after the end");
    });
}

#[test]
fn small_replies_wait_for_nothing() {
    on_shard(|| {
        let (mut pair, order, wire) = batch(SMALL);
        pair.server.receive(turn(0), Input::Bytes(&wire));
        assert!(!pair.server.has_backlog());
        assert_eq!(order.borrow().len(), CALLS as usize);
        pair.exchange();
        assert_eq!(pair.answers.len(), CALLS as usize);
    });
}

#[test]
fn slow_handlers_share_the_time_of_a_turn() {
    /// Handler time of more than a connection's share of a turn, on slow machines too.
    const WORK: Duration = Duration::from_millis(2);
    on_shard(|| {
        let (mut pair, order, wire) = working_batch(SMALL, WORK);
        pair.server = pair.server.sharing_time();
        pair.server.receive(turn(0), Input::Bytes(&wire));
        let first = order.borrow().len();
        assert_eq!(first, 5, "read after the first, and after four more");
        pair.server.advance(turn(0));
        assert_eq!(order.borrow().len(), first, "no new share in the turn");
        transmit(&mut pair);
        let turns = catch_up(&mut pair);
        assert_eq!(turns as usize, CALLS as usize - first + 1, "one in each");
        assert_eq!(*order.borrow(), (1..=CALLS).collect::<Vec<_>>());
        assert_eq!(pair.answers.len(), CALLS as usize);
    });
    on_shard(|| {
        let (mut pair, order, wire) = working_batch(SMALL, WORK);
        pair.server.receive(turn(0), Input::Bytes(&wire));
        assert_eq!(order.borrow().len(), CALLS as usize, "nobody asked it to");
    });
}
