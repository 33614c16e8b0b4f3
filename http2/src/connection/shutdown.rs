//! The end of a connection: graceful by two GOAWAY frames, or at once after an error.

use alloc::boxed::Box;
use alloc::format;
use alloc::string::String;

use super::Connection;
use crate::error::{Cause, ConnectionError, ErrorCode};
use crate::flow::WINDOW_BYTES_MAX;
use crate::frame::write;
use crate::limits::Limit;

/// The payload of the PING between the two GOAWAY frames; its acknowledgement proves that every
/// stream that the peer opened before it knew has arrived.
const DRAIN_PING: u64 = 0x636f_7265_7370_756e;

/// The debug data of the GOAWAY that answers too many PINGs; gRPC clients look for it (gRFC A8).
pub(super) const TOO_MANY_PINGS: &[u8] = b"too_many_pings";

/// Debug data of the peer's GOAWAY that is kept, in bytes: enough for a sentence.
const PEER_DEBUG_BYTES_MAX: usize = 256;

#[derive(Debug, Default)]
pub(super) struct Shutdown {
    /// The connection has ended with an error.
    pub(super) failed: bool,
    /// We announced the end but still accept what is under way.
    draining: bool,
    /// The last stream that we promised to process.
    local_last: Option<u32>,
    /// The last stream that the peer promised to process.
    pub(super) peer_last: Option<u32>,
    /// The peer said that we send too many PINGs.
    pub(super) is_told_off: bool,
    /// Code and debug data of the peer's latest GOAWAY.
    peer_reason: Option<(ErrorCode, Box<[u8]>)>,
    /// The debug data of a graceful end.
    reason: &'static [u8],
    /// Streams that came above the last that we promised to process, and the highest of them.
    late_streams: u64,
    late_last: u32,
}

impl Shutdown {
    /// A new stream of the peer comes too late.
    pub(super) fn refuses(&self, stream: u32) -> bool {
        self.local_last.is_some_and(|last| stream > last)
    }

    /// HEADERS came on a stream that is not known: its first ones count, if it is above the last.
    pub(super) fn on_late_stream(&mut self, stream: u32) {
        if self.refuses(stream) && stream > self.late_last {
            self.late_last = stream;
            self.late_streams += 1;
        }
    }

    /// The peer has sent GOAWAY.
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
    /// Starts a graceful end (RFC 9113 §6.8): GOAWAY with the highest identifier and a PING now,
    /// GOAWAY with the real last stream when the PING is acknowledged. Streams up to it finish.
    pub fn drain(&mut self) {
        self.drain_for(b"");
    }

    /// The same with debug data in both frames, which say why to whoever reads a log.
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

    /// The final GOAWAY is out and no stream is left: the socket can close.
    pub fn is_finished(&self) -> bool {
        self.shutdown.failed || (self.shutdown.local_last.is_some() && self.streams.len() == 0)
    }

    /// GOAWAY was sent or received, or the connection failed: open no stream here.
    pub fn is_going_away(&self) -> bool {
        self.shutdown.closes_to_new()
    }

    /// The final GOAWAY is out: no further stream is taken.
    pub fn is_last_announced(&self) -> bool {
        self.shutdown.local_last.is_some()
    }

    /// Streams that the peer opened too late to be taken. It learns from GOAWAY that they were not
    /// processed, and may open them elsewhere.
    pub fn late_streams(&self) -> u64 {
        self.shutdown.late_streams
    }

    /// The peer has ended the connection because of too many PINGs: the next one must send fewer.
    pub fn is_told_off(&self) -> bool {
        self.shutdown.is_told_off
    }

    /// Returns code and debug data of the peer's latest GOAWAY (RFC 9113 §6.8), of which the first
    /// 256 bytes are kept. The data may be anything; most peers put a text for log readers there.
    pub fn peer_go_away(&self) -> Option<(ErrorCode, &[u8])> {
        let (code, debug) = self.shutdown.peer_reason.as_ref()?;
        Some((*code, debug))
    }

    /// Returns why `error` ended this connection: the limit's setting and value, or the rule that
    /// the peer broke. GOAWAY carries it as debug data. Too many PINGs are the exception: there
    /// GOAWAY carries the text that gRFC A8 defines.
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
