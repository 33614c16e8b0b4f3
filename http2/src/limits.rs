//! Every limit on what a peer may make a connection do or hold: default, reason, consequence.
//!
//! A limit is counted by the part that owns the fact and answered with the code named here, so
//! that this file can be read as the manual of known attacks. [`Limit`] names the one exceeded;
//! [`LimitHits`] says how often each was.

mod budget;
mod hits;
mod limit;

use core::time::Duration;

pub(crate) use budget::Bucket;
pub use hits::LimitHits;
pub use limit::Limit;

use crate::flow::{WINDOW_BYTES_INITIAL, WINDOW_BYTES_MAX};
use crate::settings::{FRAME_BYTES_LEAST, FRAME_BYTES_MOST};

/// Limits on one connection. The defaults suit a server on an open network.
///
/// Each limit is enforced by one of four steps, which the documentation of each field names:
///
/// 1. *Wait*: the peer gets less credit, so that it waits.
/// 2. *Pause*: nothing more is read from the connection, or its calls are not started.
/// 3. *End the call*: RST_STREAM or a status ends the one call that exceeded the limit.
/// 4. *End the connection*: GOAWAY ends the connection with all its calls. No lawful client, proxy
///    or sloppy implementation gets there.
///
/// The error code is ENHANCE_YOUR_CALM unless the field names another. A time that is too long to
/// be added to the clock, such as [`Duration::MAX`], means no limit.
#[derive(Clone, Debug)]
pub struct Limits {
    /// Streams that the peer may have open at once; announced in SETTINGS. 1024: a thousand
    /// streaming callers on one proxy connection. Step 2: one more is not started, and
    /// RST_STREAM(REFUSED_STREAM) tells the peer that it may retry.
    pub concurrent_streams_max: u32,
    /// New streams between two transmits, so that one read cannot start more calls in one turn.
    /// 2048, twice the streams at once: a lawful peer may have opened as many again for replies
    /// that are still in flight. Step 2: one more is not started, RST_STREAM(REFUSED_STREAM).
    pub new_streams_max: u32,
    /// Stream identifier from which the connection drains by itself, so that its calls move to
    /// another connection before identifiers run out. Three quarters of 2^31 - 1, as in grpc-go.
    /// Step 2: GOAWAY (NO_ERROR) stops new calls, and open ones finish.
    pub stream_id_drain: u32,
    /// Largest frame payload accepted, in bytes; announced in SETTINGS (RFC 9113 §4.2). Step 4:
    /// GOAWAY(FRAME_SIZE_ERROR).
    pub frame_bytes_max: u32,
    /// Receive window that a stream starts with, in bytes; announced in SETTINGS. 65,535: what
    /// RFC 9113 gives a peer that has not seen our SETTINGS. Step 1: the sender waits. Step 3 for
    /// an overrun: RST_STREAM(FLOW_CONTROL_ERROR).
    pub stream_window_bytes: u32,
    /// Receive window in bytes that a stream grows to while its reader takes half of the window
    /// within a round trip, measured by PING. At most [`Limits::stream_window_bytes`]: windows are
    /// fixed and nothing is measured. 4 MiB: 40 Gbit/s at a round trip of 0.8 ms. Step 1: the
    /// sender waits.
    pub stream_window_bytes_max: u32,
    /// Receive window of the connection in bytes. It is restored on receipt, up to the room that
    /// [`Limits::received_bytes_max`] leaves, and at least up to 64 KiB. A stream that is read
    /// slowly does not close it for other streams. Step 1: the sender waits. Step 4 for an overrun:
    /// GOAWAY(FLOW_CONTROL_ERROR).
    pub connection_window_bytes: u32,
    /// Bytes that may be held for received and unconsumed data, including partial messages and
    /// unread streams, plus those promised to streams beyond their initial window. 16 MiB: four of
    /// the largest messages at once (CVE-2019-9511, data dribble).
    ///
    /// Step 1: the sender waits. At the limit windows do not grow, and the connection's window is
    /// 64 KiB. Readers of messages larger than their window are served one after the other, the
    /// oldest stream first. In total a peer can make the connection hold this limit, one message,
    /// and a window of at most 64 KiB for each open stream.
    pub received_bytes_max: usize,
    /// Memory in bytes of output that waits for windows. 16 MiB (CVE-2019-9517: many replies
    /// requested, none read). Step 2: calls whose request has arrived are not started until it
    /// falls.
    pub queued_bytes_max: usize,
    /// Size of a decoded header list above which fields are dropped and the list is marked as
    /// overflowed, in bytes counted as in RFC 9113 §10.5.1. The block is still decoded to its end,
    /// to keep the table correct. Step 3: the layer above ends that call, with a status that names
    /// limit and size.
    pub header_list_bytes_soft: usize,
    /// Size of a decoded header list in bytes that no call may exceed: HPACK bombs (CVE-2016-6581).
    /// 1 MiB, 128 times the soft limit: no sloppy caller gets there, and dropped fields cost no
    /// memory. Text that the table multiplied also drains `glitch_budget`, one token per KiB. Step
    /// 4: GOAWAY.
    pub header_list_bytes_hard: usize,
    /// Fields in a list, cookie crumbs each counted, above which the list is marked overflowed.
    /// Step 3: the layer above ends that call.
    pub header_fields_soft: usize,
    /// Fields in a list that no call may exceed (CVE-2026-49975: many tiny fields). Step 4: GOAWAY.
    pub header_fields_hard: usize,
    /// CONTINUATION frames after one HEADERS: the CONTINUATION flood (CVE-2024-27316). 128: twice
    /// what a block of `header_block_bytes_max` needs. Step 4: GOAWAY.
    pub continuation_frames_max: u32,
    /// Encoded bytes of one header block, over all its frames (CVE-2024-27316). A block is decoded
    /// while it comes, so that at most 80 KiB of it are kept. Step 4: GOAWAY.
    pub header_block_bytes_max: usize,
    /// Entries in one SETTINGS frame: SETTINGS floods (CVE-2019-9515). Step 4: GOAWAY.
    pub settings_entries_max: usize,
    /// GOAWAY frames of the peer. 16: a graceful end takes two, an error one more. Step 4: GOAWAY.
    pub go_away_frames_max: u32,
    /// Bytes of debug data in a GOAWAY frame; they are never kept, only read past. Step 4: GOAWAY.
    pub go_away_debug_bytes_max: usize,
    /// Streams that the peer may waste, by resetting them or by its faults, beyond those that it
    /// lets finish: rapid reset (CVE-2023-44487) and MadeYouReset (CVE-2025-8671). Step 4: GOAWAY.
    ///
    /// The charge is for wasted work, not for each RST_STREAM. A stream that ends before anything
    /// could be transmitted after its HEADERS costs one. After the next transmit it has been
    /// limited by `concurrent_streams_max` and costs 1/32. Two cases lie between: the first eight
    /// streams that end so soon after a transmit cost a fifth each, and a stream costs less if
    /// others were opened after it, because a peer that cancels all its streams together has kept
    /// to its limit of open ones. A stream that finishes gives one back, up to ten times this
    /// budget.
    pub reset_budget: u32,
    /// Wasted streams that are forgiven each second, of those counted by `reset_budget`.
    pub reset_budget_per_second: u32,
    /// Legal but useless frames beyond those that streams and data of the connection justify, as a
    /// token bucket. Step 4: GOAWAY.
    ///
    /// Charged are PING (unless [`crate::PingPolicy`] counts strikes) and SETTINGS (CVE-2019-9512,
    /// -9515), SETTINGS that shift the windows of open streams (one more per 64 streams), empty
    /// DATA and CONTINUATION (CVE-2019-9518), frames on closed streams, unknown frames, unexpected
    /// acknowledgements of SETTINGS, PRIORITY (CVE-2019-9513) and WINDOW_UPDATE. A PING after DATA
    /// of ours is free, because callers measure bandwidth this way. Each stream gives eight tokens
    /// back, each DATA frame of ours twenty, and each eight bytes of it one more, up to ten times
    /// this budget.
    pub glitch_budget: u32,
    /// Tokens that the bucket of `glitch_budget` regains each second.
    pub glitch_budget_per_second: u32,
    /// Replies (PING and SETTINGS acknowledgements, resets for faults) that wait to be sent. Step
    /// 2: no more input is accepted until they are sent, see [`crate::Connection::wants_input`].
    pub queued_replies_high: u32,
    /// Replies of `queued_replies_high` that no peer may leave waiting: floods by a peer that does
    /// not read (CVE-2019-9512, -9514, -9515). Step 4: GOAWAY.
    pub queued_replies_max: u32,
    /// DATA frames without body bytes (padding is none) and without END_STREAM, as a bucket that
    /// regains as many each second, two with each stream, and all with a frame that carries some:
    /// empty-frame floods (CVE-2019-9518). Step 4: GOAWAY.
    pub empty_data_frames_max: u32,
    /// Bytes by which the framing of DATA (heads, and an eighth of padding) may exceed twice the
    /// body bytes: one-byte DATA (CVE-2019-9511). Step 4: GOAWAY.
    ///
    /// As many are forgiven each second, and body bytes pay ahead for up to sixteen times as many.
    /// Body bytes are copied together, so a small frame pins no memory, and what it costs is its
    /// head. Every whole gRPC message, even an empty one, pays for its own frame (9 bytes against
    /// twice 5). Frames with END_STREAM are free.
    pub data_overhead_bytes_max: u32,
    /// Output bytes of one transmit. Step 2: queued DATA waits for the next transmit, and no more
    /// input is accepted while the output is not taken.
    pub output_bytes_high: usize,
    /// Time from the start of the connection to the end of the client's preface. 10 s: a TCP
    /// handshake and three lost packets. Step 4: GOAWAY(PROTOCOL_ERROR), because such a peer does
    /// not speak HTTP/2 (slow preface).
    pub preface_time_max: Duration,
    /// Time from the start of the connection to the peer's first whole SETTINGS, 10 s in total. A
    /// limit counted from the preface would have to be short, and would then fail good peers when a
    /// packet is lost twice. Step 4: GOAWAY(SETTINGS_TIMEOUT).
    pub first_settings_time_max: Duration,
    /// Time from the peer's first SETTINGS to its acknowledgement of ours (RFC 9113 §6.5.3). Until
    /// then windows smaller than 65,535 cannot be enforced. Step 4: GOAWAY(SETTINGS_TIMEOUT).
    pub settings_ack_time_max: Duration,
    /// Time from HEADERS without END_HEADERS to the end of the block, and from the first byte of
    /// any frame to its last, of DATA to the end of its head. Slow headers hold the connection,
    /// because nothing else may come in between (RFC 9113 §6.10). Step 4: GOAWAY.
    pub header_block_time_max: Duration,
    /// Time that output may wait for a window without a byte of progress (CVE-2016-1546,
    /// CVE-2019-9517: slow reading, closed windows). Step 3 if the stream's own window is closed:
    /// RST_STREAM. Step 4 if the connection's window is: GOAWAY.
    ///
    /// No bound by default: a consumer may pause for as long as it likes, and what it makes a
    /// connection hold is bounded by [`Limits::queued_bytes_max`]. A bound is measured in quarters,
    /// so that it takes up to a quarter more. It is for servers only, because a client's output is
    /// its own caller's.
    pub write_progress_time_max: Duration,
    /// Time that a unary request may stay incomplete without a byte of it arriving (slow body).
    /// Streams of messages are exempt: an idle stream is legal. Step 3: the layer above ends the
    /// call.
    pub request_progress_time_max: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            concurrent_streams_max: 1024,
            new_streams_max: 2048,
            stream_id_drain: WINDOW_BYTES_MAX / 4 * 3,
            frame_bytes_max: 16_384,
            stream_window_bytes: WINDOW_BYTES_INITIAL,
            stream_window_bytes_max: 4 << 20,
            connection_window_bytes: 4 << 20,
            received_bytes_max: 16 << 20,
            queued_bytes_max: 16 << 20,
            header_list_bytes_soft: 8 << 10,
            header_list_bytes_hard: 1 << 20,
            header_fields_soft: 128,
            header_fields_hard: 10_000,
            continuation_frames_max: 128,
            header_block_bytes_max: 1 << 20,
            settings_entries_max: 128,
            go_away_frames_max: 16,
            go_away_debug_bytes_max: 4 << 10,
            reset_budget: 200,
            reset_budget_per_second: 200,
            glitch_budget: 10_000,
            glitch_budget_per_second: 330,
            queued_replies_high: 100,
            queued_replies_max: 4000,
            empty_data_frames_max: 100,
            data_overhead_bytes_max: 64 << 10,
            output_bytes_high: 512 << 10,
            preface_time_max: Duration::from_secs(10),
            first_settings_time_max: Duration::from_secs(10),
            settings_ack_time_max: Duration::from_secs(10),
            header_block_time_max: Duration::from_secs(10),
            write_progress_time_max: Duration::MAX,
            request_progress_time_max: Duration::from_secs(60),
        }
    }
}

