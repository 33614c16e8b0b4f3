//! Settings of the C library's allocator for freed memory.

/// Makes glibc return buffers of `bytes` or more to the system as soon as they are freed. Returns
/// `false` if glibc refused the setting, or the program runs on another C library.
///
/// By default glibc raises this threshold to the size of any buffer that is freed, up to 32 MiB
/// (mallopt(3), `M_MMAP_THRESHOLD`), and its heap then keeps several times the memory in use. With
/// this setting each larger buffer costs page faults, which is acceptable only in containers with
/// little memory. The setting applies to the whole process.
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
