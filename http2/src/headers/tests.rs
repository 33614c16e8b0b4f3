//! Tests of header lists and of the characters of RFC 9113 §8.2.1.

use super::*;

#[test]
fn a_pushed_field_is_found_again() {
    let mut list = HeaderList::new();
    assert!(list.is_empty());
    list.push(Token::Path, b":path", b"/pkg.Service/Name");
    list.push(Token::Other, b"x-note", b"");
    assert_eq!(list.len(), 2);
    assert_eq!(list.iter().len(), 2);
    assert_eq!(list.size(), (5 + 17 + 32) + (6 + 32));
    assert_eq!(list.first(Token::Path), Some(&b"/pkg.Service/Name"[..]));
    assert_eq!(list.first(Token::Method), None);
    let last = list.iter().next_back().unwrap();
    assert_eq!(
        (last.name, last.value, last.well_formed),
        (&b"x-note"[..], &b""[..], true)
    );
    list.clear();
    assert_eq!((list.len(), list.size(), list.overflow()), (0, 0, None));
}

#[test]
fn names_follow_rfc_9113_8_2_1() {
    for good in ["a", "x-y_z.0", ":path", ":x", "!#$%&'*+-.^_`|~"] {
        assert!(is_name(good.as_bytes()), "{good:?}");
    }
    for bad in [
        "",
        ":",
        "::a",
        "a:b",
        "A",
        "content-Type",
        "a b",
        "a\0",
        "é",
        "a\x7f",
        "(",
        "\"",
    ] {
        assert!(!is_name(bad.as_bytes()), "{bad:?}");
    }
}

#[test]
fn values_follow_rfc_9113_8_2_1() {
    let is_trimmed = |value: &str| {
        let mut list = HeaderList::new();
        list.push(Token::Other, b"a", value.as_bytes());
        list.iter().all(|header| header.is_trimmed())
    };
    for good in ["", "a", "a b\tc", "é", "\x01", "a:b,c;d=\"e\""] {
        assert!(is_value(good.as_bytes()), "{good:?}");
        assert!(is_trimmed(good), "{good:?}");
    }
    for blank in [" ", " a", "a ", "\ta", "a\t"] {
        assert!(is_value(blank.as_bytes()), "{blank:?}");
        assert!(!is_trimmed(blank), "{blank:?}");
    }
    for bad in ["a\rb", "a\nb", "a\0b", "\0"] {
        assert!(!is_value(bad.as_bytes()), "{bad:?}");
    }
}

#[test]
fn a_dropped_field_leaves_nothing_behind() {
    let mut list = HeaderList::new();
    list.push(Token::Te, b"te", b"trailers");
    let start = list.staged().len();
    list.staged().extend_from_slice(b"x-notevalue");
    list.drop_staged(start);
    assert_eq!(
        (list.staged().len(), list.len(), list.overflow()),
        (start, 1, None)
    );
    list.overflow_at(40, 9);
    let overflow = list.overflow().unwrap();
    assert_eq!((overflow.bytes, overflow.fields), (list.size(), 1));
    let text = std::format!("{overflow}");
    assert_eq!(text, "42 bytes in 1 fields, 40 bytes are allowed");
    list.overflow_at(42, 0);
    let text = std::format!("{}", list.overflow().unwrap());
    assert_eq!(text, "1 fields, 0 are allowed");
}

#[test]
fn memory_of_a_huge_block_is_given_back() {
    let mut list = HeaderList::new();
    let value = [b'v'; 64];
    for _ in 0..2000 {
        list.push(Token::Other, b"name", &value);
    }
    list.clear();
    assert_eq!((list.arena.capacity(), list.spans.capacity()), (0, 0));
}
