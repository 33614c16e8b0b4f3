//! Accounting against abusive peers: budgets, counters between two transmits, and counts of
//! exceeded limits.

use alloc::boxed::Box;
use core::time::Duration;

use super::Connection;
use super::keepalive::PingStrikes;
use super::waste::Waste;
use crate::error::ConnectionError;
use crate::flow::WINDOW_BYTES_INITIAL;
use crate::frame::HEAD_BYTES;
use crate::limits::{Bucket, Limit, LimitHits, Limits};

/// Useless frames that each stream pays for: those that a peer sends around a call in addition to
/// it, such as PRIORITY, GREASE, WINDOW_UPDATE, and those that were in flight when the call ended.
const FRAMES_PER_STREAM: u64 = 8;

/// Useless frames that each DATA frame of ours pays for: ten updates of each of the two windows,
/// for peers that read in small pieces.
const FRAMES_PER_DATA: u64 = 20;

/// Bytes of our DATA that pay for one more useless frame, for peers that read in small pieces.
const BYTES_PER_FRAME: u64 = 8;

/// Size in bytes from which DATA on a closed stream costs nothing, as on an open one: a refused
/// upload can have a window full of it in flight.
pub(super) const LATE_DATA_BYTES: usize = 5;

/// Empty DATA frames that each stream pays for.
const EMPTY_PER_STREAM: u64 = 2;

/// Divisor of the padding bytes that count as framing: padding is skipped, which costs little.
const PADDING_SHARE: usize = 8;

/// Largest credit from body bytes, in multiples of [`Limits::data_overhead_bytes_max`].
const BODY_AHEAD_MAX: i64 = 16;

/// Number of open streams whose windows SETTINGS may change at the cost of one more useless frame.
const SHIFTED_STREAMS_PER_GLITCH: usize = 64;

/// Counters that limit peers which cost more than their traffic is worth.
pub(super) struct Abuse {
    pub(super) resets: Waste,
    glitches: Bucket,
    /// Work of the connection that has been credited to the bucket of glitches.
    told: Told,
    /// Bytes of DATA that the peer's updates of the connection's window have allowed.
    credit: u64,
    /// Replies written since the last transmit.
    pub(super) queued_replies: u32,
    empty_data_frames: Bucket,
    /// Number of streams that have been credited to the budget for empty DATA.
    told_empty: u64,
    /// Bytes of DATA framing that are still allowed, and the second of their last increase.
    data_overhead_left: i64,
    data_overhead_second: u64,
    go_away_frames: u32,
    /// Streams opened since the connection began: now, and at the last transmit.
    streams: u64,
    streams_before: u64,
    /// DATA frames sent since the connection began: now, and at the last transmit.
    data_frames: u64,
    data_frames_before: u64,
    /// Header blocks sent since the connection began.
    blocks: u64,
    /// Header blocks and DATA frames sent until the peer's last PING.
    sent_at_ping: u64,
    pub(super) pings: PingStrikes,
    /// Counts of exceeded limits, allocated with the first.
    hits: Option<Box<LimitHits>>,
    /// Counts in `hits` that have not been taken by the caller yet.
    fresh_hits: Option<Box<LimitHits>>,
}

/// Work of a connection, as counters.
#[derive(Clone, Copy, Default)]
struct Told {
    streams: u64,
    data_frames: u64,
    data_bytes: u64,
}

impl Abuse {
    pub(super) fn new(limits: &Limits) -> Self {
        let empty = limits.empty_data_frames_max;
        Self {
            resets: Waste::new(limits),
            glitches: Bucket::new(limits.glitch_budget, limits.glitch_budget_per_second),
            told: Told::default(),
            credit: WINDOW_BYTES_INITIAL.into(),
            queued_replies: 0,
            empty_data_frames: Bucket::new(empty, empty),
            told_empty: 0,
            data_overhead_left: limits.data_overhead_bytes_max.into(),
            data_overhead_second: 0,
            go_away_frames: 0,
            streams: 0,
            streams_before: 0,
            data_frames: 0,
            data_frames_before: 0,
            blocks: 0,
            sent_at_ping: 0,
            pings: PingStrikes::default(),
            hits: None,
            fresh_hits: None,
        }
    }

