//! Limits on bytes, and on what is waiting: at the limit and one over.

use core::time::Duration;

use corespun_http2::hpack::{Decoder, ListLimits};
use corespun_http2::{Config, HeaderList, Limit};

use crate::end::{End, check, fields};
use crate::wire::*;

const CALM: &str = "ENHANCE_YOUR_CALM";

fn open(id: u32) -> Vec<u8> {
    headers(id, 0, request(&[]))
}

#[test]
fn long_header_lists() {
    let mut end = End::server_with(|limits| limits.header_fields_soft = 5);
    let said = end.feed(&headers(1, END, request(&[("a", "b")])));
    assert_eq!(said, ["headers 1 end"]);
    assert_eq!(end.hits(Limit::HeaderListSoft), 0);
    end.feed(&headers(3, END, request(&[("a", "b"), ("c", "d")])));
    assert!(end.connection.headers().overflowed());
    assert_eq!(end.hits(Limit::HeaderListSoft), 1);
    let make = || End::server_with(|limits| limits.header_fields_hard = 5);
    let list = |more: &[(&str, &str)]| vec![headers(1, END, request(more))];
    check("at", make, &list(&[("a", "b")]), "headers 1 end");
    let ends = format!("error {CALM}; GOAWAY 1 {CALM}");
    check("over", make, &list(&[("a", "b"), ("c", "d")]), &ends);
}

#[test]
fn go_away_floods() {
    let make = || {
        End::server_with(|limits| {
            limits.go_away_frames_max = 2;
            limits.go_away_debug_bytes_max = 3;
        })
    };
    let debug = |bytes: &[u8]| frame(GOAWAY, 0, 0, [&[0; 8][..], bytes].concat());
    let at = [debug(b"abc"), debug(b""), ping(0, 1)];
    let said = "goaway 0 NO_ERROR; goaway 0 NO_ERROR; PING ack 1";
    check("at", make, &at, said);
    let ends = format!("error {CALM}; GOAWAY 0 {CALM}");
    let thrice = [go_away(0, 0), go_away(0, 0), go_away(0, 0)];
    let over = format!("goaway 0 NO_ERROR; goaway 0 NO_ERROR; {ends}");
    check("frames over", make, &thrice, &over);
    check("debug data over", make, &[debug(b"abcd")], &ends);
}

/// The limit is on streams between two transmits: one more is refused, later ones are not.
#[test]
fn bursts_of_streams() {
    let mut end = End::server_with(|limits| limits.new_streams_max = 3);
    let burst: Vec<u8> = [1, 3, 5, 7].into_iter().flat_map(open).collect();
    assert_eq!(end.feed(&burst), ["headers 1", "headers 3", "headers 5"]);
    assert_eq!(end.hits(Limit::NewStreams), 1);
    assert_eq!(end.sent(), ["RST_STREAM 7 REFUSED_STREAM"]);
    assert_eq!(end.feed(&open(9)), ["headers 9"]);
    assert_eq!(end.connection.open_streams(), 4, "the others live on");
}

#[test]
fn identifiers_run_out() {
    let mut end = End::server_with(|limits| limits.stream_id_drain = 7);
    end.feed(&[open(1), open(5)].concat());
    assert!(end.sent().is_empty());
    assert_eq!(end.feed(&[open(7), open(9)].concat()).len(), 2);
    let sent = end.frames();
    let words: Vec<String> = sent.iter().map(Frame::words).collect();
    assert_eq!(words[0], "GOAWAY 2147483647 NO_ERROR");
    assert_eq!((words.len(), sent[1].kind), (2, PING), "once");
    assert_eq!(end.hits(Limit::StreamIds), 1);
    let mut ack = sent[1].payload.clone();
    ack = frame(PING, ACK, 0, &ack);
    end.feed(&ack);
    assert_eq!(end.sent(), ["GOAWAY 9 NO_ERROR"]);
    end.answer(9, b"still served");
    assert_eq!(end.sent()[1], "DATA 9 still served end");
    assert!(!end.connection.is_finished());
}

#[test]
fn padding_is_no_body() {
    let make = || End::server_with(|limits| limits.empty_data_frames_max = 3);
    let none = || padded_data(1, 0, b"", 5);
    let at = [open(1), none(), none(), none(), data(1, END, b"x")];
    check("at", make, &at, "headers 1; data 1 x end");
    let over = [open(1), none().repeat(5), data(1, 0, b"")];
    let ends = format!("headers 1; error {CALM}; GOAWAY 1 {CALM}");
    check("over", make, &over, &ends);
}

/// Feeds frames of a body, each with so much padding; how many are taken up to `most`.
fn frames_taken(end: &mut End, most: usize, body: &[u8], padding: usize) -> usize {
    let key = end.key(1);
    for taken in 0..most {
        let frame = match padding {
            0 => data(1, 0, body),
            _ => padded_data(1, 0, body, (padding - 1) as u8),
        };
        let said = end.feed(&frame);
        if said.iter().any(|line| line.starts_with("error")) {
            assert_eq!(end.sent().pop(), Some(format!("GOAWAY 1 {CALM}")));
            assert_eq!(end.hits(Limit::DataOverhead), 1);
            return taken;
        }
        end.connection.release(key, body.len());
        end.output();
    }
    most
}

