//! Every bound on what a peer may ask of a connection: default, reason, consequence.
//!
//! A limit is counted by the part that owns the fact and answered with the code named here, so
//! that this file can be read as the manual of known attacks.

use core::fmt;

use crate::flow::{WINDOW_BYTES_INITIAL, WINDOW_BYTES_MAX};
use crate::settings::{FRAME_BYTES_LEAST, FRAME_BYTES_MOST};

/// The bounds of one connection. The defaults suit a server on an open network.
#[derive(Clone, Debug)]
pub struct Limits {
    /// Streams the peer may have open at once; also announced in SETTINGS. More are refused with
    /// RST_STREAM(REFUSED_STREAM). 1024: a thousand streaming callers on one proxy connection.
    pub concurrent_streams_max: u32,
    /// Largest frame payload accepted, in bytes (RFC 9113 §4.2). Over: FRAME_SIZE_ERROR.
    pub frame_bytes_max: u32,
    /// Receive window of a stream in bytes. Overrun: FLOW_CONTROL_ERROR on the stream.
    pub stream_window_bytes: u32,
    /// Receive window of the connection in bytes. Overrun: FLOW_CONTROL_ERROR, connection ends.
    pub connection_window_bytes: u32,
    /// Decoded header list above which fields are dropped and the list is marked overflowed, in
    /// bytes counted as RFC 9113 §10.5.1 does. The layer above refuses the request.
    pub header_list_bytes_soft: usize,
    /// Decoded header list above which the connection ends: HPACK bombs (CVE-2016-6581).
    pub header_list_bytes_hard: usize,
    /// Fields in a list, cookie crumbs each counted, before the list is marked overflowed.
    pub header_fields_soft: usize,
    /// Fields in a list before the connection ends (CVE-2026-49975: many tiny fields).
    pub header_fields_hard: usize,
    /// CONTINUATION frames after one HEADERS: the CONTINUATION flood (CVE-2024-27316).
    pub continuation_frames_max: u32,
    /// Encoded bytes of one header block, over all its frames.
    pub header_block_bytes_max: usize,
    /// Entries in one SETTINGS frame: SETTINGS floods (CVE-2019-9515).
    pub settings_entries_max: usize,
    /// Streams that may be reset by the peer or by its faults beyond those completed, as a
    /// bucket: rapid reset (CVE-2023-44487) and MadeYouReset (CVE-2025-8671) both drain it.
    pub reset_budget: u32,
    /// Tokens that the bucket of `reset_budget` regains each second.
    pub reset_budget_per_second: u32,
    /// Replies (PING and SETTINGS acknowledgements) waiting to be sent before the connection
    /// ends: ping floods by a peer that does not read (CVE-2019-9512).
    pub queued_replies_max: u32,
    /// DATA frames without payload and without END_STREAM in a connection's life between two
    /// frames that carry bytes: empty-frame floods (CVE-2019-9518).
    pub empty_data_frames_max: u32,
    /// Output bytes above which queued DATA waits for the next transmit.
    pub output_bytes_high: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            concurrent_streams_max: 1024,
            frame_bytes_max: 16_384,
            stream_window_bytes: 1 << 20,
            connection_window_bytes: 4 << 20,
            header_list_bytes_soft: 8 << 10,
            header_list_bytes_hard: 32 << 10,
            header_fields_soft: 128,
            header_fields_hard: 1000,
            continuation_frames_max: 8,
            header_block_bytes_max: 64 << 10,
            settings_entries_max: 32,
            reset_budget: 200,
            reset_budget_per_second: 33,
            queued_replies_max: 1000,
            empty_data_frames_max: 100,
            output_bytes_high: 512 << 10,
        }
    }
}

impl Limits {
    /// The same with values that RFC 9113 does not allow moved to the nearest that it does, so
    /// that what is announced is what is enforced.
    pub(crate) fn lawful(self) -> Self {
        Self {
            frame_bytes_max: self
                .frame_bytes_max
                .clamp(FRAME_BYTES_LEAST, FRAME_BYTES_MOST),
            stream_window_bytes: self.stream_window_bytes.min(WINDOW_BYTES_MAX),
            connection_window_bytes: self
                .connection_window_bytes
                .clamp(WINDOW_BYTES_INITIAL, WINDOW_BYTES_MAX),
            ..self
        }
    }
}

/// Which limit a peer exceeded.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Limit {
    /// [`Limits::header_list_bytes_hard`] or [`Limits::header_fields_hard`].
    HeaderList,
    /// [`Limits::continuation_frames_max`].
    ContinuationFrames,
    /// [`Limits::header_block_bytes_max`].
    HeaderBlockBytes,
    /// [`Limits::settings_entries_max`].
    SettingsEntries,
    /// [`Limits::reset_budget`].
    Resets,
    /// [`Limits::queued_replies_max`].
    QueuedReplies,
    /// [`Limits::empty_data_frames_max`].
    EmptyDataFrames,
}

impl fmt::Display for Limit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::HeaderList => "the header list limit",
            Self::ContinuationFrames => "the CONTINUATION frames limit",
            Self::HeaderBlockBytes => "the encoded header block limit",
            Self::SettingsEntries => "the SETTINGS entries limit",
            Self::Resets => "the reset budget",
            Self::QueuedReplies => "the queued replies limit",
            Self::EmptyDataFrames => "the empty DATA frames limit",
        })
    }
}

/// A token bucket over the caller's time: drained by resets, refilled by completed streams and by
/// time, so that clients that cancel a lot but also finish work are left in peace.
#[derive(Debug)]
pub(crate) struct ResetBudget {
    tokens: u32,
    refilled_at_s: u64,
}

impl ResetBudget {
    pub(crate) fn new(limits: &Limits) -> Self {
        Self {
            tokens: limits.reset_budget,
            refilled_at_s: 0,
        }
    }

    /// A stream ended as it should.
    pub(crate) fn refund(&mut self, limits: &Limits) {
        self.tokens = self.tokens.saturating_add(1).min(limits.reset_budget);
    }

    /// A stream was reset by the peer or because of it. False when the budget is spent.
    pub(crate) fn charge(&mut self, limits: &Limits, now: core::time::Duration) -> bool {
        let seconds = now.as_secs();
        let passed = seconds
            .saturating_sub(self.refilled_at_s)
            .min(u64::from(u32::MAX)) as u32;
        if passed > 0 {
            let regained = passed.saturating_mul(limits.reset_budget_per_second);
            self.tokens = self
                .tokens
                .saturating_add(regained)
                .min(limits.reset_budget);
            self.refilled_at_s = seconds;
        }
        if self.tokens == 0 {
            return false;
        }
        self.tokens -= 1;
        true
    }
}

#[cfg(test)]
mod tests {
    use core::time::Duration;

    use super::*;

    #[test]
    fn the_reset_budget_is_spent_and_regained() {
        let limits = Limits {
            reset_budget: 2,
            reset_budget_per_second: 1,
            ..Limits::default()
        };
        let mut budget = ResetBudget::new(&limits);
        let at = Duration::from_secs;
        assert!(budget.charge(&limits, at(0)));
        assert!(budget.charge(&limits, at(0)));
        assert!(!budget.charge(&limits, at(0)));
        budget.refund(&limits);
        assert!(budget.charge(&limits, at(0)));
        assert!(!budget.charge(&limits, at(0)));
        assert!(budget.charge(&limits, at(1)));
        assert!(!budget.charge(&limits, at(1)));
    }
}
