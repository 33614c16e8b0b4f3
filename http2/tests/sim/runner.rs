//! Seeds on all cores, each twice; what failed, with its last steps and how to see it again.

use std::cell::RefCell;
use std::fmt::{self, Display};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, Once};

use crate::arena::Arena;
use crate::trace::Trace;
use crate::world::World;

/// The environment variable that names the one seed to replay.
pub(crate) const SEED: &str = "CORESPUN_SIM_SEED";

const KEPT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/sim/seeds.txt");

/// A bug put in on purpose.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Flaw {
    /// One byte of each body is taken for another.
    WrongByte,
    /// An end counts a stream that it has reset as one that runs on.
    LostStream,
    /// The checks hear of no credit, so that what is lawful looks like an overrun.
    DeafToCredit,
}

/// Outcome of one seed.
pub(crate) struct Outcome {
    pub(crate) seed: u64,
    pub(crate) hash: u64,
    pub(crate) failure: Option<String>,
    last_steps: String,
}

impl Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (seed, why) = (self.seed, self.failure.as_deref().unwrap_or("no failure"));
        write!(
            f,
            "seed {seed}: {why}\nthe last steps:\n{}",
            self.last_steps
        )?;
        write!(
            f,
            "replay with: {SEED}={seed} cargo test -p corespun-http2 --test sim seeds"
        )
    }
}

/// Runs a seed, with a bug of ours or without. The steps are kept as text only where someone will
/// read them: on a replay, and of a run that failed, which is made again for it.
pub(crate) fn run(seed: u64, flaw: Option<Flaw>, print: bool) -> Outcome {
    let outcome = run_traced(seed, flaw, Trace::new(print));
    match outcome.failure {
        Some(_) if !print => run_traced(seed, flaw, Trace::recording()),
        _ => outcome,
    }
}

fn run_traced(seed: u64, flaw: Option<Flaw>, mut trace: Trace) -> Outcome {
    catch_words();
    WORDS.set(Some(String::new()));
    let result = catch_unwind(AssertUnwindSafe(|| match seed % 2 {
        0 => World::new(seed, flaw).run(&mut trace),
        _ => Arena::new(seed, flaw).run(&mut trace),
    }));
    let words = WORDS.take().unwrap_or_default();
    Outcome {
        seed,
        hash: trace.hash(),
        failure: result.err().map(|_| words),
        last_steps: trace.last_steps(),
    }
}

thread_local! {
    /// While a seed runs on this thread: what its panic says.
    static WORDS: RefCell<Option<String>> = const { RefCell::new(None) };
}

/// Makes a panic of a seed tell its place and words to its outcome instead of to everybody.
fn catch_words() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        let before = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |info| {
            let caught = WORDS.with_borrow_mut(|words| match words {
                Some(words) => {
                    *words = info.to_string();
                    true
                }
                None => false,
            });
            if !caught {
                before(info);
            }
        }));
    });
}

/// Runs every seed twice on all cores until one fails; how many were run, and which failed.
pub(crate) fn run_all(seeds: impl Iterator<Item = u64> + Send) -> (u64, Option<u64>) {
    let seeds = Mutex::new(seeds);
    let (count, failed) = (AtomicU64::new(0), Mutex::new(None));
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    let next = || {
        let seed = seeds.lock().ok()?.next()?;
        failed.lock().ok()?.is_none().then_some(seed)
    };
    std::thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(|| {
                while let Some(seed) = next() {
                    count.fetch_add(1, Ordering::Relaxed);
                    if !holds_twice(seed)
                        && let Ok(mut failed) = failed.lock()
                    {
                        *failed = Some(seed);
                    }
                }
            });
        }
    });
    let failed = failed.into_inner().unwrap_or_default();
    (count.into_inner(), failed)
}

/// A seed holds, and a second time does the very same.
fn holds_twice(seed: u64) -> bool {
    let first = run_traced(seed, None, Trace::new(false));
    let second = run_traced(seed, None, Trace::new(false));
    if first.hash != second.hash {
        eprintln!("seed {seed} is not repeatable");
    }
    first.failure.is_none() && first.hash == second.hash
}

/// The seeds that failed once.
pub(crate) fn kept_seeds() -> Vec<u64> {
    let text = std::fs::read_to_string(KEPT).expect("seeds.txt lies beside the tests");
    let lines = text.lines().filter(|line| !line.starts_with('#'));
    lines
        .map(|line| line.trim().parse().expect("a seed is a number"))
        .collect()
}

/// Adds a seed to those that run first from now on.
pub(crate) fn keep_seed(seed: u64) {
    if kept_seeds().contains(&seed) {
        return;
    }
    let kept = std::fs::read_to_string(KEPT)
        .and_then(|text| std::fs::write(KEPT, format!("{text}{seed}\n")));
    match kept {
        Ok(()) => eprintln!("seed {seed} was added to {KEPT}"),
        Err(error) => eprintln!("add seed {seed} to {KEPT} by hand: {error}"),
    }
}
