//! Writes frames into a buffer.

use alloc::vec::Vec;

use super::HEAD_BYTES;
use super::head::flag;
use crate::error::ErrorCode;

const DATA: u8 = 0x0;
const HEADERS: u8 = 0x1;
const RST_STREAM: u8 = 0x3;
const SETTINGS: u8 = 0x4;
const PING: u8 = 0x6;
const GOAWAY: u8 = 0x7;
const WINDOW_UPDATE: u8 = 0x8;
const CONTINUATION: u8 = 0x9;

fn head(out: &mut Vec<u8>, len: usize, kind: u8, flags: u8, stream: u32) {
    debug_assert!(len < 1 << 24);
    let l = (len as u32).to_be_bytes();
    let s = stream.to_be_bytes();
    out.extend_from_slice(&[l[1], l[2], l[3], kind, flags, s[0], s[1], s[2], s[3]]);
}

/// Writes the head of a DATA frame; exactly `len` bytes of payload must follow.
pub(crate) fn data_head(out: &mut Vec<u8>, stream: u32, len: usize, end_stream: bool) {
    head(
        out,
        len,
        DATA,
        if end_stream { flag::END_STREAM } else { 0 },
        stream,
    );
}

/// Writes a header block as HEADERS and as many CONTINUATION frames as `frame_bytes_max` requires.
pub(crate) fn headers(
    out: &mut Vec<u8>,
    stream: u32,
    block: &[u8],
    end_stream: bool,
    frame_bytes_max: usize,
) {
    let end_stream = if end_stream { flag::END_STREAM } else { 0 };
    let (first, mut rest) = block.split_at(block.len().min(frame_bytes_max));
    let end_headers = |rest: &[u8]| {
        if rest.is_empty() {
            flag::END_HEADERS
        } else {
            0
        }
    };
    head(
        out,
        first.len(),
        HEADERS,
        end_stream | end_headers(rest),
        stream,
    );
    out.extend_from_slice(first);
    while !rest.is_empty() {
        let (next, after) = rest.split_at(rest.len().min(frame_bytes_max));
        head(out, next.len(), CONTINUATION, end_headers(after), stream);
        out.extend_from_slice(next);
        rest = after;
    }
}

/// Turns the block that was written after a frame head reserved at `at` into HEADERS, in place if
/// it fits one frame.
pub(crate) fn finish_headers(
    out: &mut Vec<u8>,
    at: usize,
    stream: u32,
    end_stream: bool,
    frame_bytes_max: usize,
) {
    let len = out.len() - at - HEAD_BYTES;
    if len > frame_bytes_max {
        let block = out[at + HEAD_BYTES..].to_vec();
        out.truncate(at);
        return headers(out, stream, &block, end_stream, frame_bytes_max);
    }
    let end_stream = if end_stream { flag::END_STREAM } else { 0 };
    let l = (len as u32).to_be_bytes();
    let s = stream.to_be_bytes();
    let flags = flag::END_HEADERS | end_stream;
    out[at..at + HEAD_BYTES]
        .copy_from_slice(&[l[1], l[2], l[3], HEADERS, flags, s[0], s[1], s[2], s[3]]);
}

pub(crate) fn reset(out: &mut Vec<u8>, stream: u32, code: ErrorCode) {
    head(out, 4, RST_STREAM, 0, stream);
    out.extend_from_slice(&code.0.to_be_bytes());
}

pub(crate) fn settings(out: &mut Vec<u8>, entries: &[(u16, u32)]) {
    head(out, entries.len() * 6, SETTINGS, 0, 0);
    for (id, value) in entries {
        out.extend_from_slice(&id.to_be_bytes());
        out.extend_from_slice(&value.to_be_bytes());
    }
}

pub(crate) fn settings_ack(out: &mut Vec<u8>) {
    head(out, 0, SETTINGS, flag::ACK, 0);
}

pub(crate) fn ping(out: &mut Vec<u8>, payload: &[u8], ack: bool) {
    head(out, 8, PING, if ack { flag::ACK } else { 0 }, 0);
    out.extend_from_slice(payload);
}

pub(crate) fn go_away(out: &mut Vec<u8>, last: u32, code: ErrorCode, debug: &[u8]) {
    head(out, 8 + debug.len(), GOAWAY, 0, 0);
    out.extend_from_slice(&last.to_be_bytes());
    out.extend_from_slice(&code.0.to_be_bytes());
    out.extend_from_slice(debug);
}

pub(crate) fn window_update(out: &mut Vec<u8>, stream: u32, increment: u32) {
    head(out, 4, WINDOW_UPDATE, 0, stream);
    out.extend_from_slice(&increment.to_be_bytes());
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::frame::{FrameHead, Kind};

    #[test]
    fn a_long_block_continues() {
        let mut out = Vec::new();
        headers(&mut out, 5, &[7; 25], true, 10);
        let first = FrameHead::parse(out[..9].try_into().unwrap());
        assert_eq!(
            (first.len, first.kind, first.flags, first.stream),
            (10, Kind::Headers, 1, 5)
        );
        let last = FrameHead::parse(out[38..47].try_into().unwrap());
        assert_eq!(
            (last.len, last.kind, last.flags),
            (5, Kind::Continuation, 4)
        );

        let mut in_place = Vec::new();
        in_place.extend_from_slice(&[0; HEAD_BYTES]);
        in_place.extend_from_slice(&[7; 25]);
        finish_headers(&mut in_place, 0, 5, true, 10);
        assert_eq!(in_place, out);
    }
}
