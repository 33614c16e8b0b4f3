//! Errors of the HPACK decoder, fields that it drops, and the epochs of both ends.

use corespun_http2::headers::{HeaderList, Token};
use corespun_http2::hpack::{Decoder, Encoder, Field, HpackError, Indexing, ListLimits};

const LIMITS: ListLimits = ListLimits {
    bytes_soft: 8192,
    bytes_hard: 32768,
    fields_soft: 128,
    fields_hard: 1000,
};

fn decode(decoder: &mut Decoder, block: &[u8]) -> Result<Vec<String>, HpackError> {
    let mut list = HeaderList::new();
    decoder.decode(block, &mut list, LIMITS)?;
    Ok(list.iter().map(|header| format!("{header:?}")).collect())
}

#[track_caller]
fn check_error(block: &[u8], error: HpackError) {
    assert_eq!(
        decode(&mut Decoder::new(4096), block),
        Err(error),
        "{block:02x?}"
    );
}

fn field<'a>(name: &'a str, value: &'a str, indexing: Indexing) -> Field<'a> {
    Field {
        name: name.as_bytes(),
        value: value.as_bytes(),
        indexing,
    }
}

#[test]
fn blocks_cut_short_are_truncated() {
    let whole = b"\x82\x40\x0acustom-key\x0dcustom-header\x0f\x10\x05value";
    assert_eq!(decode(&mut Decoder::new(4096), whole).unwrap().len(), 3);
    let boundaries = [0, 1, 27];
    for cut in 0..whole.len() {
        let outcome = decode(&mut Decoder::new(4096), &whole[..cut]);
        match boundaries.contains(&cut) {
            true => assert!(outcome.is_ok(), "{cut}"),
            false => assert_eq!(outcome, Err(HpackError::Truncated), "{cut}"),
        }
    }
}

#[test]
fn indices_outside_both_tables_are_errors() {
    check_error(&[0x80], HpackError::InvalidIndex(0));
    check_error(&[0xbe], HpackError::InvalidIndex(62));
    check_error(&[0xff, 0x00], HpackError::InvalidIndex(127));
    check_error(&[0x7e, 0x01, b'v'], HpackError::InvalidIndex(62));
    check_error(&[0x0f, 0x2f, 0x01, b'v'], HpackError::InvalidIndex(62));
    check_error(
        &[0xff, 0x80, 0xff, 0xff, 0xff, 0x0f],
        HpackError::InvalidIndex(u32::MAX),
    );
    // One entry is inserted, so that 62 exists and 63 does not.
    check_error(
        &[0x41, 0x01, b'v', 0xbe, 0xbf],
        HpackError::InvalidIndex(63),
    );
}

#[test]
fn integers_that_do_not_fit_are_errors() {
    check_error(
        &[0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x01],
        HpackError::IntegerOverflow,
    );
    check_error(
        &[0x3f, 0x80, 0x80, 0x80, 0x80, 0x80, 0x00],
        HpackError::IntegerOverflow,
    );
    check_error(
        &[0x00, 0x7f, 0xff, 0xff, 0xff, 0xff, 0x7f],
        HpackError::IntegerOverflow,
    );
}

#[test]
fn huffman_errors_end_the_block() {
    check_error(
        &[0x01, 0x84, 0xff, 0xff, 0xff, 0xff],
        HpackError::HuffmanEndOfString,
    );
    check_error(&[0x01, 0x81, 0x00], HpackError::HuffmanPadding);
    check_error(&[0x01, 0x82, 0x07, 0xff], HpackError::HuffmanPadding);
}

#[test]
fn size_updates_come_first_and_twice_at_most() {
    let mut decoder = Decoder::new(4096);
    assert_eq!(
        decode(&mut decoder, &[0x20, 0x3f, 0xe1, 0x1f, 0x82])
            .unwrap()
            .len(),
        1
    );
    assert_eq!(decode(&mut decoder, &[0x20]).unwrap().len(), 0);
    check_error(&[0x20, 0x20, 0x20, 0x82], HpackError::SizeUpdateRepeated);
    check_error(&[0x82, 0x20], HpackError::SizeUpdateMisplaced);
    let error = HpackError::SizeUpdateTooLarge {
        bytes: 4097,
        bytes_max: 4096,
    };
    check_error(&[0x3f, 0xe2, 0x1f], error);
    assert_eq!(
        error.to_string(),
        "failed to decode a header block: a table size update to 4097 bytes exceeds the limit of \
         4096"
    );
}

