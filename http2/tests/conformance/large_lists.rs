//! Header lists that are too large for their call, and cost nobody else anything.

use corespun_http2::hpack::{Decoder, ListLimits};
use corespun_http2::{Config, HeaderList, Limit, Role};

use crate::end::End;
use crate::random::Random;
use crate::wire::*;

const CALM: &str = "ENHANCE_YOUR_CALM";
const UNBOUNDED: ListLimits = ListLimits {
    bytes_soft: 1 << 24,
    bytes_hard: 1 << 24,
    fields_soft: 1 << 20,
    fields_hard: 1 << 20,
};

/// HEADERS and as many CONTINUATION frames as pieces of this size need.
fn split(stream: u32, flags: u8, block: &[u8], piece: usize) -> Vec<u8> {
    let mut pieces = block.chunks(piece);
    let first = pieces.next().unwrap_or_default();
    let mut out = frame(HEADERS, flags, stream, first);
    out.extend(pieces.flat_map(|piece| frame(CONTINUATION, 0, stream, piece)));
    out.extend(frame(CONTINUATION, END_HEADERS, stream, []));
    out
}

/// Lists of all sizes that callers were seen with, and those beyond.
fn large() -> Vec<(&'static str, Vec<u8>)> {
    let text = |bytes: usize| "a".repeat(bytes);
    let list = |count: usize, bytes: usize| {
        let value = text(bytes);
        let names: Vec<String> = (0..count).map(|nth| format!("x-{nth}")).collect();
        let fields: Vec<_> = names.iter().map(|name| (&name[..], &value[..])).collect();
        block(&fields)
    };
    let inserted_value = |bytes| inserted("x-long", &text(bytes));
    vec![
        ("a value of 17 KiB", list(1, 17_000)),
        ("40 KiB in ten fields", list(10, 4000)),
        ("1100 fields", list(1100, 1)),
        ("40 fields of 1 kB", list(40, 1000)),
        ("300 KiB", list(300, 1000)),
        ("a value of 100 KiB", list(1, 100_000)),
        ("a value of 100 KiB for the table", inserted_value(100_000)),
        ("a value of 900 KiB", list(1, 900_000)),
        ("two of 400 KiB", list(2, 400_000)),
        ("a name of 100 KiB", block(&[(&text(100_000), "v")])),
        ("name and value", inserted(&text(100_000), &text(70_000))),
        ("a name before an index", block(&[(&text(70_000), "")])),
    ]
}

/// The overflowed list is told as such, its fields that fit are there, and other streams go on.
#[test]
fn one_call_has_a_large_list() {
    for role in [Role::Server, Role::Client] {
        for (name, more) in large() {
            for piece in [16_384, 8_192] {
                let mut end = match role {
                    Role::Server => End::server(),
                    Role::Client => End::client(&[true, true, true]),
                };
                let (head, fits) = match role {
                    Role::Server => (request(&[]), 4),
                    Role::Client => (response(&[]), 1),
                };
                // Entries that the block finds and leaves behind.
                let first = [&head, &inserted("first", "1")[..]].concat();
                end.feed(&headers(1, 0, first));
                let whole = [&head, &indexed(62), &more, &inserted("last", "2")[..]].concat();
                let said = end.feed(&split(3, END, &whole, piece));
                assert_eq!(said, ["headers 3 end"], "{name}");
                let list = end.connection.headers();
                let overflow = list.overflow().unwrap_or_else(|| panic!("{name} fits"));
                assert!(overflow.bytes > 8192 || overflow.fields > 128, "{name}");
                assert_eq!((overflow.limit, overflow.fields_limit), (8192, 128));
                assert!(list.len() > fits, "{name}");
                assert_eq!(end.hits(Limit::HeaderListSoft), 1);
                let next = [&head, &indexed(62)[..]].concat();
                assert_eq!(end.feed(&headers(5, END, next)), ["headers 5 end"]);
                let last = end.connection.headers().iter().next_back();
                assert_eq!(last.map(|field| field.value), Some(&b"2"[..]), "{name}");
                assert_eq!(end.feed(&data(1, 0, b"goes on")), ["data 1 goes on"]);
            }
        }
    }
}

