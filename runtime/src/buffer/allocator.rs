//! Memory that the C library's allocator keeps after it was freed.

/// Makes glibc give buffers of `bytes` or more back to the system as soon as they are freed; false
/// if it did not take that, or the program runs on another C library.
///
/// Left alone, glibc raises this bound to the size of any buffer that is freed, up to 32 MiB
/// (mallopt(3), `M_MMAP_THRESHOLD`), and its heap then keeps several times what is in use. Each
/// larger buffer costs page faults from now on, which is a price for containers with little memory
/// only. The setting holds for the whole process.
pub fn return_freed_buffers(bytes: usize) -> bool {
    let Ok(bytes) = i32::try_from(bytes) else {
        return false;
    };
    set(bytes)
}

#[cfg(target_env = "gnu")]
fn set(bytes: i32) -> bool {
    let set = |parameter| {
        // SAFETY: mallopt takes two numbers by value, and no memory changes hands: what was
        // allocated before stays as it is until its owner frees it.
        unsafe { libc::mallopt(parameter, bytes) == 1 }
    };
    set(libc::M_MMAP_THRESHOLD) && set(libc::M_TRIM_THRESHOLD)
}

#[cfg(not(target_env = "gnu"))]
fn set(_bytes: i32) -> bool {
    false
}

#[cfg(test)]
mod tests {
    use super::return_freed_buffers;

    #[test]
    fn glibc_takes_the_bounds_that_it_knows() {
        let is_glibc = cfg!(target_env = "gnu");
        assert_eq!(return_freed_buffers(512 << 10), is_glibc);
        assert!(!return_freed_buffers(usize::MAX));
    }
}
