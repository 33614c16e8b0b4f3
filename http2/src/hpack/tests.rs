//! Examples of RFC 7541 Appendix C, in both directions, with the resulting tables.

use super::table::Table;
use super::{Decoded, Decoder, Encoder, Field, Indexing, ListLimits};
use crate::headers::HeaderList;
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

const UNLIMITED: ListLimits = ListLimits {
    bytes_soft: usize::MAX,
    bytes_hard: usize::MAX,
    fields_soft: usize::MAX,
    fields_hard: usize::MAX,
};

/// One block of an example: its bytes, its fields, the table after it, and that table's size.
struct Example {
    wire: &'static str,
    fields: &'static [&'static str],
    table: &'static [&'static str],
    size: usize,
}

fn bytes(hex: &str) -> Vec<u8> {
    let digits: Vec<u8> = hex.bytes().filter(|digit| *digit != b' ').collect();
    let byte = |pair: &[u8]| u8::from_str_radix(core::str::from_utf8(pair).unwrap(), 16).unwrap();
    digits.chunks(2).map(byte).collect()
}

fn shown<T: Copy>(table: &Table<T>) -> Vec<String> {
    let rows = table.rows().map(|row| {
        let (name, value) = row.text.split_at(row.name_bytes);
        format!("{}: {}", name.escape_ascii(), value.escape_ascii())
    });
    rows.collect()
}

fn decode(decoder: &mut Decoder, wire: &[u8]) -> (Vec<String>, Decoded) {
    let mut list = HeaderList::new();
    let decoded = decoder.decode(wire, &mut list, UNLIMITED).unwrap();
    (
        list.iter().map(|header| format!("{header:?}")).collect(),
        decoded,
    )
}

