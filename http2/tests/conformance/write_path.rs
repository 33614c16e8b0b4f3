//! Order of output: no stream starves, nothing deadlocks, and credit is given in large pieces.

use corespun_http2::{Config, Connection, Event, StreamKey};

use crate::end::{End, fields};
use crate::wire::*;

/// Bytes that one stream may send before the next stream may send.
const TURN: usize = 16 << 10;

fn open(id: u32) -> Vec<u8> {
    headers(id, END, request(&[]))
}

fn head(end: &mut End, id: u32) -> StreamKey {
    let key = end.key(id);
    let list = fields(&[(":status", "200")]);
    end.connection.send_headers(key, list, None, false);
    key
}

/// A server with wide windows towards its peer, and streams that have requests.
fn wide(ids: &[u32], set: impl Fn(&mut Config)) -> End {
    let mut config = Config::server();
    set(&mut config);
    let mut end = End::ready(config);
    end.feed(&[settings(&[(4, 1 << 30)]), window_update(0, 1 << 30)].concat());
    ids.iter().for_each(|&id| drop(end.feed(&open(id))));
    end.output();
    end
}

fn data_bytes(frames: &[Frame], id: u32) -> usize {
    let data = frames
        .iter()
        .filter(|frame| (frame.kind, frame.stream) == (DATA, id));
    data.map(|frame| frame.payload.len()).sum()
}

/// Replies and heads without end go first, but DATA goes with each of them.
#[test]
fn control_frames_do_not_starve_data() {
    let mut end = wide(&[1], |config| config.limits.output_bytes_high = 2000);
    let key = head(&mut end, 1);
    end.connection.send_data(key, &[7; 400_000], true);
    end.output();
    let mut sent = 0;
    for turn in 0..20 {
        end.feed(&ping(0, turn).repeat(200));
        let frames = end.frames();
        assert!(
            frames[..200].iter().all(|frame| frame.kind == PING),
            "control first"
        );
        sent += data_bytes(&frames, 1);
        assert!(sent >= (turn as usize + 1) * TURN, "turn {turn}: {sent}");
    }
}

#[test]
fn a_greedy_stream_does_not_starve_the_others() {
    let small: Vec<u32> = (3..23).step_by(2).collect();
    let mut end = wide(&[&[1], &small[..]].concat(), |config| {
        config.limits.output_bytes_high = 64 << 10;
    });
    let greedy = head(&mut end, 1);
    end.connection.send_data(greedy, &vec![7; 20 << 20], true);
    for &id in &small {
        let key = head(&mut end, id);
        end.connection.send_data(key, &[7; 3 * TURN], true);
    }
    end.output();
    // From here on nobody has a second turn before all who wait have had one.
    let mut order = Vec::new();
    while order.iter().filter(|&&id| id != 1).count() < 3 * small.len() {
        let frames = end.frames();
        let data = frames.iter().filter(|frame| frame.kind == DATA);
        order.extend(data.map(|frame| frame.stream));
        assert!(frames.iter().all(|frame| frame.payload.len() <= TURN));
    }
    for round in order.chunks(small.len() + 1).take(3) {
        let turns = round.iter().filter(|&&id| id == 1).count();
        assert!(
            turns <= 2,
            "{turns} turns of the greedy stream in {round:?}"
        );
    }
}

#[test]
fn the_end_needs_no_window() {
    for shrink in [0, 1, 65_534] {
        let mut end = End::server();
        end.feed(&[open(1), open(3)].concat());
        let (one, three) = (head(&mut end, 1), head(&mut end, 3));
        end.connection.send_data(one, &[7; 40_000], false);
        end.connection.send_data(three, &[7; 25_535], false);
        end.output();
        end.feed(&settings(&[(4, shrink)]));
        end.output();
        end.connection.send_data(one, b"", true);
        assert_eq!(end.sent(), ["DATA 1  end"], "both windows closed");
        let trailers = fields(&[("grpc-status", "0")]);
        end.connection.send_headers(three, trailers, None, true);
        assert_eq!(end.sent(), ["HEADERS 3 end"]);
        assert_eq!(end.connection.open_streams(), 0);
    }
}

