//! The first bytes of a server that speaks another protocol: which one the client names.

use corespun_http2::{Cause, Config, Connection, ErrorCode, OtherProtocol};
use std::time::Duration;

use crate::wire::settings;

/// Result of a client that receives `input` in pieces, and the first bytes it kept.
fn told(input: &[u8], piece: usize) -> (Option<OtherProtocol>, Vec<u8>) {
    let mut client = Connection::new(Config::client());
    for mut piece in input.chunks(piece) {
        match client.receive(Duration::from_secs(1), &mut piece) {
            Ok(_) => {}
            Err(error) => {
                assert_eq!(error.code, ErrorCode::PROTOCOL_ERROR, "{error}");
                let Cause::OtherProtocol(protocol) = error.cause else {
                    panic!("{error}")
                };
                return (Some(protocol), client.greeting().to_vec());
            }
        }
    }
    (None, client.greeting().to_vec())
}

#[test]
fn other_protocols_are_named_by_their_first_bytes() {
    use OtherProtocol::{Http1, Tls, Unknown};
    let http1 = b"HTTP/1.1 400 Bad Request\r\n\r\n";
    for (input, protocol) in [
        (&http1[..], Some(Http1)),
        (b"HTTP/1.", Some(Http1)),
        (b"HTTP/1", None),
        (b"H", None),
        (b"HTTP/2.0 200", Some(Unknown)),
        (b"\x15\x03\x01\0\x02\x02\x46", Some(Tls)),
        (b"\x16\x03\x03", Some(Tls)),
        (b"\x15", None),
        (b"\x15\x02", Some(Unknown)),
        (b"SSH-2.0-x", Some(Unknown)),
        (b"\xff", Some(Unknown)),
        (b"", None),
        (b"\0\0\0", None),
        (&settings(&[(3, 10)]), None),
    ] {
        for piece in [1, 2, 5, input.len().max(1)] {
            let (found, _) = told(input, piece);
            assert_eq!(found, protocol, "{} by {piece}", input.escape_ascii());
        }
    }
    assert_eq!(told(http1, http1.len()).1, http1);
    assert_eq!(told(http1, 5).1, b"HTTP/1.1 4");
    let long = [&http1[..], &[b'x'; 200]].concat();
    assert_eq!(told(&long, long.len()).1, long[..128]);
    assert_eq!(told(&settings(&[]), 100).1, b"", "nothing is kept");
}