fn field(line: &'static str, indexing: Indexing) -> Field<'static> {
    let colon = line[1..].find(": ").unwrap() + 1;
    Field {
        name: &line.as_bytes()[..colon],
        value: &line.as_bytes()[colon + 2..],
        indexing,
    }
}

/// Decodes the examples one after the other on one connection, then encodes them.
fn check(table_bytes_max: usize, huffman: bool, examples: &[Example]) {
    let mut decoder = Decoder::new(table_bytes_max);
    let mut encoder = Encoder::new().huffman(huffman);
    encoder.set_peer_table_max(table_bytes_max);
    let mut first_out = Vec::new();
    encoder.encode([].into_iter(), &mut first_out);
    assert_eq!(first_out.is_empty(), table_bytes_max == 4096);
    for example in examples {
        let wire = bytes(example.wire);
        let epoch = decoder.epoch();
        let (fields, decoded) = decode(&mut decoder, &wire);
        assert_eq!(fields, example.fields);
        assert_eq!(shown(&decoder.table), example.table);
        assert_eq!(decoder.table.size(), example.size);
        assert_eq!(decoded.mutated, decoder.epoch() != epoch);

        let mut out = Vec::new();
        let lines = example
            .fields
            .iter()
            .map(|line| field(line, Indexing::Index));
        assert_eq!(encoder.encode(lines, &mut out), decoded.mutated);
        // The RFC codes "307" although that makes it no shorter: as many bytes, but not the same.
        assert!(
            out == wire || huffman && out.len() == wire.len(),
            "{out:02x?}"
        );
        assert_eq!(shown(&encoder.table), example.table);
        assert_eq!(encoder.table.size(), example.size);
    }
}

#[test]
fn c_2_single_fields() {
    check(
        4096,
        false,
        &[Example {
            wire: "400a 6375 7374 6f6d 2d6b 6579 0d63 7573 746f 6d2d 6865 6164 6572",
            fields: &["custom-key: custom-header"],
            table: &["custom-key: custom-header"],
            size: 55,
        }],
    );
    check(
        4096,
        false,
        &[Example {
            wire: "82",
            fields: &[":method: GET"],
            table: &[],
            size: 0,
        }],
    );
    let literals = [
        (
            "040c 2f73 616d 706c 652f 7061 7468",
            ":path: /sample/path",
            Indexing::Literal,
        ),
        (
            "1008 7061 7373 776f 7264 0673 6563 7265 74",
            "password: secret",
            Indexing::Never,
        ),
    ];
    for (hex, line, indexing) in literals {
        let mut decoder = Decoder::new(4096);
        let (fields, decoded) = decode(&mut decoder, &bytes(hex));
        assert_eq!(
            (fields, decoded.mutated),
            ([String::from(line)].into(), false)
        );
        assert_eq!(decoder.table.size(), 0);
        let mut out = Vec::new();
        assert!(!Encoder::new().encode([field(line, indexing)].into_iter(), &mut out));
        assert_eq!(out, bytes(hex));
    }
}

const FIRST: &[&str] = &[
    ":method: GET",
    ":scheme: http",
    ":path: /",
    ":authority: www.example.com",
];
const SECOND: &[&str] = &[
    ":method: GET",
    ":scheme: http",
    ":path: /",
    ":authority: www.example.com",
    "cache-control: no-cache",
];
const THIRD: &[&str] = &[
    ":method: GET",
    ":scheme: https",
    ":path: /index.html",
    ":authority: www.example.com",
    "custom-key: custom-value",
];

fn requests(wires: [&'static str; 3]) -> [Example; 3] {
    let tables: [&[&str]; 3] = [
        &[":authority: www.example.com"],
        &["cache-control: no-cache", ":authority: www.example.com"],
        &[
            "custom-key: custom-value",
            "cache-control: no-cache",
            ":authority: www.example.com",
        ],
    ];
    [
        Example {
            wire: wires[0],
            fields: FIRST,
            table: tables[0],
            size: 57,
        },
        Example {
            wire: wires[1],
            fields: SECOND,
            table: tables[1],
            size: 110,
        },
        Example {
            wire: wires[2],
            fields: THIRD,
            table: tables[2],
            size: 164,
        },
    ]
}

#[test]
fn c_3_requests_without_huffman() {
    let wires = [
        "8286 8441 0f77 7777 2e65 7861 6d70 6c65 2e63 6f6d",
        "8286 84be 5808 6e6f 2d63 6163 6865",
        "8287 85bf 400a 6375 7374 6f6d 2d6b 6579 0c63 7573 746f 6d2d 7661 6c75 65",
    ];
    check(4096, false, &requests(wires));
}

#[test]
fn c_4_requests_with_huffman() {
    let wires = [
        "8286 8441 8cf1 e3c2 e5f2 3a6b a0ab 90f4 ff",
        "8286 84be 5886 a8eb 1064 9cbf",
        "8287 85bf 4088 25a8 49e9 5ba9 7d7f 8925 a849 e95b b8e8 b4bf",
    ];
    check(4096, true, &requests(wires));
}

const RESPONSES: [&[&str]; 3] = [
    &[
        ":status: 302",
        "cache-control: private",
        "date: Mon, 21 Oct 2013 20:13:21 GMT",
        "location: https://www.example.com",
    ],
    &[
        ":status: 307",
        "cache-control: private",
        "date: Mon, 21 Oct 2013 20:13:21 GMT",
        "location: https://www.example.com",
    ],
    &[
        ":status: 200",
        "cache-control: private",
        "date: Mon, 21 Oct 2013 20:13:22 GMT",
        "location: https://www.example.com",
        "content-encoding: gzip",
        "set-cookie: foo=ASDJKHQKBZXOQWEOPIUAXQWEOIU; max-age=3600; version=1",
    ],
];

/// Returns the response examples, for a table of 256 bytes, so that entries are evicted.
fn responses(wires: [&'static str; 3]) -> [Example; 3] {
    let tables: [&[&str]; 3] = [
        &[
            "location: https://www.example.com",
            "date: Mon, 21 Oct 2013 20:13:21 GMT",
            "cache-control: private",
            ":status: 302",
        ],
        &[
            ":status: 307",
            "location: https://www.example.com",
            "date: Mon, 21 Oct 2013 20:13:21 GMT",
            "cache-control: private",
        ],
        &[
            "set-cookie: foo=ASDJKHQKBZXOQWEOPIUAXQWEOIU; max-age=3600; version=1",
            "content-encoding: gzip",
            "date: Mon, 21 Oct 2013 20:13:22 GMT",
        ],
    ];
    [
        Example {
            wire: wires[0],
            fields: RESPONSES[0],
            table: tables[0],
            size: 222,
        },
        Example {
            wire: wires[1],
            fields: RESPONSES[1],
            table: tables[1],
            size: 222,
        },
        Example {
            wire: wires[2],
            fields: RESPONSES[2],
            table: tables[2],
            size: 215,
        },
    ]
}

#[test]
fn c_5_responses_without_huffman() {
    let wires = [
        "4803 3330 3258 0770 7269 7661 7465 611d 4d6f 6e2c 2032 3120 4f63 7420 3230 3133 2032 303a \
         3133 3a32 3120 474d 546e 1768 7474 7073 3a2f 2f77 7777 2e65 7861 6d70 6c65 2e63 6f6d",
        "4803 3330 37c1 c0bf",
        "88c1 611d 4d6f 6e2c 2032 3120 4f63 7420 3230 3133 2032 303a 3133 3a32 3220 474d 54c0 5a04 \
         677a 6970 7738 666f 6f3d 4153 444a 4b48 514b 425a 584f 5157 454f 5049 5541 5851 5745 4f49 \
         553b 206d 6178 2d61 6765 3d33 3630 303b 2076 6572 7369 6f6e 3d31",
    ];
    check(256, false, &responses(wires));
}

#[test]
fn c_6_responses_with_huffman() {
    let wires = [
        "4882 6402 5885 aec3 771a 4b61 96d0 7abe 9410 54d4 44a8 2005 9504 0b81 66e0 82a6 2d1b ff6e \
         919d 29ad 1718 63c7 8f0b 97c8 e9ae 82ae 43d3",
        "4883 640e ffc1 c0bf",
        "88c1 6196 d07a be94 1054 d444 a820 0595 040b 8166 e084 a62d 1bff c05a 839b d9ab 77ad 94e7 \
         821d d7f2 e6c7 b335 dfdf cd5b 3960 d5af 2708 7f36 72c1 ab27 0fb5 291f 9587 3160 65c0 03ed \
         4ee5 b106 3d50 07",
    ];
    check(256, true, &responses(wires));
}

#[test]
fn connections_without_traffic_own_no_memory() {
    let (mut decoder, mut encoder) = (Decoder::new(4096), Encoder::new());
    let (fields, decoded) = decode(&mut decoder, &[0x82, 0x86, 0x84]);
    assert_eq!((fields.len(), decoded.mutated), (3, false));
    let mut out = Vec::new();
    assert!(!encoder.encode(
        [field(":status: 200", Indexing::Index)].into_iter(),
        &mut out
    ));
    assert_eq!(out, [0x88]);
    assert!(decoder.table.owns_no_memory() && encoder.table.owns_no_memory());
}
