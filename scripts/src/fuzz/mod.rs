//! `cargo x fuzz`: looks for inputs that break a promise, guided by coverage, and keeps what is
//! worth keeping.
//!
//! The targets are plain functions in `http2/fuzz` and `codec/fuzz`. The stable compiler counts
//! edges for libFuzzer by an LLVM pass of its own, so no nightly is needed.

mod corpus;
mod engine;
mod table;

use std::path::Path;

use crate::failure::Failure;
use engine::Engine;

/// Every target with the folder of its crate.
const TARGETS: [(&str, &str); 8] = [
    ("connection_bytes", "http2/fuzz"),
    ("connection_frames", "http2/fuzz"),
    ("hpack_round_trip", "http2/fuzz"),
    ("hpack_foreign", "http2/fuzz"),
    ("deframer", "codec/fuzz"),
    ("request_head", "codec/fuzz"),
    ("response_head", "codec/fuzz"),
    ("texts", "codec/fuzz"),
];

/// What `cargo x fuzz` takes.
#[derive(clap::Args)]
pub struct Arguments {
    /// The target, or `all` for one after the other.
    name: String,
    /// How long each target runs; 0 only minimises its corpus.
    #[arg(long, default_value_t = 1.0)]
    minutes: f64,
}

/// Fuzzes the named targets; `false` when an input broke a promise.
pub fn run(root: &Path, arguments: &Arguments) -> Result<bool, Failure> {
    let chosen = |(name, _): &&(&str, &str)| arguments.name == *name || arguments.name == "all";
    let targets: Vec<_> = TARGETS.iter().filter(chosen).collect();
    if targets.is_empty() {
        let names = TARGETS.map(|(name, _)| name).join(", ");
        let what = format!("find the target {:?}", arguments.name);
        return Err(Failure::new(what, format!("there are {names} and all")));
    }
    let mut held = true;
    for (name, folder) in targets {
        held &= run_one(root, name, folder, arguments.minutes)?;
    }
    Ok(held)
}

fn run_one(root: &Path, name: &str, folder: &str, minutes: f64) -> Result<bool, Failure> {
    let engine = Engine::build(root, folder, name)?;
    let path = root.join(folder).join("corpus").join(format!("{name}.txt"));
    let mut kept = corpus::read(&path)?;
    engine.fill(&kept)?;
    let report = engine.search(minutes)?;
    if let Some(input) = &report.fault {
        kept.faults.push(input.clone());
        println!("{name}: a fault, now kept as {}", corpus::line(input));
    }
    kept.inputs = engine.minimised()?;
    corpus::write(&path, &mut kept)?;
    println!(
        "{name}: {} executions in {minutes} min, {} inputs kept",
        report.executions,
        kept.inputs.len() + kept.faults.len()
    );
    table::update(
        root,
        name,
        &table::Row {
            executions: report.executions,
            cpu_minutes: report.cpu_time.as_secs_f64() / 60.0,
            edges: report.edges,
            inputs: kept.inputs.len() + kept.faults.len(),
            faults: kept.faults.len(),
        },
    )?;
    Ok(report.fault.is_none())
}
