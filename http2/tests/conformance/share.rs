//! A stream's part of what the connection could send now.

use corespun_http2::{Config, StreamKey};

use crate::end::{End, fields};
use crate::wire::*;

const ROOM: usize = 100_000;

/// A server with `count` streams and room for [`ROOM`] bytes of output, whose peer opens a window
/// of `stream` bytes for each and of `connection` bytes for all.
fn serving(count: u32, stream: u32, connection: u32) -> (End, Vec<StreamKey>) {
    let mut config = Config::server();
    config.limits.output_bytes_high = ROOM;
    let mut end = End::ready(config);
    end.feed(&settings(&[(4, stream)]));
    if connection > 65_535 {
        end.feed(&window_update(0, connection - 65_535));
    }
    let keys = (0..count).map(|n| {
        end.feed(&headers(n * 2 + 1, END, request(&[])));
        end.key(n * 2 + 1)
    });
    let keys = keys.collect();
    end.output();
    (end, keys)
}

fn check((count, stream, connection): (u32, u32, u32), expected: usize) {
    let (end, keys) = serving(count, stream, connection);
    for key in keys {
        let share = end.connection.sendable_share(key);
        assert_eq!(share, expected, "{count} {stream} {connection}");
    }
}

#[test]
fn windows_and_output_are_shared() {
    check((1, 0, 65_535), 0);
    check((1, 1000, 65_535), 1000);
    check((1, 90_000, 65_535), 65_535);
    check((1, 90_000, 95_000), 90_000);
    check((1, 200_000, 200_000), ROOM);
    check((4, 16_383, 65_535), 16_383);
    check((4, 16_384, 65_535), 16_383);
    check((10, 200_000, 200_000), ROOM / 10);
}

#[test]
fn what_was_sent_is_not_there_any_more() {
    let (mut end, keys) = serving(2, 30_000, 65_535);
    let head = fields(&[(":status", "200")]);
    end.connection.send_headers(keys[0], head, None, false);
    end.output();
    end.connection.send_data(keys[0], &[7; 40_000], false);
    assert_eq!(end.connection.queued(keys[0]), 10_000);
    assert_eq!(end.connection.sendable_share(keys[0]), 0);
    let left = (65_535 - 30_000) / 2;
    assert_eq!(end.connection.sendable_share(keys[1]), left);
    end.feed(&reset(keys[0].id, 8));
    assert_eq!(end.connection.sendable_share(keys[0]), 0, "gone");
    assert_eq!(end.connection.sendable_share(keys[1]), 30_000);
}
