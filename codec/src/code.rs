//! Status codes of gRPC.

use std::fmt;

/// Status code of a call (gRPC `statuscodes.md`).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[repr(i32)]
pub enum Code {
    /// The call succeeded.
    Ok = 0,
    /// The call was cancelled, typically by the caller.
    Cancelled = 1,
    /// The error is unknown: a handler panicked, or a peer sent no status.
    Unknown = 2,
    /// An argument is wrong, regardless of the state of the system.
    InvalidArgument = 3,
    /// The deadline passed before the call ended.
    DeadlineExceeded = 4,
    /// The requested entity does not exist.
    NotFound = 5,
    /// The entity to be created already exists.
    AlreadyExists = 6,
    /// The caller is authenticated but lacks the permission.
    PermissionDenied = 7,
    /// A quota, a limit or some space is used up.
    ResourceExhausted = 8,
    /// The system is not in the state that the call requires.
    FailedPrecondition = 9,
    /// The call lost a conflict with a concurrent call; retry at a higher level.
    Aborted = 10,
    /// The call went past the valid range.
    OutOfRange = 11,
    /// The method does not exist on this server, or not in this form.
    Unimplemented = 12,
    /// An invariant of the system is broken: a serious error.
    Internal = 13,
    /// The service is currently unavailable; retry with backoff.
    Unavailable = 14,
    /// Data is lost or corrupted beyond repair.
    DataLoss = 15,
    /// The caller is not authenticated: credentials are missing or wrong.
    Unauthenticated = 16,
}

const CODES: [Code; 17] = [
    Code::Ok,
    Code::Cancelled,
    Code::Unknown,
    Code::InvalidArgument,
    Code::DeadlineExceeded,
    Code::NotFound,
    Code::AlreadyExists,
    Code::PermissionDenied,
    Code::ResourceExhausted,
    Code::FailedPrecondition,
    Code::Aborted,
    Code::OutOfRange,
    Code::Unimplemented,
    Code::Internal,
    Code::Unavailable,
    Code::DataLoss,
    Code::Unauthenticated,
];

/// Name, decimal text and description of each code, indexed by number.
const TEXTS: [(&str, &str, &str); 17] = [
    ("OK", "0", "the call succeeded"),
    ("CANCELLED", "1", "the call was cancelled"),
    ("UNKNOWN", "2", "unknown error"),
    ("INVALID_ARGUMENT", "3", "an argument is invalid"),
    (
        "DEADLINE_EXCEEDED",
        "4",
        "the deadline passed before the call ended",
    ),
    ("NOT_FOUND", "5", "the requested entity was not found"),
    ("ALREADY_EXISTS", "6", "the entity exists already"),
    ("PERMISSION_DENIED", "7", "the caller may not do this"),
    ("RESOURCE_EXHAUSTED", "8", "a resource is used up"),
    (
        "FAILED_PRECONDITION",
        "9",
        "the system is not in the required state",
    ),
    ("ABORTED", "10", "the call was aborted"),
    ("OUT_OF_RANGE", "11", "the call went past the valid range"),
    ("UNIMPLEMENTED", "12", "the method is not implemented"),
    ("INTERNAL", "13", "internal error"),
    ("UNAVAILABLE", "14", "the service is unavailable"),
    ("DATA_LOSS", "15", "data is lost or corrupt"),
    ("UNAUTHENTICATED", "16", "the caller is not authenticated"),
];

impl Code {
    /// Returns the code of `number`; [`Code::Unknown`] for a number that gRPC does not define.
    pub fn from_i32(number: i32) -> Self {
        usize::try_from(number)
            .ok()
            .and_then(|index| CODES.get(index))
            .copied()
            .unwrap_or(Self::Unknown)
    }

    /// Parses a `grpc-status` value: decimal without leading zeros, else `None`. A number that gRPC
    /// does not define is [`Code::Unknown`].
    pub fn parse(text: &[u8]) -> Option<Self> {
        let leading_zero = text.len() > 1 && text[0] == b'0';
        if text.is_empty() || leading_zero || !text.iter().all(u8::is_ascii_digit) {
            return None;
        }
        let number = text.iter().fold(0i32, |number, digit| {
            number
                .saturating_mul(10)
                .saturating_add(i32::from(digit - b'0'))
        });
        Some(Self::from_i32(number))
    }

    /// Returns the code for the HTTP status of a response without `grpc-status`, often from a proxy
    /// (gRPC `http-grpc-status-mapping.md`). Servers never use this table in reverse.
    pub const fn from_http_status(http_status: u16) -> Self {
        match http_status {
            400 | 431 => Self::Internal,
            401 => Self::Unauthenticated,
            403 => Self::PermissionDenied,
            404 => Self::Unimplemented,
            429 | 502 | 503 | 504 => Self::Unavailable,
            _ => Self::Unknown,
        }
    }

    /// Returns the name in capitals, such as `NOT_FOUND`.
    pub const fn name(self) -> &'static str {
        TEXTS[self as usize].0
    }

    /// Returns the `grpc-status` value: the number as decimal text.
    pub const fn as_bytes(self) -> &'static [u8] {
        TEXTS[self as usize].1.as_bytes()
    }

    /// Returns a short description of the code.
    pub const fn description(self) -> &'static str {
        TEXTS[self as usize].2
    }
}

impl From<i32> for Code {
    fn from(number: i32) -> Self {
        Self::from_i32(number)
    }
}

impl From<Code> for i32 {
    fn from(code: Code) -> Self {
        code as i32
    }
}

impl fmt::Display for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_and_texts_agree() {
        for (number, code) in CODES.into_iter().enumerate() {
            assert_eq!(code as usize, number);
            assert_eq!(Code::from_i32(number as i32), code);
            assert_eq!(code.as_bytes(), number.to_string().as_bytes());
            assert_eq!(Code::parse(code.as_bytes()), Some(code));
        }
        assert_eq!(Code::NotFound.to_string(), "NOT_FOUND");
        assert_eq!(Code::Unauthenticated.name(), "UNAUTHENTICATED");
        assert_eq!(Code::Internal.description(), "internal error");
    }

    #[test]
    fn http_statuses_map_as_the_table_says() {
        for (http_status, code) in [
            (200, Code::Unknown),
            (204, Code::Unknown),
            (302, Code::Unknown),
            (400, Code::Internal),
            (401, Code::Unauthenticated),
            (403, Code::PermissionDenied),
            (404, Code::Unimplemented),
            (405, Code::Unknown),
            (415, Code::Unknown),
            (429, Code::Unavailable),
            (431, Code::Internal),
            (500, Code::Unknown),
            (502, Code::Unavailable),
            (503, Code::Unavailable),
            (504, Code::Unavailable),
        ] {
            assert_eq!(Code::from_http_status(http_status), code, "{http_status}");
        }
    }

    #[test]
    fn undefined_numbers_are_unknown_and_other_texts_refused() {
        for number in [-1, 17, i32::MAX, i32::MIN] {
            assert_eq!(Code::from_i32(number), Code::Unknown);
        }
        assert_eq!(Code::parse(b"99999999999999999999"), Some(Code::Unknown));
        for text in [
            &b""[..],
            b"00",
            b"05",
            b"-1",
            b"+1",
            b" 1",
            b"1 ",
            b"OK",
            b"1.0",
        ] {
            assert_eq!(Code::parse(text), None, "{text:?}");
        }
    }
}
