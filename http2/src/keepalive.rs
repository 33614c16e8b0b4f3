//! Whether the peer is still there: PINGs of ours into its silence, a bound on PINGs of its own.
//!
//! Both follow gRFC A8 (client) and A9 (server). HTTP/2 itself asks for neither, so both are off
//! until they are set.

use core::time::Duration;

/// When a silent peer is asked whether it is still there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Keepalive {
    /// The silence after which a PING is sent; [`Duration::MAX`] for never.
    pub time: Duration,
    /// How long the peer may stay silent after the PING; anything that it sends is an answer. Then
    /// the connection ends, with [`crate::Limit::KeepaliveTime`].
    pub timeout: Duration,
    /// PINGs are sent while no stream is open, too.
    pub without_streams: bool,
}

impl Keepalive {
    /// The peer is never asked.
    pub const OFF: Self = Self {
        time: Duration::MAX,
        timeout: Duration::MAX,
        without_streams: false,
    };
}

/// How often a client may send PING (server only).
///
/// A PING that comes sooner than the interval after the one before is a strike. The first PING
/// after HEADERS or DATA of ours is none and takes all strikes back, since clients measure
/// bandwidth so. While this is on, strikes are the one bound on PINGs: none is also charged to
/// [`crate::Limits::glitch_budget`], whose thousands would never be reached.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PingPolicy {
    /// The least time between two PINGs while a stream is open; zero for no strikes at all.
    pub interval_min: Duration,
    /// The same while none is.
    pub idle_interval_min: Duration,
    /// Strikes that are forgiven. One more: GOAWAY(ENHANCE_YOUR_CALM) with the debug data
    /// `too_many_pings`, counted as [`crate::Limit::Pings`].
    pub strikes_max: u32,
}

impl PingPolicy {
    /// PINGs cost what other frames without use cost, see [`crate::Limits::glitch_budget`].
    pub const OFF: Self = Self {
        interval_min: Duration::ZERO,
        idle_interval_min: Duration::ZERO,
        strikes_max: 0,
    };
}
