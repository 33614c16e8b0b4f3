//! Certificates that change on disk while the server runs.

use std::sync::PoisonError;
use std::time::Duration;

use corespun_runtime::{sleep, spawn_blocking};

use super::Acceptor;

impl Acceptor {
    /// Reads the files again, says in the log what came of it, and goes on with the old ones when
    /// they are broken. A fault that was logged already is not logged again.
    pub fn refresh(&self) {
        let outcome = self.reload().map_err(|error| error.to_string());
        let mut told = self
            .shared
            .told
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        match outcome {
            Ok(changed) => {
                *told = None;
                if changed {
                    tracing::info!(config = ?self.shared.config, "TLS certificate replaced");
                }
            }
            Err(error) if told.as_ref() == Some(&error) => {}
            Err(error) => {
                tracing::warn!(error, "TLS certificate kept: the new one is of no use");
                *told = Some(error);
            }
        }
    }

    /// Refreshes every `pause`, for ever. Files are read on a thread made for blocking work; that
    /// their content is compared, not their dates, makes every way of replacing them do.
    ///
    /// # Panics
    /// Outside a shard.
    pub async fn watch(self, pause: Duration) {
        loop {
            sleep(pause).await;
            let acceptor = self.clone();
            spawn_blocking(move || acceptor.refresh()).await;
        }
    }
}