#[test]
fn an_acknowledged_reduction_must_be_followed() {
    let insert = b"\x40\x01a\x01b";
    let mut decoder = Decoder::new(4096);
    decode(&mut decoder, insert).unwrap();
    decoder.set_table_bytes_max(0);
    assert_eq!(
        decode(&mut decoder, &[0x82]),
        Err(HpackError::SizeUpdateMissing { bytes_max: 0 })
    );
    let mut decoder = Decoder::new(4096);
    decode(&mut decoder, insert).unwrap();
    decoder.set_table_bytes_max(0);
    decode(&mut decoder, &[0x20, 0x82]).unwrap();
    decode(&mut decoder, insert).unwrap();
    assert_eq!(
        decode(&mut decoder, &[0xbe]),
        Err(HpackError::InvalidIndex(62))
    );
}

#[test]
fn a_larger_announcement_counts_once_the_peer_uses_it() {
    let big = |size: usize| {
        let mut block = Vec::new();
        let value = "v".repeat(size);
        let fields = [field("a", &value, Indexing::Literal)];
        Encoder::new().encode(fields.into_iter(), &mut block);
        block[0] = 0x40;
        block
    };
    let mut decoder = Decoder::new(8192);
    decode(&mut decoder, &big(5000)).unwrap();
    assert_eq!(
        decode(&mut decoder, &[0xbe]),
        Err(HpackError::InvalidIndex(62))
    );
    let mut decoder = Decoder::new(8192);
    decode(&mut decoder, &[0x3f, 0xe1, 0x3f]).unwrap();
    decode(&mut decoder, &big(5000)).unwrap();
    assert_eq!(decode(&mut decoder, &[0xbe]).unwrap()[0].len(), 5003);
}

#[test]
fn malformed_fields_are_marked_not_refused_and_stay_marked_in_the_table() {
    let wire = b"\x40\x01A\x01v\x40\x01a\x02v\n\x40\x00\x01v\x40\x01a\x01v\
        \xbe\xbf\xc0\xc1\x7f\x01\x01w";
    let fields = decode(&mut Decoder::new(4096), wire).unwrap();
    let expected = [
        "A: v (malformed)",
        "a: v\\n (malformed)",
        ": v (malformed)",
        "a: v",
        "a: v",
        ": v (malformed)",
        "a: v\\n (malformed)",
        "A: v (malformed)",
        // Index 64 lends its name only: the name is good even if the value there is not.
        "a: w",
    ];
    assert_eq!(fields, expected);
}

#[test]
fn tokens_come_from_literal_names_and_both_tables() {
    let wire = b"\x83\x5f\x10application/grpc\x40\x02te\x08trailers\x04\x02/x\xbe\xbf\x00\x01x\x00";
    let mut list = HeaderList::new();
    Decoder::new(4096).decode(wire, &mut list, LIMITS).unwrap();
    let tokens: Vec<Token> = list.iter().map(|header| header.token).collect();
    use Token::{ContentType, Method, Other, Path, Te};
    assert_eq!(
        tokens,
        [Method, ContentType, Te, Path, Te, ContentType, Other]
    );
    assert_eq!(
        list.first(Token::ContentType),
        Some(&b"application/grpc"[..])
    );
}

/// `count` fields `x: vv...` of `size` bytes each as the list counts them, indexed after the first.
fn repeated(count: usize, size: usize) -> Vec<u8> {
    let value = "v".repeat(size - 33);
    let mut block = Vec::new();
    let fields = std::iter::repeat_n(field("x", &value, Indexing::Index), count);
    Encoder::new().encode(fields, &mut block);
    block
}

fn limited(block: &[u8], limits: ListLimits) -> Result<(usize, usize, bool), HpackError> {
    let mut list = HeaderList::new();
    Decoder::new(4096).decode(block, &mut list, limits)?;
    Ok((list.len(), list.size(), list.overflowed()))
}

