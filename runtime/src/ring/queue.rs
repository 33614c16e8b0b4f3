//! Submission and completion queues shared with the kernel, and the system call for both.

use std::collections::VecDeque;
use std::io;
use std::mem::ManuallyDrop;

use io_uring::types::{SubmitArgs, Timespec};
use io_uring::{EnterFlags, IoUring, Submitter, squeue};

use super::setup::{self, RingOptions};
use crate::buffer::provided::ProvidedRing;
use crate::driver::Wait;
use crate::op::{Completion, Submission};

/// Ring with its registered descriptor, and a backlog of submissions that do not fit its queue.
pub(super) struct Queue {
    /// Submitter, which borrows the allocation behind `ring` and is dropped before it.
    submitter: ManuallyDrop<Submitter<'static>>,
    ring: *mut IoUring,
    backlog: VecDeque<squeue::Entry>,
    /// Number of submissions pushed so far.
    pushed: u64,
    wait_flags: EnterFlags,
    has_taskrun_flag: bool,
    can_skip: bool,
    overflows: u32,
}

impl Queue {
    pub(super) fn new(options: &RingOptions) -> io::Result<Self> {
        let made = setup::make(options)?;
        if !made.ring.params().is_feature_ext_arg() {
            return Err(io::Error::from_raw_os_error(libc::EINVAL));
        }
        let mut wait_flags = EnterFlags::GETEVENTS | EnterFlags::EXT_ARG;
        if made.ring.params().is_feature_no_iowait() {
            // An idle shard is idle, not waiting for a disk.
            wait_flags |= EnterFlags::NO_IOWAIT;
        }
        let ring = Box::into_raw(Box::new(made.ring));
        // SAFETY: the allocation lives until our drop, which drops the submitter first, and no
        // exclusive reference to the ring is ever made in between.
        let mut submitter = unsafe { &*ring }.submitter();
        // Saves a descriptor look-up per entry; a kernel without it works all the same.
        let _ = submitter.register_ring_fd();
        Ok(Self {
            submitter: ManuallyDrop::new(submitter),
            ring,
            backlog: VecDeque::new(),
            pushed: 0,
            wait_flags,
            has_taskrun_flag: made.has_taskrun_flag,
            can_skip: made.can_skip,
            overflows: 0,
        })
    }

    /// Registers the receive buffers with the kernel.
    ///
    /// # Safety
    ///
    /// `buffers` must outlive this queue and everything in flight on it.
    pub(super) unsafe fn register(&self, buffers: &ProvidedRing, group: u16) -> io::Result<()> {
        // SAFETY: the entries are page-aligned memory of the right length; the caller keeps them
        // for as long as the kernel may read them.
        unsafe {
            let (address, count) = (buffers.address(), buffers.count());
            self.submitter
                .register_buf_ring_with_flags(address, count, group, 0)
        }
    }

    /// Queues a submission for the next entry.
    pub(super) fn push(&mut self, submission: Submission) {
        let entry = submission.into_entry();
        self.pushed += 1;
        if !self.backlog.is_empty() || !self.try_push(&entry) {
            self.backlog.push_back(entry);
        }
    }

    /// Returns `true` if a submission can omit the completion of its success.
    pub(super) fn can_skip(&self) -> bool {
        self.can_skip
    }

    /// Returns the number of the next submission; the first has 0.
    pub(super) fn next_number(&self) -> u64 {
        self.pushed
    }

    /// Returns the number of submissions that the kernel has taken: those with lower numbers have
    /// begun. `None` while the kernel holds completions back for lack of room, so that a missing
    /// completion means nothing.
    pub(super) fn taken(&self) -> Option<u64> {
        // SAFETY: the only view of the submission queue at this moment.
        let queue = unsafe { self.ring().submission_shared() };
        let waiting = queue.len() + self.backlog.len();
        (!queue.cq_overflow()).then(|| self.pushed - waiting as u64)
    }

    /// Returns the number of submissions that wait for room in the queue.
    pub(super) fn backlog(&self) -> usize {
        self.backlog.len()
    }

