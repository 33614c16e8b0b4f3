//! `cargo x schemas`: code for schemas that other people publish, generated and compiled with
//! warnings denied.
//!
//! The schemas come from packages, fetched by their registries' own clients. Each tree becomes a
//! crate in a workspace below the target folder, so that cargo treats its code as a user's.

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

/// Result of one tree.
enum Verdict {
    /// Generated, checked and its docs tested.
    Held(Counts),
    /// A part could not be had on this machine.
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
        match check(&context, tree) {
            Verdict::Held(counts) => {
                println!("ok {}: {counts}", tree.name);
                rows.push((tree, counts));
            }
            Verdict::Skipped(reason) => println!("SKIPPED {}: {reason}", tree.name),
            Verdict::Fault(failure) => {
                println!("FAILED {}: {failure}", tree.name);
                held = false;
            }
        }
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
        match check(context, tree) {
            Verdict::Held(counts) => stage.note(format!("ok schemas.{}: {counts}", tree.name)),
            Verdict::Skipped(reason) => stage.skip(&format!("schemas.{}", tree.name), reason),
            Verdict::Fault(failure) => stage.fault(format!("{}: {failure}", tree.name)),
        }
    }
}

fn check(context: &Context, tree: &Tree) -> Verdict {
    let folder = context.target.join("schemas");
    let mut roots = Vec::new();
    for mount in tree.mounts {
        match package::fetch(&folder, mount.package) {
            Ok(package) => roots.push((mount, package)),
            Err(failure) => return Verdict::Skipped(failure.to_string()),
        }
    }
    let checked =
        UserCrate::write(context, &folder, tree, &roots).and_then(|user_crate| user_crate.check());
    match checked {
        Ok(counts) => Verdict::Held(counts),
        Err(failure) => Verdict::Fault(failure),
    }
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
