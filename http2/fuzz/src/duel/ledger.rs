//! Independent account of the frames on the wire: those that each end may send, and has sent.

use std::collections::{BTreeMap, BTreeSet};

use corespun_http2::Role;

use super::wire::*;

const WINDOW_INITIAL: u32 = 65_535;
const FRAME_BYTES_LEAST: u32 = 16_384;

/// Limits that SETTINGS grant.
#[derive(Clone, Copy)]
struct Granted {
    stream_window: u32,
    frame_bytes: u32,
}

/// Account of the frames that one end was sent and has sent.
pub(crate) struct Ledger {
    preface_in: usize,
    preface_out: usize,
    pending: Vec<u8>,
    /// No credit is heard of: for a canary.
    deaf: bool,
    /// Limits that the peer's SETTINGS grant.
    granted: Granted,
    /// The most that they said since bytes were last sent, which may have been written then.
    granted_most: Granted,
    credit_in: BTreeMap<u32, u64>,
    data_out: BTreeMap<u32, u64>,
    /// Flow-controlled bytes received and connection credit given for them.
    data_in: i64,
    credit_out: i64,
    ended: BTreeSet<u32>,
    reset: BTreeSet<u32>,
    /// The highest stream that any HEADERS named.
    pub(super) headers_top: u32,
    pub(super) settings_seen: bool,
    block_open: bool,
    /// Error code of the last frame sent, if that was GOAWAY.
    pub(super) went_away: Option<u32>,
}

impl Ledger {
    pub(crate) fn new(role: Role, deaf: bool) -> Ledger {
        let bytes_of = |sender| if role == sender { PREFACE.len() } else { 0 };
        let granted = Granted {
            stream_window: WINDOW_INITIAL,
            frame_bytes: FRAME_BYTES_LEAST,
        };
        Ledger {
            deaf,
            granted,
            granted_most: granted,
            preface_in: bytes_of(Role::Server),
            preface_out: bytes_of(Role::Client),
            pending: Vec::new(),
            credit_in: BTreeMap::new(),
            data_out: BTreeMap::new(),
            data_in: 0,
            credit_out: 0,
            ended: BTreeSet::new(),
            reset: BTreeSet::new(),
            headers_top: 0,
            settings_seen: false,
            block_open: false,
            went_away: None,
        }
    }

    /// The input so far ends between two frames and not within a header block.
    pub(super) fn is_between_blocks(&self) -> bool {
        self.preface_in == 0 && self.pending.is_empty() && !self.block_open
    }

    /// The connection's receive window: what it may still be sent. A frame is debited by its head.
    pub(crate) fn connection_window(&self) -> i64 {
        let begun = match self.pending[..] {
            [a, b, c, DATA, _, _, _, _, _, ..] => i64::from(u32::from_be_bytes([0, a, b, c])),
            _ => 0,
        };
        i64::from(WINDOW_INITIAL) + self.credit_out - self.data_in - begun
    }

    /// Bytes came in.
    pub(crate) fn received(&mut self, bytes: &[u8]) {
        let preface = self.preface_in.min(bytes.len());
        self.preface_in -= preface;
        let mut pending = core::mem::take(&mut self.pending);
        pending.extend(&bytes[preface..]);
        let mut rest = &pending[..];
        while let Some((frame, after)) = Frame::split(rest) {
            self.on_received(&frame);
            rest = after;
        }
        let done = pending.len() - rest.len();
        pending.drain(..done);
        self.pending = pending;
    }

    fn on_received(&mut self, frame: &Frame<'_>) {
        let payload = frame.payload;
        match frame.kind {
            DATA => self.data_in += payload.len() as i64,
            HEADERS => {
                self.headers_top = self.headers_top.max(frame.stream);
                self.block_open = frame.flags & END_HEADERS == 0;
            }
            CONTINUATION => self.block_open = frame.flags & END_HEADERS == 0,
            WINDOW_UPDATE if !self.deaf => {
                let increment = word(payload, 0) & 0x7fff_ffff;
                *self.credit_in.entry(frame.stream).or_default() += u64::from(increment);
            }
            SETTINGS if frame.flags & END == 0 => {
                self.settings_seen = true;
                payload
                    .chunks_exact(6)
                    .for_each(|entry| self.on_setting(entry));
            }
            _ => {}
        }
    }

    fn on_setting(&mut self, entry: &[u8]) {
        let value = word(&entry[2..], 0);
        let Self {
            granted,
            granted_most: most,
            ..
        } = self;
        match entry[..2] {
            [0, 4] => granted.stream_window = value,
            [0, 5] => granted.frame_bytes = value,
            _ => {}
        }
        most.stream_window = most.stream_window.max(granted.stream_window);
        most.frame_bytes = most.frame_bytes.max(granted.frame_bytes);
    }

    /// Bytes went out: whole frames, each within what the peer granted.
    pub(crate) fn sent(&mut self, mut bytes: &[u8]) {
        let preface = self.preface_out.min(bytes.len());
        assert!(
            bytes.starts_with(&PREFACE[..preface]),
            "the preface is wrong"
        );
        self.preface_out -= preface;
        bytes = &bytes[preface..];
        while let Some((frame, rest)) = Frame::split(bytes) {
            self.on_sent(&frame);
            bytes = rest;
        }
        assert!(bytes.is_empty(), "the output ends within a frame");
        self.granted_most = self.granted;
    }

    fn on_sent(&mut self, frame: &Frame<'_>) {
        let Frame {
            kind,
            stream,
            payload,
            ..
        } = *frame;
        let len = payload.len();
        assert!(
            len <= self.granted_most.frame_bytes as usize,
            "a frame of {len} bytes was sent"
        );
        assert_eq!(
            self.went_away.filter(|code| *code != 0),
            None,
            "a frame after the last one"
        );
        if matches!(kind, DATA | HEADERS | CONTINUATION | WINDOW_UPDATE) {
            assert!(
                !self.reset.contains(&stream),
                "kind {kind} after the reset of {stream}"
            );
        }
        self.went_away = None;
        match kind {
            DATA | HEADERS => {
                assert!(
                    !self.ended.contains(&stream),
                    "kind {kind} after the end of {stream}"
                );
                // A window below zero lets an empty frame pass (RFC 9113 §6.9.1).
                if kind == DATA && len > 0 {
                    self.on_data_sent(stream, len as u64);
                }
                if frame.flags & END != 0 {
                    self.ended.insert(stream);
                }
            }
            RST_STREAM => drop(self.reset.insert(stream)),
            GOAWAY => self.went_away = Some(word(payload, 1)),
            WINDOW_UPDATE => {
                assert_ne!(word(payload, 0), 0, "a WINDOW_UPDATE adds nothing");
                if stream == 0 {
                    self.credit_out += i64::from(word(payload, 0));
                }
            }
            _ => {}
        }
    }

    fn on_data_sent(&mut self, stream: u32, len: u64) {
        for (id, initial) in [
            (0, WINDOW_INITIAL),
            (stream, self.granted_most.stream_window),
        ] {
            let sent = self.data_out.entry(id).or_default();
            *sent += len;
            let granted = u64::from(initial) + self.credit_in.get(&id).copied().unwrap_or(0);
            assert!(
                *sent <= granted,
                "{sent} bytes on {id}, {granted} were granted"
            );
        }
    }
}
