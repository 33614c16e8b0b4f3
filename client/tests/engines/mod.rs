//! Tests that hold whatever drives the sockets.

use corespun_runtime::{Engine, LocalConfig, LocalShard};

/// Runs a test on each engine, the server's and the client's alike.
pub fn on_each_engine(test: impl AsyncFn(Engine)) {
    for (engine, usable) in Engine::candidates() {
        let shard = usable.and_then(|()| LocalShard::new(LocalConfig { engine, cpu: None }));
        match shard {
            Ok(mut shard) => shard.block_on(test(engine)),
            Err(error) => println!("SKIPPED {engine}: {error}"),
        }
    }
}
