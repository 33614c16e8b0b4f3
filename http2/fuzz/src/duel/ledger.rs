//! What the frames on the wire say, by rules of its own: what each end may send, and has sent.

use std::collections::{BTreeMap, BTreeSet};

use corespun_http2::Role;

use super::wire::*;

const WINDOW_INITIAL: u32 = 65_535;
const FRAME_BYTES_LEAST: u32 = 16_384;

/// What one end was sent and what it sent itself.
pub(super) struct Ledger {
    preface_in: usize,
    preface_out: usize,
    pending: Vec<u8>,
    /// What the peer granted, at its most generous.
    window_initial_max: u32,
    frame_bytes_max: u32,
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
    pub(super) fn new(role: Role) -> Ledger {
        let bytes_of = |sender| if role == sender { PREFACE.len() } else { 0 };
        Ledger {
            preface_in: bytes_of(Role::Server),
            preface_out: bytes_of(Role::Client),
            pending: Vec::new(),
            window_initial_max: WINDOW_INITIAL,
            frame_bytes_max: FRAME_BYTES_LEAST,
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

    /// The connection's receive window as the peer sees it.
    pub(super) fn connection_window(&self) -> i64 {
        i64::from(WINDOW_INITIAL) + self.credit_out - self.data_in
    }

    /// Bytes came in.
    pub(super) fn received(&mut self, bytes: &[u8]) {
        let preface = self.preface_in.min(bytes.len());
        self.preface_in -= preface;
        let mut input = core::mem::take(&mut self.pending);
        input.extend(&bytes[preface..]);
        let mut rest = &input[..];
        while let Some((frame, after)) = Frame::split(rest) {
            self.on_received(&frame);
            rest = after;
        }
        self.pending = rest.to_vec();
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
            WINDOW_UPDATE => {
                let increment = word(payload, 0) & 0x7fff_ffff;
                *self.credit_in.entry(frame.stream).or_default() += u64::from(increment);
            }
            SETTINGS if frame.flags & END == 0 => {
                self.settings_seen = true;
                for entry in payload.chunks_exact(6) {
                    let value = word(&entry[2..], 0);
                    match entry[..2] {
                        [0, 4] => self.window_initial_max = self.window_initial_max.max(value),
                        [0, 5] => self.frame_bytes_max = self.frame_bytes_max.max(value),
                        _ => {}
                    }
                }
            }
            _ => {}
        }
    }

    /// Bytes went out: whole frames, each within what the peer granted.
    pub(super) fn sent(&mut self, mut bytes: &[u8]) {
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
            len <= self.frame_bytes_max as usize,
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
                if kind == DATA {
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
        for (id, initial) in [(0, WINDOW_INITIAL), (stream, self.window_initial_max)] {
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
