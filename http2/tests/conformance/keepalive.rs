//! gRFC A8 and A9: who is asked whether it is still there, and who asks too often.

use core::time::Duration;

use corespun_http2::{Config, Keepalive, Limit, PingPolicy};

use crate::end::{End, fields};
use crate::wire::*;

const HOUR: Duration = Duration::from_secs(3600);
const INSTANT: Duration = Duration::from_nanos(1);

fn seconds(count: u64) -> Duration {
    Duration::from_secs(count)
}

fn asking(mut end: End, without_streams: bool) -> End {
    end.connection.keep_alive(Keepalive {
        time: 2 * HOUR,
        timeout: seconds(20),
        without_streams,
    });
    end
}

/// The payload of the one PING in the output.
fn asked(end: &mut End) -> Vec<u8> {
    let frames = end.frames();
    assert_eq!(frames.len(), 1, "{frames:?}");
    assert_eq!((frames[0].kind, frames[0].flags), (PING, 0));
    frames[0].payload.clone()
}

#[test]
fn a_silent_peer_is_asked_and_anything_is_an_answer() {
    let mut end = asking(End::server(), true);
    assert!(end.wait(2 * HOUR - INSTANT).is_empty());
    assert!(end.sent().is_empty(), "not yet");
    assert!(end.wait(INSTANT).is_empty());
    let payload = asked(&mut end);
    assert!(end.wait(seconds(20) - INSTANT).is_empty());
    assert_eq!(end.feed(&frame(PING, ACK, 0, &payload)).len(), 1);
    assert!(end.wait(2 * HOUR - INSTANT).is_empty());
    assert!(end.sent().is_empty(), "from its answer on");
    assert!(end.wait(INSTANT).is_empty());
    asked(&mut end);
    end.feed(&window_update(0, 1));
    assert!(end.wait(HOUR).is_empty(), "any frame will do");
    end.feed(&window_update(0, 1));
    assert!(end.wait(2 * HOUR - INSTANT).is_empty());
    assert!(end.sent().is_empty(), "heard an hour ago");
    assert_eq!(end.hits(Limit::KeepaliveTime), 0);
}

#[test]
fn a_peer_that_is_gone_ends_the_connection() {
    for make in [End::server, || End::client(&[true])] {
        let mut end = asking(make(), false);
        if end.connection.open_streams() == 0 {
            end.feed(&headers(1, END, request(&[])));
        }
        assert!(end.wait(2 * HOUR).is_empty());
        asked(&mut end);
        assert!(end.wait(seconds(20) - INSTANT).is_empty());
        assert_eq!(end.wait(INSTANT), ["error NO_ERROR"]);
        let last = end.sent().pop().unwrap_or_default();
        assert!(
            last.starts_with("GOAWAY") && last.ends_with("NO_ERROR"),
            "{last}"
        );
        assert_eq!(end.hits(Limit::KeepaliveTime), 1);
        assert_eq!(end.connection.deadline(), None);
    }
}

#[test]
fn without_streams_nobody_is_asked_unless_that_is_wanted() {
    let mut end = asking(End::ready(Config::client()), false);
    for _ in 0..10 {
        assert!(end.wait(2 * HOUR).is_empty());
    }
    assert!(end.sent().is_empty());
    end.open(true);
    end.output();
    assert!(end.wait(2 * HOUR).is_empty());
    asked(&mut end);
    end.connection.keep_alive(Keepalive::OFF);
    assert!(end.wait(100 * HOUR).is_empty(), "no longer");
    assert_eq!(end.connection.deadline(), None);
}

#[test]
fn keepalive_begins_with_the_connection() {
    let mut end = asking(End::fresh(Config::server()), true);
    assert_eq!(end.connection.deadline(), None, "no time was told yet");
    let hello = [PREFACE, &settings(&[]), &settings_ack()].concat();
    end.feed(&hello);
    end.output();
    assert!(end.wait(2 * HOUR - INSTANT).is_empty());
    assert!(end.sent().is_empty());
    assert!(end.wait(INSTANT).is_empty());
    asked(&mut end);
}

const POLICY: PingPolicy = PingPolicy {
    interval_min: Duration::from_secs(300),
    idle_interval_min: Duration::from_secs(7200),
    strikes_max: 2,
};

const CALM: &str = "error ENHANCE_YOUR_CALM";

fn policed(policy: PingPolicy) -> End {
    let mut end = End::server();
    end.connection.limit_pings(policy);
    end
}

