//! Any split of the input tells the same; no bytes make a connection panic or hang.

use corespun_http2::{Config, ErrorCode, Event, StreamKey};

use crate::end::{End, Log, fields};
use crate::random::Random;
use crate::wire::*;

fn noise(random: &mut Random, len: usize) -> Vec<u8> {
    (0..len).map(|_| random.next() as u8).collect()
}

/// A block of random fields, most of them lawful.
fn random_block(random: &mut Random) -> Vec<u8> {
    match random.below(6) {
        0 => inserted("x", &random.below(30).to_string()),
        1 => block(&[("grpc-status", "0")]),
        2 => response(&[]),
        3 => request(&[("content-length", &random.below(9).to_string())]),
        _ => [request(&[]), indexed(2)].concat(),
    }
}

fn random_frame(random: &mut Random, top: &mut u32) -> Vec<u8> {
    let id = if random.chance(40) {
        *top += 2;
        *top
    } else {
        top.saturating_sub(2 * random.below(4) as u32)
    };
    let flags = [0, END, END, PADDED][random.below(4)];
    let len = random.below(40);
    match random.below(16) {
        0..4 => headers(id, flags & END, random_block(random)),
        4..7 => data(id, flags & END, &noise(random, len)),
        7 => padded_data(id, flags & END, &noise(random, len), random.below(20) as u8),
        8 => reset(id, random.below(16) as u32),
        9 => window_update([0, id][random.below(2)], random.below(3000) as u32),
        10 => settings(&[
            (4, random.below(100_000) as u32),
            (random.below(8) as u16, 16_384),
        ]),
        11 => [ping(0, 1), settings_ack()][random.below(2)].clone(),
        12 => priority(id, random.below(9) as u32),
        13 => {
            let block = random_block(random);
            let (a, b) = block.split_at(random.below(block.len()));
            [
                frame(HEADERS, 0, id, a),
                frame(CONTINUATION, END_HEADERS, id, b),
            ]
            .concat()
        }
        14 => frame(
            random.next() as u8,
            random.next() as u8,
            id,
            noise(random, len),
        ),
        _ => go_away(0, 0),
    }
}

/// A transcript that is mostly valid, from `hello` on.
fn transcript(hello: Vec<u8>, random: &mut Random) -> Vec<u8> {
    let mut bytes = hello;
    let mut top = 0u32.wrapping_sub(1);
    for _ in 0..random.below(40) {
        let next = &mut top;
        if *next == u32::MAX {
            *next = 1;
        }
        bytes.extend(random_frame(random, next));
    }
    bytes
}

#[test]
fn any_split_tells_the_same() {
    for seed in 0..4_000 {
        let mut random = Random(seed);
        let hello = some_end(&mut Random(seed)).1;
        let bytes = transcript(hello, &mut random);
        let run = |random: &mut Random, piece_max: usize| {
            let mut end = some_end(&mut Random(seed)).0;
            let mut log = Log::default();
            let mut rest = &bytes[..];
            while !rest.is_empty() {
                let (piece, after) = rest.split_at(rest.len().min(1 + random.below(piece_max)));
                end.feed_into(piece, &mut log);
                rest = after;
            }
            (log, end.sent(), end.connection.open_streams())
        };
        let whole = run(&mut random, 1 << 40);
        for piece_max in [1, 7, 60] {
            assert_eq!(run(&mut random, piece_max), whole, "seed {seed}");
        }
    }
}

/// Feeds pieces of `bytes` to `end` and acts on what it says as an application would.
fn exercise(end: &mut End, bytes: &[u8], random: &mut Random) {
    let mut keys: Vec<StreamKey> = Vec::new();
    let mut rest = bytes;
    while !rest.is_empty() {
        let (mut piece, after) = rest.split_at(rest.len().min(1 + random.below(200)));
        rest = after;
        let bound = piece.len() + 2;
        for turn in 0.. {
            assert!(turn < bound, "more events than bytes");
            match end.connection.receive(end.now, &mut piece) {
                Ok(Some(Event::Headers { stream, .. })) => keys.push(stream),
                Ok(Some(Event::Data { stream, bytes, .. })) => {
                    let len = random.below(bytes.len() + 2);
                    end.connection.release(stream, len);
                }
                Ok(Some(_)) => {}
                Ok(None) => break,
                Err(_) => return drop(end.output()),
            }
        }
        act(end, &mut keys, random);
    }
}

fn act(end: &mut End, keys: &mut Vec<StreamKey>, random: &mut Random) {
    let connection = &mut end.connection;
    if let Some(&key) = keys.last() {
        let len = random.below(3_000);
        match random.below(8) {
            // Only trailers may follow queued bytes.
            0 if connection.queued(key) == 0 => {
                connection.send_headers(key, fields(&[(":status", "200")]), None, random.chance(50))
            }
            1 => connection.send_data(key, &vec![1; len], random.chance(50)),
            2 => {
                if let Some(out) = connection.data_in_place(key, len, random.chance(50)) {
                    out.resize(out.len() + len, 0);
                }
            }
            3 => connection.send_headers(key, fields(&[("a", "b")]), None, true),
            4 => connection.reset(key, ErrorCode::CANCEL),
            5 => drop(keys.pop()),
            _ => {}
        }
    }
    match random.below(40) {
        0 => connection.drain(),
        1 => connection.go_away(ErrorCode::NO_ERROR),
        2 => connection.ping(7),
        3..9 => drop(end.output()),
        _ => {}
    }
}

/// An end that has just begun and what its peer sends first.
fn some_end(random: &mut Random) -> (End, Vec<u8>) {
    if random.chance(70) {
        let hello = [PREFACE, &settings(&[])].concat();
        return (End::fresh(Config::server()), hello);
    }
    let mut end = End::fresh(Config::client());
    for _ in 0..random.below(20) {
        let last = random.chance(50);
        end.open(last);
    }
    (end, settings(&[]))
}

#[test]
fn mutated_transcripts() {
    for seed in 0..70_000 {
        let mut random = Random(seed);
        let (mut end, hello) = some_end(&mut random);
        let mut bytes = transcript(hello, &mut random);
        for _ in 0..random.below(5) {
            let at = random.below(bytes.len());
            match random.below(3) {
                0 => bytes[at] ^= 1 << random.below(8),
                1 => bytes[at] = random.next() as u8,
                _ => drop(bytes.remove(at)),
            }
        }
        exercise(&mut end, &bytes, &mut random);
    }
}

/// Frames of random content behind lawful heads, and pure noise.
#[test]
fn random_bytes() {
    for seed in 0..40_000 {
        let mut random = Random(seed);
        let (mut end, mut bytes) = some_end(&mut random);
        let len = random.below(300);
        if random.chance(10) {
            bytes = noise(&mut random, len);
        }
        for _ in 0..random.below(20) {
            let (len, id) = (random.below(40), random.below(6) as u32);
            let (kind, flags) = (random.below(11) as u8, random.next() as u8);
            bytes.extend(frame(kind, flags, id, noise(&mut random, len)));
        }
        exercise(&mut end, &bytes, &mut random);
    }
}
