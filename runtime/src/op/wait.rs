//! Wait on an epoll instance with a timeout finer than a millisecond.

use std::io;
use std::os::fd::{AsRawFd, BorrowedFd};
use std::ptr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use nix::sys::epoll::EpollEvent;

/// Flag that is set once the kernel, or a seccomp profile older than the call, has refused
/// `epoll_pwait2`.
static REFUSED: AtomicBool = AtomicBool::new(false);

/// Waits for events on `epoll`; forever without a `timeout`. Returns their number.
pub(crate) fn epoll_wait(
    epoll: BorrowedFd<'_>,
    events: &mut [EpollEvent],
    timeout: Option<Duration>,
) -> io::Result<usize> {
    let sleeps_briefly = timeout.is_some_and(|timeout| !timeout.is_zero());
    if sleeps_briefly && !REFUSED.load(Ordering::Relaxed) {
        match wait_precise(epoll, events, timeout.unwrap_or_default()) {
            Err(error) if is_refusal(&error) => REFUSED.store(true, Ordering::Relaxed),
            result => return result,
        }
    }
    wait_coarse(epoll, events, timeout)
}

fn is_refusal(error: &io::Error) -> bool {
    matches!(error.raw_os_error(), Some(libc::ENOSYS | libc::EPERM))
}

fn wait_precise(
    epoll: BorrowedFd<'_>,
    events: &mut [EpollEvent],
    timeout: Duration,
) -> io::Result<usize> {
    let timeout = libc::timespec {
        tv_sec: libc::time_t::try_from(timeout.as_secs()).unwrap_or(libc::time_t::MAX),
        tv_nsec: libc::c_long::from(timeout.subsec_nanos() as i32),
    };
    let count = i32::try_from(events.len()).unwrap_or(i32::MAX);
    // SAFETY: `EpollEvent` is a transparent wrapper of the kernel's record; the slice and the
    // timeout are borrowed for this synchronous call and the kernel keeps neither.
    let found = unsafe {
        libc::epoll_pwait2(
            epoll.as_raw_fd(),
            events.as_mut_ptr().cast(),
            count,
            &timeout,
            ptr::null(),
        )
    };
    usize::try_from(found).map_err(|_| io::Error::last_os_error())
}

/// Waits with a timeout rounded up to milliseconds, so that no wait ends early.
fn wait_coarse(
    epoll: BorrowedFd<'_>,
    events: &mut [EpollEvent],
    timeout: Option<Duration>,
) -> io::Result<usize> {
    let milliseconds = match timeout {
        None => -1,
        Some(timeout) => i32::try_from(timeout.as_nanos().div_ceil(1_000_000)).unwrap_or(i32::MAX),
    };
    let count = i32::try_from(events.len()).unwrap_or(i32::MAX);
    // SAFETY: as above: the slice is borrowed for this synchronous call only.
    let found = unsafe {
        libc::epoll_wait(
            epoll.as_raw_fd(),
            events.as_mut_ptr().cast(),
            count,
            milliseconds,
        )
    };
    usize::try_from(found).map_err(|_| io::Error::last_os_error())
}
