//! What a peer costs beyond what it brings: budgets, counts between two transmits, and how often
//! each limit was exceeded.

use alloc::boxed::Box;
use core::time::Duration;

use super::keepalive::PingStrikes;
use super::{Connection, Role};
use crate::error::ConnectionError;
use crate::frame::HEAD_BYTES;
use crate::limits::{Bucket, Limit, LimitHits, Limits};

/// WINDOW_UPDATE frames that are free for a connection, for each stream, and for each DATA frame
/// of ours: an update of each of the two windows, ten times over, for peers that read in pieces.
const WINDOW_UPDATES_FREE: u64 = 5;
const WINDOW_UPDATES_PER_STREAM: u64 = 2;
const WINDOW_UPDATES_PER_DATA: u64 = 20;

/// Frames on streams that are gone that are free for each stream: what the peer had sent before it
/// knew, such as its last DATA, the end and a reset of its own.
const LATE_FRAMES_PER_STREAM: u64 = 4;

/// DATA on a stream that is gone pays for itself from this size on, in bytes: uploads that are
/// refused have a window full of it under way.
pub(super) const LATE_DATA_BYTES: usize = 256;

/// PRIORITY frames that are free besides one for each stream: some clients build a tree at first.
const PRIORITIES_FREE: u64 = 100;

/// Open streams whose windows SETTINGS may shift at the price of one more frame.
const SHIFTED_STREAMS_PER_GLITCH: usize = 16;

/// Counters against peers that cost more than they bring.
pub(super) struct Abuse {
    pub(super) resets: Bucket,
    glitches: Bucket,
    /// Since the last transmit.
    pub(super) queued_replies: u32,
    empty_data_frames: u32,
    data_overhead_bytes: u32,
    go_away_frames: u32,
    /// Frames of the peer in the connection's life.
    window_updates: u64,
    priorities: u64,
    late_frames: u64,
    /// Streams opened in the connection's life, and until the last transmit.
    streams: u64,
    streams_before: u64,
    /// DATA frames of ours in the connection's life, and until the last transmit.
    data_frames: u64,
    data_frames_before: u64,
    /// Header blocks of ours in the connection's life.
    blocks: u64,
    /// Both, until the peer's last PING.
    sent_at_ping: u64,
    pub(super) pings: PingStrikes,
    /// Allocated with the first limit that is exceeded.
    hits: Option<Box<LimitHits>>,
    /// The part of `hits` that nobody has asked for yet.
    fresh_hits: Option<Box<LimitHits>>,
}

impl Abuse {
    pub(super) fn new(limits: &Limits) -> Self {
        Self {
            resets: Bucket::new(limits.reset_budget, limits.reset_budget_per_second),
            glitches: Bucket::new(limits.glitch_budget, limits.glitch_budget_per_second),
            queued_replies: 0,
            empty_data_frames: 0,
            data_overhead_bytes: 0,
            go_away_frames: 0,
            window_updates: 0,
            priorities: 0,
            late_frames: 0,
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

    /// What was written until now is on its way.
    pub(super) fn on_transmit(&mut self) {
        self.queued_replies = 0;
        self.streams_before = self.streams;
        self.data_frames_before = self.data_frames;
    }

    /// A stream was opened.
    pub(super) fn on_stream(&mut self) {
        self.streams += 1;
    }

    /// Streams opened in the connection's life.
    pub(super) fn streams(&self) -> u64 {
        self.streams
    }

    /// Streams opened since the last transmit.
    pub(super) fn new_streams(&self) -> u64 {
        self.streams - self.streams_before
    }

    /// A DATA frame of ours is written.
    pub(super) fn on_data_sent(&mut self) {
        self.data_frames += 1;
    }

    /// A header block of ours is written.
    pub(super) fn on_block_sent(&mut self) {
        self.blocks += 1;
    }

    /// DATA of ours was written since the last transmit.
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
        match self.glitches.charge(count, now) {
            true => Ok(()),
            false => Err(ConnectionError::limit(Limit::Glitches)),
        }
    }

    /// A PING costs a strike where those are counted, else a glitch, never both.
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

    pub(super) fn on_window_update(&mut self, now: Duration) -> Result<(), ConnectionError> {
        self.window_updates += 1;
        let for_streams = WINDOW_UPDATES_PER_STREAM * self.streams;
        let for_data = WINDOW_UPDATES_PER_DATA * self.data_frames;
        match self.window_updates > WINDOW_UPDATES_FREE + for_streams + for_data {
            true => self.charge_glitches(now, 1),
            false => Ok(()),
        }
    }

    pub(super) fn on_priority(&mut self, now: Duration) -> Result<(), ConnectionError> {
        self.priorities += 1;
        match self.priorities > PRIORITIES_FREE + self.streams {
            true => self.charge_glitches(now, 1),
            false => Ok(()),
        }
    }

    /// A frame came on a stream that is gone, which is forgiven.
    #[cold]
    pub(super) fn on_late_frame(&mut self, now: Duration) -> Result<(), ConnectionError> {
        self.late_frames += 1;
        match self.late_frames > LATE_FRAMES_PER_STREAM * self.streams {
            true => self.charge_glitches(now, 1),
            false => Ok(()),
        }
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

    /// A DATA frame with a payload of `frame_bytes`, `body_bytes` of which are no padding.
    pub(super) fn on_data(
        &mut self,
        limits: &Limits,
        now: Duration,
        (body_bytes, frame_bytes): (usize, usize),
        end_stream: bool,
    ) -> Result<(), ConnectionError> {
        if body_bytes > 0 {
            self.empty_data_frames = 0;
        }
        if end_stream {
            return Ok(());
        }
        if body_bytes == 0 {
            self.on_empty_data(limits, now)?;
        }
        // A payload has less than 2^24 bytes, so twice that fits.
        let overhead = (HEAD_BYTES + frame_bytes - body_bytes) as u32;
        let owed = self.data_overhead_bytes.saturating_add(overhead);
        self.data_overhead_bytes = owed.saturating_sub(2 * body_bytes as u32);
        match self.data_overhead_bytes > limits.data_overhead_bytes_max {
            true => Err(ConnectionError::limit(Limit::DataOverhead)),
            false => Ok(()),
        }
    }

    #[cold]
    fn on_empty_data(&mut self, limits: &Limits, now: Duration) -> Result<(), ConnectionError> {
        self.empty_data_frames = self.empty_data_frames.saturating_add(1);
        if self.empty_data_frames > limits.empty_data_frames_max {
            return Err(ConnectionError::limit(Limit::EmptyDataFrames));
        }
        self.charge_glitches(now, 1)
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
    /// How often the peer exceeded each limit in the connection's life.
    pub fn limit_hits(&self) -> &LimitHits {
        self.abuse.hits.as_deref().unwrap_or(&LimitHits::NONE)
    }

    /// The hits since this was last asked; `None`, nearly always, when there were none.
    pub fn take_fresh_limit_hits(&mut self) -> Option<Box<LimitHits>> {
        self.abuse.fresh_hits.take()
    }

    /// Counts a limit that the layer above keeps and has acted upon.
    pub fn note_limit_hit(&mut self, limit: Limit) {
        self.abuse.hit(limit);
    }

    /// Takes a token for a stream that ended before its time. Only servers mind: a client's peer
    /// resets streams for reasons of its own.
    pub(super) fn charge_reset(&mut self, now: Duration) -> Result<(), ConnectionError> {
        if self.role == Role::Server && !self.abuse.resets.charge(1, now) {
            return Err(ConnectionError::limit(Limit::Resets));
        }
        Ok(())
    }
}
