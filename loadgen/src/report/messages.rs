//! The messages of streaming calls, as a report tells them.

use serde::{Deserialize, Serialize};

use super::{Packed, Percentiles};
use crate::messages::Messages;

/// The messages of streaming calls.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct MessageReport {
    /// Requests sent within the window.
    pub sent: u64,
    /// Responses that came in it.
    pub received: u64,
    /// Responses for each second of the window.
    pub received_per_s: f64,
    /// From the sending of a call to its first message.
    pub first_us: Percentiles,
    /// From a request to its response where both sides stream, else from the response before.
    pub each_us: Percentiles,
    /// `first_us` in full, in nanoseconds.
    pub first: Packed,
    /// `each_us` in full, in nanoseconds.
    pub each: Packed,
}

impl MessageReport {
    /// Reads it off what was counted in a window of so many seconds.
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

    /// The messages of several runs, whose windows are so long together.
    ///
    /// # Errors
    /// When a histogram is unreadable.
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
