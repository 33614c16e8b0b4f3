//! How a call can end.

use corespun_codec::Code;

/// How many outcomes there are: the codes of gRPC and two of our own.
pub(crate) const OUTCOMES: usize = 19;

/// How a call ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// With this status, given by the server or derived from HTTP as gRPC asks.
    Status(Code),
    /// The response ended without a `grpc-status`.
    MissingStatus,
    /// The status is OK, but what came was not exactly one whole message.
    Malformed,
}

impl Outcome {
    /// The call did what it should.
    pub const OK: Self = Self::Status(Code::Ok);

    /// The name that reports use, as in `NOT_FOUND` or `MISSING_STATUS`.
    pub fn name(self) -> &'static str {
        match self {
            Self::Status(code) => code.name(),
            Self::MissingStatus => "MISSING_STATUS",
            Self::Malformed => "MALFORMED",
        }
    }

    /// Text of a failure that gave none itself.
    pub(crate) fn explanation(self) -> &'static str {
        match self {
            Self::Status(_) => "(no message)",
            Self::MissingStatus => "the response ended without a grpc-status",
            Self::Malformed => {
                "the response was not whole messages, or not as many as the method has"
            }
        }
    }

    /// The outcome's place in a table of [`OUTCOMES`].
    pub(crate) fn index(self) -> usize {
        match self {
            Self::Status(code) => code as usize,
            Self::MissingStatus => OUTCOMES - 2,
            Self::Malformed => OUTCOMES - 1,
        }
    }

    /// Every outcome, in the order of their places.
    pub(crate) fn all() -> impl Iterator<Item = Self> {
        (0..17)
            .map(|code| Self::Status(Code::from_i32(code)))
            .chain([Self::MissingStatus, Self::Malformed])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_outcome_has_its_own_place() {
        let places: Vec<_> = Outcome::all().map(Outcome::index).collect();
        assert_eq!(places, (0..OUTCOMES).collect::<Vec<_>>());
    }
}
