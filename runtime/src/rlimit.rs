//! Resource limits of this process (getrlimit(2)).

use nix::sys::resource::{Resource, getrlimit, setrlimit};

/// Raises the soft limit on open descriptors to the hard limit: each socket is a descriptor, and
/// the usual soft limit of 1024 is meant for programs that call select(2).
pub(crate) fn raise_descriptors() {
    let raised = getrlimit(Resource::RLIMIT_NOFILE).and_then(|(soft, hard)| {
        if soft < hard {
            setrlimit(Resource::RLIMIT_NOFILE, hard, hard)?;
        }
        Ok((soft, hard))
    });
    match raised {
        Ok((soft, hard)) => tracing::debug!(soft, hard, "descriptors"),
        Err(error) => tracing::debug!(%error, "the limit of descriptors is not raised"),
    }
}

/// Returns the soft limit on locked memory in bytes, to which the memory of rings is charged;
/// `None` without a limit.
pub(crate) fn locked_bytes_max() -> Option<u64> {
    let (soft, _) = getrlimit(Resource::RLIMIT_MEMLOCK).ok()?;
    (soft != libc::RLIM_INFINITY).then_some(soft)
}
