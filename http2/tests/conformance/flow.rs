//! RFC 9113 §5.2 and §6.9: what is sent under closed, small and negative windows.

use corespun_http2::{Config, Connection, Event, Role, StreamKey};

use crate::end::{End, fields};
use crate::random::Random;
use crate::wire::*;

/// A server with an answer begun on each of `count` streams, whose peer has a stream window of
/// `window` bytes.
fn answering(count: u32, window: u32) -> (End, Vec<StreamKey>) {
    let mut end = End::server();
    end.feed(&settings(&[(4, window)]));
    let keys = (0..count).map(|n| {
        end.feed(&headers(n * 2 + 1, END, request(&[])));
        let key = end.key(n * 2 + 1);
        end.connection
            .send_headers(key, fields(&[(":status", "200")]), None, false);
        key
    });
    let keys = keys.collect();
    end.output();
    (end, keys)
}

fn trailers(end: &mut End, key: StreamKey) {
    end.connection
        .send_headers(key, fields(&[("grpc-status", "0")]), None, true);
}

// spec: RFC9113-6.9.2
#[test]
fn negative_windows() {
    let (mut end, keys) = answering(1, 10);
    end.connection
        .send_data(keys[0], b"0123456789abcdef", false);
    assert_eq!(end.sent(), ["DATA 1 0123456789"]);
    assert_eq!(end.connection.queued(keys[0]), 6);
    end.feed(&settings(&[(4, 3)]));
    assert_eq!(end.sent(), ["SETTINGS ack"], "the window is -7");
    end.feed(&window_update(1, 7));
    assert!(end.sent().is_empty(), "the window is 0");
    end.feed(&settings(&[(4, 5)]));
    assert_eq!(end.sent(), ["SETTINGS ack", "DATA 1 ab"]);
    end.feed(&settings(&[(4, 0)]));
    end.feed(&window_update(1, 6));
    assert_eq!(end.sent(), ["SETTINGS ack", "DATA 1 c"], "-5 + 6");
    end.feed(&settings(&[(4, 100)]));
    assert_eq!(end.sent(), ["SETTINGS ack", "DATA 1 def"]);
    assert_eq!(end.connection.next_drained(), Some(keys[0]));
    assert_eq!(end.connection.next_drained(), None);
    end.connection.send_data(keys[0], b"g", true);
    assert_eq!(end.sent(), ["DATA 1 g end"]);
}

#[test]
fn a_stream_that_is_gone_drains_for_nobody() {
    let (mut end, keys) = answering(2, 2);
    for &key in &keys {
        end.connection.send_data(key, b"abc", false);
    }
    end.output();
    end.feed(&settings(&[(4, 100)]));
    assert_eq!(end.sent(), ["SETTINGS ack", "DATA 1 c", "DATA 3 c"]);
    end.feed(&reset(1, 8));
    assert_eq!(end.connection.next_drained(), Some(keys[1]));
    assert_eq!(end.connection.next_drained(), None);
}

#[test]
fn the_end_passes_a_closed_window() {
    let (mut end, keys) = answering(3, 0);
    end.connection.send_data(keys[0], b"", true);
    end.connection.send_data(keys[1], b"", false);
    trailers(&mut end, keys[2]);
    assert_eq!(end.sent(), ["DATA 1  end", "HEADERS 5 end"]);
    assert_eq!(end.connection.open_streams(), 1);
}

#[test]
fn the_end_waits_behind_queued_bytes() {
    let (mut end, keys) = answering(3, 2);
    for &key in &keys {
        end.connection.send_data(key, b"abc", false);
    }
    end.connection.send_data(keys[0], b"", true);
    trailers(&mut end, keys[1]);
    end.connection.send_data(keys[2], b"d", true);
    // Nothing may follow the end.
    for &key in &keys {
        end.connection.send_data(key, b"more", true);
        trailers(&mut end, key);
    }
    assert_eq!(end.sent(), ["DATA 1 ab", "DATA 3 ab", "DATA 5 ab"]);
    end.feed(&settings(&[(4, 100)]));
    let expected = [
        "SETTINGS ack",
        "DATA 1 c end",
        "DATA 3 c",
        "HEADERS 3 end",
        "DATA 5 cd end",
    ];
    assert_eq!(end.sent(), expected);
    assert_eq!(end.connection.open_streams(), 0);
    assert_eq!(
        end.connection.next_drained(),
        None,
        "ended streams drain for nobody"
    );
}

