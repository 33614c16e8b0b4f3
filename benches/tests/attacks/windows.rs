//! Attacks with flow control: windows that overflow, never open, or open by one byte.

use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use corespun_http2::ErrorCode;

use super::peer::Peer;
use super::seen::{Answer, CALM, Seen};
use super::trial::{self, Attack};
use super::wire::{self, END, INITIAL_WINDOW_SIZE};

const GLITCHES: &str = "`glitch_budget`";
const SLOW_READ: &str = "CVE-2019-9517, CVE-2016-1546";
const MIB: usize = 1 << 20;

#[test]
fn updates() {
    trial::run(
        &[],
        &[
            Attack::new(
                "WINDOW_UPDATE flood on the connection",
                GLITCHES,
                &[CALM],
                |target| useless_updates(target, false),
            ),
            Attack::new(
                "WINDOW_UPDATE flood on a stream",
                GLITCHES,
                &[CALM],
                |target| useless_updates(target, true),
            ),
            Attack::new(
                "window overflow on the connection",
                "RFC 9113 §6.9.1",
                &[Answer::GoAway(ErrorCode::FLOW_CONTROL_ERROR)],
                |target| said(target, |_| wire::window_update(0, 0x7fff_ffff)),
            ),
            Attack::new(
                "window overflow on a stream",
                "RFC 9113 §6.9.1",
                &[Answer::Reset(ErrorCode::FLOW_CONTROL_ERROR)],
                |target| said(target, |stream| wire::window_update(stream, 0x7fff_ffff)),
            ),
            Attack::new(
                "window overflow by SETTINGS",
                "RFC 9113 §6.9.2",
                &[Answer::GoAway(ErrorCode::FLOW_CONTROL_ERROR)],
                |target| {
                    said(target, |stream| {
                        let grown = wire::window_update(stream, 0x7fff_0000);
                        let larger = wire::settings(&[(INITIAL_WINDOW_SIZE, 0x7fff_ffff)]);
                        [grown, larger].concat()
                    })
                },
            ),
            Attack::new(
                "WINDOW_UPDATE of 0 on the connection",
                "RFC 9113 §6.9",
                &[Answer::GoAway(ErrorCode::PROTOCOL_ERROR)],
                |target| said(target, |_| wire::window_update(0, 0)),
            ),
        ],
    );
}

#[test]
fn uploads() {
    trial::run(
        &[],
        &[
            Attack::new(
                "DATA beyond a stream's window",
                "`stream_window_bytes`",
                &[Answer::Reset(ErrorCode::FLOW_CONTROL_ERROR)],
                |target| overrun(target, 1),
            ),
            Attack::new(
                "DATA beyond the windows of eight streams",
                "`connection_window_bytes`, `stream_window_bytes`",
                &[
                    Answer::GoAway(ErrorCode::FLOW_CONTROL_ERROR),
                    Answer::Reset(ErrorCode::FLOW_CONTROL_ERROR),
                ],
                |target| overrun(target, 8),
            ),
            Attack::new(
                "100 requests that stop after their first MiB",
                "`received_bytes_max`",
                &[
                    Answer::Reset(ErrorCode::FLOW_CONTROL_ERROR),
                    Answer::Throttled,
                ],
                unfinished_uploads,
            ),
        ],
    );
}

#[test]
fn downloads() {
    trial::run(
        &["--limit", "write_progress_time_max=1s"],
        &[
            Attack {
                name: "1000 replies of 1 MiB with a window of zero, never read (slow read)",
                cve: SLOW_READ,
                limit: "`queued_bytes_max`, `write_progress_time_max`",
                expected: &[Answer::Served, Answer::Reset(ErrorCode::ENHANCE_YOUR_CALM)],
                round: |target| {
                    let peer = Peer::with_settings(target, &[(INITIAL_WINDOW_SIZE, 0)])?;
                    Ok(ask_for_mebibytes(peer, 1000).settle())
                },
            },
            Attack {
                name: "replies of 1 MiB with a window of zero, held until the server gives up",
                cve: SLOW_READ,
                limit: "`write_progress_time_max`",
                expected: &[Answer::Reset(ErrorCode::ENHANCE_YOUR_CALM)],
                round: |target| {
                    let peer = Peer::with_settings(target, &[(INITIAL_WINDOW_SIZE, 0)])?;
                    let mut peer = ask_for_mebibytes(peer, 8);
                    let met = |peer: &Peer| !peer.seen.resets.is_empty();
                    peer.read_until(Duration::from_secs(5), met);
                    Ok(peer.settle())
                },
            },
            Attack {
                name: "open windows, but the socket is never read",
                cve: SLOW_READ,
                limit: "`output_bytes_high`, `queued_bytes_max`",
                expected: &[Answer::Served, Answer::Throttled, Answer::Closed],
                round: unread_socket,
            },
            Attack {
                name: "data dribble: windows opened byte by byte on 100 streams",
                cve: "CVE-2019-9511",
                limit: "`glitch_budget`, one send a turn",
                expected: &[Answer::Served, CALM],
                round: dribble,
            },
        ],
    );
}

