//! The name of each limit, and the code that going over it is answered with.

use core::fmt;

use crate::error::ErrorCode;

macro_rules! limits {
    ($($(#[$doc:meta])* $name:ident = $text:literal, $code:ident;)*) => {
        /// Which limit a peer exceeded.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        #[non_exhaustive]
        pub enum Limit {
            $($(#[$doc])* $name,)*
        }

        impl Limit {
            /// All of them, in the order of their declaration.
            pub const ALL: &[Self] = &[$(Self::$name),*];

            /// The code of the GOAWAY or RST_STREAM that answers. Where the layer above answers, it
            /// may have better means, such as the status of a call.
            pub const fn code(self) -> ErrorCode {
                match self {
                    $(Self::$name => ErrorCode::$code,)*
                }
            }

            /// A short name that does not change, for metrics.
            pub const fn name(self) -> &'static str {
                match self {
                    $(Self::$name => $text,)*
                }
            }
        }
    };
}

limits! {
    /// [`Limits::concurrent_streams_max`](crate::Limits::concurrent_streams_max).
    ConcurrentStreams = "concurrent_streams", REFUSED_STREAM;
    /// [`Limits::new_streams_max`](crate::Limits::new_streams_max).
    NewStreams = "new_streams", REFUSED_STREAM;
    /// [`Limits::stream_id_drain`](crate::Limits::stream_id_drain).
    StreamIds = "stream_ids", NO_ERROR;
    /// [`Limits::received_bytes_max`](crate::Limits::received_bytes_max).
    ReceivedBytes = "received_bytes", ENHANCE_YOUR_CALM;
    /// [`Limits::queued_bytes_max`](crate::Limits::queued_bytes_max).
    QueuedBytes = "queued_bytes", REFUSED_STREAM;
    /// [`Limits::header_list_bytes_soft`](crate::Limits::header_list_bytes_soft) or
    /// [`Limits::header_fields_soft`](crate::Limits::header_fields_soft).
    HeaderListSoft = "header_list_soft", ENHANCE_YOUR_CALM;
    /// [`Limits::header_list_bytes_hard`](crate::Limits::header_list_bytes_hard) or
    /// [`Limits::header_fields_hard`](crate::Limits::header_fields_hard).
    HeaderList = "header_list", ENHANCE_YOUR_CALM;
    /// [`Limits::header_string_bytes_max`](crate::Limits::header_string_bytes_max).
    HeaderString = "header_string", ENHANCE_YOUR_CALM;
    /// [`Limits::continuation_frames_max`](crate::Limits::continuation_frames_max).
    ContinuationFrames = "continuation_frames", ENHANCE_YOUR_CALM;
    /// [`Limits::header_block_bytes_max`](crate::Limits::header_block_bytes_max).
    HeaderBlockBytes = "header_block_bytes", ENHANCE_YOUR_CALM;
    /// [`Limits::settings_entries_max`](crate::Limits::settings_entries_max).
    SettingsEntries = "settings_entries", ENHANCE_YOUR_CALM;
    /// [`Limits::go_away_frames_max`](crate::Limits::go_away_frames_max).
    GoAwayFrames = "go_away_frames", ENHANCE_YOUR_CALM;
    /// [`Limits::go_away_debug_bytes_max`](crate::Limits::go_away_debug_bytes_max).
    GoAwayDebugBytes = "go_away_debug_bytes", ENHANCE_YOUR_CALM;
    /// [`Limits::reset_budget`](crate::Limits::reset_budget).
    Resets = "resets", ENHANCE_YOUR_CALM;
    /// [`Limits::glitch_budget`](crate::Limits::glitch_budget).
    Glitches = "glitches", ENHANCE_YOUR_CALM;
    /// [`PingPolicy::strikes_max`](crate::PingPolicy::strikes_max).
    Pings = "pings", ENHANCE_YOUR_CALM;
    /// [`Limits::queued_replies_max`](crate::Limits::queued_replies_max).
    QueuedReplies = "queued_replies", ENHANCE_YOUR_CALM;
    /// [`Limits::empty_data_frames_max`](crate::Limits::empty_data_frames_max).
    EmptyDataFrames = "empty_data_frames", ENHANCE_YOUR_CALM;
    /// [`Limits::data_overhead_bytes_max`](crate::Limits::data_overhead_bytes_max).
    DataOverhead = "data_overhead", ENHANCE_YOUR_CALM;
    /// [`Limits::preface_time_max`](crate::Limits::preface_time_max).
    PrefaceTime = "preface_time", PROTOCOL_ERROR;
    /// [`Limits::first_settings_time_max`](crate::Limits::first_settings_time_max).
    FirstSettingsTime = "first_settings_time", SETTINGS_TIMEOUT;
    /// [`Limits::settings_ack_time_max`](crate::Limits::settings_ack_time_max).
    SettingsAckTime = "settings_ack_time", SETTINGS_TIMEOUT;
    /// [`Limits::header_block_time_max`](crate::Limits::header_block_time_max).
    HeaderBlockTime = "header_block_time", ENHANCE_YOUR_CALM;
    /// [`Keepalive::timeout`](crate::Keepalive::timeout).
    KeepaliveTime = "keepalive_time", NO_ERROR;
    /// [`Limits::write_progress_time_max`](crate::Limits::write_progress_time_max).
    WriteProgressTime = "write_progress_time", ENHANCE_YOUR_CALM;
    /// [`Limits::request_progress_time_max`](crate::Limits::request_progress_time_max).
    RequestProgressTime = "request_progress_time", CANCEL;
    /// A server's bound on connections at once, kept by the layer above: one more is closed.
    Connections = "connections", NO_ERROR;
    /// A server's bound on the age of a connection, kept by the layer above: it drains.
    ConnectionAge = "connection_age", NO_ERROR;
    /// A server's bound on how long a connection may drain for its age, kept by the layer above:
    /// each call that is left is ended.
    ConnectionAgeGrace = "connection_age_grace", NO_ERROR;
    /// A server's bound on connections without streams, kept by the layer above: it drains.
    ConnectionIdle = "connection_idle", NO_ERROR;
}

impl fmt::Display for Limit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the limit {}", self.name())
    }
}
