//! Floods of frames that are cheap to send and cost the server work, memory, or a response each.

use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use super::peer::Peer;
use super::seen::{Answer, CALM, Seen};
use super::trial::{self, Attack};
use super::wire::{self, END, INITIAL_WINDOW_SIZE};

/// Outcomes of a flood by a peer that does not read; either bound may be reached first.
const CALM_OR_THROTTLED: &[Answer] = &[CALM, Answer::Throttled];
/// Setting that bounds PINGs: three strikes, as in gRPC.
const PINGS: &str = "`keepalive_min_time`";
const GLITCHES: &str = "`glitch_budget`";
const SETTINGS_FLOOD: &str = "CVE-2019-9515";
/// Number of frames; more than any budget grants at once.
const FRAMES: usize = 60_000;

#[test]
fn replies() {
    trial::run(
        &[],
        &[
            Attack {
                name: "PING flood without reading",
                cve: "CVE-2019-9512",
                limit: PINGS,
                expected: CALM_OR_THROTTLED,
                round: |target| flood(Peer::connect(target)?, true, &wire::ping(7)),
            },
            Attack {
                name: "PING flood, reading",
                cve: "CVE-2019-9512",
                limit: PINGS,
                expected: &[CALM],
                round: |target| flood(Peer::connect(target)?, false, &wire::ping(7)),
            },
            Attack {
                name: "SETTINGS flood without reading",
                cve: SETTINGS_FLOOD,
                limit: "`queued_replies_high`, `glitch_budget`",
                expected: CALM_OR_THROTTLED,
                round: |target| flood(Peer::connect(target)?, true, &wire::settings(&[])),
            },
            Attack {
                name: "SETTINGS flood, reading",
                cve: SETTINGS_FLOOD,
                limit: GLITCHES,
                expected: &[CALM],
                round: |target| flood(Peer::connect(target)?, false, &wire::settings(&[])),
            },
            Attack {
                name: "SETTINGS of 2000 entries",
                cve: SETTINGS_FLOOD,
                limit: "`settings_entries_max`",
                expected: &[CALM],
                round: |target| {
                    let entries = [(INITIAL_WINDOW_SIZE, 1000); 2000];
                    flood(Peer::connect(target)?, false, &wire::settings(&entries))
                },
            },
            Attack {
                name: "SETTINGS that move the windows of 1000 open streams",
                cve: SETTINGS_FLOOD,
                limit: GLITCHES,
                expected: &[CALM],
                round: move_windows,
            },
        ],
    );
}

/// Opens calls that wait, then changes INITIAL_WINDOW_SIZE back and forth.
fn move_windows(target: SocketAddr) -> io::Result<Seen> {
    let mut peer = Peer::connect(target)?;
    let block = wire::request(wire::LOOKUP);
    for _ in 0..1000 {
        let stream = peer.open();
        peer.send(&wire::headers(stream, 0, &block));
    }
    // Few at a time, so that the bound on their own cost is reached and not that of queued replies.
    let there = wire::settings(&[(INITIAL_WINDOW_SIZE, 1)]);
    let back = wire::settings(&[(INITIAL_WINDOW_SIZE, 1 << 20)]);
    let batch = [there, back].concat().repeat(8);
    for _ in 0..FRAMES / 16 {
        if !peer.send(&batch) {
            break;
        }
    }
    Ok(peer.settle())
}

