//! Rules on the text of a file: its length, its first line, and leftover markers.

use super::source::{Source, words};
use super::{Finding, is_exempt};

const COLUMNS_MAX: usize = 100;
const LINES_MAX: usize = 800;

/// Words that mark unfinished work, in comments.
const LEFTOVERS: &[&str] = &["TODO", "FIXME", "XXX"];
/// Macros that mark unfinished work, in code.
const LEFTOVER_MACROS: &[&str] = &["dbg!", "todo!", "unimplemented!"];

/// Length and width, for a text of any language.
pub fn check_size(path: &str, text: &str, findings: &mut Vec<Finding>) {
    if is_exempt(path) {
        return;
    }
    let lines = text.lines().count();
    if lines > LINES_MAX {
        let what = format!("file has {lines} lines, at most {LINES_MAX} are allowed");
        findings.push(Finding::new(path, LINES_MAX + 1, what));
    }
    for (number, line) in (1..).zip(text.lines()) {
        let columns = line.chars().count();
        // An address cannot be broken.
        if columns > COLUMNS_MAX && !line.contains("://") {
            let what = format!("line has {columns} columns, at most {COLUMNS_MAX} are allowed");
            findings.push(Finding::new(path, number, what));
        }
    }
}

/// The first line says what the file is for; a crate's tour says what it is not for.
pub fn check_docs(source: &Source, findings: &mut Vec<Finding>) {
    if is_exempt(&source.path) {
        return;
    }
    if !source.text.starts_with("//!") {
        let what = "the first line is not a `//!` doc".into();
        findings.push(Finding::new(&source.path, 1, what));
    }
    let has_bounds = || {
        let mut lines = source.text.lines();
        lines.any(|line| line.starts_with("//!") && line.contains("**Not here:**"))
    };
    if source.path.ends_with("src/lib.rs") && !has_bounds() {
        let what = "the crate's tour has no `**Not here:**` line".into();
        findings.push(Finding::new(&source.path, 1, what));
    }
}

/// Nothing unfinished is left in.
pub fn check_leftovers(source: &Source, findings: &mut Vec<Finding>) {
    for (number, line) in source.comment_lines() {
        for word in words(line).filter(|word| LEFTOVERS.contains(word)) {
            findings.push(Finding::new(
                &source.path,
                number,
                format!("leftover `{word}`"),
            ));
        }
    }
    for (number, line) in source.code_lines() {
        for name in LEFTOVER_MACROS.iter().filter(|name| calls(line, name)) {
            findings.push(Finding::new(
                &source.path,
                number,
                format!("leftover `{name}`"),
            ));
        }
        if line.contains("allow(dead_code)") || line.contains("expect(dead_code)") {
            let what = "dead code is removed, not allowed".into();
            findings.push(Finding::new(&source.path, number, what));
        }
    }
}

fn calls(line: &str, name: &str) -> bool {
    let is_word = |c: char| c.is_alphanumeric() || c == '_';
    line.match_indices(name)
        .any(|(at, _)| !line[..at].ends_with(is_word))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(path: &str, text: &str, expected: &[&str]) {
        let mut findings = Vec::new();
        let source = Source::new(path, text);
        check_size(path, text, &mut findings);
        check_docs(&source, &mut findings);
        check_leftovers(&source, &mut findings);
        let found: Vec<_> = findings.iter().map(ToString::to_string).collect();
        assert_eq!(found, expected, "in {text:?}");
    }

    #[test]
    fn sizes() {
        let wide = format!("//! x\n// {}\n", "é".repeat(98));
        check(
            "a/src/x.rs",
            &wide,
            &["a/src/x.rs:2: line has 101 columns, at most 100 are allowed"],
        );
        check("a/src/x.rs", &wide.replacen("éé", "é", 1), &[]);
        check("a/src/generated/x.rs", &wide, &[]);
        let long = format!("//! x\n{}", "\n".repeat(800));
        check(
            "a/src/x.rs",
            &long,
            &["a/src/x.rs:801: file has 801 lines, at most 800 are allowed"],
        );
    }

    #[test]
    fn docs() {
        check(
            "a/src/x.rs",
            "use x;\n",
            &["a/src/x.rs:1: the first line is not a `//!` doc"],
        );
        let bare = &["a/src/lib.rs:1: the crate's tour has no `**Not here:**` line"];
        check("a/src/lib.rs", "//! x\n// **Not here:** y\n", bare);
        check("a/src/lib.rs", "//! x\n//! **Not here:** y\n", &[]);
    }

    #[test]
    fn leftovers() {
        let comment = format!("//! x\n// {}: later\n", LEFTOVERS[0]);
        check("a/src/x.rs", &comment, &["a/src/x.rs:2: leftover `TODO`"]);
        check(
            "a/src/x.rs",
            "//! x\nfn a() { dbg!(1) }\n",
            &["a/src/x.rs:2: leftover `dbg!`"],
        );
        check("a/src/x.rs", "//! x\nfn a() { my_todo!(\"todo!\") }\n", &[]);
        let dead = &["a/src/x.rs:2: dead code is removed, not allowed"];
        check("a/src/x.rs", "//! x\n#[allow(dead_code)]\n", dead);
    }
}
