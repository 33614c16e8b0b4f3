//! Names of the limits, with the error code and the reason that are sent to a peer that exceeds
//! one.

use alloc::format;
use alloc::string::String;
use core::fmt;

use super::Limits;
use crate::error::ErrorCode;

macro_rules! limits {
    ($(
        $(#[$doc:meta])*
        $name:ident = $text:literal, $code:ident, $($field:ident:)? $what:literal;
    )*) => {
        /// Limit that a peer exceeded.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        #[non_exhaustive]
        pub enum Limit {
            $($(#[$doc])* $name,)*
        }

        impl Limit {
            /// All limits, in the order of their declaration.
            pub const ALL: &[Self] = &[$(Self::$name),*];

            /// Returns the code of the GOAWAY or RST_STREAM that answers. The layer above may
            /// answer in another way, such as with the status of a call.
            pub const fn code(self) -> ErrorCode {
                match self {
                    $(Self::$name => ErrorCode::$code,)*
                }
            }

            /// Returns a short name that does not change, for metrics.
            pub const fn name(self) -> &'static str {
                match self {
                    $(Self::$name => $text,)*
                }
            }

            /// Returns the reason that GOAWAY carries: the setting's name in [`Limits`], its value
            /// in `limits`, and what it bounds. Example: `reset_budget: 200 resets without finished
            /// calls`.
            pub fn reason(self, limits: &Limits) -> String {
                match self {
                    $(Self::$name => reason!(limits, $($field:)? $what),)*
                }
            }
        }
    };
}

macro_rules! reason {
    ($limits:ident, $field:ident: $what:literal) => {
        format!(
            concat!(stringify!($field), ": {:?} ", $what),
            $limits.$field
        )
    };
    ($limits:ident, $what:literal) => {
        String::from($what)
    };
}

limits! {
    /// [`Limits::concurrent_streams_max`](crate::Limits::concurrent_streams_max).
    ConcurrentStreams = "concurrent_streams", REFUSED_STREAM,
        concurrent_streams_max: "streams open at once";
    /// [`Limits::new_streams_max`](crate::Limits::new_streams_max).
    NewStreams = "new_streams", REFUSED_STREAM,
        new_streams_max: "streams opened without waiting for output";
    /// [`Limits::stream_id_drain`](crate::Limits::stream_id_drain).
    StreamIds = "stream_ids", NO_ERROR,
        stream_id_drain: "as a stream identifier";
    /// [`Limits::received_bytes_max`](crate::Limits::received_bytes_max).
    ReceivedBytes = "received_bytes", ENHANCE_YOUR_CALM,
        received_bytes_max: "bytes received and not consumed";
    /// [`Limits::queued_bytes_max`](crate::Limits::queued_bytes_max).
    QueuedBytes = "queued_bytes", REFUSED_STREAM,
        queued_bytes_max: "bytes of output that wait for windows";
    /// [`Limits::header_list_bytes_soft`](crate::Limits::header_list_bytes_soft) or
    /// [`Limits::header_fields_soft`](crate::Limits::header_fields_soft).
    HeaderListSoft = "header_list_soft", ENHANCE_YOUR_CALM,
        header_list_bytes_soft: "bytes in a header list";
    /// [`Limits::header_list_bytes_hard`](crate::Limits::header_list_bytes_hard).
    HeaderList = "header_list", ENHANCE_YOUR_CALM,
        header_list_bytes_hard: "bytes in a header list";
    /// [`Limits::header_fields_hard`](crate::Limits::header_fields_hard).
    HeaderFields = "header_fields", ENHANCE_YOUR_CALM,
        header_fields_hard: "fields in a header list";
    /// [`Limits::continuation_frames_max`](crate::Limits::continuation_frames_max).
    ContinuationFrames = "continuation_frames", ENHANCE_YOUR_CALM,
        continuation_frames_max: "CONTINUATION frames in a header block";
    /// [`Limits::header_block_bytes_max`](crate::Limits::header_block_bytes_max).
    HeaderBlockBytes = "header_block_bytes", ENHANCE_YOUR_CALM,
        header_block_bytes_max: "encoded bytes in a header block";
    /// [`Limits::settings_entries_max`](crate::Limits::settings_entries_max).
    SettingsEntries = "settings_entries", ENHANCE_YOUR_CALM,
        settings_entries_max: "entries in a SETTINGS frame";
    /// [`Limits::go_away_frames_max`](crate::Limits::go_away_frames_max).
    GoAwayFrames = "go_away_frames", ENHANCE_YOUR_CALM,
        go_away_frames_max: "GOAWAY frames";
    /// [`Limits::go_away_debug_bytes_max`](crate::Limits::go_away_debug_bytes_max).
    GoAwayDebugBytes = "go_away_debug_bytes", ENHANCE_YOUR_CALM,
        go_away_debug_bytes_max: "bytes of debug data in a GOAWAY frame";
    /// [`Limits::reset_budget`](crate::Limits::reset_budget).
    Resets = "resets", ENHANCE_YOUR_CALM,
        reset_budget: "resets without finished calls";
    /// [`Limits::glitch_budget`](crate::Limits::glitch_budget).
    Glitches = "glitches", ENHANCE_YOUR_CALM,
        glitch_budget: "frames of no use without streams and data";
    /// [`PingPolicy::strikes_max`](crate::PingPolicy::strikes_max).
    Pings = "pings", ENHANCE_YOUR_CALM,
        "too many PINGs";
    /// [`Limits::queued_replies_max`](crate::Limits::queued_replies_max).
    QueuedReplies = "queued_replies", ENHANCE_YOUR_CALM,
        queued_replies_max: "replies that wait to be read";
    /// [`Limits::empty_data_frames_max`](crate::Limits::empty_data_frames_max).
    EmptyDataFrames = "empty_data_frames", ENHANCE_YOUR_CALM,
        empty_data_frames_max: "DATA frames without a body";
    /// [`Limits::data_overhead_bytes_max`](crate::Limits::data_overhead_bytes_max).
    DataOverhead = "data_overhead", ENHANCE_YOUR_CALM,
        data_overhead_bytes_max: "bytes of framing beyond twice the body";
    /// [`Limits::preface_time_max`](crate::Limits::preface_time_max).
    PrefaceTime = "preface_time", PROTOCOL_ERROR,
        preface_time_max: "without the client's preface";
    /// [`Limits::first_settings_time_max`](crate::Limits::first_settings_time_max).
    FirstSettingsTime = "first_settings_time", SETTINGS_TIMEOUT,
        first_settings_time_max: "without SETTINGS";
    /// [`Limits::settings_ack_time_max`](crate::Limits::settings_ack_time_max).
    SettingsAckTime = "settings_ack_time", SETTINGS_TIMEOUT,
        settings_ack_time_max: "without an acknowledgement of SETTINGS";
    /// [`Limits::header_block_time_max`](crate::Limits::header_block_time_max).
    HeaderBlockTime = "header_block_time", ENHANCE_YOUR_CALM,
        header_block_time_max: "without the end of a header block or frame";
    /// [`Keepalive::timeout`](crate::Keepalive::timeout).
    KeepaliveTime = "keepalive_time", NO_ERROR,
        "keepalive_timeout: nothing came after a keepalive PING";
    /// [`Limits::write_progress_time_max`](crate::Limits::write_progress_time_max).
    WriteProgressTime = "write_progress_time", ENHANCE_YOUR_CALM,
        write_progress_time_max: "without a byte of output read";
    /// [`Limits::request_progress_time_max`](crate::Limits::request_progress_time_max).
    RequestProgressTime = "request_progress_time", CANCEL,
        request_progress_time_max: "without a byte of an incomplete request";
    /// A server's limit on open connections, enforced by the layer above: one more is closed.
    Connections = "connections", NO_ERROR,
        "max_connections: no more connections are taken";
    /// A server's limit on the age of a connection, enforced by the layer above: the connection
    /// drains.
    ConnectionAge = "connection_age", NO_ERROR,
        "max_connection_age: the connection is old";
    /// A server's limit on the drain time of a connection that has reached its age, enforced by the
    /// layer above: each call that is left is ended.
    ConnectionAgeGrace = "connection_age_grace", NO_ERROR,
        "max_connection_age_grace: the connection is old, and its calls have had their grace";
    /// A server's limit on connections without streams, enforced by the layer above: the connection
    /// drains.
    ConnectionIdle = "connection_idle", NO_ERROR,
        "max_connection_idle: there was no call for long";
}

impl fmt::Display for Limit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the limit {}", self.name())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reason_names_the_setting_and_its_value() {
        let limits = Limits::default();
        let check = |limit: Limit, expected: &str| assert_eq!(limit.reason(&limits), expected);
        check(
            Limit::Resets,
            "reset_budget: 200 resets without finished calls",
        );
        check(
            Limit::PrefaceTime,
            "preface_time_max: 10s without the client's preface",
        );
        check(Limit::Pings, "too many PINGs");
        for &limit in Limit::ALL {
            let bytes = limit.reason(&limits).len();
            assert!((10..120).contains(&bytes), "{limit:?}");
        }
    }
}
