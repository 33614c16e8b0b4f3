//! Outcomes of calls.

use corespun_codec::Code;

/// Number of outcomes: the gRPC status codes and two more.
pub(crate) const OUTCOMES: usize = 19;

/// Outcome of a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// gRPC status from the server, or derived from the HTTP status by gRPC's rules.
    Status(Code),
    /// The response ended without a `grpc-status`.
    MissingStatus,
    /// The status is OK, but the body was not exactly one complete message.
    Malformed,
}

impl Outcome {
    /// Outcome of a successful call.
    pub const OK: Self = Self::Status(Code::Ok);

    /// Returns the name in reports, such as `NOT_FOUND` or `MISSING_STATUS`.
    pub fn name(self) -> &'static str {
        match self {
            Self::Status(code) => code.name(),
            Self::MissingStatus => "MISSING_STATUS",
            Self::Malformed => "MALFORMED",
        }
    }

    /// Returns the text for a failure without a message of its own.
    pub(crate) fn explanation(self) -> &'static str {
        match self {
            Self::Status(_) => "(no message)",
            Self::MissingStatus => "the response ended without a grpc-status",
            Self::Malformed => {
                "the response was not whole messages, or not as many as the method has"
            }
        }
    }

    /// Returns the outcome's index in a table of [`OUTCOMES`] entries.
    pub(crate) fn index(self) -> usize {
        match self {
            Self::Status(code) => code as usize,
            Self::MissingStatus => OUTCOMES - 2,
            Self::Malformed => OUTCOMES - 1,
        }
    }

    /// Returns every outcome in the order of indices.
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