#[test]
fn sizes_are_limited_softly_then_hard() {
    let limits = ListLimits {
        bytes_soft: 1000,
        bytes_hard: 2000,
        ..LIMITS
    };
    assert_eq!(limited(&repeated(10, 100), limits), Ok((10, 1000, false)));
    assert_eq!(limited(&repeated(11, 100), limits), Ok((10, 1100, true)));
    assert_eq!(limited(&repeated(20, 100), limits), Ok((10, 2000, true)));
    assert_eq!(
        limited(&repeated(21, 100), limits),
        Err(HpackError::TooLarge)
    );
}

#[test]
fn counts_are_limited_softly_then_hard() {
    let limits = ListLimits {
        fields_soft: 10,
        fields_hard: 20,
        ..LIMITS
    };
    assert_eq!(limited(&repeated(10, 34), limits), Ok((10, 340, false)));
    assert_eq!(limited(&repeated(20, 34), limits), Ok((10, 680, true)));
    assert_eq!(
        limited(&repeated(21, 34), limits),
        Err(HpackError::TooManyFields)
    );
}

/// Room kept for fields that tell how a call ended, which are known by name.
#[test]
fn known_fields_are_kept_behind_others() {
    let limits = ListLimits {
        bytes_soft: 1000,
        fields_soft: 10,
        ..LIMITS
    };
    let kept = |fields: &[(&str, &str)]| {
        let mut block = Vec::new();
        let fields = fields
            .iter()
            .map(|&(name, value)| field(name, value, Indexing::Literal));
        Encoder::new().encode(fields, &mut block);
        let mut list = HeaderList::new();
        Decoder::new(4096)
            .decode(&block, &mut list, limits)
            .unwrap();
        let names = list
            .iter()
            .map(|header| header.name.escape_ascii().to_string());
        (names.collect::<Vec<_>>().join(" "), list.overflow())
    };
    let (large, mid) = ("v".repeat(2000), "v".repeat(900));
    let status = ("grpc-status", "5");
    let (names, overflow) = kept(&[("a", &large), ("b", "1"), status]);
    assert_eq!(names, "b grpc-status", "what fits is kept");
    let overflow = overflow.expect("a field was dropped");
    assert_eq!((overflow.bytes, overflow.fields), (2033 + 34 + 44, 3));
    assert_eq!((overflow.limit, overflow.fields_limit), (1000, 10));
    let (names, _) = kept(&[("a", &mid), ("b", &mid), ("c", &large[..40]), status]);
    assert_eq!(names, "a grpc-status");
    let (names, _) = kept(&[("a", &mid), ("grpc-message", &large), status]);
    assert_eq!(names, "a grpc-status", "the room is a little");
    let many = vec![status; 40];
    let (names, _) = kept(&many);
    assert_eq!(names.split(' ').count(), 26);
    assert_eq!(kept(&many[..10]).1, None);
}

#[test]
fn a_declared_length_over_the_limit_is_refused_before_its_bytes_arrive() {
    // 4 GiB − 1 of value are announced, none of them sent.
    let block = [0x01, 0x7f, 0x80, 0xff, 0xff, 0xff, 0x0f];
    check_error(&block, HpackError::TooLarge);
    check_error(
        &[0x01, 0xff, 0x80, 0xff, 0xff, 0xff, 0x0f],
        HpackError::TooLarge,
    );
}

#[test]
fn dropped_fields_still_enter_the_table() {
    let limits = ListLimits {
        fields_soft: 1,
        ..LIMITS
    };
    let mut decoder = Decoder::new(4096);
    let mut list = HeaderList::new();
    decoder
        .decode(b"\x82\x40\x01a\x01b\x40\x01c\x01d", &mut list, limits)
        .unwrap();
    assert_eq!((list.len(), list.overflowed()), (1, true));
    assert_eq!(
        decode(&mut decoder, &[0xbe, 0xbf]).unwrap(),
        ["c: d", "a: b"]
    );
}

