//! Lifetime and keepalive of connections (gRFC A8 and A9).

use std::hash::{BuildHasher, RandomState};
use std::time::Duration;

use corespun_http2::{Keepalive, PingPolicy};

/// Random variation of ages and keepalive times, as a fraction, so that connections opened together
/// do not end together.
const JITTER_SHARE: f64 = 0.1;

/// Minimum interval between PINGs of a client without calls, unless it is permitted more (gRFC A8).
const IDLE_PING_INTERVAL_MIN: Duration = Duration::from_secs(2 * 60 * 60);

/// Number of early PINGs that are tolerated (gRFC A8).
const PING_STRIKES_MAX: u32 = 2;

/// Limits on the lifetime of connections, with the names of gRPC. [`Duration::MAX`] means no limit.
#[derive(Clone, Debug, PartialEq)]
pub struct Lifetime {
    /// Time without data from the client after which a keepalive PING is sent; varied by up to 10 %
    /// for each connection.
    pub keepalive_time: Duration,
    /// Time to wait for data after a keepalive PING before the connection is closed.
    pub keepalive_timeout: Duration,
    /// Minimum interval between PINGs of a client. Two early PINGs are tolerated; the next one ends
    /// the connection with GOAWAY, ENHANCE_YOUR_CALM and `too_many_pings`. Frames that the server
    /// sends on calls reset the count. Zero counts PINGs like other frames without effect, by
    /// [`glitch_budget`](corespun_http2::Limits::glitch_budget).
    pub keepalive_min_time: Duration,
    /// True if clients without a call may send PINGs at the same interval; otherwise every two
    /// hours.
    pub permit_without_stream: bool,
    /// Age at which a connection drains (GOAWAY, twice), so that clients reconnect through their
    /// resolver or load balancer; varied by up to 10 % for each connection.
    pub max_connection_age: Duration,
    /// Time that calls may take to end after the maximum age, from the second GOAWAY on. Remaining
    /// calls end with UNAVAILABLE, and the connection is closed.
    pub max_connection_age_grace: Duration,
    /// Time without a call after which a connection drains. Checked in quarters, so that the drain
    /// may begin up to a quarter later.
    pub max_connection_idle: Duration,
    /// Maximum number of connections of a server, over all its shards. A further one is closed
    /// before anything is sent on it; clients treat that as a failed attempt and retry later.
    pub max_connections: usize,
}

impl Default for Lifetime {
    /// Returns the defaults of gRPC servers in other languages: keepalive PING after two hours with
    /// 20 s to answer, client PINGs every five minutes, and no other limit.
    fn default() -> Self {
        Self {
            keepalive_time: Duration::from_secs(2 * 60 * 60),
            keepalive_timeout: Duration::from_secs(20),
            keepalive_min_time: Duration::from_secs(5 * 60),
            permit_without_stream: false,
            max_connection_age: Duration::MAX,
            max_connection_age_grace: Duration::MAX,
            max_connection_idle: Duration::MAX,
            max_connections: usize::MAX,
        }
    }
}

impl Lifetime {
    pub(crate) fn keepalive(&self) -> Keepalive {
        Keepalive {
            time: self.keepalive_time,
            timeout: self.keepalive_timeout,
            without_streams: true,
        }
    }

    pub(crate) fn ping_policy(&self) -> PingPolicy {
        let interval_min = self.keepalive_min_time;
        PingPolicy {
            interval_min,
            idle_interval_min: match self.permit_without_stream {
                true => interval_min,
                false => interval_min.max(IDLE_PING_INTERVAL_MIN),
            },
            strikes_max: PING_STRIKES_MAX,
        }
    }

    /// Returns the limits with their times changed by the fraction `share`.
    fn moved(&self, share: f64) -> Self {
        let moved = |span: Duration| {
            let seconds = span.as_secs_f64() * (1.0 + share);
            Duration::try_from_secs_f64(seconds).unwrap_or(span)
        };
        Self {
            keepalive_time: moved(self.keepalive_time),
            max_connection_age: moved(self.max_connection_age),
            ..self.clone()
        }
    }
}

/// Generator of the lifetimes of a shard's connections.
pub(crate) struct Lifetimes {
    given: Lifetime,
    random: RandomState,
    drawn: u64,
}

impl Lifetimes {
    pub(crate) fn new(given: Lifetime) -> Self {
        Self {
            given,
            random: RandomState::new(),
            drawn: 0,
        }
    }

    /// Returns the limits of one more connection, with random variation.
    pub(crate) fn draw(&mut self) -> Lifetime {
        self.drawn += 1;
        let unit = self.random.hash_one(self.drawn) as f64 / u64::MAX as f64;
        self.given.moved((2.0 * unit - 1.0) * JITTER_SHARE)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_spread_over_a_tenth_each_way() {
        let hour = Duration::from_secs(3600);
        let mut lifetimes = Lifetimes::new(Lifetime {
            max_connection_age: hour,
            ..Lifetime::default()
        });
        let drawn: Vec<_> = (0..1000).map(|_| lifetimes.draw()).collect();
        let ages = drawn.iter().map(|lifetime| lifetime.max_connection_age);
        let (least, most) = (ages.clone().min(), ages.max());
        assert!(least >= Some(hour * 9 / 10) && least < Some(hour * 92 / 100));
        assert!(most <= Some(hour * 11 / 10) && most > Some(hour * 108 / 100));
        for lifetime in drawn {
            let moved = lifetime.keepalive_time.as_secs_f64() / 7200.0;
            let age = lifetime.max_connection_age.as_secs_f64() / 3600.0;
            assert!((moved - age).abs() < 1e-6, "both by the same share");
            assert_eq!(lifetime.keepalive_timeout, Duration::from_secs(20));
            assert!(lifetime.max_connection_idle == Duration::MAX);
        }
    }

    #[test]
    fn no_bound_stays_none() {
        let never = Lifetime::default().moved(0.1).max_connection_age;
        assert_eq!(never, Duration::MAX);
        let long = Lifetime::default().moved(-0.1).max_connection_age;
        assert!(long > Duration::from_secs(u64::MAX / 2));
    }

    #[test]
    fn without_streams_pings_are_rarer_unless_permitted() {
        let idle = |min_time: u64, permit_without_stream| {
            let lifetime = Lifetime {
                keepalive_min_time: Duration::from_secs(min_time),
                permit_without_stream,
                ..Lifetime::default()
            };
            lifetime.ping_policy().idle_interval_min.as_secs()
        };
        assert_eq!(idle(300, false), 7200);
        assert_eq!(idle(300, true), 300);
        assert_eq!(idle(9000, false), 9000);
    }
}
