//! HPACK under generated input: what is encoded comes back, the decoder agrees with a naive model
//! of RFC 7541, and no bytes make it panic.

use corespun_http2::headers::HeaderList;
use corespun_http2::hpack::{Decoder, Encoder, Field, Indexing, ListLimits};
use std::collections::VecDeque;

const LIMITS: ListLimits = ListLimits {
    bytes_soft: 1 << 20,
    bytes_hard: 1 << 20,
    fields_soft: 10_000,
    fields_hard: 10_000,
};

type Pair = (Vec<u8>, Vec<u8>);

/// A deterministic generator (splitmix64): a seed replays its case.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    fn below(&mut self, end: usize) -> usize {
        (self.next() % end as u64) as usize
    }

    fn chance(&mut self, percent: usize) -> bool {
        self.below(100) < percent
    }

    fn bytes(&mut self, length_max: usize) -> Vec<u8> {
        let length = self.below(length_max + 1);
        (0..length).map(|_| self.next() as u8).collect()
    }

    /// A name or value: often one of a few, so that the tables are hit, sometimes anything.
    fn text(&mut self, known: &[&str]) -> Vec<u8> {
        match self.below(10) {
            0..6 => known[self.below(known.len())].into(),
            6..9 => format!("word-{}", self.below(60))
                .repeat(self.below(8) + 1)
                .into(),
            _ => self.bytes(300),
        }
    }

    fn pair(&mut self) -> Pair {
        let names = [
            ":status",
            ":path",
            ":method",
            "content-type",
            "te",
            "x-id",
            "cookie",
            "a",
            "grpc-status",
        ];
        let values = [
            "200",
            "404",
            "/",
            "GET",
            "",
            "trailers",
            "application/grpc",
            "0",
            "gzip, deflate",
        ];
        (self.text(&names), self.text(&values))
    }
}

fn pairs(list: &HeaderList) -> Vec<Pair> {
    list.iter()
        .map(|header| (header.name.to_vec(), header.value.to_vec()))
        .collect()
}

fn check_marks(list: &HeaderList) {
    let mut pushed = HeaderList::new();
    for header in list.iter() {
        pushed.push(header.token, header.name, header.value);
        // An entry's remembered traits equal those found by looking again.
        let again = pushed.iter().next_back().unwrap();
        assert_eq!(again, header);
        assert_eq!(again.token, corespun_http2::headers::Token::of(header.name));
    }
    assert_eq!(pushed.size(), list.size());
}

#[test]
fn what_is_encoded_comes_back() {
    for seed in 0..300 {
        let mut random = Random(seed);
        let mut encoder = Encoder::new().huffman(random.chance(50));
        let (mut decoder, mut list) = (Decoder::new(4096), HeaderList::new());
        for _ in 0..40 {
            if random.chance(10) {
                for _ in 0..random.below(4) {
                    encoder.set_peer_table_max(random.below(6000));
                }
            }
            let fields: Vec<Pair> = (0..random.below(12)).map(|_| random.pair()).collect();
            let indexing: Vec<Indexing> = fields.iter().map(|_| kind(&mut random)).collect();
            let lines = fields.iter().zip(&indexing);
            let lines = lines.map(|((name, value), indexing)| Field {
                name,
                value,
                indexing: *indexing,
            });
            let epochs = (encoder.epoch(), decoder.epoch());
            let mut block = Vec::new();
            let changed = encoder.encode(lines, &mut block);
            let decoded = decoder.decode(&block, &mut list, LIMITS).unwrap();
            assert_eq!(pairs(&list), fields, "seed {seed}");
            assert_eq!(changed, decoded.mutated, "seed {seed}");
            assert_eq!(changed, encoder.epoch() != epochs.0, "seed {seed}");
            assert_eq!(changed, decoder.epoch() != epochs.1, "seed {seed}");
            check_marks(&list);
        }
    }
}

fn kind(random: &mut Random) -> Indexing {
    match random.below(10) {
        0..6 => Indexing::Index,
        6..9 => Indexing::Literal,
        _ => Indexing::Never,
    }
}

/// RFC 7541 word by word: a list of pairs, newest first, and a size recounted each time.
struct Model {
    entries: VecDeque<Pair>,
    size_max: usize,
}

impl Model {
    fn evict(&mut self, size_max: usize) {
        let size = |entries: &VecDeque<Pair>| -> usize {
            entries
                .iter()
                .map(|(name, value)| name.len() + value.len() + 32)
                .sum()
        };
        while size(&self.entries) > size_max {
            self.entries.pop_back();
        }
    }

    fn insert(&mut self, pair: &Pair) {
        let bytes = pair.0.len() + pair.1.len() + 32;
        self.evict(self.size_max.saturating_sub(bytes));
        if bytes <= self.size_max {
            self.entries.push_front(pair.clone());
        }
    }
}

