//! Creation of a ring with the best flags that the kernel supports.

use std::io;

use io_uring::{Builder, IoUring};

use crate::engine;

/// Sizes of a shard's ring and of its receive buffers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RingOptions {
    /// Entries of the submission queue; further submissions wait for the next turn.
    pub submissions: u32,
    /// Entries of the completion queue. Multishot ops complete several times, so this is several
    /// times the submissions.
    pub completions: u32,
    /// Number of receive buffers of the shard, at most 32768, rounded up to a power of two.
    pub buffers: u16,
    /// Size of one receive buffer in bytes. Memory that is never written to costs nothing.
    pub buffer_bytes: u32,
    /// Number of buffers that the kernel is given at first; doubled whenever they run out.
    pub buffers_initial: u16,
}

impl Default for RingOptions {
    fn default() -> Self {
        Self {
            submissions: 512,
            completions: 4 * 1024,
            buffers: 512,
            buffer_bytes: 16 * 1024,
            buffers_initial: 64,
        }
    }
}

impl RingOptions {
    /// Returns the bytes that the kernel charges to `RLIMIT_MEMLOCK` for one ring: whole pages for
    /// its submissions, for its completions and for the list of receive buffers. The buffers
    /// themselves are ordinary memory.
    pub(crate) fn locked_bytes(&self) -> u64 {
        const PAGE: u64 = 4096;
        const SUBMISSION_BYTES: u64 = 64;
        const COMPLETION_BYTES: u64 = 16;
        const BUFFER_BYTES: u64 = 16;
        // What both queues keep beside their entries.
        const HEAD_BYTES: u64 = 320;
        let entries = |count: u32| u64::from(count.max(1).next_power_of_two());
        let submissions = entries(self.submissions);
        let completions = entries(self.completions).max(submissions);
        let parts = [
            submissions * SUBMISSION_BYTES,
            completions * COMPLETION_BYTES + HEAD_BYTES,
            entries(self.buffers.into()) * BUFFER_BYTES,
        ];
        parts.iter().map(|bytes| bytes.next_multiple_of(PAGE)).sum()
    }
}

/// New ring, with its capabilities.
pub(super) struct Made {
    pub(super) ring: IoUring,
    /// True if a flag shows that deferred work waits.
    pub(super) has_taskrun_flag: bool,
    /// True if the completion of a success can be omitted. Kernels before 6.1 lose count of a send
    /// that is cut short without waiting, so a later kernel is required.
    pub(super) can_skip: bool,
}

/// Level of features that a ring is set up with, from all to none.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Ambition {
    /// Linux 6.6: no index array for the submissions.
    Full,
    /// Linux 6.1: completions run only when we ask, on our own thread.
    Deferred,
    /// Linux 5.19: completions do not interrupt the thread.
    Cooperative,
    /// Any kernel: no flags.
    Plain,
}

/// Sets up a ring on the calling thread, which is the only one that may use it.
pub(super) fn make(options: &RingOptions) -> io::Result<Made> {
    if engine::ring_denied() {
        return Err(io::Error::from_raw_os_error(libc::EPERM));
    }
    let mut refusal = io::Error::from_raw_os_error(libc::EINVAL);
    for ambition in [
        Ambition::Full,
        Ambition::Deferred,
        Ambition::Cooperative,
        Ambition::Plain,
    ] {
        match builder(ambition, options).build(options.submissions.max(1)) {
            Ok(ring) => {
                let can_skip =
                    ambition == Ambition::Full && ring.params().is_feature_skip_cqe_on_success();
                tracing::debug!(?ambition, can_skip, "ring set up");
                return Ok(Made {
                    ring,
                    has_taskrun_flag: ambition != Ambition::Plain,
                    can_skip,
                });
            }
            // An unknown flag: ask for less. Anything else will not get better by that.
            Err(error) if error.raw_os_error() == Some(libc::EINVAL) => refusal = error,
            Err(error) => return Err(error),
        }
    }
    Err(refusal)
}

fn builder(ambition: Ambition, options: &RingOptions) -> Builder {
    let mut builder = IoUring::builder();
    let submissions = options.submissions.max(1);
    builder
        .dontfork()
        .setup_clamp()
        .setup_cqsize(options.completions.max(submissions));
    if ambition == Ambition::Plain {
        return builder;
    }
    builder
        .setup_submit_all()
        .setup_coop_taskrun()
        .setup_taskrun_flag();
    if ambition == Ambition::Cooperative {
        return builder;
    }
    builder.setup_single_issuer().setup_defer_taskrun();
    if ambition == Ambition::Full {
        builder.setup_no_sqarray();
    }
    builder
}

#[cfg(test)]
mod tests {
    use super::RingOptions;

    #[test]
    fn locked_memory_is_whole_pages() {
        let pages = |submissions, completions, buffers| {
            let options = RingOptions {
                submissions,
                completions,
                buffers,
                ..RingOptions::default()
            };
            options.locked_bytes() / 4096
        };
        assert_eq!(pages(8, 32, 4), 3);
        assert_eq!(pages(64, 64, 256), 3);
        assert_eq!(pages(65, 64, 257), 2 + 1 + 2);
        assert_eq!(pages(512, 4096, 512), 8 + 17 + 2);
        assert_eq!(RingOptions::default().locked_bytes(), 108 << 10);
    }
}