/// A frame of one byte costs nine of head and pays for two: seven are owed.
#[test]
fn one_byte_data() {
    let make = || {
        let mut end = End::server_with(|limits| limits.data_overhead_bytes_max = 700);
        end.feed(&open(1));
        end
    };
    let run = |most, body: &[u8], padding| frames_taken(&mut make(), most, body, padding);
    // What time has brought since the connection's begin is as much again.
    assert_eq!(run(1000, b"x", 0), 200);
    assert_eq!(run(100_000, b"\0\0\0\0\0", 0), 100_000, "empty messages");
    assert_eq!(run(100_000, b"\0\0\0\0\x0aten bytes..", 0), 100_000);
    assert_eq!(run(100_000, &[7; 21], 256), 100_000, "padding is an eighth");
    assert_eq!(run(1000, &[7; 17], 256), 200);
    let mut end = make();
    for second in 0..50 {
        assert_eq!(frames_taken(&mut end, 100, b"x", 0), 100, "{second}");
        end.now += Duration::from_secs(1);
    }
    let mut end = make();
    end.feed(&data(1, 0, &[7; 16_000]));
    let ahead = 16 * 100 + 100;
    assert_eq!(frames_taken(&mut end, 10_000, b"x", 0), ahead);
}

/// A call may end in a frame of its own: a million of those owe nothing.
#[test]
fn ends_of_streams_are_free() {
    let mut end = End::server_with(|limits| limits.data_overhead_bytes_max = 10);
    for id in (1..10_000).step_by(2) {
        let call = [open(id), data(id, 0, b"\0\0\0\0\0"), data(id, END, b"")];
        assert_eq!(end.feed(&call.concat()).len(), 2);
        end.answer(id, b"");
        end.output();
    }
}

#[test]
fn input_waits_for_replies() {
    let mut end = End::server_with(|limits| limits.queued_replies_high = 3);
    end.feed(&ping(0, 1).repeat(2));
    assert!(end.connection.wants_input());
    end.feed(&ping(0, 1));
    assert!(!end.connection.wants_input());
    assert_eq!(end.frames().len(), 3);
    assert!(end.connection.wants_input());
    end.feed(&headers(1, END, request(&[])));
    let body = vec![7; 60_000];
    end.answer(1, &body);
    assert!(end.connection.wants_input(), "below what is much");
    let mut end = End::server_with(|limits| limits.output_bytes_high = 20_000);
    end.feed(&headers(1, END, request(&[])));
    end.answer(1, &body);
    assert!(!end.connection.wants_input());
    end.output();
    assert!(end.connection.wants_input());
}

/// Replies nobody reads: the application is told to start no further calls, and all live on.
#[test]
fn queued_bytes() {
    const REPLY: usize = 40_000;
    let mut config = Config::server();
    config.limits.queued_bytes_max = REPLY;
    let mut end = End::fresh(config);
    end.feed(&[PREFACE, &settings(&[(4, 0)]), &settings_ack()].concat());
    end.feed(&[open(1), open(3)].concat());
    end.answer(1, &[7; REPLY]);
    assert!(!end.connection.is_congested(), "at the limit");
    assert_eq!(end.feed(&open(5)), ["headers 5"]);
    end.answer(3, b"x");
    assert!(end.connection.is_congested(), "over");
    assert_eq!(end.feed(&open(7)), ["headers 7"], "taken all the same");
    end.output();
    end.feed(&window_update(3, 1));
    assert_eq!(end.sent()[0], "DATA 3 x end");
    assert!(!end.connection.is_congested());
    end.feed(&reset(1, 8));
    assert_eq!(end.connection.queued_bytes(), 0);
}

/// Trailers that wait behind data are counted, too.
#[test]
fn queued_trailers() {
    let mut end = End::fresh(Config::server());
    end.feed(&[PREFACE, &settings(&[(4, 0)]), &settings_ack(), &open(1)].concat());
    let key = end.key(1);
    let connection = &mut end.connection;
    connection.send_headers(key, fields(&[(":status", "200")]), None, false);
    connection.send_data(key, b"x", false);
    let before = connection.queued_bytes();
    connection.send_headers(key, fields(&[("grpc-status", "0")]), None, true);
    assert!(connection.queued_bytes() >= before + "grpc-status0".len());
    end.feed(&window_update(1, 1));
    end.output();
    assert_eq!(end.connection.queued_bytes(), 0);
}

/// The names in the blocks of `end`'s output.
fn names_sent(end: &mut End) -> Vec<String> {
    let mut decoder = Decoder::new(4096);
    let mut list = HeaderList::new();
    let limits = ListLimits {
        bytes_soft: 1 << 20,
        bytes_hard: 1 << 20,
        fields_soft: 100,
        fields_hard: 100,
    };
    let mut names = Vec::new();
    for frame in end.frames().iter().filter(|frame| frame.kind == HEADERS) {
        decoder
            .decode(&frame.payload, &mut list, limits)
            .expect("a sound block");
        let fields = list
            .iter()
            .map(|field| field.name.escape_ascii().to_string());
        names.extend(fields);
    }
    names
}

/// No list is cut for the peer's SETTINGS_MAX_HEADER_LIST_SIZE: the caller knows what matters in it.
#[test]
fn a_list_the_peer_has_no_room_for_goes_whole() {
    let trailers = [("grpc-status", "13"), ("grpc-message", "m"), ("id", "7")];
    for (room, ends) in [(10, false), (10, true), (10_000, true)] {
        for queued in [false, true] {
            let mut end = End::server();
            assert_eq!(end.connection.peer_header_list_bytes_max(), usize::MAX);
            end.feed(&[open(1), settings(&[(6, room), (4, 0)])].concat());
            let announced = end.connection.peer_header_list_bytes_max();
            assert_eq!(announced, room as usize);
            let key = end.key(1);
            end.output();
            if queued && ends {
                end.connection.send_data(key, b"x", false);
            }
            end.connection
                .send_headers(key, fields(&trailers), None, ends);
            end.feed(&window_update(1, 1));
            assert_eq!(names_sent(&mut end).len(), 3, "{room} {ends} {queued}");
        }
    }
}