/// Factor by which the budgets of a trusted proxy are larger than those of other peers.
const PROXY_FACTOR: u32 = 1000;

impl Limits {
    /// Returns the limits of a client. They protect it from mistakes of the server that it chose,
    /// so they are wider than a server's, which protect it from strangers.
    ///
    /// A header list may have 256 KiB, which SETTINGS announce, and 4096 fields: trailers with
    /// `grpc-status-details-bin` of many kilobytes are lawful. Streams that the server resets or
    /// breaks have no budget, because each ends only a call of the client's own. Other budgets are
    /// those of [`Limits::behind_proxy`].
    pub fn client() -> Self {
        Self {
            header_list_bytes_soft: 256 << 10,
            header_list_bytes_hard: 4 << 20,
            header_fields_soft: 4096,
            header_fields_hard: 64 << 10,
            continuation_frames_max: 512,
            header_block_bytes_max: 4 << 20,
            reset_budget: u32::MAX,
            reset_budget_per_second: u32::MAX,
            ..Self::default().behind_proxy()
        }
    }

    /// Sets the limits for a peer that is a trusted proxy, whose connection carries many callers.
    /// Budgets that would end the connection, and so the calls of all callers, are a thousand times
    /// as large. Limits that end one call or that bound memory are unchanged.
    #[must_use]
    pub fn behind_proxy(self) -> Self {
        let more = |budget: u32| budget.saturating_mul(PROXY_FACTOR);
        Self {
            reset_budget: more(self.reset_budget),
            reset_budget_per_second: more(self.reset_budget_per_second),
            glitch_budget: more(self.glitch_budget),
            glitch_budget_per_second: more(self.glitch_budget_per_second),
            empty_data_frames_max: more(self.empty_data_frames_max),
            data_overhead_bytes_max: more(self.data_overhead_bytes_max),
            go_away_frames_max: more(self.go_away_frames_max),
            ..self
        }
    }

    /// Returns these limits with values that RFC 9113 does not allow replaced by the nearest
    /// allowed value, so that the announced limits are the enforced ones.
    pub(crate) fn lawful(self) -> Self {
        Self {
            frame_bytes_max: self
                .frame_bytes_max
                .clamp(FRAME_BYTES_LEAST, FRAME_BYTES_MOST),
            stream_window_bytes: self.stream_window_bytes.min(WINDOW_BYTES_MAX),
            stream_window_bytes_max: self.stream_window_bytes_max.min(WINDOW_BYTES_MAX),
            connection_window_bytes: self
                .connection_window_bytes
                .clamp(WINDOW_BYTES_INITIAL, WINDOW_BYTES_MAX),
            ..self
        }
    }
}
