//! Invalid stream identifiers, misplaced frames, and wrong announcements of ends.

use std::io;
use std::net::SocketAddr;

use corespun_http2::ErrorCode;

use super::peer::Peer;
use super::seen::{Answer, Seen};
use super::trial::{self, Attack};
use super::wire::{self, END, END_HEADERS};

const PROTOCOL: &[Answer] = &[Answer::GoAway(ErrorCode::PROTOCOL_ERROR)];
const CLOSED_STREAM: &[Answer] = &[Answer::GoAway(ErrorCode::STREAM_CLOSED)];
const FRAME_SIZE: &[Answer] = &[Answer::GoAway(ErrorCode::FRAME_SIZE_ERROR)];

/// Completes the handshake, sends `bytes`, and reads.
fn say(target: SocketAddr, bytes: &[u8]) -> io::Result<Seen> {
    let mut peer = Peer::connect(target)?;
    peer.send(bytes);
    Ok(peer.settle())
}

fn opened(stream: u32) -> Vec<u8> {
    wire::headers(stream, 0, wire::request(wire::LOOKUP))
}

fn ended(stream: u32) -> Vec<u8> {
    wire::headers(stream, END, wire::request(wire::IMPORT_USERS))
}

#[test]
fn stream_identifiers() {
    let attacks = [
        Attack::new(
            "even stream identifier",
            "RFC 9113 §5.1.1",
            PROTOCOL,
            |target| say(target, &opened(2)),
        ),
        Attack::new(
            "decreasing stream identifier",
            "RFC 9113 §5.1.1",
            PROTOCOL,
            |target| say(target, &[opened(9), opened(5)].concat()),
        ),
        Attack::new(
            "reuse of a stream identifier",
            "RFC 9113 §5.1",
            CLOSED_STREAM,
            |target| {
                let mut peer = Peer::connect(target)?;
                peer.send(&ended(1));
                peer.read_until(super::peer::PATIENCE, |peer| peer.seen.messages > 0);
                peer.send(&opened(1));
                Ok(peer.settle())
            },
        ),
        Attack::new("HEADERS on stream 0", "RFC 9113 §6.2", PROTOCOL, |target| {
            say(target, &opened(0))
        }),
        Attack::new(
            "DATA on an idle stream",
            "RFC 9113 §5.1",
            PROTOCOL,
            |target| say(target, &wire::data(7, END, b"x")),
        ),
        Attack::new(
            "RST_STREAM on an idle stream",
            "RFC 9113 §6.4",
            PROTOCOL,
            |target| say(target, &wire::reset(7)),
        ),
        Attack::new(
            "WINDOW_UPDATE on an idle stream",
            "RFC 9113 §5.1",
            PROTOCOL,
            |target| say(target, &wire::window_update(7, 1)),
        ),
        Attack::new(
            "SETTINGS on a stream",
            "RFC 9113 §6.5",
            PROTOCOL,
            |target| say(target, &wire::frame(wire::SETTINGS, 0, 1, [])),
        ),
        Attack::new("PING on a stream", "RFC 9113 §6.7", PROTOCOL, |target| {
            say(target, &wire::frame(wire::PING, 0, 1, [0; 8]))
        }),
    ];
    trial::run(&[], &attacks);
}

#[test]
fn frames_out_of_place() {
    let attacks = [
        Attack::new(
            "CONTINUATION without HEADERS",
            "RFC 9113 §6.10",
            PROTOCOL,
            |target| {
                say(
                    target,
                    &wire::frame(wire::CONTINUATION, END_HEADERS, 1, b""),
                )
            },
        ),
        Attack::new(
            "PUSH_PROMISE from a client",
            "RFC 9113 §8.4",
            PROTOCOL,
            |target| {
                let promise = wire::frame(wire::PUSH_PROMISE, END_HEADERS, 1, [0, 0, 0, 2]);
                say(target, &[opened(1), promise].concat())
            },
        ),
        Attack::new(
            "frame larger than announced",
            "`frame_bytes_max`",
            FRAME_SIZE,
            |target| say(target, &wire::frame(wire::UNKNOWN, 0, 0, [0; 16_385])),
        ),
        Attack::new(
            "PING of seven bytes",
            "RFC 9113 §6.7",
            FRAME_SIZE,
            |target| say(target, &wire::frame(wire::PING, 0, 0, [0; 7])),
        ),
        Attack::new(
            "padding longer than its frame",
            "RFC 9113 §6.1",
            PROTOCOL,
            |target| {
                let padded = wire::frame(wire::DATA, wire::PADDED, 1, [9, 0, 0]);
                say(target, &[opened(1), padded].concat())
            },
        ),
        Attack::new(
            "HTTP/1.1 instead of the preface",
            "RFC 9113 §3.4",
            PROTOCOL,
            |target| {
                let mut peer = Peer::silent(target)?;
                peer.send(b"GET / HTTP/1.1\r\nHost: attacked.example\r\n\r\n");
                Ok(peer.wait_for_end())
            },
        ),
        Attack::new(
            "something before SETTINGS",
            "RFC 9113 §3.4",
            PROTOCOL,
            |target| {
                let mut peer = Peer::silent(target)?;
                peer.send(&[wire::PREFACE, &wire::ping(1)].concat());
                Ok(peer.wait_for_end())
            },
        ),
    ];
    trial::run(&[], &attacks);
}

#[test]
fn ends() {
    let attacks = [
        Attack::new(
            "GOAWAY that raises its last stream",
            "RFC 9113 §6.8",
            PROTOCOL,
            |target| {
                let raised = [wire::go_away(0, 2, b""), wire::go_away(0, 4, b"")];
                say(target, &raised.concat())
            },
        ),
        Attack::new("GOAWAY on a stream", "RFC 9113 §6.8", PROTOCOL, |target| {
            say(target, &wire::go_away(1, 0, b""))
        }),
        Attack::new(
            "GOAWAY of four bytes",
            "RFC 9113 §6.8",
            FRAME_SIZE,
            |target| say(target, &wire::frame(wire::GOAWAY, 0, 0, [0; 4])),
        ),
    ];
    trial::run(&[], &attacks);
}
