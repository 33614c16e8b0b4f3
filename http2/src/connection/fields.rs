//! Header blocks to field lists: reassembly over CONTINUATION, decoding, the memo.

use alloc::vec::Vec;
use core::time::Duration;

use super::abuse::Abuse;
use crate::error::{Cause, ConnectionError, ErrorCode};
use crate::event::Block;
use crate::headers::HeaderList;
use crate::hpack::{Decoder, HpackError, ListLimits};
use crate::limits::{Limit, Limits};
use crate::memo::{self, Memo};
use crate::validate::{self, Malformed};

const TABLE_BYTES_MAX: usize = 4096;

/// Bytes of decoded text beyond the size of the block itself that cost one glitch.
const MULTIPLIED_BYTES_PER_GLITCH: usize = 1024;

/// Properties of a HEADERS frame apart from its block.
#[derive(Clone, Copy, Debug)]
pub(super) struct BlockHead {
    pub(super) stream: u32,
    pub(super) end_stream: bool,
    /// True if the stream named itself as its dependency.
    pub(super) self_dependent: bool,
}

/// Header block whose end has not arrived yet.
#[derive(Debug)]
pub(super) struct Partial {
    pub(super) head: BlockHead,
    /// Bytes of the block that have arrived and were not decoded yet.
    pub(super) bytes: Vec<u8>,
    frames: u32,
}

/// Header block that has been read.
pub(super) struct Section {
    pub(super) block: Block,
    pub(super) content_length: Option<u64>,
    /// `:status` of a response head whose block was new.
    pub(super) status: Option<u16>,
}

/// Result of reading a block, if the connection survives.
pub(super) type Outcome = Result<Section, Malformed>;

pub(super) struct FieldReader {
    decoder: Decoder,
    pub(super) list: HeaderList,
    memo: Memo,
    pub(super) partial: Option<Partial>,
    list_limits: ListLimits,
    /// Number of encoded bytes of the partial block that were decoded already.
    passed: usize,
}

impl FieldReader {
    pub(super) fn new(limits: &Limits) -> Self {
        Self {
            decoder: Decoder::new(TABLE_BYTES_MAX),
            list: HeaderList::new(),
            memo: Memo::default(),
            partial: None,
            list_limits: ListLimits {
                bytes_soft: limits.header_list_bytes_soft,
                bytes_hard: limits.header_list_bytes_hard,
                fields_soft: limits.header_fields_soft,
                fields_hard: limits.header_fields_hard,
            },
            passed: 0,
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

    /// Adds a CONTINUATION frame's payload (RFC 9113 §6.10). A block that is certain to exceed the
    /// soft limits is decoded as it arrives, so that little of it is kept.
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
        let bytes = self.passed + partial.bytes.len() + block.len();
        if bytes > limits.header_block_bytes_max {
            return Err(ConnectionError::limit(Limit::HeaderBlockBytes));
        }
        partial.bytes.extend_from_slice(block);
        if partial.bytes.len() > self.decoder.part_bytes(self.list_limits) {
            let taken = self
                .decoder
                .decode_part(&partial.bytes, &mut self.list, self.list_limits)
                .map_err(compression_error)?;
            partial.bytes.drain(..taken);
            self.passed += taken;
        }
        Ok(())
    }

    /// Reads a whole block as `role`. The decoder's table stays correct even if the fields are
    /// malformed, which is only a stream error.
    pub(super) fn read(
        &mut self,
        now: Duration,
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
        let decoded = self
            .decoder
            .decode(block, &mut self.list, self.list_limits)
            .map_err(compression_error)?;
        if self.list.overflowed() {
            abuse.hit(Limit::HeaderListSoft);
            self.charge_multiplied(now, block, abuse)?;
        }
        let (content_length, status) = match self.validate(role) {
            Ok(facts) => facts,
            Err(rule) => return Ok(Err(rule)),
        };
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

    /// Removes the block that was just read from the memo because its stream failed: the caller
    /// never sees the block, so its memo slot must not be reported later.
    pub(super) fn forget(&mut self, block: Block) {
        if let Block::New { memo: Some(slot) } = block {
            self.memo.forget(slot);
        }
    }

    /// Decodes a block only for its effect on the table, for a stream that is refused or closed.
    pub(super) fn discard(
        &mut self,
        now: Duration,
        block: &[u8],
        abuse: &mut Abuse,
    ) -> Result<(), ConnectionError> {
        self.decoder
            .decode(block, &mut self.list, self.list_limits)
            .map_err(compression_error)?;
        let charged = match self.list.overflowed() {
            true => self.charge_multiplied(now, block, abuse),
            false => Ok(()),
        };
        self.list.clear();
        charged
    }

    /// Charges a list that exceeded the soft limits for the text that the table multiplied. Text
    /// that the peer sent itself is free.
    #[cold]
    fn charge_multiplied(
        &mut self,
        now: Duration,
        block: &[u8],
        abuse: &mut Abuse,
    ) -> Result<(), ConnectionError> {
        let sent = block.len() + core::mem::take(&mut self.passed);
        // A coded string stands for eight fifths of its bytes at most.
        let paid = 2 * sent + self.list_limits.bytes_soft;
        let multiplied = self.list.text_bytes().saturating_sub(paid);
        match u32::try_from(multiplied / MULTIPLIED_BYTES_PER_GLITCH).unwrap_or(u32::MAX) {
            0 => Ok(()),
            glitches => abuse.charge_glitches(now, glitches),
        }
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
        HpackError::TooManyFields => ConnectionError::limit(Limit::HeaderFields),
        error => {
            let code = ErrorCode::COMPRESSION_ERROR;
            ConnectionError {
                code,
                cause: Cause::Compression(error),
            }
        }
    }
}