/// Trailers tell how the call ended even if the rest of them is too large.
#[test]
fn trailers_that_are_too_large() {
    let details = "A".repeat(17_000);
    let status = [("grpc-status", "9"), ("grpc-message", "d")];
    for late in [false, true] {
        let mut fields = vec![("grpc-status-details-bin", &details[..])];
        let at = if late { 1 } else { 0 };
        fields.splice(at..at, status);
        let mut end = End::client(&[true, true]);
        end.feed(&headers(1, 0, response(&[])));
        let said = end.feed(&split(1, END, &block(&fields), 16_384));
        assert_eq!(said, ["trailers 1"]);
        let list = end.connection.headers();
        let kept: Vec<_> = list.iter().map(|field| field.name).collect();
        assert_eq!(kept, [&b"grpc-status"[..], b"grpc-message"]);
        let text = list.overflow().expect("details are dropped").to_string();
        assert_eq!(text, "17144 bytes in 3 fields, 8192 bytes are allowed");
        assert_eq!(end.feed(&headers(3, END, response(&[]))), ["headers 3 end"]);
    }
}

/// Refused lists are no wasted streams: any number of them leaves the connection alone.
#[test]
fn large_lists_over_and_over() {
    let mut end = End::server();
    let more: Vec<String> = (0..10).map(|nth| format!("x-{nth}")).collect();
    let value = "v".repeat(4000);
    let fields: Vec<_> = more.iter().map(|name| (&name[..], &value[..])).collect();
    let head = request(&fields);
    for nth in 0..2000 {
        let id = 2 * nth + 1;
        assert_eq!(end.feed(&split(id, END, &head, 16_384)).len(), 1);
        end.answer(id, b"");
        end.output();
    }
    // What the table multiplies is charged by the KiB: a few blocks are too many.
    let mut end = End::server();
    let seed = [request(&[]), inserted("x", &"v".repeat(3900))].concat();
    end.feed(&headers(1, END, seed));
    let bomb = [request(&[]), indexed(62).repeat(250)].concat();
    let ended = (1..100).find(|nth| {
        let said = end.feed(&headers(2 * nth + 1, END, &bomb));
        said.contains(&format!("error {CALM}"))
    });
    assert!((8..14).contains(&ended.unwrap_or(100)), "{ended:?}");
    assert_eq!(end.hits(Limit::Glitches), 1);
}

/// Beyond the hard limits the connection ends, with the limit in the text of GOAWAY.
#[test]
fn hard_limits() {
    let check = |name: &str, head: Vec<u8>, limit: Limit, reason: &str| {
        let mut end = End::server();
        let said = end.feed(&split(1, END, &head, 16_384));
        assert_eq!(said, [format!("error {CALM}")], "{name}");
        assert_eq!(end.hits(limit), 1, "{name}");
        let sent = end.frames().pop().expect("GOAWAY");
        let text = String::from_utf8_lossy(&sent.payload[8..]).into_owned();
        assert!(text.starts_with(reason), "{name}: {text}");
    };
    let long = |bytes: usize| block(&[("x", &"v".repeat(bytes))]);
    let reason = "header_list_bytes_hard: 1048576 bytes";
    check("a value", long(1 << 20), Limit::HeaderList, reason);
    let bomb = [inserted("x", &"v".repeat(3900)), indexed(62).repeat(300)].concat();
    check("a bomb", bomb, Limit::HeaderList, reason);
    let many = [inserted("x", ""), indexed(62).repeat(10_000)].concat();
    let reason = "header_fields_hard: 10000 fields";
    check("fields", many, Limit::HeaderFields, reason);
    let mut end = End::server();
    let parts = block(&[("x", &"v".repeat(1000))]).repeat(900);
    let said = end.feed(&split(1, END, &parts, 1000));
    assert_eq!(said, [format!("error {CALM}")]);
    assert_eq!(end.hits(Limit::ContinuationFrames), 1);
}

