//! Messages of streaming calls in a report.

use serde::{Deserialize, Serialize};

use super::{Packed, Percentiles};
use crate::messages::Messages;

/// Messages of streaming calls.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct MessageReport {
    /// Number of requests sent within the window.
    pub sent: u64,
    /// Number of responses received within the window.
    pub received: u64,
    /// Responses received per second of the window.
    pub received_per_s: f64,
    /// Time from the sending of a call to its first message.
    pub first_us: Percentiles,
    /// Time from a request to its response if both sides stream, else from the previous response.
    pub each_us: Percentiles,
    /// Complete histogram of `first_us`, in nanoseconds.
    pub first: Packed,
    /// Complete histogram of `each_us`, in nanoseconds.
    pub each: Packed,
}

impl MessageReport {
    /// Returns the report on messages in a window of this length.
    pub fn of(messages: &Messages, length_s: f64) -> Self {
        Self {
            sent: messages.sent,
            received: messages.received,
            received_per_s: messages.received as f64 / length_s.max(1e-9),
            first_us: Percentiles::of(&messages.first),
            each_us: Percentiles::of(&messages.each),
            first: Packed::pack(&messages.first),
            each: Packed::pack(&messages.each),
        }
    }

    /// Merges the messages of several runs; `length_s` is the total length of their windows.
    ///
    /// # Errors
    /// A histogram cannot be decoded.
    pub(super) fn merge<'a>(
        reports: impl Iterator<Item = &'a Self>,
        length_s: f64,
    ) -> Result<Option<Self>, String> {
        let mut sum: Option<Messages> = None;
        for report in reports {
            let sum = sum.get_or_insert_default();
            sum.merge(&Messages {
                sent: report.sent,
                received: report.received,
                first: report.first.unpack()?,
                each: report.each.unpack()?,
            });
        }
        Ok(sum.map(|sum| Self::of(&sum, length_s)))
    }
}
