//! Frames that are legal and of no use, by the budget they drain.

use core::time::Duration;

use corespun_http2::Limit;

use crate::end::End;
use crate::wire::*;

const CALM: &str = "ENHANCE_YOUR_CALM";

/// Glitches that are left once the handshake's SETTINGS have cost theirs.
const LEFT: u32 = 5;

fn server() -> End {
    End::server_with(|limits| {
        limits.glitch_budget = LEFT + 1;
        limits.glitch_budget_per_second = 1;
    })
}

/// After `first`, as many of `frame` as are free and as the budget holds; then one more.
fn check(name: &str, first: &[Vec<u8>], frame: &[u8], free: usize) {
    let mut end = server();
    end.feed(&first.concat());
    let error = format!("error {CALM}");
    for turn in 0..free + LEFT as usize {
        let said = end.feed(frame);
        assert!(!said.contains(&error), "{name}: {turn} are too many");
        end.output();
    }
    assert_eq!(end.hits(Limit::Glitches), 0, "{name}");
    assert!(end.feed(frame).contains(&error), "{name}: one over");
    let last = end.sent().pop().unwrap_or_default();
    assert!(
        last.starts_with("GOAWAY") && last.ends_with(CALM),
        "{name}: {last}"
    );
    assert_eq!(end.hits(Limit::Glitches), 1, "{name}");
}

fn open(id: u32) -> Vec<u8> {
    headers(id, 0, request(&[]))
}

#[test]
fn every_kind_of_glitch() {
    check("PING", &[], &ping(0, 1), 0);
    check("SETTINGS", &[], &settings(&[(3, 7)]), 0);
    check("unasked acknowledgement", &[], &settings_ack(), 0);
    check("unknown", &[], &frame(0x42, 0, 0, b"grease"), 0);
    check("empty DATA", &[open(1)], &data(1, 0, b""), 8);
    check("padding", &[open(1)], &padded_data(1, 0, b"", 9), 8);
    check("PRIORITY", &[], &priority(1, 0), 0);
    check("and a stream", &[open(1)], &priority(1, 0), 8);
    check("and two", &[open(1), open(3)], &priority(1, 0), 16);
    check("WINDOW_UPDATE", &[], &window_update(0, 1), 0);
    check("and a stream", &[open(1)], &window_update(1, 1), 8);
    let gone = [open(1), reset(1, 8)];
    check("RST_STREAM late", &gone, &reset(1, 8), 8);
    check("WINDOW_UPDATE late", &gone, &window_update(1, 1), 8);
    // The update that is a fault is a frame without use, too.
    let fault = [open(1), window_update(1, 0)];
    check("DATA late", &fault, &data(1, 0, b"four"), 7);
    check(
        "DATA late, ended again",
        &fault,
        &data(1, END, b"enough"),
        7,
    );
    check("HEADERS late", &fault, &headers(1, END, block(&[])), 7);
    let many: Vec<_> = (0..100).map(|nth| open(2 * nth + 1)).collect();
    let saved = 9 * (LEFT as usize + 1) + 1;
    check("ten budgets at most", &many, &priority(1, 0), saved);
    let fields = request(&[]);
    let split = |id| {
        let begun = frame(HEADERS, END, id, &fields[..9]);
        let rest = frame(CONTINUATION, END_HEADERS, id, &fields[9..]);
        (begun, rest)
    };
    let (begun, rest) = split(1);
    check("CONTINUATION", &[begun], &frame(CONTINUATION, 0, 1, b""), 0);
    let (begun, _) = split(3);
    let mut end = server();
    end.feed(&begun);
    for _ in 0..LEFT {
        assert!(end.feed(&frame(CONTINUATION, 0, 3, b"")).is_empty());
    }
    let rest = [&rest[..5], &3u32.to_be_bytes(), &rest[9..]].concat();
    assert_eq!(end.feed(&rest), ["headers 3 end"], "one with bytes is none");
}

/// An upload that was refused has a window full under way, in frames of any size.
#[test]
fn late_data_that_pays_for_itself_costs_nothing() {
    for bytes in [5, 256] {
        let mut end = server();
        end.feed(&[open(1), window_update(1, 0)].concat());
        for _ in 0..10_000 {
            assert!(end.feed(&data(1, 0, &[7; 256][..bytes])).is_empty());
            end.output();
        }
    }
}

/// Ten thousand streams that we have reset, and what the peer had sent on each before it knew.
#[test]
fn late_frames_on_any_number_of_streams() {
    const STREAMS: u32 = 10_000;
    let mut end = End::server();
    let ids = || (0..STREAMS).map(|nth| 2 * nth + 1);
    for id in ids() {
        end.feed(&open(id));
        let key = end.key(id);
        end.connection.reset(key, corespun_http2::ErrorCode::CANCEL);
        end.output();
    }
    let mut credit = 0;
    for id in ids() {
        let late = [
            data(id, 0, b"late"),
            window_update(id, 10),
            data(id, END, &[7; 1000]),
            headers(id, END, block(&[("a", "b")])),
            reset(id, 8),
        ];
        assert!(end.feed(&late.concat()).is_empty(), "{id}");
        let frames = end.frames();
        assert!(frames.iter().all(|frame| frame.kind == WINDOW_UPDATE));
        credit += frames.iter().map(|frame| frame.word(0)).sum::<u32>();
    }
    assert!(
        credit > STREAMS * 1004 - (4 << 20),
        "{credit} was given back"
    );
    end.feed(&open(2 * STREAMS + 1));
    end.answer(2 * STREAMS + 1, b"served");
    assert_eq!(
        end.sent()[1],
        format!("DATA {} served end", 2 * STREAMS + 1)
    );
}

