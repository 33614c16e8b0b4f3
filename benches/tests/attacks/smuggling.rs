//! Requests that two implementations could interpret differently: each must be refused before it
//! reaches a handler.
//!
//! Every case has its own connection, on which a valid call is made first. Its reply shows that a
//! reached handler would be noticed.

use std::io;
use std::net::SocketAddr;

use corespun_http2::ErrorCode;

use super::peer::Peer;
use super::seen::{Answer, Seen};
use super::trial::{self, Attack};
use super::wire::{self, END, Field, GET_USER, block, head};

const MALFORMED: Answer = Answer::Reset(ErrorCode::PROTOCOL_ERROR);
const UNIMPLEMENTED: Answer = Answer::Status(12);

/// Header fields in addition to those of a valid request.
type More = &'static [Field<'static>];

const NAMES: &[More] = &[
    &[(b"X-Upper", b"x")],
    &[(b"", b"x")],
    &[(b"a b", b"x")],
    &[(b"a:b", b"x")],
    &[(b"a\0b", b"x")],
    &[(b"a\r", b"x")],
    &[(b"a\nb", b"x")],
    &[(b"a\x7f", b"x")],
    &[(b"\xc3\xa4", b"x")],
    &[(b" a", b"x")],
];

const VALUES: &[More] = &[
    &[(b"a", b"x\0y")],
    &[(b"a", b"x\ry")],
    &[(b"a", b"x\ny")],
    &[(b"a", b"x\r\n:path: /user.UserService/ListUsers")],
];

const OF_CONNECTIONS: &[More] = &[
    &[(b"connection", b"close")],
    &[(b"connection", b"te")],
    &[(b"keep-alive", b"timeout=5")],
    &[(b"proxy-connection", b"keep-alive")],
    &[(b"transfer-encoding", b"chunked")],
    &[(b"transfer-encoding", b"identity")],
    &[(b"upgrade", b"h2c")],
    &[(b"te", b"gzip")],
    &[(b"te", b"trailers, deflate")],
    &[(b"te", b"trailers ")],
    &[(b"te", b"\ttrailers")],
];

const PSEUDO: &[More] = &[
    &[(b":path", b"/user.UserService/ListUsers")],
    &[(b":method", b"POST")],
    &[(b":unknown", b"x")],
    &[(b":protocol", b"websocket")],
    &[(b":status", b"200")],
    &[(b":", b"x")],
];

const LENGTHS: &[More] = &[
    &[(b"content-length", b"7"), (b"content-length", b"8")],
    &[(b"content-length", b"6")],
    &[(b"content-length", b"8")],
    &[(b"content-length", b"+7")],
    &[(b"content-length", b"-7")],
    &[(b"content-length", b"0x7")],
    &[(b"content-length", b"7,7")],
    &[(b"content-length", b"")],
    &[(b"content-length", b" 7")],
    &[(b"content-length", b"7\t")],
    &[(b"content-length", b"18446744073709551623")],
];

/// Paths without a handler, however another implementation might normalise them.
const PATHS: &[&[u8]] = &[
    b"user.UserService/GetUser",
    b"//user.UserService/GetUser",
    b"/user.UserService/GetUser/",
    b"/user.UserService/getuser",
    b"/user.UserService/GetUser?x",
    b"/user.UserService/%47etUser",
    b"/x/../user.UserService/GetUser",
    b"http://other.example/user.UserService/GetUser",
    b"/user.UserService/GetUser HTTP/1.1",
    b"*",
];

#[test]
fn malformed_fields() {
    let attacks = [
        malformed(
            "header injection: field names",
            "RFC 9113 §8.2.1",
            |target| {
                each(NAMES, |more| {
                    refused(target, &[&plain()[..], more].concat(), MALFORMED)
                })
            },
        ),
        malformed(
            "header injection: field values",
            "RFC 9113 §8.2.1",
            |target| {
                each(VALUES, |more| {
                    refused(target, &[&plain()[..], more].concat(), MALFORMED)
                })
            },
        ),
        malformed(
            "smuggling: fields of HTTP/1.1 connections, te",
            "RFC 9113 §8.2.2",
            |target| {
                each(OF_CONNECTIONS, |more| {
                    refused(target, &[&without(b"te")[..], more].concat(), MALFORMED)
                })
            },
        ),
        malformed("smuggling: content-length", "RFC 9113 §8.1.1", |target| {
            each(LENGTHS, |more| {
                refused(target, &[&plain()[..], more].concat(), MALFORMED)
            })
        }),
        malformed("smuggling: trailers", "RFC 9113 §8.1", trailers),
    ];
    trial::run(&[], &attacks);
}

