//! Unsafe code: only in its four rooms, each site with its note, and counted in a ledger.
//!
//! The ledger makes a new unsafe site a visible line of a diff: `cargo x tidy --bless` writes it,
//! and any difference between it and the code fails.

use std::collections::BTreeMap;

use super::Finding;
use super::source::Source;

/// Path of the ledger.
pub const LEDGER: &str = "scripts/unsafe-ledger.txt";

const LEDGER_HEAD: &str = "\
# Unsafe sites per file. Written by `cargo x tidy --bless`; a difference fails `cargo x tidy`.
";

/// The rooms whose job needs it: memory that the kernel writes, and wakers.
const ROOMS: &[&str] = &[
    "runtime/src/ring",
    "runtime/src/op",
    "runtime/src/buffer",
    "runtime/src/task",
];

/// Unsafe sites per file, sorted by path.
pub type Counts = BTreeMap<String, usize>;

/// Checks one file and enters its sites into `counts`.
pub fn check(source: &Source, counts: &mut Counts, findings: &mut Vec<Finding>) {
    let lines: Vec<_> = source.code.lines().collect();
    let comments: Vec<_> = source.comments.lines().collect();
    let mut sites = 0;
    for (index, line) in lines.iter().enumerate() {
        for rest in sites_of(line) {
            sites += 1;
            if !in_room(&source.path) {
                let what = format!("unsafe code outside of {}", ROOMS.join(", "));
                findings.push(Finding::new(&source.path, index + 1, what));
            }
            let is_declaration = ["fn ", "trait "].iter().any(|word| rest.starts_with(word));
            if !has_note(&lines, &comments, index, is_declaration) {
                let what = "unsafe code without a `// SAFETY:` note right above".into();
                findings.push(Finding::new(&source.path, index + 1, what));
            }
        }
    }
    if sites > 0 {
        counts.insert(source.path.clone(), sites);
    }
    if source.path.ends_with("/src/lib.rs")
        && !source.path.starts_with("runtime/")
        && !source.code.contains("#![forbid(unsafe_code)]")
    {
        let what = "`#![forbid(unsafe_code)]` is missing".into();
        findings.push(Finding::new(&source.path, 1, what));
    }
}

fn in_room(path: &str) -> bool {
    ROOMS.iter().any(|room| {
        path.strip_prefix(room)
            .is_some_and(|rest| rest == ".rs" || rest.starts_with('/'))
    })
}

/// Returns the text after each `unsafe` of a line; the type of a function pointer is not a site.
fn sites_of(line: &str) -> impl Iterator<Item = &str> {
    let is_word = |c: char| c.is_alphanumeric() || c == '_';
    line.match_indices("unsafe").filter_map(move |(at, word)| {
        let rest = &line[at + word.len()..];
        let is_keyword = !line[..at].ends_with(is_word) && !rest.starts_with(is_word);
        let rest = rest.trim_start();
        let callee = rest.strip_prefix("extern").map_or(rest, |abi| {
            abi.trim_start_matches(|c: char| c.is_whitespace() || c == '"')
        });
        (is_keyword && !callee.starts_with("fn(")).then_some(rest)
    })
}

/// Returns true if the comment right above the statement of line `index` is a SAFETY note; for a
/// declaration the `# Safety` section of its doc is enough.
fn has_note(lines: &[&str], comments: &[&str], index: usize, is_declaration: bool) -> bool {
    let is_note =
        |line: &str| line.contains("SAFETY:") || (is_declaration && line.contains("# Safety"));
    let mut met_comment = false;
    for above in (0..index).rev() {
        let code = lines[above].trim();
        let comment = comments[above].trim();
        if code.is_empty() && comment.starts_with("//") {
            if is_note(comment) {
                return true;
            }
            met_comment = true;
            continue;
        }
        let is_attribute = code.starts_with("#[");
        // A line of the same statement, such as `let value =`, may stand between.
        let continues = !code.is_empty() && !code.ends_with([';', '{', '}', ',']);
        if met_comment || !(is_attribute || continues) {
            return false;
        }
    }
    false
}

/// Compares the ledger's text with what was counted.
pub fn check_ledger(ledger: &str, counts: &Counts, findings: &mut Vec<Finding>) {
    let entry = |line: &str| {
        let (path, count) = line.split_once(' ')?;
        Some((path.to_owned(), count.trim().parse().ok()?))
    };
    let listed: Counts = ledger.lines().filter_map(entry).collect();
    for path in listed
        .keys()
        .chain(counts.keys().filter(|path| !listed.contains_key(*path)))
    {
        let was = listed.get(path).copied().unwrap_or(0);
        let is = counts.get(path).copied().unwrap_or(0);
        if was != is {
            let line = ledger
                .lines()
                .position(|line| line.starts_with(path.as_str()));
            let what = format!(
                "{path}: {is} unsafe sites, the ledger says {was}; \
                 `cargo x tidy --bless` enters them"
            );
            findings.push(Finding::new(LEDGER, line.map_or(1, |line| line + 1), what));
        }
    }
}

/// The text of the ledger for these counts.
pub fn ledger(counts: &Counts) -> String {
    let mut text = LEDGER_HEAD.to_owned();
    for (path, count) in counts {
        text.push_str(&format!("{path} {count}\n"));
    }
    text
}

#[cfg(test)]
mod tests;
