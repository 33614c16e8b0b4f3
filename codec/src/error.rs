//! What can be wrong with metadata that a program sets and with a request head that a peer sends.

use crate::Status;
use std::fmt;

/// Metadata that was refused.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum MetadataError {
    /// The key is empty or has a character outside `[0-9a-z_.-]`.
    Key(Box<str>),
    /// The key belongs to gRPC (`grpc-…`) or to HTTP (such as `content-type`).
    Reserved(Box<str>),
    /// A text was given for a `-bin` key, or bytes for another one.
    Kind(Box<str>),
    /// The text has characters outside `0x20..=0x7E`, or a space at its edge, which HTTP/2 forbids
    /// (RFC 9113 §8.2.1). For a `-bin` key from the wire: it is not base64.
    Value(Box<str>),
    /// The map would grow past 4 GiB.
    Full(Box<str>),
}

impl fmt::Display for MetadataError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (key, why) = match self {
            Self::Key(key) => (key, "a key consists of 0-9 a-z _ . -"),
            Self::Reserved(key) => (key, "the key is reserved for gRPC and HTTP"),
            Self::Kind(key) if key.ends_with("-bin") => (key, "a -bin key takes bytes"),
            Self::Kind(key) => (key, "only a -bin key takes bytes"),
            Self::Value(key) if key.ends_with("-bin") => (key, "the value is not base64"),
            Self::Value(key) => (
                key,
                "a value is printable ASCII without spaces at its edges",
            ),
            Self::Full(key) => (key, "the map would pass 4 GiB"),
        };
        write!(f, "failed to set metadata {key:?}: {why}")
    }
}

impl std::error::Error for MetadataError {}

/// A request head that cannot become a call, and the answer to give.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HeadError {
    /// The HTTP status of the answer: 200, 400, 405 or 415.
    pub http_status: u16,
    /// The gRPC status of the answer, sent in the same block (trailers-only).
    pub status: Status,
}

impl HeadError {
    /// The `:status` value of the answer.
    pub fn http_status_text(&self) -> &'static [u8] {
        match self.http_status {
            405 => b"405",
            415 => b"415",
            400 => b"400",
            _ => b"200",
        }
    }
}

impl fmt::Display for HeadError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "failed to read the request head: {} (HTTP {})",
            self.status, self.http_status
        )
    }
}

impl std::error::Error for HeadError {}