#[test]
fn bytes_in_place() {
    let (mut end, keys) = answering(3, 20_000);
    let put = |end: &mut End, key, len: usize, last| {
        let admitted = end.connection.data_in_place(key, len, last);
        admitted.is_some_and(|out| {
            out.resize(out.len() + len, b'x');
            true
        })
    };
    assert!(put(&mut end, keys[0], 3, false));
    assert!(put(&mut end, keys[0], 0, false));
    assert!(put(&mut end, keys[0], 2, true));
    assert!(!put(&mut end, keys[0], 1, false), "ended");
    assert_eq!(end.sent(), ["DATA 1 xxx", "DATA 1 ", "DATA 1 xx end"]);
    assert!(
        !put(&mut end, keys[1], 16_385, false),
        "above the frame size"
    );
    assert!(put(&mut end, keys[1], 16_384, false));
    assert!(
        !put(&mut end, keys[1], 3_617, false),
        "above the stream's window"
    );
    assert!(put(&mut end, keys[1], 3_615, false));
    end.connection.send_data(keys[1], b"ab", false);
    assert!(!put(&mut end, keys[1], 0, false), "bytes are queued");
    end.feed(&window_update(1, 100_000));
    end.feed(&window_update(5, 100_000));
    end.connection.send_data(keys[2], &[b'y'; 60_000], false);
    assert!(
        !put(&mut end, keys[2], 1, false),
        "the connection's window is closed"
    );
    let gone = StreamKey {
        slot: keys[2].slot,
        id: 99,
    };
    assert!(!put(&mut end, gone, 1, false));
    let total: usize = end
        .frames()
        .iter()
        .filter(|f| f.kind == DATA)
        .map(|f| f.payload.len())
        .sum();
    assert_eq!(
        total + 5,
        65_535,
        "the connection's window is used up exactly"
    );
}

/// Streams in line share the connection's window in turns, however small its updates are, and
/// one that comes fresh does not jump the line.
#[test]
fn nobody_starves() {
    for step in [1_000, 10_000, 16_384, 40_000] {
        let (mut end, keys) = answering(5, 10_000_000);
        for &key in &keys[..4] {
            end.connection.send_data(key, &[b'x'; 1_000_000], false);
        }
        // The initial window went to the first stream while there was no line yet.
        assert_eq!(
            end.frames().iter().map(|f| f.payload.len()).sum::<usize>(),
            65_535
        );
        let mut sent = [0; 5];
        for _ in 0..400_000 / step {
            end.feed(&window_update(0, step));
            // A fresh stream with as much as the window would take all of it each time.
            let bytes = vec![b'y'; step as usize];
            match end.connection.data_in_place(keys[4], bytes.len(), false) {
                Some(out) => out.extend(bytes),
                None => end.connection.send_data(keys[4], &bytes, false),
            }
            for frame in end.frames().iter().filter(|frame| frame.kind == DATA) {
                sent[frame.stream as usize / 2] += frame.payload.len();
            }
        }
        assert_eq!(sent.iter().sum::<usize>(), (400_000 / step * step) as usize);
        let least = sent.iter().min().expect("streams");
        let most = sent.iter().max().expect("streams");
        assert!(
            most - least <= 2 * 16_384.max(step as usize),
            "{step}: {sent:?}"
        );
    }
}

#[test]
fn the_output_has_a_high_water_mark() {
    let mut config = Config::server();
    config.limits.output_bytes_high = 50_000;
    let mut end = End::ready(config);
    let open = [settings(&[(4, 1 << 30)]), window_update(0, 1 << 30)].concat();
    end.feed(&[open, headers(1, END, request(&[]))].concat());
    let key = end.key(1);
    end.connection
        .send_headers(key, fields(&[(":status", "200")]), None, false);
    end.connection.send_data(key, &[7; 1_000_000], true);
    let mut rounds = 0;
    while end.connection.has_output() {
        let len = end.output().len();
        assert!(len < 70_000, "{len}");
        rounds += 1;
    }
    assert!((14..30).contains(&rounds), "{rounds}");
    assert_eq!(end.connection.open_streams(), 0);
}

/// Blocks above the peer's frame size continue.
// spec: RFC9113-6.10
#[test]
fn large_heads_are_continued() {
    let (mut end, keys) = answering(1, 65_535);
    let value = "v".repeat(40_000);
    end.connection
        .send_headers(keys[0], fields(&[("long", &value)]), None, true);
    assert_eq!(
        end.sent(),
        ["HEADERS 1 end", "CONTINUATION 1", "CONTINUATION 1"]
    );
    let (mut end, keys) = answering(1, 65_535);
    end.feed(&settings(&[(5, 40_100)]));
    end.connection.send_data(keys[0], &[0; 50_000], false);
    end.connection
        .send_headers(keys[0], fields(&[("long", &value)]), None, true);
    let sizes: Vec<usize> = end
        .frames()
        .iter()
        .map(|frame| frame.payload.len())
        .collect();
    assert_eq!(sizes, [0, 40_100, 9_900, 40_010]);
}

