//! RFC 9113 §6.8: GOAWAY in both directions, graceful and not.

use corespun_http2::{Config, ErrorCode, OpenError};

use crate::end::{End, check, fields};
use crate::wire::*;

const LAST: u32 = 0x7fff_ffff;

fn answer(end: &mut End, id: u32) {
    let key = end.key(id);
    end.connection
        .send_headers(key, fields(&[(":status", "200")]), None, true);
}

// spec: RFC9113-6.8
#[test]
fn drain_in_two_steps() {
    let mut end = End::server();
    end.feed(&headers(1, END, request(&[])));
    end.connection.drain();
    end.connection.drain();
    let frames = end.frames();
    assert_eq!(frames[0].words(), format!("GOAWAY {LAST} NO_ERROR"));
    assert_eq!(
        (frames[1].kind, frames[1].flags, frames.len()),
        (PING, 0, 2)
    );
    assert_eq!(
        end.feed(&headers(3, END, request(&[]))),
        ["headers 3 end"],
        "still under way"
    );
    assert!(
        end.feed(&ping(ACK, 1)).len() == 1 && end.sent().is_empty(),
        "another PING's"
    );
    end.feed(&frame(PING, ACK, 0, &frames[1].payload));
    assert_eq!(end.sent(), ["GOAWAY 3 NO_ERROR"]);
    assert!(!end.connection.is_finished());
    answer(&mut end, 1);
    assert!(!end.connection.is_finished());
    answer(&mut end, 3);
    assert!(end.connection.is_finished());
    assert_eq!(end.sent(), ["HEADERS 1 end", "HEADERS 3 end"]);
}

/// A server that has announced that stream 1 is the last; it is still open.
fn last_is_1() -> End {
    let mut end = End::server();
    end.feed(&headers(1, 0, request(&[])));
    end.connection.go_away(ErrorCode::NO_ERROR);
    assert_eq!(end.sent(), ["GOAWAY 1 NO_ERROR"]);
    end
}

/// Frames for streams above the last are dropped and no error: the peer did not know.
// spec: RFC9113-6.8
#[test]
fn streams_above_the_last_are_ignored() {
    let above = |id| {
        [
            headers(id, 0, [request(&[]), inserted("x-late", "1")].concat()),
            data(id, 0, b"x"),
            window_update(id, 5),
            window_update(id, 0),
            priority(id, 0),
            headers(id, END, indexed(62)),
            reset(id, 8),
        ]
        .concat()
    };
    let trailers = headers(1, END, indexed(62));
    check(
        "ignored",
        last_is_1,
        &[above(3), above(9), trailers],
        "trailers 1",
    );
    let bad = "error PROTOCOL_ERROR; GOAWAY 1 PROTOCOL_ERROR";
    check(
        "even is wrong still",
        last_is_1,
        &[headers(4, 0, request(&[]))],
        bad,
    );
    check(
        "an error does not raise the last",
        last_is_1,
        &[above(5), ping(0, 1), data(0, 0, b"")],
        "error PROTOCOL_ERROR; PING ack 1; GOAWAY 1 PROTOCOL_ERROR",
    );
}

/// Bytes of ignored streams are credited, so that those still open are not starved.
#[test]
fn credit_of_ignored_streams_comes_back() {
    let mut end = last_is_1();
    let mut credited = 0;
    for id in (3..2003).step_by(2) {
        end.feed(&[headers(id, 0, request(&[])), data(id, END, &[0; 16_384])].concat());
        let frames = end.frames();
        assert!(
            frames
                .iter()
                .all(|frame| (frame.kind, frame.stream) == (WINDOW_UPDATE, 0))
        );
        credited += frames.iter().map(|frame| frame.word(0)).sum::<u32>();
    }
    assert!(credited > 13_000_000, "{credited}");
}

// spec: RFC9113-6.8
#[test]
fn the_peer_goes_away() {
    let make = || End::client(&[true, true]);
    check("once", make, &[go_away(1, 0)], "goaway 1 NO_ERROR");
    let lower = [go_away(LAST, 0), go_away(3, 0), go_away(1, 2)];
    let expected = format!("goaway {LAST} NO_ERROR; goaway 3 NO_ERROR; goaway 1 INTERNAL_ERROR");
    check("lower and lower", make, &lower, &expected);
    let higher = "goaway 1 NO_ERROR; error PROTOCOL_ERROR; GOAWAY 0 PROTOCOL_ERROR";
    check("higher", make, &[go_away(1, 0), go_away(3, 0)], higher);
    let debug = frame(GOAWAY, 0, 0, [&[0; 8][..], b"too_many_pings"].concat());
    check("debug data", make, &[debug], "goaway 0 NO_ERROR");
    let mut end = make();
    end.feed(&go_away(1, 0));
    let refused = end.connection.open(fields(&REQUEST), None, true);
    assert_eq!(refused, Err(OpenError::GoingAway));
    assert!(end.connection.is_going_away());
    assert_eq!(end.feed(&headers(1, END, response(&[]))), ["headers 1 end"]);
}

#[test]
fn after_an_error_nothing_but_its_goaway_is_sent() {
    let mut end = End::server();
    end.feed(&headers(1, END, request(&[])));
    let key = end.key(1);
    end.connection
        .send_headers(key, fields(&[(":status", "200")]), None, false);
    end.connection.send_data(key, &[b'x'; 70_000], true);
    end.output();
    let input = [
        window_update(0, 100_000),
        window_update(1, 100_000),
        data(0, 0, b"x"),
    ]
    .concat();
    assert_eq!(end.feed(&input), ["error PROTOCOL_ERROR"]);
    assert_eq!(end.sent(), ["GOAWAY 1 PROTOCOL_ERROR"]);
    assert!(end.connection.is_finished() && !end.connection.has_output());
    assert!(end.feed(&ping(0, 1)).is_empty());
    end.connection.go_away(ErrorCode::NO_ERROR);
    end.connection.drain();
    assert!(end.sent().is_empty());
}

#[test]
fn a_client_drains_too() {
    let mut end = End::ready(Config::client());
    let key = end.open(true);
    end.output();
    end.connection.drain();
    let frames = end.frames();
    end.feed(&frame(PING, ACK, 0, &frames[1].payload));
    assert_eq!(end.sent(), ["GOAWAY 0 NO_ERROR"]);
    assert!(!end.connection.can_open());
    assert_eq!(
        end.feed(&headers(key.id, END, response(&[]))),
        ["headers 1 end"]
    );
    assert!(end.connection.is_finished());
}
