//! Output buffers of one thread, shared by its sockets so that an idle one owns none.

use std::cell::RefCell;

/// A buffer that grew beyond this is freed rather than kept.
const CAPACITY_MAX: usize = 256 * 1024;
/// All kept buffers together stay within this.
const BYTES_MAX: usize = 4 * 1024 * 1024;
/// And within this number.
const COUNT_MAX: usize = 1024;

#[derive(Default)]
struct Pool {
    buffers: Vec<Vec<u8>>,
    bytes: usize,
}

thread_local! {
    static POOL: RefCell<Pool> = RefCell::default();
}

/// An empty buffer, with the capacity of its last use if one is at hand.
pub fn take_buffer() -> Vec<u8> {
    POOL.try_with(|pool| {
        let pool = &mut *pool.borrow_mut();
        let buffer = pool.buffers.pop()?;
        pool.bytes -= buffer.capacity();
        Some(buffer)
    })
    .ok()
    .flatten()
    .unwrap_or_default()
}

/// Gives a buffer back for a later [`take_buffer`]; its content is dropped.
///
/// Kept only while the thread's pool stays within its bounds, and only up to 256 KiB each.
pub fn give_buffer(mut buffer: Vec<u8>) {
    let capacity = buffer.capacity();
    if capacity == 0 || capacity > CAPACITY_MAX {
        return;
    }
    buffer.clear();
    let _ = POOL.try_with(|pool| {
        let pool = &mut *pool.borrow_mut();
        if pool.bytes + capacity <= BYTES_MAX && pool.buffers.len() < COUNT_MAX {
            pool.bytes += capacity;
            pool.buffers.push(buffer);
        }
    });
}

#[cfg(test)]
mod tests {
    use super::{BYTES_MAX, CAPACITY_MAX, give_buffer, take_buffer};

    #[test]
    fn the_last_buffer_given_is_the_next_taken_empty() {
        let mut buffer = Vec::with_capacity(100);
        buffer.extend_from_slice(b"old");
        let place = buffer.as_ptr();
        give_buffer(buffer);
        let buffer = take_buffer();
        assert_eq!((buffer.len(), buffer.as_ptr()), (0, place));
    }

    #[test]
    fn the_pool_is_bounded() {
        give_buffer(Vec::with_capacity(CAPACITY_MAX + 1));
        assert_eq!(take_buffer().capacity(), 0, "too large to keep");
        for _ in 0..2 * BYTES_MAX / CAPACITY_MAX {
            give_buffer(Vec::with_capacity(CAPACITY_MAX));
        }
        let mut kept = 0;
        while take_buffer().capacity() > 0 {
            kept += 1;
        }
        assert_eq!(kept, BYTES_MAX / CAPACITY_MAX);
    }
}
