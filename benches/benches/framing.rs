//! Framing of messages with their five-byte prefix: received in one read, and split over many.

use std::hint::black_box;

use corespun_benches::answers::{RECEIVE_BYTES_MAX, USER_EMAIL, USER_NAME};
use corespun_benches::services::benchmark::{Payload, SimpleResponse};
use corespun_benches::services::user::UserResponse;
use corespun_codec::message::{self, Deframer};
use criterion::{Criterion, Throughput, criterion_group, criterion_main};

/// Number of messages of a stream that arrive together.
const MESSAGES: usize = 100;
/// Size of a piece in bytes: the payload of one segment on Ethernet.
const PIECE_BYTES: usize = 1448;

fn user() -> UserResponse {
    UserResponse {
        id: 1,
        name: USER_NAME.to_owned(),
        email: USER_EMAIL.to_owned(),
    }
}

fn large() -> SimpleResponse {
    let body = vec![0; 1 << 20].into();
    SimpleResponse {
        payload: Some(Payload {
            body,
            ..Payload::default()
        }),
        ..SimpleResponse::default()
    }
}

fn bench_whole(criterion: &mut Criterion) {
    let user = user();
    let mut framed = Vec::new();
    message::encode(&user, &mut framed).expect("a small message");
    let mut out = Vec::new();
    let mut group = criterion.benchmark_group("framing/whole");
    group.bench_function("encode", |bencher| {
        bencher.iter(|| {
            out.clear();
            message::encode(black_box(&user), &mut out)
        });
    });
    group.bench_function("decode", |bencher| {
        bencher.iter(|| message::whole(black_box(&framed)).map(message::decode::<UserResponse>));
    });
}

/// Feeds `stream` in pieces; returns the number of decoded messages.
fn deframe(deframer: &mut Deframer, stream: &[u8]) -> usize {
    let mut messages = 0;
    for piece in stream.chunks(PIECE_BYTES) {
        deframer.push(piece);
        while let Ok(Some(message)) = deframer.next() {
            black_box(message);
            messages += 1;
        }
    }
    messages
}

fn bench_split(criterion: &mut Criterion) {
    let (mut small, mut large_stream) = (Vec::new(), Vec::new());
    for _ in 0..MESSAGES {
        message::encode(&user(), &mut small).expect("a small message");
    }
    message::encode(&large(), &mut large_stream).expect("a message under the limit");
    let mut group = criterion.benchmark_group("framing/split");
    for (name, stream, messages) in [("users", small, MESSAGES), ("1MiB", large_stream, 1)] {
        let mut deframer = Deframer::new(RECEIVE_BYTES_MAX);
        assert_eq!(deframe(&mut deframer, &stream), messages);
        group.throughput(Throughput::Bytes(stream.len() as u64));
        group.bench_function(name, |bencher| {
            bencher.iter(|| deframe(&mut deframer, black_box(&stream)));
        });
    }
}

criterion_group!(benches, bench_whole, bench_split);
criterion_main!(benches);
