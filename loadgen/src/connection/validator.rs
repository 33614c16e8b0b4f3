//! Validation of responses against the schema.

use corespun_codec::Encoding;
use corespun_http2::StreamKey;

use crate::error::LoadError;
use crate::lane::Call;
use crate::response::Piece;
use crate::schema::Method;

/// Selection of the responses of a connection to validate, and the parts received so far.
#[derive(Debug, Default)]
pub(super) struct Validator {
    /// True if a correct response was validated here.
    satisfied: bool,
    /// Incomplete messages by stream slot.
    bodies: Vec<Vec<u8>>,
}

impl Validator {
    /// Returns true if the responses of a new call are to be validated: always if `asked` for, else
    /// until one was correct.
    pub(super) fn wants(&mut self, stream: StreamKey, asked: bool) -> bool {
        if self.satisfied && !asked {
            return false;
        }
        let slot = stream.slot as usize;
        if slot >= self.bodies.len() {
            self.bodies.resize(slot + 1, Vec::new());
        }
        self.bodies[slot].clear();
        true
    }

    /// Records that a correct response was validated.
    pub(super) fn satisfied(&mut self) {
        self.satisfied = true;
    }

    /// Takes a piece of a response; returns the number of messages that it completes.
    ///
    /// # Errors
    /// A message does not match the schema.
    pub(super) fn push(
        &mut self,
        call: &mut Call,
        bytes: &[u8],
        method: &Method,
    ) -> Result<u32, LoadError> {
        let body = &mut self.bodies[call.stream.slot as usize];
        let encoding = call.head.encoding();
        let mut result = Ok(());
        let came = call
            .body
            .push(bytes, encoding != Encoding::Identity, |piece| match piece {
                Piece::Bytes(bytes) => body.extend_from_slice(bytes),
                Piece::End { encoded } => {
                    let checked = method.check_response(body, encoded.then_some(encoding));
                    if result.is_ok() {
                        result = checked;
                    }
                    body.clear();
                }
            });
        result.map(|()| came)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    #[test]
    fn messages_are_checked_as_they_come() {
        let plan = crate::plan::tests::plan("").unwrap();
        let method = &plan.mix.calls()[0].method;
        let key = StreamKey { slot: 2, id: 5 };
        let mut validator = Validator::default();
        assert!(validator.wants(key, false));
        let mut call = Call::new(key, 0, Duration::ZERO, Duration::ZERO);
        for piece in [&b"\0\0\0\0\x02"[..], b"\x08", b"\x07\0\0\0\0"] {
            validator.push(&mut call, piece, method).unwrap();
        }
        let error = validator.push(&mut call, b"\x02\x12\x7f", method);
        assert!(error.unwrap_err().to_string().contains("user.UserResponse"));
        validator.satisfied();
        assert!(!validator.wants(key, false) && validator.wants(key, true));
    }
}
