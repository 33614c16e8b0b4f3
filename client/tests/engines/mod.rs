//! Helpers for tests that run on every engine.

use corespun_runtime::{Engine, LocalConfig, LocalShard};

/// Runs a test on each engine, used by both server and client.
pub fn on_each_engine(test: impl AsyncFn(Engine)) {
    for (engine, usable) in Engine::candidates() {
        let shard = usable.and_then(|()| LocalShard::new(LocalConfig { engine, cpu: None }));
        match shard {
            Ok(mut shard) => shard.block_on(test(engine)),
            Err(error) => println!("SKIPPED {engine}: {error}"),
        }
    }
}
