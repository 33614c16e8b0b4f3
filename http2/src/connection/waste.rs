//! Budget for streams that end early, charged by how much of their work was wasted.
//!
//! RST_STREAM alone says nothing about its sender. A caller that cancels a stream whose answer
//! could have been sent has kept to the limit on concurrent streams, and costs less than one that
//! finishes. A flood gets around that limit: it ends streams before the server could send anything
//! about them (CVE-2023-44487), or makes the server end them (CVE-2025-8671).

use core::time::Duration;

use super::{Connection, Role};
use crate::error::ConnectionError;
use crate::limits::{Bucket, Limit, Limits};
use crate::stream::StreamKey;

/// Price of a stream that is wasted as a whole, in units of 1/32 of [`Limits::reset_budget`].
const WHOLE: u32 = 32;

/// Price of a stream about which something could be transmitted: 200 of [`WHOLE`] are 6,400 of
/// these.
const LATE: u32 = 1;

/// Price of the first few streams wasted between two transmits, as by a caller that waits for the
/// end of one faulty call before it makes the next.
const ALONE: u32 = 6;

/// Number of streams between two transmits that cost [`ALONE`].
const ALONE_MAX: u32 = 8;

/// Number of streams opened after a wasted one that halve its price; twice as many make it a third.
const FOLLOWERS: u32 = 8;

/// Age of a stream that ends.
#[derive(Clone, Copy, Debug)]
enum Age {
    /// The stream is older than the last transmit.
    Transmitted,
    /// The stream is younger than the last transmit; `followers` streams were opened after it.
    Fresh { followers: u32 },
}

/// Budget for wasted streams.
pub(super) struct Waste {
    budget: Bucket,
    /// Number of wasted streams that were both opened and ended since the last transmit.
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

    /// Returns tokens for a stream that has finished.
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
    /// Returns the age of a stream; one that was refused counts as just opened.
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

    /// Charges a stream that ended early. Only a server charges: a client's peer may reset streams
    /// for its own reasons.
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
    /// is not its fault.
    #[cold]
    pub(super) fn charge_early_bird(&mut self, now: Duration) -> Result<(), ConnectionError> {
        match self.abuse.resets.budget.charge(LATE, now) {
            true => Ok(()),
            false => Err(ConnectionError::limit(Limit::Resets)),
        }
    }
}