/// SETTINGS that make a window negative: nothing goes until updates have filled the hole.
#[test]
fn windows_below_zero() {
    let mut end = wide(&[1, 3], |_| {});
    end.feed(&settings(&[(4, 1000)]));
    end.output();
    let (one, three) = (head(&mut end, 1), head(&mut end, 3));
    end.connection.send_data(one, &[7; 1200], true);
    end.connection.send_data(three, b"three", false);
    end.output();
    end.feed(&settings(&[(4, 100)]));
    assert_eq!(end.sent(), ["SETTINGS ack"]);
    end.feed(&window_update(1, 900));
    assert!(end.sent().is_empty(), "the hole is filled, no more");
    end.connection.send_data(three, &[8; 95], false);
    assert_eq!(data_bytes(&end.frames(), 3), 95, "5 and 95 make 100");
    end.feed(&window_update(1, 150));
    assert_eq!(data_bytes(&end.frames(), 1), 150);
    end.feed(&settings(&[(4, 1000)]));
    let frames = end.frames();
    assert_eq!(data_bytes(&frames, 1), 50);
    assert!(frames.iter().any(|frame| frame.stream == 1 && frame.ends()));
}

/// A message of any size passes any window, given in pieces of its size.
#[test]
fn messages_larger_than_the_peers_window() {
    let message: Vec<u8> = (0..100_000u32).map(|n| (n % 251) as u8).collect();
    for window in [0, 1, 2, 100, 16_384, 65_535] {
        let mut end = End::fresh(Config::server());
        end.feed(&[PREFACE, &settings(&[(4, window)]), &settings_ack()].concat());
        end.feed(&open(1));
        let len = if window < 100 { 3000 } else { message.len() };
        end.answer(1, &message[..len]);
        let (mut got, mut ended) = (Vec::new(), false);
        for _ in 0..=len + 1 {
            let before = got.len();
            for frame in end.frames() {
                if frame.kind == DATA {
                    got.extend_from_slice(&frame.payload);
                    ended |= frame.ends();
                }
            }
            let credit = ((got.len() - before) as u32).max(1);
            end.feed(&[window_update(0, credit), window_update(1, credit)].concat());
            // The peer is in no hurry either: the budget for useless updates has time to refill.
            end.now += core::time::Duration::from_secs(1);
        }
        assert!(ended, "window {window}: {} of {len}", got.len());
        assert_eq!(got, message[..len], "window {window}");
    }
}

/// A large buffer that has to wait is kept, not copied; its bytes go out as any others.
#[test]
fn buffers_that_wait_are_kept() {
    let message: Vec<u8> = (0..200_000u32).map(|n| (n % 251) as u8).collect();
    for (window, len, kept) in [
        (0, 200_000, true),
        (65_535, 200_000, true),
        (0, 1000, false),
    ] {
        let mut end = End::fresh(Config::server());
        end.feed(&[PREFACE, &settings(&[(4, window)]), &settings_ack()].concat());
        end.feed(&open(1));
        let key = head(&mut end, 1);
        let spare = end
            .connection
            .send_buffer(key, message[..len].to_vec(), false);
        assert_eq!(spare.is_none(), kept, "window {window}, {len} bytes");
        let queued = end.connection.queued(key);
        assert_eq!(queued, len - len.min(window as usize), "window {window}");
        let more = end.connection.send_buffer(key, vec![7; 90_000], true);
        assert!(
            more.is_some(),
            "a queue that is not empty keeps its own buffer"
        );
        end.feed(&[window_update(0, 300_000), window_update(1, 300_000)].concat());
        let mut got = Vec::new();
        for _ in 0..8 {
            let data = end.frames().into_iter().filter(|frame| frame.kind == DATA);
            data.for_each(|frame| got.extend_from_slice(&frame.payload));
        }
        assert_eq!(
            got,
            [&message[..len], &[7; 90_000][..]].concat(),
            "window {window}"
        );
        assert_eq!(end.connection.queued_bytes(), 0);
    }
}

