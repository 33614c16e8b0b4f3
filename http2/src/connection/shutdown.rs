//! End of a connection: graceful by two GOAWAY frames, or at once after an error.

use alloc::boxed::Box;
use alloc::format;
use alloc::string::String;

use super::Connection;
use crate::error::{Cause, ConnectionError, ErrorCode};
use crate::flow::WINDOW_BYTES_MAX;
use crate::frame::write;
use crate::limits::Limit;

/// Payload of the PING between the two GOAWAY frames. Its acknowledgement proves that every stream
/// that the peer opened before it knew has arrived.
const DRAIN_PING: u64 = 0x636f_7265_7370_756e;

/// Debug data of the GOAWAY that answers too many PINGs; gRPC clients look for it (gRFC A8).
pub(super) const TOO_MANY_PINGS: &[u8] = b"too_many_pings";

/// Number of bytes kept of the debug data in the peer's GOAWAY: enough for a sentence.
const PEER_DEBUG_BYTES_MAX: usize = 256;

#[derive(Debug, Default)]
pub(super) struct Shutdown {
    /// True once the connection has ended with an error.
    pub(super) failed: bool,
    /// True once this end has announced the end but still accepts streams in flight.
    draining: bool,
    /// Last stream that this end promised to process.
    local_last: Option<u32>,
    /// Last stream that the peer promised to process.
    pub(super) peer_last: Option<u32>,
    /// True if the peer ended the connection because of too many PINGs.
    pub(super) is_told_off: bool,
    /// Code and debug data of the peer's latest GOAWAY.
    peer_reason: Option<(ErrorCode, Box<[u8]>)>,
    /// Debug data of our GOAWAY frames in a graceful end.
    reason: &'static [u8],
    /// Number of streams above the last that we promised to process, and the highest of them.
    late_streams: u64,
    late_last: u32,
}

impl Shutdown {
    /// Returns `true` if the peer opened this new stream too late for it to be processed.
    pub(super) fn refuses(&self, stream: u32) -> bool {
        self.local_last.is_some_and(|last| stream > last)
    }

    /// Counts HEADERS on an unknown stream above the last promised one, once for each stream.
    pub(super) fn on_late_stream(&mut self, stream: u32) {
        if self.refuses(stream) && stream > self.late_last {
            self.late_last = stream;
            self.late_streams += 1;
        }
    }

    /// Records the peer's GOAWAY.
    #[cold]
    pub(super) fn note_peer(&mut self, code: ErrorCode, debug: &[u8]) {
        let kept = &debug[..debug.len().min(PEER_DEBUG_BYTES_MAX)];
        self.peer_reason = Some((code, kept.into()));
    }

    pub(super) fn closes_to_new(&self) -> bool {
        self.failed || self.draining || self.local_last.is_some() || self.peer_last.is_some()
    }
}

impl Connection {
    /// Starts a graceful end (RFC 9113 §6.8): sends GOAWAY with the highest identifier and a PING
    /// now, and GOAWAY with the real last stream once the PING is acknowledged. Streams up to that
    /// one finish.
    pub fn drain(&mut self) {
        self.drain_for(b"");
    }

    /// Starts a graceful end as [`Connection::drain`] does, with debug data in both GOAWAY frames
    /// that state the reason for log readers.
    pub fn drain_for(&mut self, reason: &'static [u8]) {
        let Shutdown {
            failed,
            draining,
            local_last,
            ..
        } = self.shutdown;
        if failed || draining || local_last.is_some() {
            return;
        }
        self.shutdown.draining = true;
        self.shutdown.reason = reason;
        let last = WINDOW_BYTES_MAX;
        write::go_away(&mut self.sender.out, last, ErrorCode::NO_ERROR, reason);
        write::ping(&mut self.sender.out, &DRAIN_PING.to_be_bytes(), false);
    }

    pub(super) fn on_drain_ping_ack(&mut self, opaque: u64) {
        if self.shutdown.draining && opaque == DRAIN_PING {
            self.go_away(ErrorCode::NO_ERROR);
        }
    }

    /// Announces that no stream above the last one seen will be processed.
    pub fn go_away(&mut self, code: ErrorCode) {
        if self.shutdown.local_last.is_none() && !self.shutdown.failed {
            let last = self.ids.last_peer;
            self.shutdown.local_last = Some(last);
            write::go_away(&mut self.sender.out, last, code, self.shutdown.reason);
        }
    }

    /// Returns `true` if the final GOAWAY is sent and no stream is left, so that the socket can
    /// close.
    pub fn is_finished(&self) -> bool {
        self.shutdown.failed || (self.shutdown.local_last.is_some() && self.streams.len() == 0)
    }

    /// Returns `true` if GOAWAY was sent or received, or the connection failed: no stream can be
    /// opened.
    pub fn is_going_away(&self) -> bool {
        self.shutdown.closes_to_new()
    }

    /// Returns `true` if the final GOAWAY is sent, so that no further stream is accepted.
    pub fn is_last_announced(&self) -> bool {
        self.shutdown.local_last.is_some()
    }

    /// Returns the number of streams that the peer opened too late to be processed. The peer learns
    /// that from GOAWAY and may open them on another connection.
    pub fn late_streams(&self) -> u64 {
        self.shutdown.late_streams
    }

    /// Returns `true` if the peer ended the connection because of too many PINGs: the next
    /// connection must send fewer.
    pub fn is_told_off(&self) -> bool {
        self.shutdown.is_told_off
    }

    /// Returns code and debug data of the peer's latest GOAWAY (RFC 9113 §6.8); the first 256 bytes
    /// of the data are kept. The data may be anything; most peers send a text for log readers.
    pub fn peer_go_away(&self) -> Option<(ErrorCode, &[u8])> {
        let (code, debug) = self.shutdown.peer_reason.as_ref()?;
        Some((*code, debug))
    }

    /// Returns the reason for which `error` ended this connection: the limit's setting and value,
    /// or the rule that the peer broke. GOAWAY carries it as debug data. For too many PINGs GOAWAY
    /// carries the text that gRFC A8 defines instead.
    pub fn reason(&self, error: &ConnectionError) -> String {
        match error.cause {
            Cause::LimitExceeded(limit) => limit.reason(&self.limits),
            Cause::PeerMisbehaved(rule) => rule.into(),
            Cause::Compression(error) => format!("{error}"),
            Cause::OtherProtocol(protocol) => format!("{protocol}"),
        }
    }

    #[cold]
    pub(super) fn fail(&mut self, error: &ConnectionError) {
        self.shutdown.failed = true;
        self.timers.stop();
        if let Cause::LimitExceeded(limit) = error.cause {
            self.abuse.hit(limit);
        }
        let reason = self.reason(error);
        let debug = match error.cause {
            Cause::LimitExceeded(Limit::Pings) => TOO_MANY_PINGS,
            _ => reason.as_bytes(),
        };
        write::go_away(&mut self.sender.out, self.ids.last_peer, error.code, debug);
    }
}