/// The smallest of several table sizes in one SETTINGS frame is told to the peer.
// spec: RFC7541-4.2
#[test]
fn table_sizes_are_announced() {
    for (sizes, expected) in [
        (
            &[(1, 0), (1, 4096)][..],
            [table_size(0), table_size(4096)].concat(),
        ),
        (&[(1, 100)], table_size(100)),
        (&[(1, 1 << 20)], vec![]),
        (&[(1, 0)], table_size(0)),
    ] {
        let (mut end, keys) = answering(1, 65_535);
        end.feed(&settings(sizes));
        end.connection
            .send_headers(keys[0], fields(&[("a", "b")]), None, true);
        let frames = end.frames();
        assert!(frames[1].payload.starts_with(&expected), "{sizes:?}");
        let after = frames[1].payload[expected.len()];
        assert_ne!(after & 0xe0, 0x20, "{sizes:?}: no other update");
    }
}

/// One end of a transfer: what it has sent and got.
struct Side {
    role: Role,
    connection: Connection,
    body: Vec<u8>,
    sent: usize,
    got: Vec<u8>,
    ended: bool,
    stream: Option<StreamKey>,
}

impl Side {
    fn new(role: Role, windows: (u32, u32), body: Vec<u8>) -> Side {
        let mut config = Config {
            role,
            ..Config::server()
        };
        config.limits.stream_window_bytes = windows.0;
        config.limits.connection_window_bytes = windows.1;
        let connection = Connection::new(config);
        Side {
            role,
            connection,
            body,
            sent: 0,
            got: Vec::new(),
            ended: false,
            stream: None,
        }
    }

    /// Sends a random amount, unless much is queued already. A server ends after its client, as
    /// it would cut the client's body short otherwise.
    fn send(&mut self, random: &mut Random) {
        let Some(stream) = self.stream else { return };
        let may_end = self.ended || self.role == Role::Client;
        let left = self.body.len() - self.sent;
        if (left == 0 && !may_end) || self.connection.queued(stream) > 100_000 {
            return;
        }
        let len = left.min(1 + random.below(200_000));
        let bytes = &self.body[self.sent..self.sent + len];
        self.sent += len;
        let last = len == left && may_end;
        match self.connection.data_in_place(stream, len, last) {
            Some(out) => out.extend_from_slice(bytes),
            None => self.connection.send_data(stream, bytes, last),
        }
    }

    fn receive(&mut self, mut input: &[u8], random: &mut Random) {
        while !input.is_empty() {
            let (mut piece, rest) = input.split_at(input.len().min(1 + random.below(30_000)));
            input = rest;
            while let Some(event) = self
                .connection
                .receive(core::time::Duration::ZERO, &mut piece)
                .expect("no error")
            {
                match event {
                    Event::Headers { stream, .. } => self.stream = Some(stream),
                    Event::Data {
                        stream,
                        bytes,
                        end_stream,
                    } => {
                        self.got.extend_from_slice(bytes);
                        self.ended |= end_stream;
                        let len = bytes.len();
                        self.connection.release(stream, len);
                    }
                    _ => {}
                }
            }
        }
    }
}

/// 10 MiB there and back at the same time, through windows far smaller than that.
#[test]
fn large_bodies_both_ways() {
    const BYTES: usize = 10 << 20;
    for (seed, windows) in [(65_535, 65_535), (1 << 20, 4 << 20), (5_000, 70_000)]
        .iter()
        .enumerate()
    {
        let mut random = Random(seed as u64);
        let body = |salt: usize| {
            (0..BYTES)
                .map(|n| ((n * 31) >> 7) as u8 ^ salt as u8)
                .collect()
        };
        let mut client = Side::new(Role::Client, *windows, body(1));
        let mut server = Side::new(Role::Server, *windows, body(2));
        let key = client
            .connection
            .open(fields(&REQUEST), None, false)
            .expect("a stream");
        client.stream = Some(key);
        let mut answered = false;
        for _ in 0..200_000 {
            client.send(&mut random);
            server.send(&mut random);
            let mut wire = Vec::new();
            client.connection.transmit(&mut wire);
            server.receive(&wire, &mut random);
            if let Some(key) = server.stream.filter(|_| !answered) {
                server
                    .connection
                    .send_headers(key, fields(&[(":status", "200")]), None, false);
                answered = true;
            }
            wire.clear();
            server.connection.transmit(&mut wire);
            client.receive(&wire, &mut random);
            if client.ended && server.ended {
                break;
            }
        }
        assert!(
            client.got == server.body && server.got == client.body,
            "{windows:?}"
        );
        for side in [&client, &server] {
            assert_eq!(side.connection.open_streams(), 0, "{windows:?}");
        }
    }
}
