//! Cuts the input into frames, whatever its split into reads.
//!
//! A frame that lies whole in the input is borrowed from it. DATA is delivered piece by piece and
//! never gathered; only the other frames, all small, are gathered when they are split.

use alloc::vec::Vec;

use super::Role;
use crate::error::{ConnectionError, OtherProtocol};
use crate::frame::{FrameHead, HEAD_BYTES, Kind, PREFACE};
use crate::stream::StreamKey;

/// Largest capacity in bytes of a gathering buffer that is kept for the next split frame.
const KEPT_BYTES: usize = 256;

/// Number of first bytes kept of a server that speaks another protocol, for the text of an error.
const GREETING_BYTES_KEPT: usize = 128;

/// Beginning of every response of HTTP/1 (RFC 9112 §4).
const HTTP1: &[u8] = b"HTTP/1.";

/// A DATA frame of which payload is still to come.
#[derive(Clone, Copy, Debug)]
pub(super) struct DataFrame {
    /// Stream of the frame; `None` if it is closed and the bytes are dropped.
    pub(super) stream: Option<StreamKey>,
    pub(super) body_left: usize,
    pub(super) pad_left: usize,
    /// True until the byte with the pad length has arrived.
    pub(super) pad_unknown: bool,
    pub(super) end_stream: bool,
}

pub(super) struct Reader {
    preface_left: u8,
    /// True once the first frame has begun and is SETTINGS.
    settings_begun: bool,
    /// True once the first SETTINGS have arrived in full.
    pub(super) is_established: bool,
    gathered: Vec<u8>,
    /// DATA frame in progress.
    pub(super) data: Option<DataFrame>,
}

impl Reader {
    pub(super) fn new(role: Role) -> Self {
        Self {
            preface_left: if role == Role::Server {
                PREFACE.len() as u8
            } else {
                0
            },
            settings_begun: false,
            is_established: false,
            gathered: Vec::new(),
            data: None,
        }
    }

    /// Returns `true` once the preface has arrived in full.
    pub(super) fn has_preface(&self) -> bool {
        self.preface_left == 0
    }

    /// Checks the preface byte by byte, so that a peer of another protocol is recognised at once.
    pub(super) fn preface(&mut self, input: &mut &[u8]) -> Result<(), ConnectionError> {
        while self.preface_left > 0 {
            let Some((&byte, rest)) = input.split_first() else {
                return Ok(());
            };
            if byte != PREFACE[PREFACE.len() - usize::from(self.preface_left)] {
                return Err(ConnectionError::protocol(
                    "the connection preface is not HTTP/2's (RFC 9113 section 3.4)",
                ));
            }
            *input = rest;
            self.preface_left -= 1;
        }
        Ok(())
    }

    /// Checks the first bytes of a server, and names its protocol if they cannot begin a SETTINGS
    /// frame. Otherwise an HTTP/1 server would get an error about the size of a frame that it never
    /// sent.
    pub(super) fn check_greeting(&mut self, input: &[u8]) -> Result<(), ConnectionError> {
        if self.settings_begun {
            return Ok(());
        }
        let mut first = [0; HTTP1.len()];
        let mut len = 0;
        for (place, &byte) in first.iter_mut().zip(self.gathered.iter().chain(input)) {
            *place = byte;
            len += 1;
        }
        let Some(protocol) = other_protocol(&first[..len]) else {
            return Ok(());
        };
        let room = GREETING_BYTES_KEPT.saturating_sub(self.gathered.len());
        self.gathered
            .extend_from_slice(&input[..input.len().min(room)]);
        Err(ConnectionError::other_protocol(protocol))
    }

    /// Returns the bytes of a server that have arrived before its first frame.
    pub(super) fn greeting(&self) -> &[u8] {
        match self.settings_begun {
            true => &[],
            false => &self.gathered,
        }
    }

    /// Returns the frame head that the input begins with and the rest of the input; `None` if the
    /// head must be gathered.
    #[inline(always)]
    pub(super) fn head<'a>(&self, input: &'a [u8]) -> Option<(FrameHead, &'a [u8])> {
        if !self.gathered.is_empty() {
            return None;
        }
        let (head, rest) = input.split_first_chunk::<HEAD_BYTES>()?;
        Some((FrameHead::parse(head), rest))
    }

    /// Moves input into the gathering buffer until that begins with a whole frame head.
    pub(super) fn gather_head(&mut self, input: &mut &[u8]) -> Option<FrameHead> {
        self.fill(input, HEAD_BYTES);
        self.gathered.first_chunk().map(FrameHead::parse)
    }

    /// Moves input into the gathering buffer until the frame is whole. For DATA only the head is
    /// gathered.
    pub(super) fn gather_payload(
        &mut self,
        input: &mut &[u8],
        head: &FrameHead,
    ) -> Option<Vec<u8>> {
        let payload_bytes = match head.kind {
            Kind::Data => 0,
            _ => head.len,
        };
        let is_whole = self.fill(input, HEAD_BYTES + payload_bytes);
        is_whole.then(|| core::mem::take(&mut self.gathered))
    }

    /// Returns `true` while a part of a frame has arrived; for DATA, a part of its head.
    pub(super) fn is_gathering(&self) -> bool {
        !self.gathered.is_empty()
    }

    /// Returns the buffer of a gathered frame for later use.
    pub(super) fn recycle(&mut self, mut buffer: Vec<u8>) {
        if buffer.capacity() <= KEPT_BYTES {
            buffer.clear();
            self.gathered = buffer;
        }
    }

    fn fill(&mut self, input: &mut &[u8], target: usize) -> bool {
        let missing = target.saturating_sub(self.gathered.len());
        let (taken, rest) = input.split_at(missing.min(input.len()));
        self.gathered.extend_from_slice(taken);
        *input = rest;
        self.gathered.len() >= target
    }

    /// Refuses a first frame that is not SETTINGS.
    #[inline(always)]
    pub(super) fn begin(&mut self, head: &FrameHead) -> Result<(), ConnectionError> {
        if self.settings_begun {
            return Ok(());
        }
        self.begin_settings(head)
    }

    #[cold]
    fn begin_settings(&mut self, head: &FrameHead) -> Result<(), ConnectionError> {
        if head.kind != Kind::Settings || head.flags & 1 != 0 {
            return Err(ConnectionError::protocol(
                "the first frame is not SETTINGS (RFC 9113 section 3.4)",
            ));
        }
        self.settings_begun = true;
        Ok(())
    }
}

/// Returns the protocol that begins with these bytes; `None` for SETTINGS, and while more bytes are
/// needed. The first byte of a frame's length is zero in every acceptable SETTINGS frame.
fn other_protocol(first: &[u8]) -> Option<OtherProtocol> {
    match first {
        [0, ..] => None,
        _ if first.starts_with(HTTP1) => Some(OtherProtocol::Http1),
        _ if HTTP1.starts_with(first) => None,
        [0x15 | 0x16] => None,
        [0x15 | 0x16, 3, ..] => Some(OtherProtocol::Tls),
        _ => Some(OtherProtocol::Unknown),
    }
}
