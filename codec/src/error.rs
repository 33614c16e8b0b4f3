//! Errors of metadata that a program sets, and of request heads that a peer sends.

use crate::Status;
use std::fmt;

/// Error of metadata that was refused.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum MetadataError {
    /// The key is empty or has a character outside `[0-9a-z_.-]`.
    Key(Box<str>),
    /// The key belongs to gRPC (`grpc-…`) or to HTTP (such as `content-type`).
    Reserved(Box<str>),
    /// The key is a `-bin` key with a text value, or another key with a binary value.
    Kind(Box<str>),
    /// The text has characters outside `0x20..=0x7E`, or a space at either end, which HTTP/2
    /// forbids (RFC 9113 §8.2.1). For a `-bin` key from the wire: it is not base64.
    Value(Box<str>),
    /// The map would exceed 4 GiB.
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
            Self::Full(key) => (key, "the map would exceed 4 GiB"),
        };
        write!(f, "failed to set metadata {key:?}: {why}")
    }
}

impl std::error::Error for MetadataError {}

/// Error of a request head that is not a valid call, with the response to send.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HeadError {
    /// HTTP status of the response: 200, 400, 405 or 415.
    pub http_status: u16,
    /// gRPC status of the response, sent in the same header block (trailers-only).
    pub status: Status,
}

impl HeadError {
    /// Returns the `:status` value of the response.
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
