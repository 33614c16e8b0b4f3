//! Header blocks that never end, or that are small on the wire and large in memory.

use std::io;
use std::net::SocketAddr;

use corespun_http2::ErrorCode;

use super::peer::Peer;
use super::seen::{Answer, CALM, Seen};
use super::trial::{self, Attack};
use super::wire::{self, CONTINUATION, END, Field, HEADERS};

const COMPRESSION: Answer = Answer::GoAway(ErrorCode::COMPRESSION_ERROR);

#[test]
fn continuation_flood() {
    trial::run(
        &[],
        &[
            Attack {
                name: "CONTINUATION flood, small frames",
                cve: "CVE-2024-27316, CVE-2024-24549, CVE-2023-45288",
                limit: "`continuation_frames_max`",
                expected: &[CALM],
                round: |target| continue_without_end(target, 100_000, b"\x00\x01a\x01b"),
            },
            Attack {
                name: "CONTINUATION flood, full frames",
                cve: "CVE-2024-27983, CVE-2024-28182, CVE-2024-30255",
                limit: "`header_block_bytes_max`",
                expected: &[CALM],
                round: |target| continue_without_end(target, 2_000, &[b'x'; 16_384]),
            },
            Attack {
                name: "CONTINUATION flood, empty frames",
                cve: "CVE-2019-9518",
                limit: "`continuation_frames_max`",
                expected: &[CALM],
                round: |target| continue_without_end(target, 100_000, b""),
            },
            Attack::new(
                "header block interrupted by another frame",
                "RFC 9113 §6.10",
                &[Answer::GoAway(ErrorCode::PROTOCOL_ERROR)],
                |target| {
                    let mut peer = Peer::connect(target)?;
                    let stream = peer.open();
                    peer.send(&wire::frame(
                        HEADERS,
                        0,
                        stream,
                        wire::request(wire::GET_USER),
                    ));
                    peer.send(&wire::ping(1));
                    Ok(peer.settle())
                },
            ),
        ],
    );
}

/// Sends HEADERS without END_HEADERS, then CONTINUATION frames for as long as they are accepted.
fn continue_without_end(target: SocketAddr, frames: usize, piece: &[u8]) -> io::Result<Seen> {
    const BATCH: usize = 20;
    let mut peer = Peer::connect(target)?;
    let stream = peer.open();
    peer.send(&wire::frame(
        HEADERS,
        0,
        stream,
        wire::request(wire::GET_USER),
    ));
    let batch = wire::frame(CONTINUATION, 0, stream, piece).repeat(BATCH);
    for _ in 0..frames / BATCH {
        if !peer.send(&batch) {
            break;
        }
    }
    Ok(peer.settle())
}

#[test]
fn compression_bombs() {
    trial::run(
        &[],
        &[
            Attack {
                name: "HPACK bomb: one large value by index, thousands of times",
                cve: "CVE-2016-6581",
                limit: "`header_list_bytes_hard`",
                expected: &[CALM],
                round: |target| {
                    let value = [b'x'; 3900];
                    let large = wire::inserted(b"bomb", &value);
                    bomb(target, &[large, wire::indexed(62).repeat(8000)].concat())
                },
            },
            Attack {
                name: "many tiny fields by index in one list",
                cve: "CVE-2026-49975",
                limit: "`header_fields_hard`",
                expected: &[CALM],
                round: |target| bomb(target, &[tiny(), wire::indexed(62).repeat(16_000)].concat()),
            },
            Attack {
                name: "many tiny fields, under the bounds, on 1000 calls with a closed window",
                cve: "CVE-2026-49975",
                limit: "`header_fields_soft`, `concurrent_streams_max`",
                expected: &[Answer::Served],
                round: hold_tiny_fields,
            },
            Attack::new(
                "a single value of 31 KiB",
                "`header_list_bytes_soft`",
                &[Answer::Status(8)],
                |target| {
                    let value = vec![b'x'; 31 << 10];
                    let block = wire::request_with(wire::GET_USER, &[(b"long", &value)]);
                    let mut peer = Peer::connect(target)?;
                    let stream = peer.open();
                    let (first, rest) = block.split_at(16_384);
                    peer.send(&wire::frame(HEADERS, END, stream, first));
                    peer.send(&wire::frame(CONTINUATION, wire::END_HEADERS, stream, rest));
                    Ok(peer.settle())
                },
            ),
        ],
    );
}

#[test]
fn compression_state() {
    trial::run(
        &[],
        &[
            Attack::new(
                "table size update above what was announced",
                "RFC 7541 §6.3",
                &[COMPRESSION],
                |target| bomb(target, &wire::table_size(1 << 20)),
            ),
            Attack::new(
                "index beyond the table",
                "RFC 7541 §2.3.3",
                &[COMPRESSION],
                |target| bomb(target, &wire::indexed(4000)),
            ),
            Attack::new(
                "integer without end",
                "RFC 7541 §5.1",
                &[COMPRESSION],
                |target| bomb(target, &[0xff; 64]),
            ),
            Attack::new(
                "SETTINGS_HEADER_TABLE_SIZE of 4 GiB for the server's encoder",
                "encoder table of 4 KiB at most",
                &[Answer::Served],
                |target| {
                    let entries = [(wire::HEADER_TABLE_SIZE, u32::MAX)];
                    let mut peer = Peer::with_settings(target, &entries)?;
                    for _ in 0..500 {
                        let stream = peer.open();
                        peer.send(&wire::whole_call(stream));
                    }
                    Ok(peer.settle())
                },
            ),
        ],
    );
}

/// Returns a field of one byte that is inserted into the table.
fn tiny() -> Vec<u8> {
    wire::inserted(b"a", b"")
}

/// Sends a request with additional bytes in its header block.
fn bomb(target: SocketAddr, more: &[u8]) -> io::Result<Seen> {
    let mut peer = Peer::connect(target)?;
    let stream = peer.open();
    let block = [&wire::request(wire::GET_USER), more].concat();
    peer.send(&wire::headers(stream, END, block));
    Ok(peer.settle())
}

/// Opens streaming calls with different heads, so that none is in the cache, and keeps them open.
fn hold_tiny_fields(target: SocketAddr) -> io::Result<Seen> {
    let mut peer = Peer::with_settings(target, &[(wire::INITIAL_WINDOW_SIZE, 0)])?;
    for call in 0..1000u32 {
        let stream = peer.open();
        let number = call.to_string();
        let own: Field<'_> = (b"call", number.as_bytes());
        let mut block = wire::request_with(wire::LOOKUP, &[own]);
        if call == 0 {
            block.extend(tiny());
        }
        block.extend(wire::indexed(62).repeat(110));
        if !peer.send(&wire::headers(stream, 0, block)) {
            break;
        }
    }
    Ok(peer.settle())
}