    /// Records that everything written so far has been transmitted.
    pub(super) fn on_transmit(&mut self) {
        self.queued_replies = 0;
        self.resets.on_transmit();
        self.streams_before = self.streams;
        self.data_frames_before = self.data_frames;
    }

    /// Counts a stream that was opened.
    pub(super) fn on_stream(&mut self) {
        self.streams += 1;
    }

    /// Returns the number of streams opened since the connection began.
    pub(super) fn streams(&self) -> u64 {
        self.streams
    }

    /// Returns the number of streams opened since the last transmit.
    pub(super) fn new_streams(&self) -> u64 {
        self.streams - self.streams_before
    }

    /// Counts a DATA frame that was written.
    pub(super) fn on_data_sent(&mut self) {
        self.data_frames += 1;
    }

    /// Counts a header block that was written.
    pub(super) fn on_block_sent(&mut self) {
        self.blocks += 1;
    }

    /// Returns `true` if DATA was written since the last transmit.
    pub(super) fn is_data_written(&self) -> bool {
        self.data_frames != self.data_frames_before
    }

    #[cold]
    #[inline(never)]
    pub(super) fn hit(&mut self, limit: Limit) {
        for hits in [&mut self.hits, &mut self.fresh_hits] {
            hits.get_or_insert_default().add(limit, 1);
        }
    }

    #[cold]
    pub(super) fn charge_glitches(
        &mut self,
        now: Duration,
        count: u32,
    ) -> Result<(), ConnectionError> {
        self.earn_glitches(self.told.data_bytes);
        match self.glitches.charge(count, now) {
            true => Ok(()),
            false => Err(ConnectionError::limit(Limit::Glitches)),
        }
    }

    /// Adds tokens to the bucket of glitches for the work since the last call. `data_bytes` is the
    /// total of our DATA since the connection began.
    fn earn_glitches(&mut self, data_bytes: u64) {
        let now = Told {
            streams: self.streams,
            data_frames: self.data_frames,
            // What is left of a division waits for more.
            data_bytes: data_bytes - data_bytes % BYTES_PER_FRAME,
        };
        let before = core::mem::replace(&mut self.told, now);
        let earned = FRAMES_PER_STREAM * (now.streams - before.streams)
            + FRAMES_PER_DATA * (now.data_frames - before.data_frames)
            + now.data_bytes.saturating_sub(before.data_bytes) / BYTES_PER_FRAME;
        self.glitches
            .earn(u32::try_from(earned).unwrap_or(u32::MAX));
    }

    /// Charges a PING: a strike if a [`PingPolicy`] counts those, else a glitch.
    pub(super) fn on_ping(
        &mut self,
        now: Duration,
        has_streams: bool,
    ) -> Result<(), ConnectionError> {
        let sent = self.data_frames + self.blocks;
        let is_owed = core::mem::replace(&mut self.sent_at_ping, sent) != sent;
        match self.pings.is_on() {
            true => self.pings.on_ping(now, is_owed, has_streams),
            false if is_owed => Ok(()),
            false => self.charge_glitches(now, 1),
        }
    }

    pub(super) fn on_settings(
        &mut self,
        now: Duration,
        shifted_streams: usize,
    ) -> Result<(), ConnectionError> {
        let shifts = shifted_streams / SHIFTED_STREAMS_PER_GLITCH;
        self.charge_glitches(now, u32::try_from(shifts + 1).unwrap_or(u32::MAX))
    }

    /// Charges a WINDOW_UPDATE that arrived while the connection's window had `available` bytes.
    pub(super) fn on_window_update(
        &mut self,
        now: Duration,
        available: usize,
    ) -> Result<(), ConnectionError> {
        self.earn_glitches(self.credit.saturating_sub(available as u64));
        self.charge_glitches(now, 1)
    }

    /// Counts bytes that the peer allows us to send in addition.
    pub(super) fn on_credit(&mut self, bytes: u32) {
        self.credit += u64::from(bytes);
    }

