//! Cancellation of one op, or of all.

use io_uring::opcode::AsyncCancel2;
use io_uring::types::CancelBuilder;

use super::{Submission, Tag, Token};
use crate::slots::ConnId;

/// Prepares the cancellation of an op of connection `conn`; it completes under that connection.
pub(crate) fn prepare(target: Tag, conn: ConnId) -> Submission {
    let builder = CancelBuilder::user_data(Token::new(target, conn).pack());
    build(builder, Token::new(Tag::Cancel, conn))
}

/// Prepares the cancellation of an op that belongs to no connection.
pub(crate) fn prepare_other(target: Token) -> Submission {
    let number = target.conn.slot;
    let builder = CancelBuilder::user_data(target.pack());
    build(builder, Token::numbered(Tag::CancelOther, number))
}

/// Prepares the cancellation of all ops in flight on the ring.
pub(crate) fn prepare_all() -> Submission {
    let builder = CancelBuilder::any().all();
    build(builder, Token::numbered(Tag::CancelOther, u32::MAX))
}

fn build(builder: CancelBuilder, token: Token) -> Submission {
    // SAFETY: a cancel names its target by number and touches no memory.
    unsafe { Submission::new(AsyncCancel2::new(builder).build(), token) }
}