#[test]
fn empty_frames() {
    const EMPTY: &str = "CVE-2019-9518";
    trial::run(
        &[],
        &[
            Attack {
                name: "empty DATA",
                cve: EMPTY,
                limit: "`empty_data_frames_max`",
                expected: &[CALM],
                round: |target| on_an_import(target, |stream| wire::data(stream, 0, b"")),
            },
            Attack {
                name: "DATA of padding alone",
                cve: EMPTY,
                limit: "`empty_data_frames_max`",
                expected: &[CALM],
                round: |target| {
                    on_an_import(target, |stream| {
                        wire::data(stream, wire::PADDED, &[3, 0, 0, 0])
                    })
                },
            },
            Attack {
                name: "empty HEADERS",
                cve: EMPTY,
                limit: "`reset_budget`",
                expected: &[CALM],
                round: |target| {
                    let mut peer = Peer::connect(target)?;
                    let streams: Vec<u32> = (0..2000).map(|_| peer.open()).collect();
                    for batch in streams.chunks(50) {
                        let empty = batch
                            .iter()
                            .flat_map(|stream| wire::headers(*stream, END, b""));
                        if !peer.send(&empty.collect::<Vec<u8>>()) {
                            break;
                        }
                    }
                    Ok(peer.settle())
                },
            },
            Attack {
                name: "a message in DATA of one byte each",
                cve: "RUSTSEC-2026-0258",
                limit: "`data_overhead_bytes_max`",
                expected: &[CALM],
                round: |target| {
                    let mut peer = Peer::connect(target)?;
                    let stream = peer.open();
                    peer.send(&wire::headers(stream, 0, wire::request(wire::UNARY_CALL)));
                    // A message whose length says that much more is still to come.
                    peer.send(&wire::data(stream, 0, &[0, 0, 0x20, 0, 0]));
                    let batch = wire::data(stream, 0, b"x").repeat(100);
                    for _ in 0..600 {
                        if !peer.send(&batch) {
                            break;
                        }
                    }
                    Ok(peer.settle())
                },
            },
        ],
    );
}

#[test]
fn frames_without_use() {
    trial::run(
        &[],
        &[
            Attack {
                name: "PRIORITY flood (resource loop)",
                cve: "CVE-2019-9513",
                limit: GLITCHES,
                expected: &[CALM],
                round: |target| flood(Peer::connect(target)?, false, &wire::priority(1001, 3)),
            },
            Attack::new("frames of an unknown type", GLITCHES, &[CALM], |target| {
                let unknown = wire::frame(wire::UNKNOWN, 0xff, 77, [0; 8]);
                flood(Peer::connect(target)?, false, &unknown)
            }),
            Attack::new(
                "RST_STREAM on a stream that is closed",
                GLITCHES,
                &[CALM],
                |target| {
                    let mut peer = Peer::connect(target)?;
                    let stream = peer.open();
                    peer.send(&wire::whole_call(stream));
                    peer.read_until(Duration::from_secs(5), |peer| peer.seen.messages > 0);
                    flood(peer, false, &wire::reset(stream))
                },
            ),
            Attack {
                name: "SETTINGS acknowledgements that nobody asked for",
                cve: SETTINGS_FLOOD,
                limit: GLITCHES,
                expected: &[CALM],
                round: |target| {
                    let ack = wire::frame(wire::SETTINGS, wire::ACK, 0, b"");
                    flood(Peer::connect(target)?, false, &ack)
                },
            },
            Attack::new("GOAWAY flood", "`go_away_frames_max`", &[CALM], |target| {
                flood(Peer::connect(target)?, false, &wire::go_away(0, 0, b""))
            }),
            Attack::new(
                "GOAWAY with 16 KiB of debug data, over and over",
                "`go_away_debug_bytes_max`",
                &[CALM],
                |target| {
                    let debug = [b'x'; 16_376];
                    flood(Peer::connect(target)?, false, &wire::go_away(0, 0, &debug))
                },
            ),
        ],
    );
}

/// Sends one frame until the server ends the connection.
fn flood(mut peer: Peer, deaf: bool, frame: &[u8]) -> io::Result<Seen> {
    // Few at a time when reading, so that the cost is that of the frames and not of queued replies.
    let at_once = if deaf { 200 } else { 32 };
    peer.deaf = deaf;
    let batch = frame.repeat(at_once);
    for _ in 0..FRAMES / at_once {
        if !peer.send(&batch) {
            break;
        }
    }
    Ok(peer.settle())
}

/// Repeats one frame on a call that accepts a stream of messages.
fn on_an_import(target: SocketAddr, frame: impl Fn(u32) -> Vec<u8>) -> io::Result<Seen> {
    let mut peer = Peer::connect(target)?;
    let stream = peer.open();
    peer.send(&wire::headers(stream, 0, wire::request(wire::IMPORT_USERS)));
    let frame = frame(stream);
    flood(peer, false, &frame)
}
