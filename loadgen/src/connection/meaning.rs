//! Cache of the meaning of header blocks.

use std::rc::Rc;

use corespun_codec::percent;
use corespun_http2::{Block, Connection, HeaderList, MEMO_SLOTS, Token};

use crate::failures::presentable;
use crate::response::{Head, Trailers};

/// Meanings of the header blocks that HTTP/2 remembers, by memo slot.
pub(super) struct Meanings {
    heads: [Head; MEMO_SLOTS],
    trailers: [Trailers; MEMO_SLOTS],
    /// Reasons of failures, for blocks that have one.
    reasons: [Option<Rc<str>>; MEMO_SLOTS],
}

impl Default for Meanings {
    fn default() -> Self {
        Self {
            heads: [Head::NONE; MEMO_SLOTS],
            trailers: [Trailers::NONE; MEMO_SLOTS],
            reasons: [const { None }; MEMO_SLOTS],
        }
    }
}

impl Meanings {
    /// Returns the meaning of the current block as a response head.
    pub(super) fn head(&mut self, block: Block, http2: &Connection) -> Head {
        match block {
            Block::Seen { memo } => self.heads[usize::from(memo)],
            Block::New { memo } => {
                let head = Head::read(http2.headers());
                if let Some(memo) = memo {
                    self.heads[usize::from(memo)] = head;
                    // A block is told as new only once, and trailers-only heads may come again
                    // as trailers.
                    self.trailers[usize::from(memo)] = Trailers::read(http2.headers());
                    self.reasons[usize::from(memo)] = reason(http2.headers());
                }
                head
            }
        }
    }

    /// Returns the meaning of the current block as trailers.
    pub(super) fn trailers(&mut self, block: Block, http2: &Connection) -> Trailers {
        match block {
            Block::Seen { memo } => self.trailers[usize::from(memo)],
            Block::New { memo } => {
                let trailers = Trailers::read(http2.headers());
                if let Some(memo) = memo {
                    self.trailers[usize::from(memo)] = trailers;
                    self.heads[usize::from(memo)] = Head::read(http2.headers());
                    self.reasons[usize::from(memo)] = reason(http2.headers());
                }
                trailers
            }
        }
    }

    /// Returns the reason of a failure in the current block, if it has one. Called only for failed
    /// calls.
    pub(super) fn reason(&self, block: Block, http2: &Connection) -> Option<Rc<str>> {
        match block {
            Block::Seen { memo } | Block::New { memo: Some(memo) } => {
                self.reasons[usize::from(memo)].clone()
            }
            Block::New { memo: None } => reason(http2.headers()),
        }
    }
}

/// Returns the `grpc-message`, or a description of a response that is not gRPC.
fn reason(fields: &HeaderList) -> Option<Rc<str>> {
    if let Some(message) = fields.first(Token::GrpcMessage) {
        return Some(presentable(&percent::decode(message)).into());
    }
    if fields.first(Token::GrpcStatus).is_some() {
        return None;
    }
    let text = |token| fields.first(token).map(String::from_utf8_lossy);
    let status = text(Token::Status)?;
    let kind = text(Token::ContentType).unwrap_or("no content-type".into());
    Some(presentable(&format!("HTTP {status}, {kind}")).into())
}
