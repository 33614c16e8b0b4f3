//! Deadlines of calls.

use std::future::Future;
use std::time::Duration;

use corespun_codec::Status;
use corespun_runtime::{now, timeout};

/// Returns the status of a call whose deadline has passed.
pub(crate) fn expired() -> Status {
    Status::deadline_exceeded("the deadline passed before the call was done")
}

/// Enforces the deadline on the part of a call before its stream: connecting, and waiting for a
/// stream.
pub(crate) async fn within<T>(
    deadline: Option<Duration>,
    part: impl Future<Output = Result<T, Status>>,
) -> Result<T, Status> {
    match deadline {
        None => part.await,
        Some(deadline) => {
            let left = deadline.saturating_sub(now());
            let outcome = timeout(left, part).await;
            outcome.unwrap_or_else(|_| Err(expired()))
        }
    }
}
