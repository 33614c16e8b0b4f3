//! Counters of the messages within streams.

use std::time::Duration;

use hdrhistogram::Histogram;

use crate::measure::{add, histogram};

/// Messages of streaming calls that were sent or received in the measured window.
#[derive(Clone, Debug)]
pub struct Messages {
    /// Number of requests passed to HTTP/2, which may still wait for flow control.
    pub sent: u64,
    /// Number of responses that were received completely.
    pub received: u64,
    /// Time from the sending of a call to its first message, in ns.
    pub first: Histogram<u64>,
    /// Time in ns to a response: from the request of the same number if both sides stream, else
    /// from the previous response.
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
    /// Adds the counts of another core.
    pub fn merge(&mut self, other: &Self) {
        self.sent += other.sent;
        self.received += other.received;
        add(&mut self.first, &other.first);
        add(&mut self.each, &other.each);
    }

    /// Records the first response of a call, this long after the call was sent.
    pub(crate) fn first(&mut self, after: Duration) {
        self.first.saturating_record(after.as_nanos() as u64);
    }

    /// Records a later response, with the time that `each` describes.
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