/// Opens a call, and then sends the bytes of the attack for it.
fn said(target: SocketAddr, what: impl Fn(u32) -> Vec<u8>) -> io::Result<Seen> {
    let mut peer = Peer::connect(target)?;
    let stream = peer.open();
    peer.send(&wire::headers(stream, 0, wire::request(wire::LOOKUP)));
    peer.send(&what(stream));
    Ok(peer.settle())
}

/// Opens windows by one byte each although nothing is sent in them.
fn useless_updates(target: SocketAddr, on_stream: bool) -> io::Result<Seen> {
    let mut peer = Peer::connect(target)?;
    let stream = peer.open();
    peer.send(&wire::headers(stream, 0, wire::request(wire::LOOKUP)));
    let update = wire::window_update(if on_stream { stream } else { 0 }, 1);
    for _ in 0..1000 {
        if !peer.send(&update.repeat(64)) {
            break;
        }
    }
    Ok(peer.settle())
}

/// Sends more than a window of messages to handlers that cannot send their first reply, and so do
/// not read further.
fn overrun(target: SocketAddr, streams: usize) -> io::Result<Seen> {
    let mut peer = Peer::with_settings(target, &[(INITIAL_WINDOW_SIZE, 0)])?;
    let message = wire::padded_request(MIB, 16_384);
    for _ in 0..streams {
        let stream = peer.open();
        peer.send(&wire::headers(
            stream,
            0,
            wire::request(wire::STREAMING_CALL),
        ));
        let piece = wire::data(stream, 0, &message);
        for _ in 0..2 * MIB / message.len() {
            if !peer.send(&piece) {
                return Ok(peer.settle());
            }
        }
    }
    Ok(peer.settle())
}

/// Sends the first MiB of requests of 4 MiB each, whatever the windows of the streams are.
fn unfinished_uploads(target: SocketAddr) -> io::Result<Seen> {
    let mut peer = Peer::connect(target)?;
    let body = vec![0; MIB];
    for _ in 0..100 {
        let stream = peer.open();
        peer.send(&wire::headers(stream, 0, wire::request(wire::UNARY_CALL)));
        // The prefix of a message of 4 MiB less one byte.
        let began = peer.upload(stream, &[0, 0, 0x3f, 0xff, 0xff]);
        if !began || !peer.upload(stream, &body[5..]) {
            break;
        }
    }
    Ok(peer.settle())
}

/// Makes calls whose replies are 1 MiB each.
fn ask_for_mebibytes(mut peer: Peer, calls: usize) -> Peer {
    let head = wire::request(wire::UNARY_CALL);
    let body = wire::payload_request(MIB);
    for _ in 0..calls {
        let stream = peer.open();
        let head = wire::headers(stream, 0, &head);
        if !peer.send(&[head, wire::data(stream, END, &body)].concat()) {
            break;
        }
    }
    peer
}

fn unread_socket(target: SocketAddr) -> io::Result<Seen> {
    let mut peer = Peer::with_settings(target, &[(INITIAL_WINDOW_SIZE, 0x7fff_ffff)])?;
    peer.send(&wire::window_update(0, 0x7000_0000));
    peer.deaf = true;
    let peer = ask_for_mebibytes(peer, 1000);
    std::thread::sleep(Duration::from_millis(300));
    // Reads the rest of the output: replies, and the ends of the other calls.
    Ok(peer.settle())
}

/// Requests replies that wait for windows, then opens these by one byte at a time.
fn dribble(target: SocketAddr) -> io::Result<Seen> {
    let mut peer = Peer::with_settings(target, &[(INITIAL_WINDOW_SIZE, 0)])?;
    let head = wire::request(wire::UNARY_CALL);
    let body = wire::payload_request(10_000);
    let mut updates = Vec::new();
    for _ in 0..100 {
        let stream = peer.open();
        let head = wire::headers(stream, 0, &head);
        peer.send(&[head, wire::data(stream, END, &body)].concat());
        updates.extend(wire::window_update(stream, 1));
    }
    for _ in 0..200 {
        if !peer.send(&updates) {
            break;
        }
    }
    Ok(peer.settle())
}
