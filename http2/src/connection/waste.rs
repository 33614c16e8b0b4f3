//! Streams that end before their time, charged by how much of their work was wasted.
//!
//! RST_STREAM alone says nothing about its sender. A caller that cancels a stream it could have had
//! an answer to has kept to the limit on concurrent streams for as long as it lived, and costs less
//! than one that finishes. A flood gets around that limit: it ends streams before the server could
//! say anything about them (CVE-2023-44487), or makes the server end them (CVE-2025-8671).

use core::time::Duration;

use super::{Connection, Role};
use crate::error::ConnectionError;
use crate::limits::{Bucket, Limit, Limits};
use crate::stream::StreamKey;

/// Price of a stream that is wasted whole, in parts of one of [`Limits::reset_budget`].
const WHOLE: u32 = 32;

/// Price of a stream that something could be transmitted about: 200 of these are 6,400 streams.
const LATE: u32 = 1;

/// Price of the first few streams that are wasted between two transmits. A caller that waits for
/// the end of one faulty call before the next pays this.
const ALONE: u32 = 6;

/// Streams wasted between two transmits at that price.
const ALONE_MAX: u32 = 8;

/// Streams opened behind a wasted one that halve its price; as many again make it a third.
const FOLLOWERS: u32 = 8;

/// Age of a stream that ends.
#[derive(Clone, Copy, Debug)]
enum Age {
    /// Longer than the last transmit.
    Transmitted,
    /// Not as long; so many streams were opened after it.
    Fresh { followers: u32 },
}

/// The budget for wasted streams.
pub(super) struct Waste {
    budget: Bucket,
    /// Streams wasted since the last transmit that were opened since then.
    fresh: u32,
}

impl Waste {
    pub(super) fn new(limits: &Limits) -> Self {
        let parts = |streams: u32| streams.saturating_mul(WHOLE);
        Self {
            budget: Bucket::new(
                parts(limits.reset_budget),
                parts(limits.reset_budget_per_second),
            ),
            fresh: 0,
        }
    }

    pub(super) fn on_transmit(&mut self) {
        self.fresh = 0;
    }

    /// A stream has finished.
    pub(super) fn refund(&mut self) {
        self.budget.earn(WHOLE);
    }

    fn price(&mut self, age: Age) -> u32 {
        let Age::Fresh { followers } = age else {
            return LATE;
        };
        self.fresh = self.fresh.saturating_add(1);
        let shared = WHOLE * FOLLOWERS / FOLLOWERS.saturating_add(followers);
        match self.fresh <= ALONE_MAX {
            true => shared.clamp(LATE, ALONE),
            false => shared.max(LATE),
        }
    }
}

impl Connection {
    /// Age of a stream; one that was not taken up was opened just now.
    fn age(&self, stream: Option<StreamKey>) -> Age {
        let Some(stream) = stream.and_then(|key| self.streams.at(key)) else {
            return Age::Fresh { followers: 0 };
        };
        // The count is kept modulo 2^32, and no connection has as many streams.
        let followers = (self.abuse.streams() as u32).wrapping_sub(stream.number);
        match u64::from(followers) < self.abuse.new_streams() {
            true => Age::Fresh { followers },
            false => Age::Transmitted,
        }
    }

    /// Charges a stream that ended before its time. Only servers mind: a client's peer resets
    /// streams for reasons of its own.
    #[cold]
    pub(super) fn charge_waste(
        &mut self,
        now: Duration,
        stream: Option<StreamKey>,
    ) -> Result<(), ConnectionError> {
        let age = self.age(stream);
        let waste = &mut self.abuse.resets;
        let price = waste.price(age);
        match self.role == Role::Client || waste.budget.charge(price, now) {
            true => Ok(()),
            false => Err(ConnectionError::limit(Limit::Resets)),
        }
    }

    /// Charges a stream that the peer opened beyond a limit that it has not acknowledged yet, which
    /// no peer can help.
    #[cold]
    pub(super) fn charge_early_bird(&mut self, now: Duration) -> Result<(), ConnectionError> {
        match self.abuse.resets.budget.charge(LATE, now) {
            true => Ok(()),
            false => Err(ConnectionError::limit(Limit::Resets)),
        }
    }
}