/// PINGs at `pauses`, all but the last of which are suffered.
fn check(name: &str, mut end: End, pauses: &[Duration]) {
    let (last, before) = pauses.split_last().expect("a pause");
    for pause in before {
        assert!(end.wait(*pause).is_empty(), "{name}");
        assert!(end.feed(&ping(0, 1)).is_empty(), "{name}");
        assert_eq!(end.sent(), ["PING ack 1"], "{name}");
    }
    assert!(end.wait(*last).is_empty(), "{name}");
    assert_eq!(end.feed(&ping(0, 1)), [CALM], "{name}");
    let said = end.frames().pop().expect("GOAWAY");
    assert_eq!(said.kind, GOAWAY, "{name}");
    assert_eq!(&said.payload[4..], b"\0\0\0\x0btoo_many_pings", "{name}");
    assert_eq!((end.hits(Limit::Pings), end.hits(Limit::Glitches)), (1, 0));
}

#[test]
fn the_third_strike_ends_the_connection() {
    let soon = POLICY.interval_min - INSTANT;
    let on_time = POLICY.interval_min;
    let with_stream = || {
        let mut end = policed(POLICY);
        end.feed(&headers(1, 0, request(&[])));
        end
    };
    check("at once", policed(POLICY), &[Duration::ZERO; 4]);
    check("with a stream", with_stream(), &[soon; 4]);
    let mixed = [soon, soon, on_time, soon, on_time, soon];
    check("strikes stay", with_stream(), &mixed);
    let idle = POLICY.idle_interval_min;
    let pauses = [idle, idle, on_time, idle, on_time, on_time];
    check("without streams", policed(POLICY), &pauses);
    let permitted = PingPolicy {
        idle_interval_min: on_time,
        ..POLICY
    };
    let pauses = [on_time, on_time, on_time, soon, soon, soon];
    check("permitted without streams", policed(permitted), &pauses);
    let strict = PingPolicy {
        strikes_max: 0,
        ..POLICY
    };
    check("none forgiven", policed(strict), &[soon; 2]);
}

#[test]
fn what_is_sent_takes_strikes_back() {
    let mut end = policed(POLICY);
    for id in (1..2001).step_by(2) {
        end.feed(&headers(id, END, request(&[])));
        assert!(end.feed(&ping(0, 1).repeat(3)).is_empty());
        if id % 4 == 1 {
            end.answer(id, b"x");
        } else {
            let key = end.key(id);
            let head = fields(&[(":status", "204")]);
            end.connection.send_headers(key, head, None, true);
        }
        end.output();
    }
    assert!(end.feed(&ping(0, 1).repeat(3)).is_empty());
    assert_eq!(end.feed(&ping(0, 1)), [CALM]);
}

#[test]
fn where_strikes_count_no_ping_is_a_glitch() {
    let mut end = End::server_with(|limits| limits.glitch_budget = 2);
    end.connection.limit_pings(PingPolicy {
        strikes_max: 1000,
        ..POLICY
    });
    assert!(end.feed(&ping(0, 1).repeat(500)).is_empty());
    end.connection.limit_pings(PingPolicy::OFF);
    assert_eq!(end.feed(&ping(0, 1).repeat(3)), [CALM]);
    assert_eq!(end.hits(Limit::Glitches), 1);
}

#[test]
fn a_client_knows_that_it_was_told_off() {
    let told = |code: u32, debug: &[u8]| {
        let mut end = End::client(&[true]);
        let payload = [&1u32.to_be_bytes()[..], &code.to_be_bytes(), debug].concat();
        assert_eq!(end.feed(&frame(GOAWAY, 0, 0, payload)).len(), 1);
        end.connection.is_told_off()
    };
    assert!(told(11, b"too_many_pings"));
    assert!(!told(0, b"too_many_pings"));
    assert!(!told(11, b"too_many_calls"));
    assert!(!told(11, b""));
}

#[test]
fn a_drain_says_why_and_late_streams_are_counted() {
    let mut end = End::server();
    end.feed(&headers(1, END, request(&[])));
    end.connection.drain_for(b"max_age");
    let frames = end.frames();
    assert_eq!(&frames[0].payload[8..], b"max_age");
    assert!(!end.connection.is_last_announced());
    end.feed(&frame(PING, ACK, 0, &frames[1].payload));
    let frames = end.frames();
    assert_eq!(&frames[0].payload[8..], b"max_age");
    assert!(end.connection.is_last_announced());
    for id in [3, 9, 11] {
        end.feed(&headers(id, 0, request(&[])));
        end.feed(&headers(id, END, block(&[("x-trailer", "1")])));
    }
    assert_eq!(end.connection.late_streams(), 3);
}
