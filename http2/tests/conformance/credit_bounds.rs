//! Credit beyond the ordinary windows: for messages that are larger, for readers that are fast,
//! within the bound on what is held, and in which order when that is reached.

use core::time::Duration;

use corespun_http2::{Limits, Pressure, StreamKey};

use crate::end::End;
use crate::wire::*;

const ORDINARY: usize = 65_535;
const MIB: usize = 1 << 20;
/// Credit that is given ahead for one message.
const AHEAD: usize = MIB;

/// A server with `streams` open requests, whose windows do not grow by themselves.
fn server(streams: u32, set: impl Fn(&mut Limits)) -> (End, Vec<StreamKey>) {
    let mut end = End::server_with(|limits| {
        limits.stream_window_bytes_max = limits.stream_window_bytes;
        limits.data_overhead_bytes_max = u32::MAX;
        set(limits);
    });
    let keys = (0..streams).map(|n| {
        end.feed(&headers(n * 2 + 1, 0, request(&[])));
        StreamKey {
            slot: n,
            id: n * 2 + 1,
        }
    });
    let keys = keys.collect();
    end.output();
    (end, keys)
}

/// Sends `bytes` on a stream; no fault may come of it.
fn body(end: &mut End, stream: u32, bytes: usize, flags: u8) {
    for at in (0..bytes).step_by(16_384) {
        let len = (bytes - at).min(16_384);
        let flags = if at + len == bytes { flags } else { 0 };
        let said = end.feed(&data(stream, flags, &vec![7; len]));
        assert_eq!(said.len(), 1, "{said:?}");
        assert!(said[0].starts_with("data"), "{said:?}");
    }
}

/// The increments of the stream windows in the output.
fn increments(end: &mut End) -> Vec<(u32, usize)> {
    let frames = end.frames();
    let updates = frames
        .iter()
        .filter(|frame| frame.kind == WINDOW_UPDATE && frame.stream > 0);
    updates
        .map(|frame| (frame.stream, frame.word(0) as usize))
        .collect()
}

#[test]
fn what_is_not_released_is_held() {
    let (mut end, keys) = server(3, |_| {});
    assert_eq!(end.connection.largest_holder(), None);
    body(&mut end, 1, 400, 0);
    body(&mut end, 3, 600, 0);
    assert_eq!(end.connection.held_bytes(), 1000);
    assert_eq!(end.connection.largest_holder(), Some(keys[1]));
    end.connection.release(keys[1], 300);
    assert_eq!(end.connection.held_bytes(), 700);
    assert_eq!(end.connection.largest_holder(), Some(keys[0]));
    end.connection.release(keys[1], usize::MAX);
    end.feed(&reset(1, 8));
    assert_eq!(end.connection.held_bytes(), 0, "a stream that ended");
    body(&mut end, 5, 500, END);
    assert_eq!(
        end.connection.held_bytes(),
        500,
        "a request that has ended is held until it is read"
    );
    end.connection.release(keys[2], 500);
    assert_eq!(end.connection.held_bytes(), 0);
}

/// The window is widened by what a message lacks, up to what is given ahead.
#[test]
fn a_message_larger_than_the_window() {
    let check = |missing: usize, expected: &[(u32, usize)]| {
        let (mut end, keys) = server(1, |_| {});
        body(&mut end, 1, 16_384, 0);
        end.connection.expect(keys[0], missing);
        assert_eq!(increments(&mut end), expected, "{missing} missing");
        assert!(!end.connection.is_waiting(keys[0]));
    };
    let left = ORDINARY - 16_384;
    check(0, &[]);
    check(left, &[]);
    check(left + 1, &[(1, 1)]);
    check(200_000, &[(1, 200_000 - left)]);
    check(AHEAD, &[(1, AHEAD - left)]);
    check(64 * MIB, &[(1, AHEAD - left)]);
}

/// A message of four megabytes never waits for credit while there is room.
#[test]
fn the_rest_is_given_while_the_message_comes() {
    const MESSAGE: usize = 4 * MIB;
    let (mut end, keys) = server(1, |_| {});
    let (mut came, mut window, mut updates) = (0, ORDINARY, 0);
    while came < MESSAGE {
        let len = (MESSAGE - came).min(16_384);
        assert!(window >= len, "{window} of {len} after {came}");
        body(&mut end, 1, len, 0);
        came += len;
        window -= len;
        end.connection.expect(keys[0], MESSAGE - came);
        for (_, increment) in increments(&mut end) {
            window += increment;
            updates += 1;
        }
    }
    assert!(updates <= 9, "{updates} updates");
    assert_eq!(window, 0, "no more than the message was promised");
    end.connection.release(keys[0], MESSAGE);
    assert_eq!(
        increments(&mut end),
        [(1, ORDINARY)],
        "an ordinary window again"
    );
}