    /// Charges a tolerated frame that arrived on a closed stream.
    #[cold]
    pub(super) fn on_late_frame(&mut self, now: Duration) -> Result<(), ConnectionError> {
        self.charge_glitches(now, 1)
    }

    pub(super) fn on_go_away(
        &mut self,
        limits: &Limits,
        debug_bytes: usize,
    ) -> Result<(), ConnectionError> {
        self.go_away_frames = self.go_away_frames.saturating_add(1);
        if self.go_away_frames > limits.go_away_frames_max {
            return Err(ConnectionError::limit(Limit::GoAwayFrames));
        }
        if debug_bytes > limits.go_away_debug_bytes_max {
            return Err(ConnectionError::limit(Limit::GoAwayDebugBytes));
        }
        Ok(())
    }

    /// Charges a DATA frame with a payload of `frame_bytes`, `body_bytes` of which are not padding.
    pub(super) fn on_data(
        &mut self,
        limits: &Limits,
        now: Duration,
        (body_bytes, frame_bytes): (usize, usize),
        end_stream: bool,
    ) -> Result<(), ConnectionError> {
        if end_stream {
            return Ok(());
        }
        if body_bytes > 0 {
            self.empty_data_frames.fill();
        } else {
            self.on_empty_data(now)?;
        }
        // A payload has less than 2^24 bytes.
        let overhead = HEAD_BYTES + (frame_bytes - body_bytes) / PADDING_SHARE;
        let left = self.data_overhead_left + 2 * body_bytes as i64 - overhead as i64;
        let most = i64::from(limits.data_overhead_bytes_max);
        self.data_overhead_left = left.min(BODY_AHEAD_MAX * most);
        match self.data_overhead_left < 0 {
            true => self.on_data_overhead(most, now),
            false => Ok(()),
        }
    }

    /// Handles used-up DATA overhead: adds what the time since the last increase allows, or fails.
    #[cold]
    fn on_data_overhead(&mut self, most: i64, now: Duration) -> Result<(), ConnectionError> {
        let second = now.as_secs();
        let passed = second.saturating_sub(self.data_overhead_second);
        self.data_overhead_second = second;
        let passed = i64::try_from(passed).unwrap_or(i64::MAX);
        let left = self.data_overhead_left + most.saturating_mul(passed).min(most);
        self.data_overhead_left = left;
        match left < 0 {
            true => Err(ConnectionError::limit(Limit::DataOverhead)),
            false => Ok(()),
        }
    }

    #[cold]
    fn on_empty_data(&mut self, now: Duration) -> Result<(), ConnectionError> {
        let streams = self.streams - core::mem::replace(&mut self.told_empty, self.streams);
        let earned = EMPTY_PER_STREAM.saturating_mul(streams);
        let frames = &mut self.empty_data_frames;
        frames.earn(u32::try_from(earned).unwrap_or(u32::MAX));
        match frames.charge(1, now) {
            true => self.charge_glitches(now, 1),
            false => Err(ConnectionError::limit(Limit::EmptyDataFrames)),
        }
    }

    /// Counts a reply that waits in the output until the next transmit.
    pub(super) fn on_reply(&mut self, limits: &Limits) -> Result<(), ConnectionError> {
        self.queued_replies = self.queued_replies.saturating_add(1);
        match self.queued_replies > limits.queued_replies_max {
            true => Err(ConnectionError::limit(Limit::QueuedReplies)),
            false => Ok(()),
        }
    }
}

impl Connection {
    /// Returns the number of times that the peer exceeded each limit since the connection began.
    pub fn limit_hits(&self) -> &LimitHits {
        self.abuse.hits.as_deref().unwrap_or(&LimitHits::NONE)
    }

    /// Returns the hits since the last call; `None`, which is the common case, if there were none.
    pub fn take_fresh_limit_hits(&mut self) -> Option<Box<LimitHits>> {
        self.abuse.fresh_hits.take()
    }

    /// Counts a hit of a limit that the layer above enforces.
    pub fn note_limit_hit(&mut self, limit: Limit) {
        self.abuse.hit(limit);
    }
}
