//! Streams that end before their time: the price of each, and the work that pays for it.

use core::time::Duration;

use corespun_http2::{Config, ErrorCode, Limit};

use crate::end::{End, fields};
use crate::wire::*;

const CALM: &str = "error ENHANCE_YOUR_CALM";

/// A budget of so many wasted streams, which time does not refill.
fn server(budget: u32) -> End {
    End::server_with(|limits| {
        limits.reset_budget = budget;
        limits.reset_budget_per_second = 0;
    })
}

fn head(id: u32) -> Vec<u8> {
    headers(id, END, request(&[]))
}

fn cancel(id: u32) -> Vec<u8> {
    reset(id, 8)
}

/// Streams of a client, `count` of them from the `nth` on.
fn ids(nth: u32, count: u32) -> impl Iterator<Item = u32> {
    (nth..nth + count).map(|nth| 2 * nth + 1)
}

fn feed(end: &mut End, frames: impl Iterator<Item = Vec<u8>>) -> bool {
    let input: Vec<u8> = frames.flatten().collect();
    !end.feed(&input).contains(&CALM.into())
}

/// Answers a stream completely.
fn finish(end: &mut End, id: u32) {
    let key = end.key(id);
    let list = fields(&[(":status", "200"), ("grpc-status", "0")]);
    end.connection.send_headers(key, list, None, true);
}

/// Number of streams wasted until the connection ends, `each` of them between two transmits.
fn wasted(budget: u32, each: u32, waste: impl Fn(u32) -> Vec<u8>) -> u32 {
    let mut end = server(budget);
    for nth in 0..100_000 {
        if !feed(&mut end, [waste(2 * nth + 1)].into_iter()) {
            assert_eq!(end.hits(Limit::Resets), 1);
            return nth;
        }
        if (nth + 1).is_multiple_of(each) {
            end.output();
        }
    }
    panic!("nothing was charged");
}

fn rapid(id: u32) -> Vec<u8> {
    [head(id), cancel(id)].concat()
}

/// A flood is over after as many streams as the budget has, but for the first few of each read.
#[test]
fn rapid_resets() {
    // 200 are 6,400 parts: eight at six and the others at 32.
    assert_eq!(wasted(200, u32::MAX, rapid), 8 + (6400 - 8 * 6) / 32);
    // Fifty a read: 1,392 parts each time.
    assert!((200..240).contains(&wasted(200, 50, rapid)));
    // One at a time, as a caller that waits: a fifth.
    assert_eq!(wasted(200, 1, rapid), 6400 / 6);
    let mut end = server(1);
    assert!(!feed(&mut end, ids(0, 10).map(rapid)));
    let sent = end.frames().pop().expect("GOAWAY");
    let reason = b"reset_budget: 1 resets without finished calls";
    assert_eq!((sent.kind, &sent.payload[8..]), (GOAWAY, &reason[..]));
    assert!(
        end.feed(&rapid(99)).is_empty(),
        "after the end nothing is read"
    );
}

/// Frames that make a server reset the stream of this identifier.
type Provocation = fn(u32) -> Vec<u8>;

/// Resets that the peer makes us send cost as much as its own; our own decisions cost nothing.
#[test]
fn provoked_resets() {
    let provocations: [(&str, Provocation); 7] = [
        ("malformed", |id| headers(id, 0, block(&[]))),
        ("zero increment", |id| {
            [headers(id, 0, request(&[])), window_update(id, 0)].concat()
        }),
        ("overflow", |id| {
            [headers(id, 0, request(&[])), window_update(id, 0x7fff_ffff)].concat()
        }),
        ("half closed", |id| {
            [headers(id, END, request(&[])), data(id, 0, b"x")].concat()
        }),
        ("priority", |id| {
            [headers(id, END, request(&[])), priority(id, id)].concat()
        }),
        ("after its own reset", |id| {
            [rapid(id), data(id, 0, b"x")].concat()
        }),
        ("length", |id| {
            headers(id, END, request(&[("content-length", "7")]))
        }),
    ];
    for (name, provoke) in provocations {
        let expected = match name {
            // Each is charged twice.
            "after its own reset" => 103,
            _ => 206,
        };
        let count = wasted(200, u32::MAX, provoke);
        assert!(
            (expected - 4..=expected).contains(&count),
            "{name}: {count}"
        );
    }
    let mut end = server(1);
    for id in (1..1000).step_by(2) {
        assert_eq!(end.feed(&headers(id, 0, request(&[]))).len(), 1);
        let key = end.key(id);
        end.connection.reset(key, ErrorCode::CANCEL);
    }
}

