//! Wire form of frames (RFC 9113 §4, §6): parse and write, without state.

pub(crate) mod head;
pub(crate) mod payload;
pub(crate) mod write;

pub(crate) use head::{FrameHead, HEAD_BYTES, Kind, flag};

/// Connection preface: the first bytes that every client sends (RFC 9113 §3.4).
pub(crate) const PREFACE: &[u8; 24] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
