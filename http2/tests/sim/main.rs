//! A connection over a simulated link, decision by decision from a seed: even seeds put two
//! connections of ours together, odd ones put one against an adversary.
//!
//! | variable | what it does |
//! |---|---|
//! | `CORESPUN_SIM_SEED=n` | replays one seed and prints its steps |
//! | `CORESPUN_SIM_FROM=n` | the first of the fresh seeds, which otherwise is random |
//! | `CORESPUN_SIM_RUNS=n` | how many seeds to run |
//!
//! `seeds.txt` holds the seeds that failed once; they run first, and a new one is added there.

#[path = "../conformance/random.rs"]
mod random;

#[path = "../../fuzz/src/duel/mod.rs"]
mod duel;

mod arena;
mod body;
mod checker;
mod link;
mod reader;
mod runner;
mod side;
mod trace;
mod world;

use std::time::Instant;

use runner::{Flaw, Outcome};

/// Seeds of a normal test run.
const RUNS: u64 = 100_000;

/// Of those, the seeds that are the same each time.
const FIXED: u64 = 10_000;

fn number(variable: &str) -> Option<u64> {
    let text = std::env::var(variable).ok()?;
    Some(
        text.parse()
            .unwrap_or_else(|_| panic!("{variable} is {text:?}, not a number")),
    )
}

/// A number that differs from run to run, small enough to be typed.
fn entropy() -> u64 {
    use std::hash::{BuildHasher, RandomState};
    RandomState::new().hash_one(0) % 1_000_000_000_000
}

#[test]
fn seeds() {
    if let Some(seed) = number(runner::SEED) {
        let outcome = runner::run(seed, None, true);
        return assert!(outcome.failure.is_none(), "{outcome}");
    }
    let start = Instant::now();
    let runs = number("CORESPUN_SIM_RUNS").unwrap_or(RUNS);
    let from = number("CORESPUN_SIM_FROM").unwrap_or_else(entropy);
    let fixed = runs.min(FIXED);
    let fresh = from..from + (runs - fixed);
    let kept = runner::kept_seeds();
    println!(
        "{} kept seeds, then 0..{fixed}, then {}..{}",
        kept.len(),
        fresh.start,
        fresh.end
    );
    let seeds = kept.into_iter().chain(0..fixed).chain(fresh);
    let (count, failed) = runner::run_all(seeds);
    println!(
        "{count} seeds, each twice, in {:.1} s",
        start.elapsed().as_secs_f64()
    );
    if let Some(seed) = failed {
        runner::keep_seed(seed);
        let outcome = runner::run(seed, None, false);
        panic!("{outcome}");
    }
}

/// Seeded bugs are found, by few seeds each: a byte of a body that is wrong, a stream that
/// forgets that it ended, and an end that hears of no credit.
#[test]
fn canaries_are_found() {
    for (flaw, first) in [
        (Flaw::WrongByte, 0),
        (Flaw::LostStream, 0),
        (Flaw::DeafToCredit, 1),
    ] {
        let seeds = (first..).step_by(2).take(200);
        let found: Vec<Outcome> = seeds
            .map(|seed| runner::run(seed, Some(flaw), false))
            .filter(|outcome| outcome.failure.is_some())
            .collect();
        let first = found
            .first()
            .unwrap_or_else(|| panic!("{flaw:?} was not found"));
        let text = first.to_string();
        assert!(
            text.contains(&format!("{}={}", runner::SEED, first.seed)),
            "{text}"
        );
        println!("{flaw:?}: found by {} of 200 seeds", found.len());
    }
}
