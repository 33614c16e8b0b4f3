//! What is counted of the messages within streams.

use std::time::Duration;

use hdrhistogram::Histogram;

use crate::measure::{add, histogram};

/// The messages of streaming calls that came or went in the measured window.
#[derive(Clone, Debug)]
pub struct Messages {
    /// Requests handed to HTTP/2, which may still wait there for flow control.
    pub sent: u64,
    /// Responses that came in full.
    pub received: u64,
    /// From the sending of the call to its first message, in ns.
    pub first: Histogram<u64>,
    /// From a request to the response of the same number where both sides stream, else from the
    /// response before; in ns.
    pub each: Histogram<u64>,
}

impl Default for Messages {
    fn default() -> Self {
        Self {
            sent: 0,
            received: 0,
            first: histogram(),
            each: histogram(),
        }
    }
}

impl Messages {
    /// Adds what another core counted.
    pub fn merge(&mut self, other: &Self) {
        self.sent += other.sent;
        self.received += other.received;
        add(&mut self.first, &other.first);
        add(&mut self.each, &other.each);
    }

    /// The first response of a call came, so long after the call was sent.
    pub(crate) fn first(&mut self, after: Duration) {
        self.first.saturating_record(after.as_nanos() as u64);
    }

    /// A response came, so long after what it is measured from.
    pub(crate) fn each(&mut self, after: Duration) {
        self.each.saturating_record(after.as_nanos() as u64);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_add_up() {
        let (mut one, mut other) = (Messages::default(), Messages::default());
        one.first(Duration::from_micros(5));
        other.each(Duration::from_secs(100));
        (other.sent, other.received) = (3, 2);
        one.merge(&other);
        assert_eq!((one.sent, one.received), (3, 2));
        assert_eq!((one.first.len(), one.each.len()), (1, 1));
        assert!(one.each.max() >= 60_000_000_000);
    }
}
