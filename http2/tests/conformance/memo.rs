//! The memo of header blocks must never be noticed, except by its speed.

use corespun_http2::{Block, Config, MEMO_SLOTS};

use crate::end::{End, Log};
use crate::random::Random;
use crate::wire::*;

type Fields = Vec<(Vec<u8>, Vec<u8>)>;

/// A caller that stores its interpretation of a block under the block's memo.
struct Caller {
    end: End,
    known: [Option<Fields>; MEMO_SLOTS],
    seen: usize,
}

impl Caller {
    fn new() -> Caller {
        Caller {
            end: End::server(),
            known: [const { None }; MEMO_SLOTS],
            seen: 0,
        }
    }

    /// The fields of the request, as the caller takes them.
    fn request(&mut self, id: u32, block: &[u8]) -> Fields {
        let log = self.feed(&headers(id, END, block));
        assert_eq!(log.lines, [format!("headers {id} end")]);
        self.meaning(log.blocks[0])
    }

    fn feed(&mut self, input: &[u8]) -> Log {
        let mut log = Log::default();
        self.end.feed_into(input, &mut log);
        log
    }

    fn meaning(&mut self, block: Block) -> Fields {
        match block {
            Block::Seen { memo } => {
                self.seen += 1;
                self.known[usize::from(memo)]
                    .clone()
                    .expect("a block that was reported as new")
            }
            Block::New { memo } => {
                let list = self.end.connection.headers();
                let fields: Fields = list
                    .iter()
                    .map(|field| (field.name.into(), field.value.into()))
                    .collect();
                if let Some(memo) = memo {
                    self.known[usize::from(memo)] = Some(fields.clone());
                }
                fields
            }
        }
    }
}

fn value<'f>(fields: &'f Fields, name: &str) -> &'f str {
    let found = fields.iter().find(|field| field.0 == name.as_bytes());
    found.map_or("none", |field| {
        core::str::from_utf8(&field.1).expect("text")
    })
}

/// A head that the memo takes: indexed fields and one dynamic entry at `index`.
fn head(index: usize) -> Vec<u8> {
    [indexed(3), indexed(6), indexed(4), indexed(index)].concat()
}

#[test]
fn a_repeated_block_is_seen() {
    let mut caller = Caller::new();
    caller.request(1, &[head(16), inserted("x", "first")].concat());
    assert_eq!(value(&caller.request(3, &head(62)), "x"), "first");
    assert_eq!(caller.seen, 0);
    for id in (5..99).step_by(2) {
        assert_eq!(value(&caller.request(id, &head(62)), "x"), "first");
    }
    assert_eq!(caller.seen, 47);
}

/// No memo is valid after an insertion, an eviction or a resize, because equal bytes then have
/// another meaning.
#[test]
fn no_memo_survives_a_change_of_the_table() {
    let mut caller = Caller::new();
    caller.request(1, &[head(16), inserted("x", "first")].concat());
    caller.request(3, &head(62));
    caller.request(5, &head(62));
    assert_eq!(caller.seen, 1);
    caller.request(7, &[head(16), inserted("x", "second")].concat());
    assert_eq!(value(&caller.request(9, &head(62)), "x"), "second");
    assert_eq!(value(&caller.request(11, &head(63)), "x"), "first");

    // An entry too large for the table empties it: indices are void now.
    caller.request(13, &head(62));
    let mut huge = head(16);
    huge.extend(inserted("x", &"v".repeat(4096)));
    caller.request(15, &huge);
    let log = caller.feed(&headers(17, END, head(62)));
    assert_eq!(log.lines, ["error COMPRESSION_ERROR"]);

    let mut caller = Caller::new();
    caller.request(1, &[head(16), inserted("x", "first")].concat());
    caller.request(3, &head(62));
    caller.request(5, &[table_size(0), head(16)].concat());
    let log = caller.feed(&headers(7, END, head(62)));
    assert_eq!(log.lines, ["error COMPRESSION_ERROR"]);

    // Emptied and filled again with another value at the same index.
    let mut caller = Caller::new();
    caller.request(1, &[head(16), inserted("x", "first")].concat());
    caller.request(3, &head(62));
    caller.request(
        5,
        &[
            table_size(0),
            table_size(4096),
            head(16),
            inserted("x", "new"),
        ]
        .concat(),
    );
    assert_eq!(value(&caller.request(7, &head(62)), "x"), "new");
}

