//! Bodies whose every byte is known from its place.

use std::ops::Range;
use std::sync::LazyLock;

use corespun_http2::Role;

/// A prime, so that bytes which went astray by a frame or a window do not look right.
const PERIOD: usize = 65_521;

/// Two periods of bytes: a piece that starts in the first lies there in one part.
static PATTERN: LazyLock<Vec<u8>> = LazyLock::new(|| {
    let byte = |at: usize| (at.wrapping_mul(7) ^ (at >> 8) ^ (at >> 13)) as u8;
    (0..2 * PERIOD).map(|at| byte(at % PERIOD)).collect()
});

fn place(from: Role, id: u32, at: u64) -> usize {
    let salt = if from == Role::Client { 17 } else { 30_011 };
    ((at + u64::from(id) * 4_409 + salt) % PERIOD as u64) as usize
}

/// The bytes at `range` of the body that `from` sends on stream `id`, in parts.
fn parts(from: Role, id: u32, range: Range<u64>) -> impl Iterator<Item = &'static [u8]> {
    let mut at = range.start;
    std::iter::from_fn(move || {
        let len = (range.end - at).min(PERIOD as u64) as usize;
        let start = place(from, id, at);
        at += len as u64;
        (len > 0).then(|| &PATTERN[start..start + len])
    })
}

/// Appends the bytes at `range` of the body that `from` sends on stream `id`.
pub(crate) fn write(from: Role, id: u32, range: Range<u64>, out: &mut Vec<u8>) {
    parts(from, id, range).for_each(|part| out.extend_from_slice(part));
}

/// Returns `true` if `bytes` are those that `from` sends on stream `id` from `at` on.
pub(crate) fn is_right(from: Role, id: u32, at: u64, mut bytes: &[u8]) -> bool {
    parts(from, id, at..at + bytes.len() as u64).all(|part| {
        let (head, rest) = bytes.split_at(part.len());
        bytes = rest;
        head == part
    })
}
