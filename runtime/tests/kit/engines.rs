//! The table of engines that tests run over.

use corespun_runtime::Engine;

/// Runs `test` once per engine that this kernel permits; says so loudly when one is left out.
pub fn each_engine(name: &str, test: impl Fn(Engine)) {
    for (engine, usable) in Engine::candidates() {
        match usable {
            Ok(()) => {
                println!("{name} on {engine}");
                test(engine);
            }
            Err(error) => println!("SKIPPED {name} on {engine}: {error}"),
        }
    }
}
