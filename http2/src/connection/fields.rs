//! Header blocks to field lists: gathering over CONTINUATION, decoding, the memo.

use alloc::vec::Vec;

use super::abuse::Abuse;
use crate::error::{Cause, ConnectionError, ErrorCode};
use crate::event::Block;
use crate::headers::HeaderList;
use crate::hpack::{Decoder, HpackError, ListLimits};
use crate::limits::{Limit, Limits};
use crate::memo::{self, Memo};
use crate::validate::{self, Malformed};

const TABLE_BYTES_MAX: usize = 4096;

/// What HEADERS tell besides the block.
#[derive(Clone, Copy, Debug)]
pub(super) struct BlockHead {
    pub(super) stream: u32,
    pub(super) end_stream: bool,
    /// The stream named itself as the one it depends on.
    pub(super) self_dependent: bool,
}

/// A block whose end has not come yet.
#[derive(Debug)]
pub(super) struct Partial {
    pub(super) head: BlockHead,
    pub(super) bytes: Vec<u8>,
    frames: u32,
}

/// A block that was read.
pub(super) struct Section {
    pub(super) block: Block,
    pub(super) content_length: Option<u64>,
    /// `:status` of a response head whose block was new.
    pub(super) status: Option<u16>,
}

/// What reading a block came to, short of an error that ends the connection.
pub(super) type Outcome = Result<Section, Malformed>;

pub(super) struct FieldReader {
    decoder: Decoder,
    pub(super) list: HeaderList,
    memo: Memo,
    pub(super) partial: Option<Partial>,
    list_limits: ListLimits,
}

impl FieldReader {
    pub(super) fn new(limits: &Limits) -> Self {
        let mut decoder = Decoder::new(TABLE_BYTES_MAX);
        decoder.set_string_bytes_max(limits.header_string_bytes_max);
        Self {
            decoder,
            list: HeaderList::new(),
            memo: Memo::default(),
            partial: None,
            list_limits: ListLimits {
                bytes_soft: limits.header_list_bytes_soft,
                bytes_hard: limits.header_list_bytes_hard,
                fields_soft: limits.header_fields_soft,
                fields_hard: limits.header_fields_hard,
            },
        }
    }

    /// Starts a block that CONTINUATION frames will complete.
    pub(super) fn begin(&mut self, head: BlockHead, block: &[u8]) {
        let bytes = block.to_vec();
        let frames = 0;
        self.partial = Some(Partial {
            head,
            bytes,
            frames,
        });
    }

    /// Adds a CONTINUATION frame's payload (RFC 9113 §6.10).
    pub(super) fn proceed(&mut self, block: &[u8], limits: &Limits) -> Result<(), ConnectionError> {
        let Some(partial) = &mut self.partial else {
            return Err(ConnectionError::protocol(
                "CONTINUATION follows no open header block (RFC 9113 section 6.10)",
            ));
        };
        partial.frames += 1;
        if partial.frames > limits.continuation_frames_max {
            return Err(ConnectionError::limit(Limit::ContinuationFrames));
        }
        if partial.bytes.len() + block.len() > limits.header_block_bytes_max {
            return Err(ConnectionError::limit(Limit::HeaderBlockBytes));
        }
        partial.bytes.extend_from_slice(block);
        Ok(())
    }

    /// Reads a whole block as `role`. The decoder's table is kept right even if the fields turn
    /// out malformed, which concerns only the stream.
    pub(super) fn read(
        &mut self,
        block: &[u8],
        role: memo::Role,
        abuse: &mut Abuse,
    ) -> Result<Outcome, ConnectionError> {
        if let Some((slot, content_length)) = self.memo.find(block, self.decoder.epoch(), role) {
            let block = Block::Seen { memo: slot };
            return Ok(Ok(Section {
                block,
                content_length,
                status: None,
            }));
        }
        self.list.clear();
        let decoded = self
            .decoder
            .decode(block, &mut self.list, self.list_limits)
            .map_err(compression_error)?;
        let (content_length, status) = match self.validate(role) {
            Ok(facts) => facts,
            Err(rule) => return Ok(Err(rule)),
        };
        if self.list.overflowed() {
            abuse.hit(Limit::HeaderListSoft);
        }
        let informational = status.is_some_and(|status| status < 200);
        let memo = if decoded.mutated || informational || self.list.overflowed() {
            None
        } else {
            self.memo
                .keep(block, self.decoder.epoch(), role, content_length)
        };
        Ok(Ok(Section {
            block: Block::New { memo },
            content_length,
            status,
        }))
    }

    /// The stream of the block that was just read failed, so that the block will not be reported:
    /// its memo would stand for something that the caller has never seen.
    pub(super) fn forget(&mut self, block: Block) {
        if let Block::New { memo: Some(slot) } = block {
            self.memo.forget(slot);
        }
    }

    /// Decodes a block only for its effect on the table, when its stream is refused or gone.
    pub(super) fn discard(&mut self, block: &[u8]) -> Result<(), ConnectionError> {
        self.list.clear();
        let decoded = self.decoder.decode(block, &mut self.list, self.list_limits);
        self.list.clear();
        decoded.map(|_| ()).map_err(compression_error)
    }

    fn validate(&self, role: memo::Role) -> Result<(Option<u64>, Option<u16>), Malformed> {
        match role {
            memo::Role::RequestHead => validate::request_head(&self.list).map(|cl| (cl, None)),
            memo::Role::ResponseHead => {
                validate::response_head(&self.list).map(|(status, cl)| (cl, Some(status)))
            }
            memo::Role::Trailers => validate::trailers(&self.list).map(|()| (None, None)),
        }
    }
}

fn compression_error(error: HpackError) -> ConnectionError {
    match error {
        HpackError::TooLarge => ConnectionError::limit(Limit::HeaderList),
        HpackError::StringTooLong { .. } => ConnectionError::limit(Limit::HeaderString),
        error => {
            let code = ErrorCode::COMPRESSION_ERROR;
            ConnectionError {
                code,
                cause: Cause::Compression(error),
            }
        }
    }
}