/// A peer that makes every legal choice, sensible or not, and keeps the model beside it.
struct Writer {
    random: Random,
    model: Model,
    block: Vec<u8>,
    fields: Vec<Pair>,
}

impl Writer {
    fn integer(&mut self, value: usize, prefix_bits: u32, high: u8) {
        let prefix_max = (1 << prefix_bits) - 1;
        if value < prefix_max {
            self.block.push(high | value as u8);
            return;
        }
        self.block.push(high | prefix_max as u8);
        let mut rest = value - prefix_max;
        while rest >= 128 {
            self.block.push(rest as u8 | 128);
            rest /= 128;
        }
        self.block.push(rest as u8);
    }

    fn string(&mut self, text: &[u8]) {
        self.integer(text.len(), 7, 0);
        self.block.extend_from_slice(text);
    }

    fn size_updates(&mut self) {
        if self.random.chance(90) {
            return;
        }
        for _ in 0..self.random.below(3) {
            let bytes = self.random.below(4097);
            self.integer(bytes, 5, 0x20);
            self.model.size_max = bytes;
            self.model.evict(bytes);
        }
    }

    fn field(&mut self) {
        let entries = self.model.entries.len();
        if entries > 0 && self.random.chance(40) {
            let age = self.random.below(entries);
            self.integer(62 + age, 7, 0x80);
            self.fields.push(self.model.entries[age].clone());
            return;
        }
        let (prefix_bits, high) =
            [(6, 0x40), (6, 0x40), (4, 0x00), (4, 0x10)][self.random.below(4)];
        let (mut name, value) = self.random.pair();
        if entries > 0 && self.random.chance(40) {
            let age = self.random.below(entries);
            name = self.model.entries[age].0.clone();
            self.integer(62 + age, prefix_bits, high);
        } else {
            self.integer(0, prefix_bits, high);
            self.string(&name);
        }
        self.string(&value);
        let pair = (name, value);
        if high == 0x40 {
            self.model.insert(&pair);
        }
        self.fields.push(pair);
    }
}

#[test]
fn the_decoder_agrees_with_a_naive_model() {
    for seed in 1000..1300 {
        let model = Model {
            entries: VecDeque::new(),
            size_max: 4096,
        };
        let (block, fields) = (Vec::new(), Vec::new());
        let mut writer = Writer {
            random: Random(seed),
            model,
            block,
            fields,
        };
        let (mut decoder, mut list) = (Decoder::new(4096), HeaderList::new());
        for _ in 0..40 {
            writer.block.clear();
            writer.fields.clear();
            writer.size_updates();
            for _ in 0..writer.random.below(15) {
                writer.field();
            }
            decoder.decode(&writer.block, &mut list, LIMITS).unwrap();
            assert_eq!(pairs(&list), writer.fields, "seed {seed}");
            check_marks(&list);
        }
    }
}

#[test]
fn no_bytes_make_the_decoder_panic() {
    let limits = ListLimits {
        bytes_soft: 2000,
        bytes_hard: 5000,
        fields_soft: 20,
        fields_hard: 50,
    };
    let (mut random, mut list) = (Random(7), HeaderList::new());
    let mut decoder = Decoder::new(4096);
    let mut outcomes = [0usize; 2];
    for _ in 0..100_000 {
        let block = random.bytes(60);
        let outcome = decoder.decode(&block, &mut list, limits);
        outcomes[usize::from(outcome.is_ok())] += 1;
        assert!(
            list.iter()
                .map(|header| header.name.len() + header.value.len())
                .sum::<usize>()
                <= 2000 + 1024
        );
        // A decoder is dead after an error, yet must not panic either.
        if outcome.is_err() && random.chance(80) {
            decoder = Decoder::new(random.below(5000));
        }
    }
    assert!(outcomes.iter().all(|count| *count > 1000), "{outcomes:?}");
}

#[test]
fn no_damage_to_a_valid_block_makes_the_decoder_panic() {
    let (mut random, mut list) = (Random(11), HeaderList::new());
    for _ in 0..20_000 {
        let fields: Vec<Pair> = (0..random.below(8)).map(|_| random.pair()).collect();
        let mut block = Vec::new();
        let lines = fields.iter().map(|(name, value)| Field {
            name,
            value,
            indexing: Indexing::Index,
        });
        Encoder::new()
            .huffman(random.chance(70))
            .encode(lines, &mut block);
        for _ in 0..=random.below(3) {
            match (block.is_empty(), random.below(3)) {
                (true, _) => block.push(random.next() as u8),
                (_, 0) => block.truncate(random.below(block.len())),
                (_, 1) => block.insert(random.below(block.len()), random.next() as u8),
                _ => {
                    let at = random.below(block.len());
                    block[at] ^= 1 << random.below(8);
                }
            }
        }
        let mut decoder = Decoder::new(4096);
        if decoder.decode(&block, &mut list, LIMITS).is_ok() {
            check_marks(&list);
        }
    }
}
