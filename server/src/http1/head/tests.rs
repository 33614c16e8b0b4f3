//! Parsing of valid heads and of heads that attackers send.

use super::*;

/// Parses a head that arrives byte by byte, until the end of the text.
fn read(text: &str) -> Result<Option<Head>, Refusal> {
    let bytes = text.as_bytes();
    let mut scan = Scan::default();
    for len in 0..=bytes.len() {
        if let Some(end) = scan.end(&bytes[..len], 1000)? {
            assert_eq!(end, Scan::default().end(bytes, 1000)?.unwrap());
            return parse(&bytes[..end], "http").map(Some);
        }
    }
    Ok(None)
}

fn shown(head: &Head) -> String {
    let text = |bytes| String::from_utf8_lossy(bytes).into_owned();
    let fields = head.fields.iter();
    let fields = fields.map(|field| format!("{}={}", text(field.name), text(field.value)));
    fields.collect::<Vec<_>>().join(" ")
}

#[test]
fn heads_become_fields() {
    for (text, fields, body, keeps_alive) in [
        (
            "GET /healthz HTTP/1.1\r\nHost: a.example:80\r\n\r\n",
            ":method=GET :scheme=http :path=/healthz :authority=a.example:80",
            BodyLength::Exactly(0),
            true,
        ),
        (
            "\r\nPOST /a.B/C?q HTTP/1.1\r\nHOST:a\r\nContent-Length:  5 \r\nX-Team: red\r\n\r\n\
             hello",
            ":method=POST :scheme=http :path=/a.B/C?q :authority=a content-length=5 x-team=red",
            BodyLength::Exactly(5),
            true,
        ),
        (
            "POST / HTTP/1.1\r\nhost: a\r\nTransfer-Encoding: Chunked\r\nConnection: TE, close\r\n\
             TE: trailers\r\n\r\n",
            ":method=POST :scheme=http :path=/ :authority=a",
            BodyLength::Chunked,
            false,
        ),
        (
            "GET http://b.example/x HTTP/1.1\r\nhost: a\r\nUpgrade: h2c\r\n\r\n",
            ":method=GET :scheme=http :path=/x :authority=b.example",
            BodyLength::Exactly(0),
            true,
        ),
        (
            "GET / HTTP/1.0\r\n\r\n",
            ":method=GET :scheme=http :path=/",
            BodyLength::Exactly(0),
            false,
        ),
        (
            "GET / HTTP/1.0\r\nConnection: keep-alive\r\nhost:\r\n\r\n",
            ":method=GET :scheme=http :path=/",
            BodyLength::Exactly(0),
            true,
        ),
        (
            "OPTIONS * HTTP/1.1\r\nhost: a\r\n\r\n",
            ":method=OPTIONS :scheme=http :path=* :authority=a",
            BodyLength::Exactly(0),
            true,
        ),
    ] {
        let head = read(text).unwrap().unwrap();
        assert_eq!(shown(&head), fields, "{text}");
        assert_eq!((head.body, head.keeps_alive), (body, keeps_alive), "{text}");
    }
}

