//! Keepalive: PINGs to a silent peer, and a limit on PINGs from the peer.
//!
//! Both follow gRFC A8 (client) and A9 (server). HTTP/2 itself asks for neither, so both are off
//! until they are set.

use core::time::Duration;

/// Keepalive settings: when to send PING to a silent peer, and how long to wait for the answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Keepalive {
    /// Time without input after which a PING is sent; [`Duration::MAX`] for never.
    pub time: Duration,
    /// Time that the peer may stay silent after the PING; any input counts as an answer. After it,
    /// the connection ends with [`crate::Limit::KeepaliveTime`].
    pub timeout: Duration,
    /// True if PINGs are also sent while no stream is open.
    pub without_streams: bool,
}

impl Keepalive {
    /// No PINGs are sent.
    pub const OFF: Self = Self {
        time: Duration::MAX,
        timeout: Duration::MAX,
        without_streams: false,
    };
}

/// Limit on the rate of PINGs that a client may send (server only).
///
/// A PING that arrives sooner than the minimum interval after the previous one is a strike. The
/// first PING after HEADERS or DATA from this end is no strike and clears all strikes, because
/// clients measure bandwidth this way. While this policy is on, PINGs are not charged to
/// [`crate::Limits::glitch_budget`]: strikes are their only limit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PingPolicy {
    /// Minimum time between two PINGs while a stream is open; zero disables the policy.
    pub interval_min: Duration,
    /// Minimum time between two PINGs while no stream is open.
    pub idle_interval_min: Duration,
    /// Number of strikes that are tolerated. One more ends the connection:
    /// GOAWAY(ENHANCE_YOUR_CALM) with the debug data `too_many_pings`, counted as
    /// [`crate::Limit::Pings`].
    pub strikes_max: u32,
}

impl PingPolicy {
    /// No policy: PINGs are charged to [`crate::Limits::glitch_budget`], as other useless frames
    /// are.
    pub const OFF: Self = Self {
        interval_min: Duration::ZERO,
        idle_interval_min: Duration::ZERO,
        strikes_max: 0,
    };
}
