//! The check of a connection's first good response: the server and the schema must mean the same.

use corespun_codec::message;
use corespun_http2::StreamKey;

use crate::error::LoadError;
use crate::outcome::Outcome;
use crate::schema::UnaryCall;

/// How far the check of one connection is.
#[derive(Debug, Default)]
pub(crate) enum Check {
    /// No response has begun.
    #[default]
    Wanted,
    /// This stream's response is kept.
    Collecting {
        /// The stream.
        stream: StreamKey,
        /// Its body so far.
        bytes: Vec<u8>,
    },
    /// A good response was checked; nothing is kept any more.
    Done,
}

impl Check {
    /// Takes a piece of a response's body, and keeps it if that response is the one to check.
    pub(crate) fn collect(&mut self, stream: StreamKey, bytes: &[u8]) {
        if matches!(self, Self::Wanted) {
            *self = Self::Collecting {
                stream,
                bytes: Vec::new(),
            };
        }
        if let Self::Collecting {
            stream: checked,
            bytes: kept,
        } = self
            && *checked == stream
        {
            kept.extend_from_slice(bytes);
        }
    }

    /// A call has ended: if its response was kept and is good, decodes it. A bad one is let go,
    /// and the next is kept.
    ///
    /// # Errors
    /// When the response is no message of the type that the schema promises.
    pub(crate) fn conclude(
        &mut self,
        stream: StreamKey,
        outcome: Outcome,
        call: &UnaryCall,
    ) -> Result<(), LoadError> {
        let Self::Collecting {
            stream: checked,
            bytes,
        } = self
        else {
            return Ok(());
        };
        if *checked != stream {
            return Ok(());
        }
        if outcome != Outcome::OK {
            *self = Self::Wanted;
            return Ok(());
        }
        let bytes = std::mem::take(bytes);
        *self = Self::Done;
        call.check_response(message::whole(&bytes).unwrap_or_default())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_good_response_is_decoded() {
        let call = crate::plan::tests::plan("").unwrap().call;
        let key = |slot| StreamKey {
            slot,
            id: slot * 2 + 1,
        };
        let mut check = Check::default();
        check.collect(key(0), b"\0\0");
        check.conclude(key(0), Outcome::Malformed, &call).unwrap();
        check.collect(key(1), b"\0\0\0\0");
        check.collect(key(2), b"other");
        check.conclude(key(2), Outcome::OK, &call).unwrap();
        check.collect(key(1), b"\x02\x12\x7f");
        assert!(check.conclude(key(1), Outcome::OK, &call).is_err());
        assert!(matches!(check, Check::Done));
        check.collect(key(3), b"x");
        check.conclude(key(3), Outcome::OK, &call).unwrap();
    }
}
