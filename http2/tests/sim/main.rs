//! Two connections over a simulated link, with random actions at both ends. Each seed is a run;
//! `CORESPUN_SIM_SEED=n` replays one and prints its steps.

#[path = "../conformance/random.rs"]
mod random;

mod checker;
mod link;
mod side;
mod world;

use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};

use world::World;

/// Seeds of a normal test run.
const SEEDS: u64 = 2_000;

/// The environment variable that names the one seed to replay.
const REPLAY: &str = "CORESPUN_SIM_SEED";

/// Runs a seed; the hash of its trace.
fn run(seed: u64, corrupt: bool) -> u64 {
    let mut world = World::new(seed, corrupt);
    let outcome = catch_unwind(AssertUnwindSafe(|| world.run()));
    if let Err(panic) = outcome {
        if !corrupt {
            eprintln!("the last steps:\n{}", world.trace.last_steps());
            eprintln!("replay with: {REPLAY}={seed} cargo test -p corespun-http2 --test sim");
        }
        resume_unwind(panic);
    }
    world.trace.hash()
}

#[test]
fn seeds() {
    if let Ok(seed) = std::env::var(REPLAY) {
        let seed = seed.parse().expect("a seed is a number");
        let mut world = World::new(seed, false);
        world.trace.print = true;
        return world.run();
    }
    for seed in 0..SEEDS {
        let hash = run(seed, false);
        if seed % 16 == 0 {
            assert_eq!(run(seed, false), hash, "seed {seed} is not repeatable");
        }
    }
}

/// A canary: the checkers notice when one byte of a body is wrong.
#[test]
fn a_wrong_byte_is_noticed() {
    let hook = std::panic::take_hook();
    std::panic::set_hook(Box::new(|_| {}));
    let noticed = (0..50)
        .filter(|&seed| catch_unwind(|| run(seed, true)).is_err())
        .count();
    std::panic::set_hook(hook);
    assert!(noticed > 25, "{noticed} of 50");
}
