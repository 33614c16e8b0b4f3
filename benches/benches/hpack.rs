//! HPACK: the header blocks of a gRPC call, for the first call of a connection and for later ones.

use std::hint::black_box;

use corespun_http2::HeaderList;
use corespun_http2::hpack::{Decoder, Encoder, Field, Indexing, ListLimits};
use criterion::{BatchSize, Criterion, criterion_group, criterion_main};

/// SETTINGS_HEADER_TABLE_SIZE that both ends start with.
const TABLE_BYTES: usize = 4096;

const LIMITS: ListLimits = ListLimits {
    bytes_soft: 8 << 10,
    bytes_hard: 32 << 10,
    fields_soft: 128,
    fields_hard: 1000,
};

/// Request head that grpc-go sends for a unary call with a deadline; the deadline differs in every
/// call.
const REQUEST: [Field<'static>; 8] = [
    field(":method", "POST", Indexing::Index),
    field(":scheme", "http", Indexing::Index),
    field(":path", "/user.UserService/GetUser", Indexing::Index),
    field(":authority", "127.0.0.1:50051", Indexing::Index),
    field("content-type", "application/grpc", Indexing::Index),
    field("user-agent", "grpc-go/1.76.0", Indexing::Index),
    field("te", "trailers", Indexing::Index),
    field("grpc-timeout", "999876u", Indexing::Literal),
];

const RESPONSE: [Field<'static>; 2] = [
    field(":status", "200", Indexing::Index),
    field("content-type", "application/grpc", Indexing::Index),
];

const TRAILERS: [Field<'static>; 1] = [field("grpc-status", "0", Indexing::Index)];

const fn field(name: &'static str, value: &'static str, indexing: Indexing) -> Field<'static> {
    Field {
        name: name.as_bytes(),
        value: value.as_bytes(),
        indexing,
    }
}

/// Header blocks of a call: one for each frame sequence that carries headers.
const BLOCKS: [(&str, &[Field<'static>]); 3] = [
    ("request", &REQUEST),
    ("response", &RESPONSE),
    ("trailers", &TRAILERS),
];

fn encode(encoder: &mut Encoder, fields: &[Field<'_>], out: &mut Vec<u8>) {
    out.clear();
    encoder.encode(fields.iter().copied(), out);
}

/// Returns the block as its `nth` repetition on one connection, and a decoder that has decoded the
/// earlier ones.
fn nth_block(fields: &[Field<'_>], nth: usize) -> (Vec<u8>, Decoder) {
    let (mut encoder, mut decoder) = (Encoder::new(), Decoder::new(TABLE_BYTES));
    let (mut block, mut list) = (Vec::new(), HeaderList::default());
    encode(&mut encoder, fields, &mut block);
    for _ in 1..nth {
        decoder
            .decode(&block, &mut list, LIMITS)
            .expect("a block of our own encoder");
        encode(&mut encoder, fields, &mut block);
    }
    (block, decoder)
}

fn bench_encode(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("hpack/encode");
    let mut out = Vec::with_capacity(TABLE_BYTES);
    for (name, fields) in BLOCKS {
        group.bench_function(format!("{name}/first"), |bencher| {
            bencher.iter_batched_ref(
                Encoder::new,
                |encoder| encode(encoder, black_box(fields), &mut out),
                BatchSize::SmallInput,
            );
        });
        let mut encoder = Encoder::new();
        encode(&mut encoder, fields, &mut out);
        group.bench_function(format!("{name}/later"), |bencher| {
            bencher.iter(|| encode(&mut encoder, black_box(fields), &mut out));
        });
    }
}

fn bench_decode(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("hpack/decode");
    let mut list = HeaderList::default();
    for (name, fields) in BLOCKS {
        let (block, _) = nth_block(fields, 1);
        group.bench_function(format!("{name}/first"), |bencher| {
            bencher.iter_batched_ref(
                || Decoder::new(TABLE_BYTES),
                |decoder| decoder.decode(black_box(&block), &mut list, LIMITS),
                BatchSize::SmallInput,
            );
        });
        let (block, mut decoder) = nth_block(fields, 3);
        group.bench_function(format!("{name}/later"), |bencher| {
            bencher.iter(|| decoder.decode(black_box(&block), &mut list, LIMITS));
        });
        assert_eq!(list.len(), fields.len());
    }
}

criterion_group!(benches, bench_encode, bench_decode);
criterion_main!(benches);
