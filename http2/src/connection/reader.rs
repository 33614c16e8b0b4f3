//! Cuts the input into frames, wherever the reads have split it.
//!
//! A frame that lies whole in the input is borrowed from it. DATA is passed through piece by
//! piece and never gathered; only the other frames, all small, are gathered when they are split.

use alloc::vec::Vec;

use super::Role;
use crate::error::{ConnectionError, OtherProtocol};
use crate::frame::{FrameHead, HEAD_BYTES, Kind, PREFACE};
use crate::stream::StreamKey;

/// A gathering buffer above this capacity is not kept for the next split frame.
const KEPT_BYTES: usize = 256;

/// First bytes kept of a server that speaks another protocol, for the text of an error.
const GREETING_BYTES_KEPT: usize = 128;

/// Beginning of any response of HTTP/1 (RFC 9112 §4).
const HTTP1: &[u8] = b"HTTP/1.";

/// A frame's payload: borrowed from the input, or gathered.
pub(super) enum Payload<'a> {
    Whole(&'a [u8]),
    Gathered(Vec<u8>),
}

impl Payload<'_> {
    pub(super) fn bytes(&self) -> &[u8] {
        match self {
            Self::Whole(bytes) => bytes,
            Self::Gathered(buffer) => &buffer[HEAD_BYTES..],
        }
    }
}

/// A DATA frame whose payload is passing through.
#[derive(Clone, Copy, Debug)]
pub(super) struct DataFrame {
    /// `None`: the stream is gone and the bytes are dropped.
    pub(super) stream: Option<StreamKey>,
    pub(super) body_left: usize,
    pub(super) pad_left: usize,
    /// The byte that says how much padding there is has not come yet.
    pub(super) pad_unknown: bool,
    pub(super) end_stream: bool,
}

pub(super) struct Reader {
    preface_left: u8,
    /// The first frame has begun, and it is SETTINGS.
    settings_begun: bool,
    /// The first SETTINGS have come whole.
    pub(super) is_established: bool,
    gathered: Vec<u8>,
    /// The DATA frame in progress.
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

    /// Nothing of the preface is missing.
    pub(super) fn has_preface(&self) -> bool {
        self.preface_left == 0
    }

    /// Checks the preface byte by byte, so that a peer of another protocol is known at once.
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

    /// Names the protocol of a server whose first bytes begin no SETTINGS frame. Else an HTTP/1
    /// server would be told of the size of a frame that it never sent.
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

    /// The bytes of a server that have come ahead of its first frame.
    pub(super) fn greeting(&self) -> &[u8] {
        match self.settings_begun {
            true => &[],
            false => &self.gathered,
        }
    }

    /// The next frame: of DATA only the head, else the whole. `None`: the input is exhausted.
    pub(super) fn next<'a>(
        &mut self,
        input: &mut &'a [u8],
        check: impl Fn(&FrameHead) -> Result<(), ConnectionError>,
    ) -> Result<Option<(FrameHead, Payload<'a>)>, ConnectionError> {
        if self.gathered.is_empty()
            && let Some((head_bytes, rest)) = input.split_first_chunk::<HEAD_BYTES>()
        {
            let head = FrameHead::parse(head_bytes);
            self.admit(&head, &check)?;
            if head.kind == Kind::Data {
                *input = rest;
                return Ok(Some((head, Payload::Whole(&[]))));
            }
            if rest.len() >= head.len {
                let (payload, rest) = rest.split_at(head.len);
                *input = rest;
                return Ok(Some((head, Payload::Whole(payload))));
            }
        }
        self.gather(input, check)
    }

    #[cold]
    fn gather<'a>(
        &mut self,
        input: &mut &'a [u8],
        check: impl Fn(&FrameHead) -> Result<(), ConnectionError>,
    ) -> Result<Option<(FrameHead, Payload<'a>)>, ConnectionError> {
        if !self.fill(input, HEAD_BYTES) {
            return Ok(None);
        }
        let Some(head_bytes) = self.gathered.first_chunk::<HEAD_BYTES>() else {
            return Ok(None);
        };
        let head = FrameHead::parse(head_bytes);
        self.admit(&head, &check)?;
        if head.kind != Kind::Data && !self.fill(input, HEAD_BYTES + head.len) {
            return Ok(None);
        }
        Ok(Some((
            head,
            Payload::Gathered(core::mem::take(&mut self.gathered)),
        )))
    }

    /// A part of a frame has come, of DATA a part of the head.
    pub(super) fn is_gathering(&self) -> bool {
        !self.gathered.is_empty()
    }

    /// Takes the buffer of a gathered frame back.
    pub(super) fn recycle(&mut self, payload: Payload<'_>) {
        if let Payload::Gathered(mut buffer) = payload
            && buffer.capacity() <= KEPT_BYTES
        {
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

    fn admit(
        &mut self,
        head: &FrameHead,
        check: &impl Fn(&FrameHead) -> Result<(), ConnectionError>,
    ) -> Result<(), ConnectionError> {
        check(head)?;
        if !self.settings_begun {
            if head.kind != Kind::Settings || head.flags & 1 != 0 {
                return Err(ConnectionError::protocol(
                    "the first frame is not SETTINGS (RFC 9113 section 3.4)",
                ));
            }
            self.settings_begun = true;
        }
        Ok(())
    }
}

/// Returns the protocol that begins so; `None` for SETTINGS, and while more bytes must tell. No
/// SETTINGS frame is so long that the first byte of its length is not zero.
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
