//! The house rules that neither rustc nor clippy knows, each finding as `path:line: what`.
//!
//! | rule | file |
//! |---|---|
//! | imports follow the crate graph, crates inherit the lints | `graph.rs` |
//! | unsafe code has its rooms, its notes, its ledger | `unsafety.rs` |
//! | functions fit a screen | `functions.rs` |
//! | files have a size, a first line, bounds, no leftovers | `text.rs` |
//! | one word per thing, calls in their homes | `names.rs` |
//! | doc summaries stand alone | `summaries.rs` |

mod functions;
mod graph;
mod manifest;
mod names;
mod source;
mod summaries;
mod text;
mod unsafety;

use std::collections::BTreeMap;
use std::fmt::{self, Display};
use std::fs;
use std::path::Path;

use crate::failure::{Attempt, Failure};
use crate::workspace;
use manifest::Manifest;
use source::Source;
use summaries::Share;

/// Texts that a program wrote, or that are tables: not for reading, so not for these rules.
const EXEMPT: &[&str] = &[
    "/generated/",
    "/golden/",
    "/tables/",
    "/transcripts/",
    "_table.rs",
];

/// Arguments of `cargo x tidy`.
#[derive(clap::Args)]
pub struct Arguments {
    /// Write the ledger of unsafe sites instead of comparing with it.
    #[arg(long)]
    bless: bool,
}

/// One broken rule, at one place.
#[derive(Debug)]
pub struct Finding {
    path: String,
    line: usize,
    what: String,
}

impl Finding {
    /// `line` counts from one.
    pub fn new(path: &str, line: usize, what: String) -> Self {
        Self {
            path: path.to_owned(),
            line,
            what,
        }
    }
}

impl Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}: {}", self.path, self.line, self.what)
    }
}

/// Returns true if the rules of size and form ignore this file.
fn is_exempt(path: &str) -> bool {
    EXEMPT.iter().any(|part| path.contains(part))
}

/// Checks the workspace and prints what it found; `true` when that is nothing.
pub fn run(root: &Path, arguments: &Arguments) -> Result<bool, Failure> {
    let (mut findings, totals) = findings(root)?;
    if arguments.bless {
        let ledger = unsafety::ledger(&totals.unsafety);
        fs::write(root.join(unsafety::LEDGER), ledger)
            .attempt(|| format!("write {}", unsafety::LEDGER))?;
    } else {
        findings.extend(ledger_findings(root, &totals.unsafety));
    }
    for finding in &findings {
        println!("{finding}");
    }
    println!("tidy: {}", totals.summaries);
    println!("tidy: {} findings", findings.len());
    Ok(findings.is_empty())
}

/// Every finding, the ledger's among them.
pub fn all(root: &Path) -> Result<Vec<Finding>, Failure> {
    let (mut findings, totals) = findings(root)?;
    findings.extend(ledger_findings(root, &totals.unsafety));
    Ok(findings)
}

/// Counts over all files.
#[derive(Default)]
struct Totals {
    unsafety: unsafety::Counts,
    summaries: Share,
}

fn ledger_findings(root: &Path, counts: &unsafety::Counts) -> Vec<Finding> {
    // A missing ledger is an empty one: every site is then a difference.
    let ledger = workspace::read(root, unsafety::LEDGER).unwrap_or_default();
    let mut findings = Vec::new();
    unsafety::check_ledger(&ledger, counts, &mut findings);
    findings
}

fn findings(root: &Path) -> Result<(Vec<Finding>, Totals), Failure> {
    let files = workspace::files(root)?;
    let mut findings = Vec::new();
    let mut totals = Totals::default();
    let mut manifests = BTreeMap::new();
    for path in files.iter().filter(|path| path.ends_with("Cargo.toml")) {
        let text = workspace::read(root, path)?;
        match path.split_once('/') {
            None => graph::check_root(&text, &mut findings),
            Some((folder, "Cargo.toml")) => {
                graph::check_manifest(path, &text, &mut findings);
                manifests.insert(folder.to_owned(), Manifest::parse(&text));
            }
            // A manifest deeper down is a test's own project.
            Some(_) => {}
        }
    }
    for path in files
        .iter()
        .filter(|path| path.ends_with(".rs") || path.ends_with(".py"))
    {
        let text = workspace::read(root, path)?;
        text::check_size(path, &text, &mut findings);
        if path.ends_with(".rs") {
            let source = Source::new(path, &text);
            let manifest = path
                .split('/')
                .next()
                .and_then(|folder| manifests.get(folder));
            check_source(&source, manifest, &mut totals, &mut findings);
        }
    }
    summaries::check_share(totals.summaries, &mut findings);
    findings.sort_by(|a, b| (&a.path, a.line).cmp(&(&b.path, b.line)));
    Ok((findings, totals))
}

fn check_source(
    source: &Source,
    manifest: Option<&Manifest>,
    totals: &mut Totals,
    findings: &mut Vec<Finding>,
) {
    text::check_docs(source, findings);
    summaries::check(source, &mut totals.summaries, findings);
    text::check_leftovers(source, findings);
    functions::check(source, findings);
    names::check(source, findings);
    unsafety::check(source, &mut totals.unsafety, findings);
    if let Some(manifest) = manifest {
        graph::check_source(source, manifest, findings);
    }
}