/// At the bound the oldest stream goes beyond it, one at a time; then the next.
#[test]
fn readers_wait_in_the_order_of_their_streams() {
    const LACKS: usize = 300_000;
    let (mut end, keys) = server(3, |limits| limits.received_bytes_max = LACKS);
    for key in keys.iter().rev() {
        body(&mut end, key.id, ORDINARY, 0);
        end.connection.expect(*key, LACKS);
    }
    assert_eq!(increments(&mut end), [(1, LACKS)], "the oldest");
    body(&mut end, 1, LACKS, END);
    assert!(increments(&mut end).is_empty(), "it is not consumed");
    assert!(end.connection.is_waiting(keys[1]) && end.connection.is_waiting(keys[2]));
    end.connection.release(keys[0], ORDINARY + LACKS);
    assert_eq!(increments(&mut end), [(3, LACKS)]);
    end.connection.release(keys[2], 1);
    assert_eq!(increments(&mut end), [(5, 1)], "one at a time");
    end.feed(&reset(3, 8));
    assert_eq!(
        increments(&mut end),
        [(5, LACKS - 1)],
        "the one before is gone"
    );
    assert!(!end.connection.is_waiting(keys[2]));
}

/// As many as fit go on together.
#[test]
fn readers_share_the_bound() {
    const LACKS: usize = 300_000;
    let (mut end, keys) = server(4, |limits| {
        limits.received_bytes_max = 2 * LACKS + 4 * ORDINARY
    });
    for key in &keys {
        body(&mut end, key.id, ORDINARY, 0);
        end.connection.expect(*key, LACKS);
    }
    let given = increments(&mut end);
    assert_eq!(
        given,
        [(1, LACKS), (3, LACKS), (5, LACKS)],
        "two fit, and the oldest that waits"
    );
    assert!(end.connection.is_waiting(keys[3]));
    end.feed(&reset(5, 8));
    assert_eq!(increments(&mut end), [(7, LACKS)]);
}

/// A slow stream stops nobody's ordinary window, which is smaller while the bound is reached.
#[test]
fn the_bound_leaves_small_windows_alone() {
    let (mut end, keys) = server(20, |limits| limits.received_bytes_max = 400_000);
    body(&mut end, 1, ORDINARY, 0);
    for id in (3..17).step_by(2) {
        body(&mut end, id, 60_000, 0);
    }
    let (mut window, mut sent) = (ORDINARY, 0);
    while sent < 1_000_000 {
        assert!(window > 0, "after {sent}");
        let len = window.min(10_000);
        body(&mut end, 39, len, 0);
        end.connection.release(keys[19], len);
        window -= len;
        sent += len;
        window += increments(&mut end)
            .iter()
            .map(|given| given.1)
            .sum::<usize>();
        assert!(sent < 60_000 || window <= 20_000, "400,000 for each of 20");
    }
}

/// The connection's window shrinks with what is held, down to 64 KiB.
#[test]
fn the_connection_window_shrinks() {
    let (mut end, keys) = server(8, |limits| {
        limits.stream_window_bytes = MIB as u32;
        limits.connection_window_bytes = MIB as u32;
        limits.received_bytes_max = 2 * MIB;
    });
    let mut window = MIB;
    let mut send = |end: &mut End, stream: u32, bytes: usize| {
        body(end, stream, bytes, 0);
        window -= bytes;
        let frames = end.frames();
        let updates = frames.iter().filter(|frame| frame.kind == WINDOW_UPDATE);
        window += updates
            .clone()
            .filter(|frame| frame.stream == 0)
            .map(|frame| frame.word(0) as usize)
            .sum::<usize>();
        window
    };
    assert_eq!(send(&mut end, 1, MIB), MIB, "1 MiB is left");
    assert_eq!(send(&mut end, 3, MIB / 2), MIB / 2, "and a half");
    assert_eq!(send(&mut end, 5, MIB / 2), 64 << 10, "nothing is left");
    for stream in [7, 9, 11] {
        assert_eq!(send(&mut end, stream, 64 << 10), 64 << 10, "some go on");
    }
    end.connection.release(keys[0], MIB);
    assert_eq!(send(&mut end, 13, 60_000), MIB - 3 * (64 << 10) - 60_000);
}

