//! Tests of messages: prefixes, limits, and the deframer under any split.

use super::*;
use crate::Code;
use crate::generator::Generator;

fn framed(messages: &[Vec<u8>]) -> Vec<u8> {
    let mut out = Vec::new();
    for message in messages {
        write_prefix(&mut out, false, message.len());
        out.extend_from_slice(message);
    }
    out
}

/// Returns every message that comes out if `pieces` go in, each drained at once, and the result.
fn deframed(limit: usize, pieces: &[&[u8]]) -> (Vec<Vec<u8>>, Result<(), Status>) {
    let mut deframer = Deframer::new(limit);
    let mut messages = Vec::new();
    for piece in pieces {
        deframer.push(piece);
        loop {
            match deframer.next() {
                Ok(Some(message)) => messages.push(message.to_vec()),
                Ok(None) => break,
                Err(status) => return (messages, Err(status)),
            }
        }
    }
    (messages, deframer.end())
}

#[test]
fn encode_writes_prefix_and_message() {
    let mut out = b"before".to_vec();
    assert_eq!(encode(&String::from("hi"), &mut out), Ok(4));
    assert_eq!(out, b"before\0\0\0\0\x04\x0a\x02hi");
    assert_eq!(decode::<String>(whole(&out[6..]).unwrap()), Ok("hi".into()));
    let status = decode::<String>(b"\x0a\x05hi").unwrap_err();
    assert_eq!(status.code(), Code::Internal);
    assert!(
        status
            .message()
            .contains("failed to decode Protobuf message"),
        "{status}"
    );
}

#[test]
fn whole_is_exactly_one_uncompressed_message() {
    assert_eq!(whole(b"\0\0\0\0\0"), Some(&b""[..]));
    assert_eq!(whole(b"\0\0\0\0\x01x"), Some(&b"x"[..]));
    for bytes in [
        &b""[..],
        b"\0\0\0\0",
        b"\0\0\0\0\x02x",
        b"\0\0\0\0\0x",
        b"\x01\0\0\0\x01x",
    ] {
        assert_eq!(whole(bytes), None, "{bytes:?}");
    }
}

#[test]
fn split_leaves_the_rest() {
    assert_eq!(
        split(b"\0\0\0\0\x01xy", 1),
        Ok(Some((&b"x"[..], &b"y"[..])))
    );
    assert_eq!(split(b"\0\0\0\0\x02x", 2), Ok(None));
    assert_eq!(split(b"\0\0\0", 2), Ok(None));
}

#[test]
fn broken_prefixes_are_named() {
    for (bytes, code, message) in [
        (
            &b"\0\0\0\x01\x01"[..],
            Code::ResourceExhausted,
            "a message of 257 bytes is over the limit of 256",
        ),
        (
            b"\x01\0\0\0\0",
            Code::Internal,
            "a message has its compressed flag set, but no encoding",
        ),
        (
            b"\x02\0\0\0\0",
            Code::Internal,
            "a message prefix starts with 2, not 0 or 1",
        ),
    ] {
        let (_, end) = deframed(256, &[bytes]);
        let status = end.unwrap_err();
        assert_eq!((status.code(), status.message()), (code, message));
    }
    assert_eq!(
        deframed(256, &[b"\0\0\0\x01\0", &[7; 256]]).0,
        [vec![7; 256]]
    );
}

#[test]
fn each_message_tells_how_it_came() {
    let framing = Framing {
        encoding: Encoding::Gzip,
        bytes_max: 1000,
    };
    let mut bytes = Vec::new();
    framing.encode(&"x".repeat(900), &mut bytes).unwrap();
    encode(&"plain".to_owned(), &mut bytes).unwrap();
    let mut deframer = Deframer::new(1000);
    deframer.set_encoding(Encoding::Gzip);
    deframer.push(&bytes);
    for compressed in [true, false] {
        assert!(deframer.next().unwrap().is_some());
        assert_eq!(deframer.was_compressed(), compressed);
        deframer.done();
    }
}

#[test]
fn an_end_inside_a_message_is_an_error() {
    for bytes in [&b"\0"[..], b"\0\0\0\0", b"\0\0\0\0\x01", b"\0\0\0\0\0\0"] {
        let (_, end) = deframed(10, &[bytes]);
        assert_eq!(
            end.unwrap_err().message(),
            "the stream ended inside a message"
        );
    }
    assert_eq!(deframed(10, &[b""]), (vec![], Ok(())));
}

#[test]
fn messages_ahead_of_a_broken_one_come_out_first() {
    let mut deframer = Deframer::new(4);
    deframer.push(b"\0\0\0\0\x01a\0\0\0\0\x05bcd");
    deframer.push(b"not kept");
    assert!(deframer.buffer.len() <= 6 && !deframer.midway() && !deframer.is_empty());
    assert_eq!(deframer.next(), Ok(Some(&b"a"[..])));
    for _ in 0..2 {
        assert_eq!(deframer.next().unwrap_err().code(), Code::ResourceExhausted);
    }
}

