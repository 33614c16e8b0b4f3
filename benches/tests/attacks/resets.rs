//! Streams that end early: cancelled by the attacker, or reset by the server because of it.

use std::io;
use std::net::SocketAddr;

use corespun_http2::ErrorCode;

use super::peer::Peer;
use super::seen::{Answer, CALM, Seen};
use super::trial::{self, Attack};
use super::wire::{self, Field, block};

/// Number of streams; more than any budget grants at once.
const STREAMS: usize = 2000;
/// Number of streams sent in one write.
const BATCH: usize = 50;

const BUDGET: &str = "`reset_budget`";

#[test]
fn rapid_reset() {
    const RAPID_RESET: &str = "CVE-2023-44487";
    trial::run(
        &[],
        &[
            Attack {
                name: "rapid reset of requests",
                cve: RAPID_RESET,
                limit: BUDGET,
                expected: &[CALM],
                round: |target| cancel_each(target, wire::GET_USER),
            },
            Attack {
                name: "rapid reset of streaming calls",
                cve: RAPID_RESET,
                limit: BUDGET,
                expected: &[CALM],
                round: |target| cancel_each(target, wire::LOOKUP),
            },
            Attack {
                name: "fields without name and value (0-length headers)",
                cve: "CVE-2019-9516",
                limit: BUDGET,
                expected: &[CALM],
                round: |target| {
                    let nothing: [Field<'_>; 100] = [(b"", b""); 100];
                    let block = wire::request_with(wire::GET_USER, &nothing);
                    provoke(target, ErrorCode::PROTOCOL_ERROR, false, |stream| {
                        wire::headers(stream, wire::END, &block)
                    })
                },
            },
            Attack {
                name: "malformed requests without reading (reset flood)",
                cve: "CVE-2019-9514",
                limit: BUDGET,
                expected: &[CALM],
                round: |target| {
                    provoke(target, ErrorCode::PROTOCOL_ERROR, true, |stream| {
                        wire::headers(stream, 0, block(&[(b"Upper", b"x")]))
                    })
                },
            },
        ],
    );
}

fn cancel_each(target: SocketAddr, path: &[u8]) -> io::Result<Seen> {
    let mut peer = Peer::connect(target)?;
    let block = wire::request(path);
    for _ in 0..STREAMS / BATCH {
        let mut batch = Vec::new();
        for _ in 0..BATCH {
            let stream = peer.open();
            batch.extend(wire::headers(stream, 0, &block));
            batch.extend(wire::reset(stream));
        }
        if !peer.send(&batch) {
            break;
        }
    }
    Ok(peer.settle())
}

#[test]
fn made_you_reset() {
    let of_frames = [
        made("MadeYouReset: stream WINDOW_UPDATE of 0", |target| {
            provoke(target, ErrorCode::PROTOCOL_ERROR, false, |stream| {
                [opened(stream), wire::window_update(stream, 0)].concat()
            })
        }),
        made("MadeYouReset: stream window overflow", |target| {
            provoke(target, ErrorCode::FLOW_CONTROL_ERROR, false, |stream| {
                let most = wire::window_update(stream, 0x7fff_ffff);
                [opened(stream), most, wire::window_update(stream, 1)].concat()
            })
        }),
        made("MadeYouReset: DATA after END_STREAM", |target| {
            provoke(target, ErrorCode::STREAM_CLOSED, false, |stream| {
                [wire::whole_call(stream), wire::data(stream, 0, b"more")].concat()
            })
        }),
        made("MadeYouReset: HEADERS after END_STREAM", |target| {
            provoke(target, ErrorCode::STREAM_CLOSED, false, |stream| {
                let trailers = wire::headers(stream, wire::END, block(&[(b"a", b"b")]));
                [wire::whole_call(stream), trailers].concat()
            })
        }),
        made("MadeYouReset: PRIORITY of a wrong length", |target| {
            provoke(target, ErrorCode::FRAME_SIZE_ERROR, false, |stream| {
                let short = wire::frame(wire::PRIORITY, 0, stream, [0; 4]);
                [opened(stream), short].concat()
            })
        }),
        made("MadeYouReset: PRIORITY that depends on itself", |target| {
            provoke(target, ErrorCode::PROTOCOL_ERROR, false, |stream| {
                [opened(stream), wire::priority(stream, stream)].concat()
            })
        }),
    ];
    trial::run(&[], &of_frames);
}

/// Returns an attack that makes the server reset streams, which must use up the budget for resets.
const fn made(name: &'static str, round: fn(SocketAddr) -> io::Result<Seen>) -> Attack {
    Attack {
        name,
        cve: "CVE-2025-8671",
        limit: BUDGET,
        expected: &[CALM],
        round,
    }
}

#[test]
fn made_you_reset_by_requests() {
    let of_requests = [
        made("MadeYouReset: content-length mismatch", |target| {
            provoke(target, ErrorCode::PROTOCOL_ERROR, false, |stream| {
                let length: Field<'_> = (b"content-length", b"9");
                let head = wire::request_with(wire::GET_USER, &[length]);
                let body = wire::data(stream, wire::END, &wire::user_request());
                [wire::headers(stream, 0, head), body].concat()
            })
        }),
        Attack {
            limit: "`header_list_bytes_soft`",
            expected: &[Answer::Status(8)],
            ..made("MadeYouReset: oversize header list", oversize_lists)
        },
        Attack {
            limit: "`concurrent_streams_max`, `reset_budget`",
            ..made(
                "MadeYouReset: streams over the concurrency limit",
                too_many_streams,
            )
        },
    ];
    trial::run(&[], &of_requests);
}

/// Returns the head of a call whose body is not sent yet.
fn opened(stream: u32) -> Vec<u8> {
    wire::headers(stream, 0, wire::request(wire::LOOKUP))
}

/// Opens streams and makes the server reset each with `code`. The window for replies is closed, so
/// that a call whose reply waits is still open and can be reset.
fn provoke(
    target: SocketAddr,
    code: ErrorCode,
    deaf: bool,
    offence: impl Fn(u32) -> Vec<u8>,
) -> io::Result<Seen> {
    let mut peer = Peer::with_settings(target, &[(wire::INITIAL_WINDOW_SIZE, 0)])?;
    peer.deaf = deaf;
    for _ in 0..STREAMS / BATCH {
        let mut batch = Vec::new();
        for _ in 0..BATCH {
            let stream = peer.open();
            batch.extend(offence(stream));
        }
        if !peer.send(&batch) {
            break;
        }
    }
    let seen = peer.settle();
    match seen.resets[..] {
        [(only, _)] if only == code => Ok(seen),
        _ => Err(io::Error::other(format!(
            "streams were reset with {:?}, not with {code}",
            seen.resets
        ))),
    }
}

/// Sends heads between the soft and the hard limit: each is answered, none reaches a handler.
fn oversize_lists(target: SocketAddr) -> io::Result<Seen> {
    let mut peer = Peer::connect(target)?;
    let long = [b'x'; 2500];
    let fields: [Field<'_>; 4] = [(b"a", &long), (b"b", &long), (b"c", &long), (b"d", &long)];
    let block = wire::request_with(wire::GET_USER, &fields);
    for _ in 0..STREAMS / 4 {
        let stream = peer.open();
        if !peer.send(&wire::headers(stream, 0, &block)) {
            break;
        }
    }
    let seen = peer.settle();
    match seen.messages {
        0 => Ok(seen),
        reached => Err(io::Error::other(format!(
            "{reached} oversize requests reached the handler"
        ))),
    }
}

/// Opens calls that wait for their bodies, up to the limit and beyond.
fn too_many_streams(target: SocketAddr) -> io::Result<Seen> {
    let mut peer = Peer::connect(target)?;
    for _ in 0..STREAMS / BATCH {
        let streams: Vec<u32> = (0..BATCH).map(|_| peer.open()).collect();
        let batch: Vec<u8> = streams.into_iter().flat_map(opened).collect();
        if !peer.send(&batch) {
            break;
        }
    }
    let seen = peer.settle();
    match seen.resets[..] {
        [(ErrorCode::REFUSED_STREAM, _)] => Ok(seen),
        _ => Err(io::Error::other(format!(
            "streams were reset with {:?}, not with REFUSED_STREAM",
            seen.resets
        ))),
    }
}
