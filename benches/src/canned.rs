//! Lower bound of an HTTP/2 server: a protocol that sends the same bytes for every request, and
//! parses only frame boundaries.
//!
//! It has no header compression, no flow control and no streams, so that no real HTTP/2 server can
//! serve the same client with less work. It is not a usable server: it validates nothing.

use std::time::Duration;

use corespun_runtime::{Flow, Input, Protocol};

use crate::unsent::Unsent;

/// Length of the client preface (RFC 9113, section 3.4).
const PREFACE_BYTES: usize = 24;
/// Length of a frame header (RFC 9113, section 4.1).
const HEAD_BYTES: usize = 9;
const DATA: u8 = 0;
const SETTINGS: u8 = 4;
/// END_STREAM on DATA, ACK on SETTINGS.
const FLAG: u8 = 1;
const SETTINGS_ACK: [u8; HEAD_BYTES] = [0, 0, 0, SETTINGS, FLAG, 0, 0, 0, 0];

/// Empty SETTINGS, and a WINDOW_UPDATE that lets the client send without limit.
const WELCOME: &[u8] = b"\0\0\0\x04\0\0\0\0\0\0\0\x04\x08\0\0\0\0\0\x7f\xff\0\0";
/// HEADERS (`:status: 200`, `content-type: application/grpc`), DATA with
/// `UserResponse { id: 1, name: "John Doe", email: "john@example.com" }`, and HEADERS with
/// `grpc-status: 0`, all on stream 0.
const REPLY: &[u8] = b"\
    \0\0\x14\x01\x04\0\0\0\0\x88\x0f\x10\x10application/grpc\
    \0\0\x23\0\0\0\0\0\0\0\0\0\0\x1e\x08\x01\x12\x08John Doe\x1a\x10john@example.com\
    \0\0\x0f\x01\x05\0\0\0\0\0\x0bgrpc-status\x010";
/// Offsets of the frames of a reply.
const FRAMES: [usize; 3] = [0, 29, 73];

/// Protocol that replies to each request when its last DATA frame begins.
#[derive(Debug)]
pub struct Canned {
    /// Bytes to skip before the next frame header.
    skip: usize,
    head: [u8; HEAD_BYTES],
    /// Number of bytes of the frame header received so far.
    filled: usize,
    unsent: Unsent,
    ended: bool,
}

impl Default for Canned {
    fn default() -> Self {
        let mut unsent = Unsent::default();
        unsent.buffer().extend_from_slice(WELCOME);
        Self {
            skip: PREFACE_BYTES,
            head: [0; HEAD_BYTES],
            filled: 0,
            unsent,
            ended: false,
        }
    }
}

impl Canned {
    fn read(&mut self, mut bytes: &[u8]) {
        loop {
            let skipped = self.skip.min(bytes.len());
            self.skip -= skipped;
            bytes = &bytes[skipped..];
            let taken = bytes.len().min(HEAD_BYTES - self.filled);
            self.head[self.filled..self.filled + taken].copy_from_slice(&bytes[..taken]);
            self.filled += taken;
            bytes = &bytes[taken..];
            if self.filled < HEAD_BYTES {
                return;
            }
            self.filled = 0;
            self.on_head();
        }
    }

    fn on_head(&mut self) {
        let [a, b, c, kind, flags, stream @ ..] = self.head;
        self.skip = u32::from_be_bytes([0, a, b, c]) as usize;
        let has_flag = flags & FLAG != 0;
        match kind {
            DATA if has_flag => self.reply(stream),
            SETTINGS if !has_flag => self.unsent.buffer().extend_from_slice(&SETTINGS_ACK),
            _ => {}
        }
    }

    fn reply(&mut self, stream: [u8; 4]) {
        let unsent = self.unsent.buffer();
        let start = unsent.len();
        unsent.extend_from_slice(REPLY);
        for frame in FRAMES {
            let place = start + frame + HEAD_BYTES - stream.len();
            unsent[place..place + stream.len()].copy_from_slice(&stream);
        }
    }
}

impl Protocol for Canned {
    fn receive(&mut self, _now: Duration, input: Input<'_>) {
        match input {
            Input::Bytes(bytes) => self.read(bytes),
            Input::End => self.ended = true,
        }
    }

    fn advance(&mut self, _now: Duration) {}

    fn transmit(&mut self, out: &mut Vec<u8>) -> Flow {
        self.unsent.transmit(out);
        if self.ended { Flow::Close } else { Flow::Open }
    }

    fn deadline(&self) -> Option<Duration> {
        None
    }

    fn drain(&mut self, _now: Duration) {
        self.ended = true;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answers(pieces: &[&[u8]]) -> Vec<u8> {
        let mut canned = Canned::default();
        for piece in pieces {
            canned.receive(Duration::ZERO, Input::Bytes(piece));
        }
        let mut out = Vec::new();
        assert_eq!(canned.transmit(&mut out), Flow::Open);
        assert!(out.starts_with(WELCOME));
        out.split_off(WELCOME.len())
    }

    fn conversation() -> Vec<u8> {
        let mut bytes = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".to_vec();
        bytes.extend_from_slice(&[0, 0, 0, SETTINGS, 0, 0, 0, 0, 0]);
        bytes.extend_from_slice(&[0, 0, 1, 1, 4, 0, 0, 0, 7, 0x82]);
        bytes.extend_from_slice(&[0, 0, 2, DATA, FLAG, 0, 0, 0, 7, 1, 2]);
        bytes
    }

    #[test]
    fn a_request_is_answered_on_its_stream() {
        let out = answers(&[&conversation()]);
        let reply = out.strip_prefix(&SETTINGS_ACK).expect("an acknowledgement");
        assert_eq!(reply.len(), REPLY.len());
        for frame in FRAMES {
            assert_eq!(reply[frame + 5..frame + 9], [0, 0, 0, 7]);
        }
    }

    #[test]
    fn frames_may_come_in_any_pieces() {
        let whole = conversation();
        let expected = answers(&[&whole]);
        for at in 0..whole.len() {
            assert_eq!(answers(&[&whole[..at], &whole[at..]]), expected);
        }
    }

    #[test]
    fn the_reply_is_three_whole_frames() {
        let mut at = 0;
        for frame in FRAMES {
            assert_eq!(at, frame);
            at += HEAD_BYTES + usize::from(REPLY[at + 2]);
        }
        assert_eq!(at, REPLY.len());
    }
}