#[test]
fn a_prefix_alone_buys_no_memory() {
    let mut deframer = Deframer::new(1 << 20);
    deframer.push(b"\0\0\x10\0\0");
    assert!(deframer.midway() && deframer.buffer.capacity() < 100);
    deframer.push(&[0; 1 << 17]);
    assert!(deframer.buffer.capacity() >= (1 << 20) + PREFIX_BYTES);
}

#[test]
fn any_split_gives_the_same_messages() {
    let mut random = Generator::new(9);
    for _ in 0..2_000 {
        let messages: Vec<_> = (0..random.below(6))
            .map(|_| random.bytes(30, b""))
            .collect();
        let mut bytes = framed(&messages);
        let expected = match random.below(3) {
            0 => Ok(()),
            1 => {
                bytes.extend_from_slice(b"\0\0\0\0\x1f");
                Err(Code::ResourceExhausted)
            }
            _ => {
                bytes.extend_from_slice(&b"\0\0\0\0\x02x"[..=random.below(5)]);
                Err(Code::Internal)
            }
        };
        let mut pieces = Vec::new();
        let mut rest = &bytes[..];
        while !rest.is_empty() {
            let (piece, after) = rest.split_at(random.below(rest.len().min(20) + 1));
            pieces.push(piece);
            rest = after;
        }
        let (read, end) = deframed(30, &pieces);
        assert_eq!(read, messages);
        assert_eq!(end.map_err(|status| status.code()), expected);
    }
}

#[test]
fn messages_may_wait_while_bytes_come() {
    let mut random = Generator::new(10);
    for _ in 0..500 {
        let messages: Vec<_> = (0..20).map(|_| random.bytes(12, b"")).collect();
        let bytes = framed(&messages);
        let mut deframer = Deframer::new(12);
        let mut read = Vec::new();
        for piece in bytes.chunks(1 + random.below(25)) {
            deframer.push(piece);
            for _ in 0..random.below(3) {
                read.extend(deframer.next().unwrap().map(<[u8]>::to_vec));
            }
        }
        while let Some(message) = deframer.next().unwrap() {
            read.push(message.to_vec());
        }
        assert_eq!(read, messages);
        assert!(deframer.is_empty() && deframer.end() == Ok(()));
    }
}

#[test]
fn room_is_reserved_once_a_fair_share_is_there() {
    let mut whole = Vec::new();
    write_prefix(&mut whole, false, 80_000);
    whole.resize(PREFIX_BYTES + 80_000, 7);
    let room = |bytes: usize, limit: usize| {
        let mut buffer = Vec::with_capacity(bytes);
        buffer.extend_from_slice(&whole[..bytes]);
        reserve_rest(&mut buffer, limit);
        buffer.capacity()
    };
    assert_eq!(room(4, 80_000), 4, "the length is not known");
    assert_eq!(room(5_000, 80_000), 5_000, "too little of it is there");
    assert_eq!(room(10_000, 80_000), whole.len());
    assert_eq!(room(10_000, 79_999), 10_000, "it will be refused");
    assert_eq!(room(whole.len(), 80_000), whole.len());
}

#[test]
fn an_idle_deframer_gives_its_memory_back() {
    let mut deframer = Deframer::new(100_000);
    for _ in 0..3 {
        deframer.push(&framed(&[vec![7; 50_000], vec![8; 10]]));
        deframer.rest();
        assert_eq!(deframer.next().unwrap().map(<[u8]>::len), Some(50_000));
        deframer.rest();
        assert!(deframer.capacity() >= 50_000, "a message waits");
        assert_eq!(deframer.next(), Ok(Some(&[8; 10][..])));
        deframer.rest();
        assert_eq!(deframer.capacity(), 0);
        assert_eq!(deframer.next(), Ok(None));
        assert_eq!(deframer.end(), Ok(()));
    }
    deframer.push(&framed(&[vec![7; 100]]));
    deframer.next().unwrap();
    deframer.rest();
    assert!(deframer.capacity() > 0, "little is kept");
}

#[test]
fn inflated_bytes_count_as_memory_and_go_back() {
    let gzip = Framing {
        encoding: Encoding::Gzip,
        bytes_max: 200_000,
    };
    let mut bytes = Vec::new();
    gzip.encode(&"x".repeat(100_000), &mut bytes).unwrap();
    let mut deframer = Deframer::new(gzip.bytes_max);
    deframer.set_encoding(gzip.encoding);
    deframer.push(&[&bytes[..], &bytes].concat());
    assert!(deframer.capacity() < 10_000, "nothing is inflated ahead");
    assert!(deframer.next().unwrap().is_some());
    assert!(deframer.capacity() >= 100_000);
    deframer.done();
    deframer.rest();
    let kept = deframer.capacity() - deframer.buffer.capacity();
    assert!((1..=PLAIN_BYTES_KEPT).contains(&kept), "one more waits");
    assert!(deframer.next().unwrap().is_some());
    deframer.done();
    deframer.rest();
    assert_eq!(deframer.plain.capacity(), 0);
}
