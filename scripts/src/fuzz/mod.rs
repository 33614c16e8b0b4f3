//! `cargo x fuzz`: searches for inputs that violate an invariant, guided by coverage, and keeps the
//! useful ones.
//!
//! The targets are plain functions in `http2/fuzz` and `codec/fuzz`. The stable compiler counts
//! edges for libFuzzer with a pass of LLVM, so that no nightly is needed.

mod corpus;
mod engine;
mod table;

use std::path::Path;

use crate::failure::Failure;
use engine::Engine;

/// Targets, each with the folder of its crate.
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

/// Arguments of `cargo x fuzz`.
#[derive(clap::Args)]
pub struct Arguments {
    /// Target, or `all` for all of them in order.
    name: String,
    /// Minutes for each target; 0 only minimises its corpus.
    #[arg(long, default_value_t = 1.0)]
    minutes: f64,
}

/// Fuzzes the named targets; returns false if an input violated an invariant.
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