/// Both ends ours: what is read gives credit enough to go on, however small our own window is.
#[test]
fn messages_larger_than_our_window() {
    let message = vec![7; 200_000];
    for window in [1, 2, 3, 100, 20_000, 65_535, 1 << 20] {
        let mut config = Config::server();
        config.limits.stream_window_bytes = window;
        config.limits.connection_window_bytes = 65_535;
        config.limits.data_overhead_bytes_max = u32::MAX;
        let mut server = Connection::new(config);
        let mut client = Connection::new(Config::client());
        let (mut to_server, mut to_client) = (Vec::new(), Vec::new());
        exchange(&mut client, &mut server, &mut to_server);
        exchange(&mut server, &mut client, &mut to_client);
        let key = client
            .open(fields(&REQUEST), None, false)
            .expect("a stream");
        let len = if window < 100 { 3000 } else { message.len() };
        client.send_data(key, &message[..len], true);
        let mut got = 0;
        for _ in 0..2 * len {
            got += exchange(&mut client, &mut server, &mut to_server);
            exchange(&mut server, &mut client, &mut to_client);
        }
        assert_eq!(got, len, "window {window}");
    }
}

/// Moves what `from` has to `to`, which reads and releases all; how many body bytes came.
fn exchange(from: &mut Connection, to: &mut Connection, wire: &mut Vec<u8>) -> usize {
    wire.clear();
    from.transmit(wire);
    let (mut input, mut got) = (&wire[..], 0);
    let now = core::time::Duration::ZERO;
    while let Some(event) = to.receive(now, &mut input).expect("a sound peer") {
        if let Event::Data { stream, bytes, .. } = event {
            got += bytes.len();
            to.release(stream, bytes.len());
        }
    }
    got
}

fn fixed_windows(limits: &mut corespun_http2::Limits) {
    limits.stream_window_bytes = 1 << 20;
    limits.stream_window_bytes_max = 1 << 20;
    limits.received_bytes_max = 64 << 20;
}

/// Updates come at half of a window, not with every frame, and a stream that ended gets none.
#[test]
fn window_updates_are_batched() {
    let mut end = End::server_with(fixed_windows);
    end.feed(&headers(1, 0, request(&[])));
    let key = end.key(1);
    let mut updates = [0, 0];
    let mut count = |end: &mut End| {
        for frame in end.frames() {
            assert_eq!(frame.kind, WINDOW_UPDATE);
            updates[frame.stream as usize] += 1;
        }
    };
    for _ in 0..8 << 10 {
        end.feed(&data(1, 0, &[7; 1 << 10]));
        end.connection.release(key, 1 << 10);
        count(&mut end);
    }
    end.feed(&data(1, END, &[7; 10_000]));
    end.connection.release(key, 10_000);
    count(&mut end);
    assert_eq!(updates, [4, 16], "8 MiB by half of 4 MiB and of 1 MiB");
}

/// Streams that nobody reads keep their own windows closed, not the connection's.
#[test]
fn unread_streams_leave_the_connection_open() {
    let mut end = End::server_with(fixed_windows);
    let window = 1 << 20;
    let mut credit = 4 << 20;
    let mut upload = |end: &mut End, id: u32| {
        end.feed(&headers(id, 0, request(&[])));
        for _ in 0..window / TURN {
            credit -= TURN;
            let said = end.feed(&data(id, 0, &[7; TURN]));
            assert!(!said.is_empty() && !said[0].starts_with("error"));
            for frame in end.frames() {
                assert_eq!((frame.kind, frame.stream), (WINDOW_UPDATE, 0));
                credit += frame.word(0) as usize;
            }
        }
    };
    for id in (1..41).step_by(2) {
        upload(&mut end, id);
    }
    let over = end.feed(&data(1, 0, b"x"));
    assert_eq!(
        over,
        ["reset 1 FLOW_CONTROL_ERROR by us"],
        "its own window is closed"
    );
}
