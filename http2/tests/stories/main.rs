//! The public HPACK stories: header lists of real sites with the blocks that other encoders made
//! of them. Each is decoded, then encoded anew for another decoder and for our own.

mod peers;
mod source;

use corespun_http2::hpack::{Decoder, Encoder, Field, Indexing, ListLimits, TABLE_BYTES_DEFAULT};
use corespun_http2::{Header, HeaderList};
use peers::Peer;
use source::{Pair, Story};

/// Stories have no attackers: only the end of memory may stand against them.
const LIMITS: ListLimits = ListLimits {
    bytes_soft: 1 << 24,
    bytes_hard: 1 << 24,
    fields_soft: 1 << 16,
    fields_hard: 1 << 16,
};

/// Number of stories in the package; fewer would mean that some were not found.
const STORIES: usize = 446;

#[test]
fn every_story_is_read_and_retold() {
    let paths = source::paths();
    let mut passed = 0;
    for path in &paths {
        let outcome = check(&source::read(path));
        passed += usize::from(outcome.is_ok());
        let told = outcome.err().unwrap_or_else(|| "ok".into());
        println!("story {}: {told}", source::name_of(path));
    }
    println!("stories: {passed} of {}", paths.len());
    assert_eq!((passed, paths.len()), (STORIES, STORIES));
}

fn check(story: &Story) -> Result<(), String> {
    read(story)?;
    for huffman in [false, true] {
        for indexing in [Indexing::Index, Indexing::Literal, Indexing::Never] {
            retell(story, Encoder::new().huffman(huffman), indexing)
                .map_err(|fault| format!("huffman {huffman}, {indexing:?}: {fault}"))?;
        }
    }
    Ok(())
}

/// Their encoder, our decoder.
fn read(story: &Story) -> Result<(), String> {
    let mut decoder = Decoder::new(TABLE_BYTES_DEFAULT);
    let mut list = HeaderList::new();
    for (number, case) in story.cases.iter().enumerate() {
        if let Some(bytes) = case.header_table_size {
            decoder.set_table_bytes_max(bytes);
        }
        let decoded = decoder.decode(&case.block(), &mut list, LIMITS);
        decoded.map_err(|error| format!("case {number}: {error}"))?;
        compare(number, &case.pairs(), list.iter().map(pair))?;
    }
    Ok(())
}

/// Our encoder, their decoder and our own.
fn retell(story: &Story, mut encoder: Encoder, indexing: Indexing) -> Result<(), String> {
    let mut decoder = Decoder::new(TABLE_BYTES_DEFAULT);
    let mut peer = Peer::new(TABLE_BYTES_DEFAULT);
    let (mut list, mut block) = (HeaderList::new(), Vec::new());
    for (number, case) in story.cases.iter().enumerate() {
        if let Some(bytes) = case.header_table_size {
            encoder.set_peer_table_max(bytes);
            decoder.set_table_bytes_max(bytes);
            peer.set_table_bytes_max(bytes);
        }
        let pairs = case.pairs();
        let fields = pairs.iter().map(|(name, value)| Field {
            name,
            value,
            indexing,
        });
        block.clear();
        encoder.encode(fields, &mut block);
        let decoded = decoder.decode(&block, &mut list, LIMITS);
        decoded.map_err(|error| format!("case {number}, our decoder: {error}"))?;
        compare(number, &pairs, list.iter().map(pair))?;
        let decoded = peer.decode(&block);
        let decoded = decoded.map_err(|error| format!("case {number}, the peer: {error}"))?;
        compare(number, &pairs, decoded.into_iter())?;
    }
    Ok(())
}

fn pair(header: Header<'_>) -> Pair {
    (header.name.to_vec(), header.value.to_vec())
}

fn compare(
    number: usize,
    expected: &[Pair],
    found: impl Iterator<Item = Pair>,
) -> Result<(), String> {
    let found: Vec<Pair> = found.collect();
    if found == expected {
        return Ok(());
    }
    let shown = |pairs: &[Pair]| {
        let texts = pairs
            .iter()
            .map(|(name, value)| format!("{}: {}", name.escape_ascii(), value.escape_ascii()));
        texts.collect::<Vec<_>>().join(", ")
    };
    let (expected, found) = (shown(expected), shown(&found));
    Err(format!("case {number}: {found} instead of {expected}"))
}
