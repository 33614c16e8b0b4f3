//! Memory that a connection holds, counted from outside, and the bound that its limits set.

use corespun_http2::Limits;

/// Bytes that one call of an application leaves in the output at most, body aside.
pub(crate) const CALL_BYTES_MAX: usize = 256;

/// Bytes of a header block that are kept until more of it comes.
const BLOCK_BYTES_MAX: usize = 64 << 10;

/// Runs a call into a connection and adds what it allocates for good to `held`.
pub(crate) fn measured<T>(held: &mut i64, call: impl FnOnce() -> T) -> T {
    let mut result = None;
    let memory = allocation_counter::measure(|| result = Some(call()));
    *held += memory.bytes_current;
    result.expect("the call was made")
}

/// Bytes that the application has asked a connection to hold.
#[derive(Clone, Copy)]
pub(crate) struct Asked {
    /// Streams that it has not seen ending.
    pub(crate) streams: usize,
    /// Bytes queued behind closed windows, of each queue the most since it was empty: what has
    /// been sent of one is dropped once it is more than what is left.
    pub(crate) queued: usize,
    /// Bytes that its calls have written since the output was last emptied.
    pub(crate) written: usize,
}

/// The most that a connection may hold. A buffer that grows may be twice what is in it.
pub(crate) fn held_bytes_max(limits: &Limits, asked: Asked) -> i64 {
    let tables = 2 * (4_096 + 128 * 64);
    let list = limits.header_list_bytes_soft + 1_024 + (limits.header_fields_soft + 16) * 64;
    let block =
        limits.header_block_bytes_max.min(BLOCK_BYTES_MAX) + limits.frame_bytes_max as usize;
    let streams = (asked.streams + 1_024) * 160;
    let resets = 1_024 * 13 + 1_024;
    let replies = (limits.queued_replies_max as usize + 1) * 17;
    let output = asked.written + resets + replies + limits.output_bytes_high;
    (2 * (tables + list + block + streams + output + 2 * asked.queued + 4_096)) as i64
}
