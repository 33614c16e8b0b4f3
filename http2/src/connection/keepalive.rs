//! Implementation of keepalive: time of the last input, and the peer's PING strikes.

use core::time::Duration;

use super::Connection;
use super::time::Timer;
use crate::error::ConnectionError;
use crate::frame::write;
use crate::keepalive::{Keepalive, PingPolicy};
use crate::limits::Limit;

/// Payload of the keepalive PING; the value has no meaning.
const KEEPALIVE_PING: u64 = 0x616c_6976_653f_3f3f;

/// State of the keepalive timer.
#[derive(Debug)]
pub(super) struct Presence {
    keepalive: Keepalive,
    /// Time of a keepalive PING that no input has followed yet.
    asked_at: Option<Duration>,
}

impl Default for Presence {
    fn default() -> Self {
        Self {
            keepalive: Keepalive::OFF,
            asked_at: None,
        }
    }
}

/// Count of the peer's PINGs against the policy.
#[derive(Debug)]
pub(super) struct PingStrikes {
    policy: PingPolicy,
    last_at: Option<Duration>,
    strikes: u32,
}

impl Default for PingStrikes {
    fn default() -> Self {
        Self {
            policy: PingPolicy::OFF,
            last_at: None,
            strikes: 0,
        }
    }
}

impl PingStrikes {
    pub(super) fn is_on(&self) -> bool {
        !self.policy.interval_min.is_zero()
    }

    /// Counts a PING. `is_owed` is true if this end has sent something since the previous one.
    pub(super) fn on_ping(
        &mut self,
        now: Duration,
        is_owed: bool,
        has_streams: bool,
    ) -> Result<(), ConnectionError> {
        let last_at = self.last_at.replace(now);
        if is_owed {
            self.strikes = 0;
            return Ok(());
        }
        let interval_min = match has_streams {
            true => self.policy.interval_min,
            false => self.policy.idle_interval_min,
        };
        if last_at.is_some_and(|last_at| now.saturating_sub(last_at) < interval_min) {
            self.strikes += 1;
        }
        match self.strikes > self.policy.strikes_max {
            true => Err(ConnectionError::limit(Limit::Pings)),
            false => Ok(()),
        }
    }
}

impl Connection {
    /// Turns on keepalive PINGs, in place of earlier settings.
    pub fn keep_alive(&mut self, keepalive: Keepalive) {
        self.presence = Presence {
            keepalive,
            asked_at: None,
        };
        if self.is_clock_started() && !self.shutdown.failed {
            self.await_sound(self.timers.heard_at);
        }
    }

    /// Limits the peer's PINGs by `policy` from now on (server).
    pub fn limit_pings(&mut self, policy: PingPolicy) {
        self.abuse.pings.policy = policy;
    }

    /// Sets the timer that ends when no input has come for the keepalive time after `from`.
    pub(super) fn await_sound(&mut self, from: Duration) {
        let time = self.presence.keepalive.time;
        self.timers.set(Timer::Keepalive, from, time);
    }

    /// Handles the keepalive timer. The timer is not moved by each input, which would cost every
    /// read; it checks the time of the last input when it fires.
    #[cold]
    pub(super) fn mind_silence(&mut self, now: Duration) -> Result<(), ConnectionError> {
        let heard_at = self.timers.heard_at;
        if self.presence.asked_at.is_some_and(|asked| heard_at < asked) {
            return Err(ConnectionError::limit(Limit::KeepaliveTime));
        }
        self.presence.asked_at = None;
        let Keepalive {
            time,
            timeout,
            without_streams,
        } = self.presence.keepalive;
        if now.saturating_sub(heard_at) < time {
            self.await_sound(heard_at);
        } else if self.streams.len() == 0 && !without_streams {
            self.await_sound(now);
        } else {
            write::ping(&mut self.sender.out, &KEEPALIVE_PING.to_be_bytes(), false);
            self.presence.asked_at = Some(now);
            self.timers.set(Timer::Keepalive, now, timeout);
        }
        Ok(())
    }
}
