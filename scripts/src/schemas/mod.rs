//! `cargo x schemas`: code for schemas that other people publish, generated and compiled with
//! warnings denied.
//!
//! The schemas come from packages, fetched by their registries' own clients. Each tree becomes a
//! crate in a workspace below the target folder, so that cargo treats its code as a user's.

mod described;
mod package;
mod tree;
mod user_crate;

use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use crate::bench::table::write_between_markers;
use crate::failure::Failure;
use crate::test::{Context, Stage};
use tree::{TREES, Tree};
use user_crate::{Counts, UserCrate};

/// Marker in the file that shows the table.
const MARKER: &str = "schemas";

/// Arguments of `cargo x schemas`.
#[derive(clap::Args)]
pub struct Arguments {
    /// Trees to try; all when none is named.
    trees: Vec<String>,
    /// Replace the table between the `schemas` markers of this file.
    #[arg(long, value_name = "FILE")]
    write: Option<PathBuf>,
}

/// Result of one part of a tree.
enum Verdict {
    /// Text about what held.
    Held(String),
    /// The part could not be had on this machine.
    Skipped(String),
    Fault(Failure),
}

/// Tries the trees, prints the table, and writes it; `true` when none failed.
pub fn run(root: &Path, arguments: &Arguments) -> Result<bool, Failure> {
    for name in &arguments.trees {
        if !TREES.iter().any(|tree| tree.name == name) {
            let names: Vec<_> = TREES.iter().map(|tree| tree.name).collect();
            let names = names.join(", ");
            return Err(Failure::new(
                "choose the trees",
                format!("no tree is named {name:?}; there are {names}"),
            ));
        }
    }
    let chosen = |tree: &&Tree| {
        arguments.trees.is_empty() || arguments.trees.iter().any(|name| name == tree.name)
    };
    let context = Context::new(root, "schemas-logs")?;
    let mut rows = Vec::new();
    let mut held = true;
    for tree in TREES.iter().filter(chosen) {
        let counts = check(&context, tree, |name, verdict| match verdict {
            Verdict::Held(text) => println!("ok {name}{text}"),
            Verdict::Skipped(reason) => println!("SKIPPED {name}: {reason}"),
            Verdict::Fault(failure) => {
                println!("FAILED {name}: {failure}");
                held = false;
            }
        });
        rows.extend(counts.map(|counts| (tree, counts)));
    }
    let table = markdown(&rows);
    print!("{table}");
    if let Some(file) = &arguments.write {
        write_between_markers(&root.join(file), MARKER, &table)?;
    }
    Ok(held)
}

/// Tries the trees that are small enough for every test run.
pub fn stage(context: &Context, stage: &mut Stage) {
    for tree in TREES.iter().filter(|tree| tree.is_small) {
        check(context, tree, |name, verdict| match verdict {
            Verdict::Held(text) => stage.note(format!("ok schemas.{name}{text}")),
            Verdict::Skipped(reason) => stage.skip(&format!("schemas.{name}"), reason),
            Verdict::Fault(failure) => stage.fault(format!("{name}: {failure}")),
        });
    }
}

/// Generates and compiles a tree, and compares its custom options; reports each part by name, and
/// returns what the table shows of the tree.
fn check(context: &Context, tree: &Tree, mut report: impl FnMut(&str, Verdict)) -> Option<Counts> {
    let folder = context.target.join("schemas");
    let mut roots = Vec::new();
    for mount in tree.mounts {
        match package::fetch(&folder, mount.package) {
            Ok(package) => roots.push((mount, package)),
            Err(failure) => {
                report(tree.name, Verdict::Skipped(failure.to_string()));
                return None;
            }
        }
    }
    let made = UserCrate::write(context, &folder, tree, &roots);
    let (made, counts) = match made.and_then(|made| Ok((made.check()?, made))) {
        Ok((counts, made)) => (made, counts),
        Err(failure) => {
            report(tree.name, Verdict::Fault(failure));
            return None;
        }
    };
    report(tree.name, Verdict::Held(format!(": {counts}")));
    if let Some(method) = tree.described {
        let verdict = made.describe(method).unwrap_or_else(Verdict::Fault);
        report(&format!("{}.options", tree.name), verdict);
    }
    Some(counts)
}

fn markdown(rows: &[(&Tree, Counts)]) -> String {
    let mut text = String::from(
        "| schemas | from | files | services | methods | lines generated |\n\
         |---|---|---:|---:|---:|---:|\n",
    );
    for (tree, counts) in rows {
        let Counts {
            files,
            services,
            methods,
            lines,
        } = counts;
        let mut packages: Vec<String> = tree
            .mounts
            .iter()
            .map(|mount| format!("`{}`", mount.package))
            .collect();
        packages.dedup();
        let packages = packages.join(", ");
        let _ = writeln!(
            text,
            "| {} | {packages} | {files} | {services} | {methods} | {lines} |",
            tree.name
        );
    }
    text
}
