//! HPACK there and back, and against a decoder that others wrote.

use corespun_http2::HeaderList;
use corespun_http2::hpack::{Decoder, Encoder, Field, HpackError, Indexing, ListLimits};

use crate::decisions::Decisions;
use crate::duel::Choice;
use crate::foreign::{self, Foreign, Verdict};

type Pair = (Vec<u8>, Vec<u8>);

const LIMITS: ListLimits = ListLimits {
    bytes_soft: 1 << 24,
    bytes_hard: 1 << 24,
    fields_soft: 1 << 20,
    fields_hard: 1 << 20,
};

const NAMES: [&[u8]; 8] = [
    b":path",
    b":status",
    b"te",
    b"grpc-status",
    b"x-id",
    b"cookie",
    b"a",
    b"content-type",
];
const VALUES: [&[u8]; 6] = [b"200", b"/", b"trailers", b"0", b"", b"application/grpc"];

fn pairs(list: &HeaderList) -> Vec<Pair> {
    list.iter()
        .map(|header| (header.name.to_vec(), header.value.to_vec()))
        .collect()
}

/// A name or value: one that the tables know, or any bytes.
fn text(decisions: &mut Decisions<'_>, known: &[&[u8]]) -> Vec<u8> {
    let at = decisions.below(known.len() + 4);
    if let Some(text) = known.get(at) {
        return text.to_vec();
    }
    let len = decisions.pick(&[3, 20, 130, 1_500]);
    (0..decisions.below(len))
        .map(|_| decisions.byte())
        .collect()
}

/// Fields of any form through our encoder and our decoder, over many blocks and table sizes.
pub fn hpack_round_trip(data: &[u8]) {
    let mut decisions = Decisions(data);
    let mut encoder = Encoder::new().huffman(decisions.chance(50));
    let (mut decoder, mut list) = (Decoder::new(4096), HeaderList::new());
    while !decisions.0.is_empty() {
        for _ in 0..decisions.pick(&[0, 0, 0, 1, 2]) {
            encoder.set_peer_table_max(decisions.pick(&[0, 40, 300, 4_096, 100_000]));
        }
        let mut fields: Vec<(Pair, Indexing)> = Vec::new();
        for _ in 0..decisions.below(6) {
            let pair = (text(&mut decisions, &NAMES), text(&mut decisions, &VALUES));
            let all = [Indexing::Index, Indexing::Literal, Indexing::Never];
            fields.push((pair, decisions.pick(&all)));
        }
        let lines = fields.iter().map(|((name, value), indexing)| Field {
            name,
            value,
            indexing: *indexing,
        });
        let (mut block, before) = (Vec::new(), decoder.epoch());
        let mutated = encoder.encode(lines, &mut block);
        let decoded = decoder.decode(&block, &mut list, LIMITS);
        let decoded = decoded.unwrap_or_else(|error| panic!("{error}, of our own {block:02x?}"));
        assert_eq!(decoded.mutated, mutated, "who remembers blocks must know");
        assert_eq!(
            decoder.epoch() != before,
            mutated,
            "an epoch ends with a change"
        );
        let sent: Vec<Pair> = fields.into_iter().map(|(pair, _)| pair).collect();
        assert_eq!(pairs(&list), sent);
    }
}

/// Feeds blocks to our decoder and to that of `h2`, which must read equal fields. The first byte of
/// each piece of the input is the length of the block that follows.
pub fn hpack_foreign(data: &[u8]) {
    let (mut ours, mut list) = (Decoder::new(4096), HeaderList::new());
    let mut theirs = Foreign::new();
    let mut rest = data;
    while let Some((&len, after)) = rest.split_first() {
        let (block, after) = after.split_at(usize::from(len).min(after.len()));
        rest = after;
        let decoded = ours.decode(block, &mut list, LIMITS);
        match (decoded, theirs.decode(block)) {
            (Ok(_), Verdict::Fields(fields)) => {
                assert_eq!(by_name(pairs(&list)), by_name(fields), "of {block:02x?}");
            }
            (Ok(_), Verdict::Malformed) => {}
            (Err(_), Verdict::Broken(_)) => return,
            // Where we decode first and judge then, h2 stops at a field that is not lawful HTTP.
            (Ok(_), Verdict::Broken(_)) if !pairs(&list).iter().all(foreign::is_lawful) => return,
            // A third update can only waste time (RFC 7541 §4.2 knows two); h2 takes any number.
            (Err(HpackError::SizeUpdateRepeated), _) => return,
            (ours, theirs) => {
                let theirs = match theirs {
                    Verdict::Fields(fields) => format!("{fields:?}"),
                    Verdict::Malformed => "malformed".into(),
                    Verdict::Broken(reason) => format!("broken, {reason}"),
                };
                let ours = ours.map(|_| pairs(&list));
                panic!("of {block:02x?} we make {ours:?}, h2 makes {theirs}");
            }
        }
    }
}

/// Sorted by name, since `h2` keeps no other order; values of one name stay as they came.
fn by_name(mut pairs: Vec<Pair>) -> Vec<Pair> {
    pairs.sort_by(|a, b| a.0.cmp(&b.0));
    pairs
}