/// Blocks that nobody was told of change the table too.
#[test]
fn discarded_blocks_end_memos() {
    let mut caller = Caller::new();
    caller.request(1, &[head(16), inserted("x", "first")].concat());
    caller.request(3, &head(62));
    // Trailers on a half-closed stream: the stream fails, the block is decoded all the same.
    let log = caller.feed(&headers(3, END, inserted("x", "second")));
    assert_eq!(log.lines, ["reset 3 STREAM_CLOSED by us"]);
    assert_eq!(value(&caller.request(5, &head(62)), "x"), "second");
    // And a malformed request.
    assert!(
        caller
            .feed(&headers(7, END, inserted("x", "third")))
            .lines
            .is_empty()
    );
    assert_eq!(value(&caller.request(9, &head(62)), "x"), "third");
}

/// A block is never reported as seen if its first stream failed after it was read.
#[test]
fn a_failed_stream_leaves_no_memo() {
    let mut caller = Caller::new();
    let lengthy = [
        indexed(3),
        indexed(6),
        indexed(4),
        block(&[("content-length", "5")]),
    ]
    .concat();
    assert!(caller.feed(&headers(1, END, &lengthy)).lines.is_empty());
    let log = caller.feed(&headers(3, 0, &lengthy));
    assert_eq!(log.lines, ["headers 3"]);
    assert!(matches!(log.blocks[0], Block::New { memo: Some(_) }));
    let log = caller.feed(&headers(5, 0, &lengthy));
    assert!(matches!(log.blocks[0], Block::Seen { .. }));
    // The length that the memo remembers is enforced as well.
    let log = caller.feed(&data(5, 0, b"123456"));
    assert_eq!(log.lines, ["reset 5 PROTOCOL_ERROR by us"]);
    assert!(caller.feed(&headers(7, END, &lengthy)).lines.is_empty());

    let trailers = block(&[("grpc-status", "0")]);
    let log = caller.feed(&headers(3, END, &trailers));
    assert_eq!(
        log.lines,
        ["reset 3 PROTOCOL_ERROR by us"],
        "five bytes are missing"
    );
    caller.feed(&headers(9, 0, head(16)));
    let log = caller.feed(&headers(9, END, &trailers));
    assert!(matches!(log.blocks[0], Block::New { .. }));
}

/// Bytes that are right as trailers are no request head because they were seen.
#[test]
fn a_memo_is_bound_to_its_role() {
    let mut caller = Caller::new();
    let trailers = block(&[("grpc-status", "0")]);
    for id in [1, 3] {
        let input = [headers(id, 0, head(16)), headers(id, END, &trailers)].concat();
        assert_eq!(caller.feed(&input).lines.len(), 2);
    }
    assert!(caller.feed(&headers(5, END, &trailers)).lines.is_empty());
    assert_eq!(caller.end.sent(), ["RST_STREAM 5 PROTOCOL_ERROR"]);
    let input = [headers(7, 0, head(16)), headers(7, END, head(16))].concat();
    assert_eq!(
        caller.feed(&input).lines,
        ["headers 7", "reset 7 PROTOCOL_ERROR by us"]
    );
}

/// An overflowed list is not remembered as a whole one.
#[test]
fn an_overflowed_list_is_never_seen() {
    let mut config = Config::server();
    config.limits.header_fields_soft = 4;
    let mut end = End::ready(config);
    for id in [1, 3, 5] {
        let mut log = Log::default();
        end.feed_into(
            &headers(id, END, [head(16), indexed(15)].concat()),
            &mut log,
        );
        assert!(end.connection.headers().overflowed());
        assert_eq!(log.blocks, [Block::New { memo: None }]);
    }
}

/// Random blocks, mostly repeated, on a connection with a memo and on one where every block is
/// made unique by a field, so that its memo can never hit: both callers see the same.
#[test]
fn with_and_without_a_memo() {
    /// As many entries of `x` as the table holds.
    const ENTRIES_MAX: usize = 4;
    for seed in 0..300 {
        let mut random = Random(seed);
        let (mut with, mut without) = (Caller::new(), Caller::new());
        let mut entries = 0;
        for id in (1..161).step_by(2) {
            let block = match random.below(10) {
                0 => {
                    entries = ENTRIES_MAX.min(entries + 1);
                    [head(16), inserted("x", &format!("{id:v<960}"))].concat()
                }
                1 if random.chance(30) => {
                    entries = 0;
                    [table_size(0), table_size(4096), head(16)].concat()
                }
                2..7 if entries > 0 => head(62 + random.below(entries)),
                _ => [
                    head(16),
                    crate::wire::block(&[("y", ["a", "b"][random.below(2)])]),
                ]
                .concat(),
            };
            let unique = crate::wire::block(&[("unique", &id.to_string())]);
            let mut expected = without.request(id, &[&block[..], &unique].concat());
            expected.pop();
            assert_eq!(
                with.request(id, &block),
                expected,
                "seed {seed}, stream {id}"
            );
        }
        assert_eq!(without.seen, 0);
        assert!(with.seen > 0, "seed {seed}");
    }
}
