//! Reply to a call that an overloaded shard refuses; designed to be cheap.

use std::io::Write;
use std::time::Duration;

use super::{Reply, constant, literal};
use crate::admission::Refusal;

const LATE: (&[u8], &[u8]) = (b"4", b"the call has waited longer than its deadline allows");
const OVERLOADED: (&[u8], &[u8]) = (b"8", b"the server is overloaded");
const FULL: (&[u8], &[u8]) = (b"8", b"the server has no room for more calls");

/// Digits of the longest time in milliseconds.
const DIGITS: usize = 20;

impl Reply<'_> {
    /// Sends Trailers-Only without an allocation. Fields that are equal for all clients go into the
    /// peer's table; the retry delay differs (gRFC A6).
    pub(crate) fn turn_away(&mut self, refusal: Refusal) {
        let ((code, text), pushback) = match refusal {
            Refusal::Late => (LATE, None),
            Refusal::Overloaded { pushback } => (OVERLOADED, Some(pushback)),
            Refusal::Full { pushback } => (FULL, Some(pushback)),
        };
        let mut digits = [0; DIGITS];
        let pushback = pushback.map(|pushback| in_ms(pushback, &mut digits));
        let pushback = pushback.map(|ms| literal((&b"grpc-retry-pushback-ms"[..], ms)));
        let fields = [
            constant(b":status", b"200"),
            constant(b"content-type", self.form.content_type.as_bytes()),
            constant(b"grpc-status", code),
            constant(b"grpc-message", text),
        ];
        let fields = fields.into_iter().chain(pushback);
        self.http2.send_headers(self.stream, fields, None, true);
    }
}

/// Formats a time in whole milliseconds.
fn in_ms(time: Duration, digits: &mut [u8; DIGITS]) -> &[u8] {
    let mut room = &mut digits[..];
    // A u128 of milliseconds has more digits only after 3 × 10⁹ years.
    let _ = write!(room, "{}", time.as_millis());
    let left = room.len();
    &digits[..DIGITS - left]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_whole_milliseconds() {
        let text = |time| in_ms(time, &mut [0; DIGITS]).to_vec();
        assert_eq!(text(Duration::from_micros(100_900)), b"100");
        assert_eq!(
            text(Duration::from_millis(u64::MAX)),
            b"18446744073709551615"
        );
    }
}
