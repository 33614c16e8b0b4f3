//! Reload of certificates that change on disk while the server runs.

use std::sync::PoisonError;
use std::time::Duration;

use corespun_runtime::{sleep, spawn_blocking};

use super::Acceptor;

impl Acceptor {
    /// Reads the files again and logs the result. Invalid files are ignored, and the old content
    /// stays in use. A fault that was logged already is not logged again.
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
                tracing::warn!(error, "kept the TLS certificate: the new one is unusable");
                *told = Some(error);
            }
        }
    }

    /// Refreshes every `pause`, for ever. Files are read on a thread for blocking work. Their
    /// content is compared, not their dates, so that any way of replacing them works.
    ///
    /// # Panics
    ///
    /// Outside a shard.
    pub async fn watch(self, pause: Duration) {
        loop {
            sleep(pause).await;
            let acceptor = self.clone();
            spawn_blocking(move || acceptor.refresh()).await;
        }
    }
}