#[test]
fn what_might_be_read_in_two_ways_is_refused() {
    let with = |fields: &str| format!("POST / HTTP/1.1\r\nhost: a\r\n{fields}\r\n\r\n");
    for (text, status) in [
        (with("content-length: 5\r\ntransfer-encoding: chunked"), 400),
        (with("transfer-encoding: chunked\r\ncontent-length: 5"), 400),
        (with("content-length: 5\r\ncontent-length: 6"), 400),
        (with("content-length: 5\r\ncontent-length: 5"), 400),
        (with("content-length: 5, 5"), 400),
        (with("content-length: +5"), 400),
        (with("content-length: -5"), 400),
        (with("content-length: 0x5"), 400),
        (with("content-length: 5 5"), 400),
        (with("content-length:"), 400),
        (with("content-length: 18446744073709551616"), 400),
        (with("content-length : 5"), 400),
        (with("transfer-encoding : chunked"), 400),
        (
            with("transfer-encoding: chunked\r\ntransfer-encoding: chunked"),
            400,
        ),
        (with("transfer-encoding: chunked, chunked"), 501),
        (with("transfer-encoding: gzip, chunked"), 501),
        (with("transfer-encoding: identity"), 501),
        (with("transfer-encoding: xchunked"), 501),
        (with("transfer-encoding:\x0bchunked"), 400),
        (with("x: a\r\n obs-fold"), 400),
        (with("x: a\r\n\ttransfer-encoding: chunked"), 400),
        (with("x: a\nb: c"), 400),
        (with("x: a\rb: c"), 400),
        (with("x: a\0b"), 400),
        (with(": a"), 400),
        (with("x y: a"), 400),
        (with("\u{e4}: a"), 400),
        (with("no colon"), 400),
        (with("host: b"), 400),
        (
            "POST / HTTP/1.0\r\ntransfer-encoding: chunked\r\n\r\n".into(),
            400,
        ),
        ("GET / HTTP/1.1\r\n\r\n".into(), 400),
        ("GET / HTTP/1.1\r\nhost: a/b\r\n\r\n".into(), 400),
        ("GET / HTTP/1.1\r\nhost: a@b\r\n\r\n".into(), 400),
        ("GET / HTTP/1.1\r\nhost: a b\r\n\r\n".into(), 400),
        ("GET http://a@b/ HTTP/1.1\r\nhost: a\r\n\r\n".into(), 400),
        ("GET  / HTTP/1.1\r\nhost: a\r\n\r\n".into(), 400),
        ("GET / HTTP/1.1 \r\nhost: a\r\n\r\n".into(), 400),
        ("GET / http/1.1\r\nhost: a\r\n\r\n".into(), 400),
        ("GET / HTTP/1.1\nhost: a\n\n".into(), 400),
        ("G(T / HTTP/1.1\r\nhost: a\r\n\r\n".into(), 400),
        ("GET a HTTP/1.1\r\nhost: a\r\n\r\n".into(), 400),
        ("GET * HTTP/1.1\r\nhost: a\r\n\r\n".into(), 400),
        ("GET ftp://a/ HTTP/1.1\r\nhost: a\r\n\r\n".into(), 400),
        ("GET /\r\n\r\n".into(), 400),
        ("\u{16}\u{3}\u{1}\r\n\r\n".into(), 400),
        ("GET / HTTP/2.0\r\nhost: a\r\n\r\n".into(), 505),
        ("GET / HTTP/1.2\r\nhost: a\r\n\r\n".into(), 505),
        ("CONNECT a:443 HTTP/1.1\r\nhost: a\r\n\r\n".into(), 501),
        (with("expect: tea"), 417),
        (with("content-type: application/grpc+proto"), 505),
        (with(&"x: y\r\n".repeat(100)), 431),
        (with(&format!("x: {}", "y".repeat(1000))), 431),
    ] {
        let refusal = read(&text).map(|head| head.map(|head| shown(&head)));
        let refusal = refusal.unwrap_err();
        assert_eq!(refusal.status, status, "{text:?}: {}", refusal.why);
    }
}

#[test]
fn a_head_is_bounded_to_the_byte() {
    let head = |len: usize| {
        let empty = "GET / HTTP/1.1\r\nhost: a\r\nx: \r\n\r\n".len();
        let filling = "y".repeat(len - empty);
        format!("GET / HTTP/1.1\r\nhost: a\r\nx: {filling}\r\n\r\n")
    };
    assert!(read(&head(1000)).is_ok_and(|head| head.is_some()));
    assert_eq!(read(&head(1001)).unwrap_err().status, 431);
    assert!(read(&head(1000)[..999]).is_ok_and(|head| head.is_none()));
}
