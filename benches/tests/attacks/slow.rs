//! Slow peers: half a handshake, half a header block, half a request.
//!
//! The server runs with limits of one second where the defaults are ten or sixty, to shorten the
//! tests. The mechanism is not affected.

use std::io;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use corespun_http2::ErrorCode;

use super::peer::Peer;
use super::place::raise_open_files;
use super::seen::{Answer, CALM, Seen};
use super::trial::{self, Attack};
use super::wire::{self, HEADERS};

/// Limits of the server, and the interval between the bytes of a slow peer.
const FLAGS: &[&str] = &[
    "--limit",
    "preface_time_max=1s",
    "--limit",
    "first_settings_time_max=1s",
    "--limit",
    "settings_ack_time_max=1s",
    "--limit",
    "header_block_time_max=1s",
    "--limit",
    "request_progress_time_max=1s",
];
const DRIP: Duration = Duration::from_millis(50);
/// Pause after fifty new connections, so that the server can accept them while it serves calls.
const REST: Duration = Duration::from_millis(2);
/// Time after which a peer that is still connected has circumvented the limit.
const TOLERATED: Duration = Duration::from_secs(4);

/// Response to a peer that has not sent the preface. The time for the first SETTINGS runs too, but
/// if both end at once the missing preface is reported.
const NO_PREFACE: &[Answer] = &[Answer::GoAway(ErrorCode::PROTOCOL_ERROR)];
const LATE_SETTINGS: &[Answer] = &[Answer::GoAway(ErrorCode::SETTINGS_TIMEOUT)];

#[test]
fn slow_peers() {
    let attacks = [
        Attack::new(
            "connection without a byte",
            "`preface_time_max`",
            NO_PREFACE,
            |target| Ok(Peer::silent(target)?.wait_for_end()),
        ),
        Attack::new(
            "slow preface, byte by byte",
            "`preface_time_max`",
            NO_PREFACE,
            |target| drip(Peer::silent(target)?, &wire::PREFACE.repeat(10)),
        ),
        Attack::new(
            "preface without SETTINGS",
            "`first_settings_time_max`",
            LATE_SETTINGS,
            |target| {
                let mut peer = Peer::silent(target)?;
                // An acknowledgement would be a first frame that is not SETTINGS, and so an error.
                peer.polite = false;
                peer.send(wire::PREFACE);
                Ok(peer.wait_for_end())
            },
        ),
        Attack::new(
            "SETTINGS that are never acknowledged",
            "`settings_ack_time_max`",
            LATE_SETTINGS,
            |target| {
                let mut peer = Peer::silent(target)?;
                peer.polite = false;
                peer.send(&[wire::PREFACE, &wire::settings(&[])].concat());
                Ok(peer.wait_for_end())
            },
        ),
        Attack {
            cve: "CVE-2007-6750",
            ..Attack::new(
                "slow headers: a block that is not ended",
                "`header_block_time_max`",
                &[CALM],
                |target| {
                    let mut peer = Peer::connect(target)?;
                    let stream = peer.open();
                    let block = wire::request(wire::GET_USER);
                    peer.send(&wire::frame(HEADERS, 0, stream, block));
                    Ok(peer.wait_for_end())
                },
            )
        },
        Attack::new(
            "slow headers: a frame that comes byte by byte",
            "`header_block_time_max`",
            &[CALM],
            |target| {
                let peer = Peer::connect(target)?;
                drip(peer, &wire::headers(1, 0, [0; 1000]))
            },
        ),
        Attack::new(
            "slow body: a request that stops in its message",
            "`request_progress_time_max`",
            &[Answer::Status(4)],
            slow_body,
        ),
    ];
    trial::run(FLAGS, &attacks);
}

#[test]
fn half_open_connections() {
    let name = "10,000 half-open connections";
    let attacks = [Attack::new(
        name,
        "`preface_time_max`",
        NO_PREFACE,
        half_open,
    )];
    // Time enough to open all of them before the first is closed.
    trial::run(&["--limit", "preface_time_max=2s"], &attacks);
}

/// Sends a byte at a time until the server ends the connection.
fn drip(mut peer: Peer, bytes: &[u8]) -> io::Result<Seen> {
    let start = Instant::now();
    for byte in bytes {
        if !peer.send(&[*byte]) || start.elapsed() > TOLERATED {
            break;
        }
        peer.read_for(DRIP);
    }
    if peer.seen.ended {
        return Ok(peer.seen);
    }
    Err(io::Error::other(format!(
        "a peer that says a byte every {DRIP:?} is still served after {TOLERATED:?}"
    )))
}

/// Sends requests that announce a message and contain half of it.
fn slow_body(target: SocketAddr) -> io::Result<Seen> {
    let mut peer = Peer::connect(target)?;
    for _ in 0..100 {
        let stream = peer.open();
        peer.send(&wire::headers(stream, 0, wire::request(wire::GET_USER)));
        peer.send(&wire::data(stream, 0, &wire::user_request()[..6]));
    }
    let met = |peer: &Peer| peer.seen.status.is_some() || !peer.seen.resets.is_empty();
    peer.read_until(TOLERATED, met);
    Ok(peer.settle())
}

/// Opens connections with half a preface, and waits until the server has closed all of them.
fn half_open(target: SocketAddr) -> io::Result<Seen> {
    const WANTED: usize = 10_000;
    /// Number of open files that this process needs for other purposes.
    const OTHERS: usize = 200;
    let may = usize::try_from(raise_open_files()).unwrap_or(usize::MAX);
    let count = WANTED.min(may.saturating_sub(OTHERS));
    if count < WANTED {
        println!("SKIPPED half-open: only {count} of {WANTED}, as {may} files may be open");
    }
    let mut peers = Vec::with_capacity(count);
    for opened in 0..count {
        if opened % 50 == 0 {
            std::thread::sleep(REST);
        }
        let mut peer = Peer::silent(target)?;
        peer.send_at_once(&wire::PREFACE[..12]);
        peers.push(peer);
    }
    let mut last = Seen::default();
    for (closed, peer) in peers.into_iter().enumerate() {
        last = peer.wait_for_end();
        if !last.ended {
            return Err(io::Error::other(format!(
                "only {closed} of {count} half-open connections were closed"
            )));
        }
    }
    Ok(last)
}