/// A block that is decoded while it comes means what it means at once: the table of both is right.
#[test]
fn blocks_in_parts_and_whole() {
    for seed in 0..60 {
        let mut random = Random(seed);
        let mut encoded = Vec::new();
        for _ in 0..40 {
            let bytes = [10, 900, 3_000, 20_000, 45_000][random.below(5)];
            let value = "v".repeat(random.below(bytes));
            let name = match random.below(12) {
                0 => "n".repeat(40_000),
                _ => format!("x-{}", random.below(9)),
            };
            match random.below(3) {
                0 => encoded.extend(indexed(2 + random.below(50))),
                1 => encoded.extend(inserted(&name, &value)),
                _ => encoded.extend(block(&[(&name, &value)])),
            }
        }
        if encoded.len() > 1 << 20 {
            continue;
        }
        let (mut whole, mut list) = (Decoder::new(4096), HeaderList::new());
        let decoded = whole.decode(&encoded, &mut list, UNBOUNDED);
        decoded.expect("a sound block");
        let (size, fields) = (list.size(), list.len());

        let mut config = Config::client();
        config.limits.continuation_frames_max = u32::MAX;
        let mut end = End::ready(config);
        for _ in 0..80 {
            end.open(true);
        }
        let piece = [1000, 5000, 16_384][random.below(3)];
        // The first fields are those of trailers, which may be anything but pseudo fields.
        end.feed(&headers(1, 0, response(&[])));
        end.feed(&split(1, END, &encoded, piece));
        let overflow = end.connection.headers().overflow();
        if let Some(overflow) = overflow.filter(|_| end.connection.open_streams() == 79) {
            assert_eq!((overflow.bytes, overflow.fields), (size, fields), "{seed}");
        }
        for (nth, id) in (62..).zip((3..).step_by(2)).take(70) {
            let found = whole.decode(&indexed(nth), &mut list, UNBOUNDED);
            let said = end.feed(&headers(id, END, [response(&[]), indexed(nth)].concat()));
            match found {
                Ok(_) => {
                    let expected = list.iter().next().map(|field| field.value.to_vec());
                    let got = end.connection.headers().iter().nth(1);
                    let got = got.map(|field| field.value.to_vec());
                    assert_eq!((said.len(), got), (1, expected), "{seed}");
                }
                Err(_) => {
                    assert_eq!(said, ["error COMPRESSION_ERROR"], "{seed}");
                    break;
                }
            }
        }
    }
}

/// A block that ends within a string that was passed over is broken.
#[test]
fn parts_without_an_end() {
    let whole = block(&[("x", &"v".repeat(200_000))]);
    let mut end = End::server();
    let said = end.feed(&split(1, END, &whole[..150_000], 16_384));
    assert_eq!(said, ["error COMPRESSION_ERROR"]);
}

/// The peer's last words are kept, as far as they are of use.
#[test]
fn the_peers_reason() {
    let mut end = End::client(&[]);
    assert_eq!(end.connection.peer_go_away(), None);
    let said = |code: u32, debug: &[u8]| {
        frame(
            GOAWAY,
            0,
            0,
            [&[0; 4], &code.to_be_bytes()[..], debug].concat(),
        )
    };
    end.feed(&said(0, b""));
    let (code, debug) = end.connection.peer_go_away().expect("GOAWAY came");
    assert_eq!((code.0, debug), (0, &b""[..]));
    end.feed(&said(11, &[b'x'; 300]));
    let (code, debug) = end.connection.peer_go_away().expect("GOAWAY came");
    assert_eq!((code.0, debug), (11, &[b'x'; 256][..]));
}