    /// Returns `true` if completions are in their queue, or deferred work that produces them waits
    /// for a kernel entry.
    pub(super) fn has_news(&self) -> bool {
        // SAFETY: the only views of the queues at this moment.
        let (submissions, completions) = unsafe {
            (
                self.ring().submission_shared(),
                self.ring().completion_shared(),
            )
        };
        submissions.taskrun() || !completions.is_empty()
    }

    /// Performs one kernel entry: submits queued operations, runs deferred work, and sleeps as
    /// `wait` permits. Does nothing if there is nothing to submit, to run or to wait for.
    ///
    /// Returns the number of submissions offered, or `None` if no entry was made.
    pub(super) fn enter(&mut self, wait: Wait) -> io::Result<Option<u32>> {
        self.submit_backlog();
        let (queued, idle) = {
            // SAFETY: the only view of the submission queue at this moment.
            let queue = unsafe { self.ring().submission_shared() };
            (queue.len() as u32, !queue.taskrun() && !queue.cq_overflow())
        };
        if wait == Wait::Poll && queued == 0 && idle && self.has_taskrun_flag {
            return Ok(None);
        }
        match self.enter_kernel(queued, wait) {
            Ok(_) => Ok(Some(queued)),
            Err(error) => match error.raw_os_error() {
                // Timed out, interrupted, or asked to reap first: all are handled by going on.
                Some(libc::ETIME | libc::EINTR | libc::EBUSY | libc::EAGAIN) => Ok(Some(queued)),
                _ => Err(error),
            },
        }
    }

    fn enter_kernel(&self, queued: u32, wait: Wait) -> io::Result<usize> {
        let args = SubmitArgs::new();
        // SAFETY: everything queued came as a `Submission`, whose maker vouches for its memory.
        // The wait's arguments are read during this call only.
        unsafe {
            match wait {
                Wait::Poll => {
                    let flags = EnterFlags::GETEVENTS.bits();
                    self.submitter
                        .enter::<libc::sigset_t>(queued, 0, flags, None)
                }
                Wait::Forever => {
                    let flags = self.wait_flags.bits();
                    self.submitter.enter(queued, 1, flags, Some(&args))
                }
                Wait::AtMost(span) | Wait::Several(_, span) => {
                    let count = if let Wait::Several(count, _) = wait {
                        count
                    } else {
                        1
                    };
                    let span = Timespec::from(span);
                    let args = args.timespec(&span);
                    let flags = self.wait_flags.bits();
                    self.submitter.enter(queued, count, flags, Some(&args))
                }
            }
        }
    }

    /// Moves all completions to `reaped`. Returns the number of times that the queue overflowed
    /// meanwhile.
    pub(super) fn reap(&mut self, reaped: &mut Vec<Completion>) -> u32 {
        // SAFETY: the only view of the completion queue at this moment.
        let queue = unsafe { self.ring().completion_shared() };
        let overflows = queue.overflow();
        reaped.extend(queue.map(|entry| Completion {
            user_data: entry.user_data(),
            result: entry.result(),
            flags: entry.flags(),
        }));
        let new = overflows.wrapping_sub(self.overflows);
        self.overflows = overflows;
        new
    }

    fn submit_backlog(&mut self) {
        while let Some(entry) = self.backlog.pop_front() {
            if !self.try_push(&entry) {
                self.backlog.push_front(entry);
                return;
            }
        }
    }

    fn try_push(&mut self, entry: &squeue::Entry) -> bool {
        // SAFETY: the only view of the submission queue at this moment; the entry came as a
        // `Submission`, so its memory stays valid until its last completion.
        unsafe { self.ring().submission_shared().push(entry).is_ok() }
    }

    fn ring(&self) -> &IoUring {
        // SAFETY: the allocation lives until our drop, and is only ever borrowed shared.
        unsafe { &*self.ring }
    }
}

impl Drop for Queue {
    fn drop(&mut self) {
        // A registered descriptor would keep the ring for as long as this thread lives.
        let _ = self.submitter.unregister_ring_fd();
        // SAFETY: the submitter goes first, as it borrows the ring; the ring came from a box in
        // `new`, and nothing else refers to it. Memory that ops in flight still use is owned by
        // the driver, which leaks it if there are any.
        unsafe {
            ManuallyDrop::drop(&mut self.submitter);
            drop(Box::from_raw(self.ring));
        }
    }
}
