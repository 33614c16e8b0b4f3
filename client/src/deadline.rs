//! When a call must have ended.

use std::future::Future;
use std::time::Duration;

use corespun_codec::Status;
use corespun_runtime::{now, timeout};

/// What a call ends with whose time is up.
pub(crate) fn expired() -> Status {
    Status::deadline_exceeded("the deadline passed before the call was done")
}

/// Runs a part of a call that no connection watches over yet: connecting, waiting for a stream.
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