#[test]
fn a_name_may_come_from_the_entry_it_evicts() {
    // Index 62 is evicted by the insertion that takes its name (RFC 7541 §4.4).
    let mut decoder = Decoder::new(40);
    decode(&mut decoder, b"\x40\x04name\x01v").unwrap();
    assert_eq!(
        decode(&mut decoder, b"\x7e\x02vw\xbe").unwrap(),
        ["name: vw", "name: vw"]
    );
}

#[test]
fn a_constant_list_changes_nothing_once_it_is_in_the_table() {
    let fields = || {
        let pairs = [
            (":status", "200"),
            ("content-type", "application/grpc"),
            ("server", "x"),
        ];
        pairs
            .into_iter()
            .map(|(name, value)| field(name, value, Indexing::Index))
    };
    let (mut encoder, mut decoder) = (Encoder::new(), Decoder::new(4096));
    let mut list = HeaderList::new();
    let mut first = Vec::new();
    assert!(encoder.encode(fields(), &mut first));
    assert!(decoder.decode(&first, &mut list, LIMITS).unwrap().mutated);
    let epochs = (encoder.epoch(), decoder.epoch());
    for _ in 0..3 {
        let mut again = Vec::new();
        assert!(!encoder.encode(fields(), &mut again));
        assert_eq!(again, [0x88, 0xbf, 0xbe]);
        assert!(!decoder.decode(&again, &mut list, LIMITS).unwrap().mutated);
        assert_eq!(
            list.first(Token::ContentType),
            Some(&b"application/grpc"[..])
        );
    }
    assert_eq!((encoder.epoch(), decoder.epoch()), epochs);
}

#[test]
fn the_encoder_signals_the_smallest_then_the_final_size() {
    let status = || [field(":status", "200", Indexing::Index)].into_iter();
    let cases: [(&[usize], &[u8]); 6] = [
        (&[4096], &[0x88]),
        (&[65536], &[0x88]),
        (&[0], &[0x20, 0x88]),
        (&[0, 4096], &[0x20, 0x3f, 0xe1, 0x1f, 0x88]),
        (&[100, 0, 1 << 30, 50], &[0x20, 0x3f, 0x13, 0x88]),
        (&[100, 200], &[0x3f, 0x45, 0x3f, 0xa9, 0x01, 0x88]),
    ];
    for (settings, expected) in cases {
        let (mut encoder, mut decoder) = (Encoder::new(), Decoder::new(4096));
        let epoch = encoder.epoch();
        settings
            .iter()
            .for_each(|bytes| encoder.set_peer_table_max(*bytes));
        // What was remembered before the setting came is stale at once.
        assert_eq!(encoder.epoch() != epoch, expected.len() > 1);
        let mut out = Vec::new();
        assert_eq!(encoder.encode(status(), &mut out), expected.len() > 1);
        assert_eq!(out, expected, "{settings:?}");
        decode(&mut decoder, &out).unwrap();
        out.clear();
        encoder.encode(status(), &mut out);
        assert_eq!(out, [0x88]);
    }
}

#[test]
fn secrets_are_never_indexed_not_even_by_chance() {
    let mut encoder = Encoder::new();
    let mut out = Vec::new();
    encoder.encode(
        [field("token", "abc", Indexing::Index)].into_iter(),
        &mut out,
    );
    out.clear();
    encoder.encode(
        [field("token", "abc", Indexing::Never)].into_iter(),
        &mut out,
    );
    assert_eq!(out, b"\x1f\x2f\x03abc");
    out.clear();
    encoder.encode([field(":path", "/", Indexing::Never)].into_iter(), &mut out);
    assert_eq!(out, b"\x14\x01/");
}

#[test]
fn a_field_over_half_the_table_is_not_inserted() {
    let value = "v".repeat(3000);
    let (mut encoder, mut out) = (Encoder::new(), Vec::new());
    assert!(!encoder.encode([field("x", &value, Indexing::Index)].into_iter(), &mut out));
    assert_eq!(out[0], 0x00);
    encoder.set_peer_table_max(0);
    out.clear();
    encoder.encode([field("x", "y", Indexing::Index)].into_iter(), &mut out);
    assert_eq!(out, b"\x20\x00\x01x\x01y");
}
