//! Tests of metadata: order, duplicates, refused pairs, and fields from the wire.

use super::*;
use crate::generator::Generator;

fn received(fields: &[(&str, &[u8])]) -> Result<MetadataMap, MetadataError> {
    let mut map = MetadataMap::new();
    for (name, value) in fields {
        map.receive(name.as_bytes(), value)?;
    }
    Ok(map)
}

#[test]
fn order_and_duplicates_are_kept() {
    let mut map = MetadataMap::new();
    map.append("a", "1").unwrap();
    map.append("b", "2").unwrap();
    map.append("a", "").unwrap();
    assert_eq!(map.get_all("a").collect::<Vec<_>>(), ["1", ""]);
    assert_eq!(map.get("A"), Some("1"));
    assert_eq!(
        (map.len(), map.get("c"), map.contains_key("b")),
        (3, None, true)
    );
    let all: Vec<_> = map.iter().collect();
    assert_eq!(all, [("a", &b"1"[..]), ("b", b"2"), ("a", b"")]);
    assert_eq!(format!("{map:?}"), r#"{"a": "1", "b": "2", "a": ""}"#);
}

#[test]
fn insert_replaces_and_remove_removes_all() {
    let mut map = MetadataMap::new();
    for (key, value) in [("a", "1"), ("b", "2"), ("a", "3")] {
        map.append(key, value).unwrap();
    }
    map.insert("a", "4").unwrap();
    assert_eq!(
        map.iter().collect::<Vec<_>>(),
        [("b", &b"2"[..]), ("a", b"4")]
    );
    assert!(map.insert("a", "\n").is_err());
    assert_eq!(map.get("a"), Some("4"), "a refused insert removes nothing");
    assert!(map.remove("b") && !map.remove("b"));
    map.insert_bin("k-bin", b"x").unwrap();
    map.insert_bin("k-bin", b"y").unwrap();
    assert_eq!(map.get_all_bin("k-bin").collect::<Vec<_>>(), [b"y"]);
}

#[test]
fn equal_content_is_equal_whatever_its_history() {
    let mut one = MetadataMap::new();
    one.append("gone", "x").unwrap();
    one.append("a", "1").unwrap();
    one.remove("gone");
    let mut other = MetadataMap::new();
    other.append("a", "1").unwrap();
    assert_eq!(one, other);
    one.clear();
    assert_eq!(&one, MetadataMap::EMPTY);
}

#[test]
fn an_empty_map_owns_nothing_and_a_cleared_one_keeps_its_memory() {
    let mut map = MetadataMap::new();
    assert_eq!((map.bytes.capacity(), map.entries.capacity()), (0, 0));
    map.append("key", "value").unwrap();
    let capacity = (map.bytes.capacity(), map.entries.capacity());
    map.clear();
    assert_eq!((map.bytes.capacity(), map.entries.capacity()), capacity);
}

#[test]
fn keys_and_values_are_checked() {
    let mut map = MetadataMap::new();
    for key in ["", "A", "a b", "a:b", ":path", "é", "a\0"] {
        assert_eq!(map.append(key, "v"), Err(MetadataError::Key(key.into())));
    }
    for key in [
        "grpc-timeout",
        "grpc-x",
        "content-type",
        "te",
        "connection",
        "host",
    ] {
        assert_eq!(
            map.append(key, "v"),
            Err(MetadataError::Reserved(key.into()))
        );
    }
    for value in ["\n", "a\tb", "é", " a", "a ", "\u{7f}"] {
        assert_eq!(
            map.append("k", value),
            Err(MetadataError::Value("k".into())),
            "{value:?}"
        );
    }
    assert_eq!(
        map.append("k-bin", "v"),
        Err(MetadataError::Kind("k-bin".into()))
    );
    assert_eq!(
        map.append_bin("k", b"v"),
        Err(MetadataError::Kind("k".into()))
    );
    assert!(map.is_empty());
    let text = map.append("Trace Id", "v").unwrap_err().to_string();
    assert_eq!(
        text,
        "failed to set metadata \"Trace Id\": a key consists of 0-9 a-z _ . -"
    );
}

#[test]
fn joined_binary_values_are_split_before_they_are_decoded() {
    for wire in ["AQ,Ag==", "AQ==,Ag", "AQ, Ag", " AQ\t,\tAg "] {
        let map = received(&[("k-bin", wire.as_bytes())]).unwrap();
        assert_eq!(
            map.get_all_bin("k-bin").collect::<Vec<_>>(),
            [[1], [2]],
            "{wire:?}"
        );
        assert_eq!(map.get("k-bin"), None);
    }
    let map = received(&[("k-bin", b"")]).unwrap();
    assert_eq!(map.get_bin("k-bin"), Some(vec![]));
    assert_eq!(
        received(&[("k-bin", b"AQ,A")]),
        Err(MetadataError::Value("k-bin".into()))
    );
    let map = received(&[("k", b"a, b")]).unwrap();
    assert_eq!(map.get("k"), Some("a, b"), "a text is not split");
}

#[test]
fn the_wire_may_bring_more_than_a_program_may_set() {
    let map = received(&[
        ("grpc-previous-rpc-attempts", b"2"),
        ("x-latin", b"\xe9"),
        ("x!y", b"1"),
        ("content-length", b"3"),
        ("grpc-status", b"0"),
        ("grpc-timeout", b"1S"),
        (":authority", b"host"),
        ("", b"x"),
        ("X-Upper", b"x"),
    ])
    .unwrap();
    let all: Vec<_> = map.iter().collect();
    assert_eq!(
        all,
        [
            ("grpc-previous-rpc-attempts", &b"2"[..]),
            ("x-latin", b"\xe9"),
            ("x!y", b"1")
        ]
    );
    assert_eq!(
        (map.get("x-latin"), map.raw("x-latin")),
        (None, Some(&b"\xe9"[..]))
    );
}

#[test]
fn binary_values_survive_the_wire_joined_or_not() {
    let mut random = Generator::new(8);
    for _ in 0..1_000 {
        let values: Vec<_> = (0..=random.below(4))
            .map(|_| random.bytes(10, b""))
            .collect();
        let mut sent = MetadataMap::new();
        for value in &values {
            sent.append_bin("k-bin", value).unwrap();
        }
        let separate: Vec<&[u8]> = sent.fields().map(|(_, value)| value).collect();
        let joined = separate.join(&b","[..]);
        let map = received(&[("k-bin", &joined)]).unwrap();
        assert_eq!(map, sent);
        assert_eq!(map.get_all_bin("k-bin").collect::<Vec<_>>(), values);
    }
}
