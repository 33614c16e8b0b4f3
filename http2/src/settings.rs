//! SETTINGS (RFC 9113 §6.5) of the peer, validated on receipt.

use crate::error::{ConnectionError, ErrorCode};
use crate::flow::{WINDOW_BYTES_INITIAL, WINDOW_BYTES_MAX};
use crate::frame::payload;

/// Identifiers of RFC 9113 §6.5.2.
pub(crate) mod id {
    pub(crate) const HEADER_TABLE_SIZE: u16 = 0x1;
    pub(crate) const ENABLE_PUSH: u16 = 0x2;
    pub(crate) const MAX_CONCURRENT_STREAMS: u16 = 0x3;
    pub(crate) const INITIAL_WINDOW_SIZE: u16 = 0x4;
    pub(crate) const MAX_FRAME_SIZE: u16 = 0x5;
    pub(crate) const MAX_HEADER_LIST_SIZE: u16 = 0x6;
}

pub(crate) const FRAME_BYTES_LEAST: u32 = 16_384;
pub(crate) const FRAME_BYTES_MOST: u32 = 16_777_215;

/// Current settings of the peer.
#[derive(Clone, Copy, Debug)]
pub(crate) struct PeerSettings {
    pub(crate) concurrent_streams_max: u32,
    pub(crate) window_bytes_initial: u32,
    pub(crate) frame_bytes_max: u32,
    pub(crate) header_list_bytes_max: u32,
}

impl PeerSettings {
    /// Returns the values that apply before the peer's first SETTINGS frame.
    pub(crate) const fn initial() -> Self {
        Self {
            concurrent_streams_max: u32::MAX,
            window_bytes_initial: WINDOW_BYTES_INITIAL,
            frame_bytes_max: FRAME_BYTES_LEAST,
            header_list_bytes_max: u32::MAX,
        }
    }

    /// Applies a payload whose length is a multiple of six. Unknown identifiers are ignored;
    /// HEADER_TABLE_SIZE is handled by the encoder.
    pub(crate) fn apply(
        &mut self,
        bytes: &[u8],
        peer_is_server: bool,
    ) -> Result<(), ConnectionError> {
        for (identifier, value) in payload::settings(bytes) {
            match identifier {
                id::ENABLE_PUSH if value > 1 || (value == 1 && peer_is_server) => {
                    return Err(ConnectionError::protocol(
                        "ENABLE_PUSH has a value that is not allowed (RFC 9113 section 6.5.2)",
                    ));
                }
                id::MAX_CONCURRENT_STREAMS => self.concurrent_streams_max = value,
                id::INITIAL_WINDOW_SIZE if value > WINDOW_BYTES_MAX => {
                    return Err(ConnectionError::peer(
                        ErrorCode::FLOW_CONTROL_ERROR,
                        "INITIAL_WINDOW_SIZE is above 2^31-1 (RFC 9113 section 6.5.2)",
                    ));
                }
                id::INITIAL_WINDOW_SIZE => self.window_bytes_initial = value,
                id::MAX_FRAME_SIZE if !(FRAME_BYTES_LEAST..=FRAME_BYTES_MOST).contains(&value) => {
                    return Err(ConnectionError::protocol(
                        "MAX_FRAME_SIZE is out of range (RFC 9113 section 6.5.2)",
                    ));
                }
                id::MAX_FRAME_SIZE => self.frame_bytes_max = value,
                id::MAX_HEADER_LIST_SIZE => self.header_list_bytes_max = value,
                _ => {}
            }
        }
        Ok(())
    }
}