/// Calls that were there when something could be transmitted are cheap to give up, answered or not.
#[test]
fn streams_that_have_lived() {
    for answered in [false, true] {
        let mut end = server(200);
        for round in 0..6 {
            assert!(feed(&mut end, ids(1024 * round, 1024).map(head)));
            if answered {
                for id in ids(1024 * round, 1024) {
                    let key = end.connection_key(id);
                    let list = fields(&[(":status", "200")]);
                    end.connection.send_headers(key, list, None, false);
                }
            }
            end.output();
            assert!(
                feed(&mut end, ids(1024 * round, 1024).map(cancel)),
                "{round}"
            );
            end.output();
        }
        assert!(feed(&mut end, ids(6144, 1024).map(head)));
        end.output();
        assert!(!feed(&mut end, ids(6144, 1024).map(cancel)), "6,400 in all");
    }
}

/// All streams that may be open, given up in the read that brought them.
#[test]
fn streams_that_are_given_up_together() {
    let mut end = server(200);
    let all = || ids(0, 1024).map(head).chain(ids(0, 1024).map(cancel));
    assert!(feed(&mut end, all()));
    assert_eq!(end.connection.open_streams(), 0);
    // A flood gains little by taking breath: a few at a time are soon too many.
    let few = |nth| ids(nth, 8).map(head).chain(ids(nth, 8).map(cancel));
    let mut end = server(200);
    let rounds = (0..1000).take_while(|round| feed(&mut end, few(8 * round)));
    assert!((25..50).contains(&rounds.count()));
    // An identifier far ahead does not stand for streams that were opened.
    let mut end = server(200);
    let leaps = (0..1000).map(|nth| rapid(2000 * nth + 1));
    assert!(!feed(&mut end, leaps.take(220)));
}

/// Finished calls pay for as many wasted ones, up to ten budgets; time pays for the budget.
#[test]
fn finished_streams_and_time_refill_the_budget() {
    let mut end = server(200);
    for nth in 0..5000 {
        let (wasted, good) = (4 * nth + 1, 4 * nth + 3);
        end.feed(&[rapid(wasted), head(good)].concat());
        finish(&mut end, good);
        end.output();
    }
    let mut count = 0;
    while feed(&mut end, [rapid(20_001 + 2 * count)].into_iter()) {
        count += 1;
    }
    assert!((2000..2010).contains(&count), "{count}");

    let mut end = End::server_with(|limits| {
        limits.reset_budget = 2;
        limits.reset_budget_per_second = 1;
    });
    assert!(feed(&mut end, ids(0, 8).map(rapid)));
    assert!(feed(&mut end, ids(8, 0).map(rapid)));
    for nth in 8..50 {
        end.now += Duration::from_secs(1);
        assert!(feed(&mut end, ids(nth, 1).map(rapid)), "{nth}");
    }
    assert!(!feed(&mut end, ids(50, 1).map(rapid)));
}

/// A peer cannot know of the limit on streams before it has seen SETTINGS.
#[test]
fn streams_before_the_limit_is_known() {
    let opened = || ids(0, 3000).map(|id| headers(id, 0, request(&[])));
    let mut config = Config::server();
    config.limits.reset_budget_per_second = 0;
    let mut end = End::fresh(config);
    end.feed(&[PREFACE, &settings(&[])].concat());
    assert!(feed(&mut end, opened()));
    assert_eq!(end.connection.open_streams(), 1024);
    assert_eq!(end.hits(Limit::ConcurrentStreams), 1976);
    let mut end = server(200);
    assert!(!feed(&mut end, opened()));
    assert!((200..210).contains(&(end.hits(Limit::ConcurrentStreams) as u32 - 1)));
}

/// One caller's faulty calls, one after the other, and a call of another caller meanwhile.
#[test]
fn a_neighbour_of_faulty_calls() {
    let mut end = server(200);
    end.feed(&head(1));
    end.output();
    for id in ids(1, 1000) {
        let faulty = headers(id, END, request(&[("content-length", "x")]));
        assert!(end.feed(&faulty).is_empty());
        assert_eq!(end.sent(), [format!("RST_STREAM {id} PROTOCOL_ERROR")]);
    }
    finish(&mut end, 1);
    assert_eq!(end.sent(), ["HEADERS 1 end"]);
}

#[test]
fn a_trusted_proxy_may_waste_a_thousand_times_as_much() {
    let mut config = Config::server();
    config.limits = config.limits.behind_proxy();
    let mut end = End::ready(config);
    for nth in 0..50 {
        assert!(feed(&mut end, ids(1000 * nth, 1000).map(rapid)));
        end.output();
    }
    let zero = |id| [headers(id, 0, block(&[])), ping(0, 1)].concat();
    for nth in 0..100 {
        assert!(feed(&mut end, ids(50_000 + 1000 * nth, 1000).map(zero)));
        end.output();
    }
}