/// A peer that sends on after its own end is told so on that stream, for as long as the connection
/// has others.
#[test]
fn frames_after_the_peers_own_end() {
    let mut end = End::server();
    end.feed(&[open(1), headers(3, END, request(&[]))].concat());
    end.answer(3, b"");
    end.output();
    for (frame, sent) in [
        (data(3, 0, b"after"), &["RST_STREAM 3 STREAM_CLOSED"][..]),
        (data(3, 0, b"again"), &[]),
        (headers(3, END, inserted("kept", "1")), &[]),
    ] {
        assert!(end.feed(&frame).is_empty());
        assert_eq!(end.sent(), sent);
    }
    let next = headers(5, END, [request(&[]), indexed(62)].concat());
    assert_eq!(end.feed(&next), ["headers 5 end"], "the table is right");
    end.answer(1, b"served");
    assert_eq!(end.sent()[1], "DATA 1 served end");
}

/// Callers measure bandwidth by a PING behind DATA of ours.
#[test]
fn a_ping_after_data_is_free() {
    let mut end = server();
    end.feed(&open(1));
    let key = end.key(1);
    for _ in 0..1000 {
        end.connection.send_data(key, b"x", false);
        assert!(end.feed(&ping(0, 1)).is_empty());
        assert_eq!(end.frames().len(), 2);
    }
}

/// Our DATA entitles the peer to updates of both windows, many times over.
#[test]
fn updates_for_data_are_free() {
    let mut end = server();
    end.feed(&open(1));
    let key = end.key(1);
    for _ in 0..200 {
        end.connection.send_data(key, b"x", false);
        end.output();
        for _ in 0..10 {
            let updates = [window_update(0, 1), window_update(1, 1)].concat();
            assert!(end.feed(&updates).is_empty());
        }
    }
}

/// A peer that reads in small pieces and gives credit for each, on both windows.
#[test]
fn updates_for_a_few_bytes_each_are_free() {
    let mut end = End::server_with(|limits| limits.glitch_budget = 20);
    end.feed(
        &[
            open(1),
            settings(&[(4, 1 << 30)]),
            window_update(0, 1 << 30),
        ]
        .concat(),
    );
    let key = end.key(1);
    for _ in 0..50 {
        end.connection.send_data(key, &[7; 900], false);
        end.output();
        for _ in 0..900 / 16 {
            let updates = [window_update(0, 16), window_update(1, 16)].concat();
            assert!(end.feed(&updates).is_empty());
        }
    }
}

/// SETTINGS that shift windows cost one more for every 64 streams.
#[test]
fn shifting_the_windows_of_many_streams() {
    let flips = |streams: u32, times: u32| {
        let mut end = End::server_with(|limits| {
            limits.glitch_budget = 1 + 4 * 3;
            limits.glitch_budget_per_second = 0;
        });
        let opened: Vec<u8> = (0..streams).flat_map(|n| open(2 * n + 1)).collect();
        end.feed(&opened);
        let said = (0..times).map(|n| end.feed(&settings(&[(4, 1000 + n)])));
        said.flatten().any(|line| line == format!("error {CALM}"))
    };
    // Ten budgets are 130, which the streams have paid.
    assert!(!flips(128, 43));
    assert!(flips(128, 44));
    assert!(!flips(63, 130), "below 64 a frame is a frame");
    assert!(flips(63, 131));
}

#[test]
fn time_refills_the_budget() {
    let mut end = server();
    for _ in 0..1000 {
        end.now += Duration::from_secs(1);
        assert!(end.feed(&ping(0, 1)).is_empty());
        end.output();
    }
}

/// Hits are kept for the connection, and handed out once to be summed.
#[test]
fn hits_are_counted_and_handed_out_once() {
    let mut end = End::server_with(|limits| limits.concurrent_streams_max = 1);
    assert!(end.connection.take_fresh_limit_hits().is_none());
    end.feed(&[open(1), open(3), open(5)].concat());
    let fresh = end.connection.take_fresh_limit_hits();
    let fresh = fresh.expect("two streams were refused");
    assert_eq!(fresh.of(Limit::ConcurrentStreams), 2);
    assert!(end.connection.take_fresh_limit_hits().is_none());
    assert_eq!(end.hits(Limit::ConcurrentStreams), 2);
    end.connection.note_limit_hit(Limit::RequestProgressTime);
    let fresh = end.connection.take_fresh_limit_hits();
    let fresh = fresh.expect("one more");
    assert_eq!(fresh.iter().map(|(_, count)| count).sum::<u64>(), 1);
    assert_eq!(end.hits(Limit::ConcurrentStreams), 2);
}