/// Lets the peer send `bytes` on stream 1 and reads them: increments of the window, and PINGs.
fn read(end: &mut End, bytes: usize) -> (Vec<usize>, Vec<Vec<u8>>) {
    body(end, 1, bytes, 0);
    let key = end.key(1);
    end.connection.release(key, bytes);
    answers(end)
}

fn answers(end: &mut End) -> (Vec<usize>, Vec<Vec<u8>>) {
    let (mut increments, mut pings) = (Vec::new(), Vec::new());
    for frame in end.frames() {
        match frame.kind {
            PING => pings.push(frame.payload.clone()),
            WINDOW_UPDATE if frame.stream == 1 => increments.push(frame.word(0) as usize),
            _ => {}
        }
    }
    (increments, pings)
}

/// Answers the PING that a measurement needs: increments of the window, and further PINGs.
fn acknowledge(end: &mut End, probe: &[u8]) -> (Vec<usize>, Vec<Vec<u8>>) {
    assert!(end.feed(&frame(PING, ACK, 0, probe)).is_empty(), "no event");
    answers(end)
}

/// A reader that takes half of its window within a round trip has the window doubled.
#[test]
fn windows_grow_with_what_is_read() {
    let mut end = End::server_with(|limits| limits.stream_window_bytes_max = 150_000);
    end.feed(&headers(1, 0, request(&[])));
    let (given, probes) = read(&mut end, 40_000);
    assert_eq!((given, probes.len()), (vec![40_000], 1));
    assert_eq!(read(&mut end, 32_766), (vec![], vec![]), "one at a time");
    assert_eq!(
        acknowledge(&mut end, &probes[0]),
        (vec![], vec![]),
        "below half"
    );
    assert_eq!(
        read(&mut end, 1),
        (vec![32_767], vec![]),
        "not at once again"
    );
    end.now += Duration::from_millis(100);
    let (given, probes) = read(&mut end, 40_000);
    assert_eq!((given, probes.len()), (vec![40_000], 1));
    assert_eq!(read(&mut end, 32_767), (vec![32_767], vec![]));
    let (given, probes) = acknowledge(&mut end, &probes[0]);
    assert_eq!(
        (given, probes.len()),
        (vec![65_535], 1),
        "twice the window, and on"
    );
    assert_eq!(read(&mut end, 100_000), (vec![100_000], vec![]));
    let (given, probes) = acknowledge(&mut end, &probes[0]);
    assert!(given.is_empty() && probes.is_empty(), "18,930 are not half");
    assert_eq!(
        read(&mut end, 100_000),
        (vec![118_930], vec![]),
        "as far as it goes"
    );
}

/// A window that has grown is given back in full only while the bound leaves room for that.
#[test]
fn grown_windows_and_the_bound() {
    let mut end = End::server_with(|limits| limits.received_bytes_max = 300_000);
    end.feed(&headers(1, 0, request(&[])));
    let (_, probes) = read(&mut end, 40_000);
    read(&mut end, 40_000);
    assert_eq!(acknowledge(&mut end, &probes[0]).0, [65_535]);
    for stream in [3, 5, 7, 9] {
        end.feed(&headers(stream, 0, request(&[])));
        body(&mut end, stream, 60_000, 0);
    }
    let given = read(&mut end, 110_000).0;
    assert_eq!(given, [38_930], "a share of 60,000, not 131,070");
}

#[test]
fn shortage_of_memory() {
    let (mut end, keys) = server(2, |limits| limits.connection_window_bytes = MIB as u32);
    end.connection.set_pressure(Pressure::Favoured);
    body(&mut end, 1, 60_000, 0);
    end.connection.expect(keys[0], 100_000);
    assert_eq!(increments(&mut end), [(1, 94_465)], "one goes on");
    body(&mut end, 3, 60_000, 0);
    end.connection.expect(keys[1], 100_000);
    assert!(end.connection.is_waiting(keys[1]), "the other waits");
    assert!(end.connection.needs_credit());
    end.connection.set_pressure(Pressure::Tight);
    assert!(increments(&mut end).is_empty());
    end.connection.set_pressure(Pressure::Closed);
    body(&mut end, 1, 100_000, END);
    end.connection.release(keys[0], 160_000);
    body(&mut end, 3, 5_535, 0);
    assert!(end.sent().is_empty(), "nothing is given back");
    end.connection.set_pressure(Pressure::None);
    assert!(end.connection.has_output());
    assert_eq!(increments(&mut end), [(3, 100_000)]);
}
