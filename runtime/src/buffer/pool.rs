//! Output buffers of one thread, shared by its sockets so that an idle socket owns none.

use std::cell::RefCell;

/// Largest capacity in bytes of a buffer that is kept rather than freed.
const CAPACITY_MAX: usize = 256 * 1024;
/// Limit on the total capacity of kept buffers, in bytes.
const BYTES_MAX: usize = 4 * 1024 * 1024;
/// Limit on the number of kept buffers.
const COUNT_MAX: usize = 1024;

#[derive(Default)]
struct Pool {
    buffers: Vec<Vec<u8>>,
    bytes: usize,
}

thread_local! {
    static POOL: RefCell<Pool> = RefCell::default();
}

/// Returns an empty buffer, with the capacity of an earlier use if the pool has one.
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

/// Returns a buffer to the pool for a later [`take_buffer`]; its content is dropped.
///
/// The buffer is kept only if the thread's pool stays within its limits, and only up to 256 KiB.
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