#[test]
fn confused_requests() {
    let attacks = [
        malformed("smuggling: pseudo-header fields", "RFC 9113 §8.3", pseudo),
        Attack {
            expected: &[UNIMPLEMENTED],
            ..malformed("smuggling: paths", "routes match byte by byte", |target| {
                each(PATHS, |path| refused(target, &head(path), UNIMPLEMENTED))
            })
        },
        Attack {
            expected: &[Answer::Http(400)],
            ..malformed("smuggling: several hosts", "gRFC A41", |target| {
                let hosts: Field<'_> = (b"host", b"a.example");
                let fields = [&without(b":authority")[..], &[hosts, hosts]].concat();
                refused(target, &fields, Answer::Http(400))
            })
        },
        Attack {
            expected: &[Answer::Served],
            ..malformed(
                "smuggling: host beside another authority",
                "gRFC A41: host is dropped",
                {
                    |target| {
                        let mut peer = Peer::connect(target)?;
                        let other: Field<'_> = (b"host", b"other.example");
                        let block = block(&[&plain()[..], &[other]].concat());
                        peer.send(&wire::headers(1, 0, block));
                        peer.send(&wire::data(1, END, &wire::user_request()));
                        Ok(peer.settle())
                    }
                },
            )
        },
    ];
    trial::run(&[], &attacks);
}

const fn malformed(
    name: &'static str,
    limit: &'static str,
    round: fn(SocketAddr) -> io::Result<Seen>,
) -> Attack {
    Attack::new(name, limit, &[MALFORMED], round)
}

fn plain() -> Vec<Field<'static>> {
    head(GET_USER).to_vec()
}

fn without(name: &[u8]) -> Vec<Field<'static>> {
    let mut fields = plain();
    fields.retain(|field| field.0 != name);
    fields
}

/// Runs all cases; returns the responses of the last one.
fn each<T: Copy>(cases: &[T], run: impl Fn(T) -> io::Result<Seen>) -> io::Result<Seen> {
    let mut last = Seen::default();
    for case in cases {
        last = run(*case)?;
    }
    Ok(last)
}

/// Makes a valid call, then one with these fields: the second must get the expected response and no
/// message.
fn refused(target: SocketAddr, fields: &[Field<'_>], expected: Answer) -> io::Result<Seen> {
    let body = wire::data(3, END, &wire::user_request());
    met(
        target,
        &[wire::headers(3, 0, block(fields)), body].concat(),
        expected,
        || {
            let shown = |field: &Field<'_>| {
                format!("{}: {}", field.0.escape_ascii(), field.1.escape_ascii())
            };
            fields.iter().map(shown).collect::<Vec<_>>().join(" | ")
        },
    )
}

fn met(
    target: SocketAddr,
    bytes: &[u8],
    expected: Answer,
    what: impl Fn() -> String,
) -> io::Result<Seen> {
    let mut peer = Peer::connect(target)?;
    peer.send(&wire::whole_call(1));
    peer.send(bytes);
    let seen = peer.settle();
    if seen.messages == 1 && seen.answer() == expected {
        return Ok(seen);
    }
    let handlers = seen.messages.saturating_sub(1);
    let what = what();
    Err(io::Error::other(format!(
        "{what} was answered with {seen}, not {expected}, and reached {handlers} handlers"
    )))
}

/// Sends pseudo-header fields that are unknown, repeated, missing, empty, or too late.
fn pseudo(target: SocketAddr) -> io::Result<Seen> {
    let refused = |fields: &[Field<'_>]| refused(target, fields, MALFORMED);
    for more in PSEUDO {
        refused(&[more, &plain()[..]].concat())?;
    }
    for missing in [&b":method"[..], b":scheme", b":path"] {
        refused(&without(missing))?;
    }
    for late in [&b":path"[..], b":authority", b":method", b":scheme"] {
        let field: Vec<_> = plain()
            .into_iter()
            .filter(|field| field.0 == late)
            .collect();
        refused(&[without(late), field].concat())?;
    }
    refused(&head(b""))?;
    refused(&head(b"/user.UserService/GetUser "))?;
    refused(&head(b"\t/user.UserService/GetUser"))?;
    refused(&head(b"/user.UserService/GetUser\r\nhost: other.example"))?;
    let mut connect = plain();
    connect[0].1 = b"CONNECT";
    refused(&connect)
}

/// Sends trailers with forbidden fields, or without the end of the stream.
fn trailers(target: SocketAddr) -> io::Result<Seen> {
    let cases: [(u8, &[Field<'_>]); 5] = [
        (END, &[(b":path", b"/x")]),
        (END, &[(b":status", b"200")]),
        (END, &[(b"connection", b"close")]),
        (END, &[(b"a", b"x\ny")]),
        (0, &[(b"a", b"b")]),
    ];
    let mut last = Seen::default();
    for (flags, fields) in cases {
        let request = [
            wire::headers(3, 0, wire::request(GET_USER)),
            wire::data(3, 0, &wire::user_request()),
            wire::headers(3, flags, block(fields)),
        ];
        last = met(target, &request.concat(), MALFORMED, || {
            format!("trailers {fields:?}")
        })?;
    }
    Ok(last)
}
