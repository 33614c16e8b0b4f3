//! The table of engines that tests run over.

use corespun_runtime::{Engine, LocalConfig, LocalShard};

/// Runs `test` once per engine that this kernel permits; says so loudly when one is left out.
pub fn each_engine(name: &str, test: impl Fn(Engine)) {
    for engine in [Engine::Epoll, Engine::Uring] {
        match LocalShard::new(LocalConfig { engine, cpu: None }) {
            Ok(shard) => drop(shard),
            Err(error) => {
                println!("SKIPPED {name} on {engine}: {error}");
                continue;
            }
        }
        println!("{name} on {engine}");
        test(engine);
    }
}
