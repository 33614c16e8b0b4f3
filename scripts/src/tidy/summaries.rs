//! Doc summaries stand alone: they begin neither with a question word nor with "The same".
//!
//! A summary is the first line of a doc comment. It is read in a list or in a hover, without the
//! item above it, so it has to name the thing itself.

use std::fmt::{self, Display};

use super::source::Source;
use super::{Finding, is_exempt};

/// Openings that refer to the item above; refused everywhere.
const ECHO: &str = "The same";

/// Openings that make a clause instead of a name; refused in public docs, and rare in all others.
const QUESTIONS: &[&str] = &[
    "What", "How", "Who", "Whom", "Whose", "Whether", "Which", "Where",
];

/// Largest share of the summaries that may begin with an opening from above, in percent.
const PERCENT_MAX: usize = 2;

/// Numbers of doc summaries, over all files that the rules look at.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Share {
    all: usize,
    refused: usize,
}

impl Display for Share {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { all, refused } = self;
        write!(
            f,
            "{refused} of {all} doc summaries begin with a question word or \"{ECHO}\""
        )
    }
}

/// Checks every summary of a file, and counts them in `share`.
pub fn check(source: &Source, share: &mut Share, findings: &mut Vec<Finding>) {
    if is_exempt(&source.path) {
        return;
    }
    let code: Vec<&str> = source.code.lines().collect();
    for summary in summaries(source) {
        share.all += 1;
        let begins = |opening: &&&str| begins_with(summary.text, opening);
        let question = QUESTIONS.iter().find(begins);
        if begins_with(summary.text, ECHO) {
            share.refused += 1;
            let what = format!("a doc summary begins with \"{ECHO}\": say it in full");
            findings.push(Finding::new(&source.path, summary.line, what));
        } else if let Some(question) = question {
            share.refused += 1;
            if is_public(source, &code, &summary) {
                let what =
                    format!("a public doc summary begins with \"{question}\": name the thing");
                findings.push(Finding::new(&source.path, summary.line, what));
            }
        }
    }
}

/// Checks the share of summaries that begin with a refused opening, private ones included.
pub fn check_share(share: Share, findings: &mut Vec<Finding>) {
    if share.refused * 100 > share.all * PERCENT_MAX {
        let what = format!("{share}, at most {PERCENT_MAX} % may");
        findings.push(Finding::new("the workspace", 1, what));
    }
}

struct Summary<'a> {
    /// Line of the summary, counted from one.
    line: usize,
    /// Line after the whole doc comment, counted from one.
    after: usize,
    text: &'a str,
    /// True for `//!`, which documents the file.
    is_inner: bool,
}

/// Returns the first line of each doc comment.
fn summaries(source: &Source) -> Vec<Summary<'_>> {
    let mut found: Vec<Summary<'_>> = Vec::new();
    for (line, comment) in source.comment_lines() {
        let comment = comment.trim();
        let is_inner = comment.starts_with("//!");
        let is_doc = is_inner || (comment.starts_with("///") && !comment.starts_with("////"));
        match found.last_mut() {
            _ if !is_doc => {}
            Some(last) if last.after == line => last.after += 1,
            _ => found.push(Summary {
                line,
                after: line + 1,
                text: comment[3..].trim_start(),
                is_inner,
            }),
        }
    }
    found
}

fn begins_with(text: &str, opening: &str) -> bool {
    text.strip_prefix(opening)
        .is_some_and(|rest| !rest.starts_with(|c: char| c.is_alphanumeric() || c == '_'))
}

/// Returns `true` for docs of a crate and of items that other crates can see, by their keywords.
fn is_public(source: &Source, code: &[&str], summary: &Summary<'_>) -> bool {
    if summary.is_inner {
        return source.path.ends_with("src/lib.rs");
    }
    let mut lines = code.iter().enumerate().skip(summary.after - 1);
    let item = lines.find(|(_, line)| !line.trim().is_empty() && !line.trim().starts_with("#["));
    let Some((item, line)) = item else {
        return false;
    };
    // Methods of traits, variants and their fields are as public as what they belong to.
    let parent = parent(code, item);
    let is_open = |at: usize| starts(code[at], &["pub enum ", "pub trait "]);
    starts(line, &["pub "])
        || parent.is_some_and(is_open)
        || parent
            .and_then(|at| self::parent(code, at))
            .is_some_and(|at| starts(code[at], &["pub enum "]))
}

/// Returns the line that opens the block around a line, by the indentation that rustfmt gives.
fn parent(code: &[&str], at: usize) -> Option<usize> {
    let depth = indentation(code[at]);
    let opens = |line: &str| {
        !line.trim().is_empty()
            && indentation(line) < depth
            && !starts(line, &["{", "}", ")", "where"])
    };
    code[..at].iter().rposition(|line| opens(line))
}

fn indentation(line: &str) -> usize {
    line.len() - line.trim_start().len()
}

fn starts(line: &str, words: &[&str]) -> bool {
    words.iter().any(|word| line.trim_start().starts_with(word))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(path: &str, text: &str, expected: &[&str]) -> Share {
        let (mut share, mut findings) = (Share::default(), Vec::new());
        super::check(&Source::new(path, text), &mut share, &mut findings);
        let found: Vec<_> = findings.iter().map(ToString::to_string).collect();
        assert_eq!(found, expected, "in {text:?}");
        share
    }

    #[test]
    fn the_same_is_refused_everywhere() {
        let found = &["http2/src/x.rs:1: a doc summary begins with \"The same\": say it in full"];
        check("http2/src/x.rs", "//! The same once more.\n", found);
        check(
            "http2/src/x.rs",
            "/// The same, private.\nfn a() {}\n",
            found,
        );
        check("http2/src/x.rs", "/// The samest.\nfn a() {}\n", &[]);
        check(
            "http2/src/x.rs",
            "/// A list.\n/// The same.\nfn a() {}\n",
            &[],
        );
        check("http2/src/x.rs", "// The same.\n//// The same.\n", &[]);
        check("http2/src/x.rs", "let x = \"/// The same\";\n", &[]);
    }

    #[test]
    fn questions_are_refused_in_public() {
        let at = |line| {
            let what = "a public doc summary begins with \"Which\": name the thing";
            [format!("http2/src/x.rs:{line}: {what}")]
        };
        let check = |text: &str, expected: &[String]| {
            let expected: Vec<_> = expected.iter().map(String::as_str).collect();
            check("http2/src/x.rs", text, &expected);
        };
        let doc = "/// Which one.\n";
        check(&format!("{doc}#[must_use]\npub fn a() {{}}\n"), &at(1));
        check(&format!("{doc}pub(crate) fn a() {{}}\n"), &[]);
        check(&format!("{doc}fn a() {{}}\n"), &[]);
        check("/// Whichever.\npub fn a() {}\n", &[]);
        check(&format!("pub enum A {{\n    {doc}    B,\n}}\n"), &at(2));
        check(&format!("enum A {{\n    {doc}    B,\n}}\n"), &[]);
        let field = format!("pub enum A {{\n    B {{\n        {doc}        c: u8,\n    }},\n}}\n");
        check(&field, &at(3));
        let method = format!("pub trait A\nwhere\n    u8: B,\n{{\n    {doc}    fn b();\n}}\n");
        check(&method, &at(5));
        check(&format!("impl A {{\n    {doc}    fn b() {{}}\n}}\n"), &[]);
    }

    #[test]
    fn files() {
        let found =
            &["http2/src/lib.rs:1: a public doc summary begins with \"What\": name the thing"];
        check("http2/src/lib.rs", "//! What it is.\n", found);
        check("http2/src/x.rs", "//! What it is.\n", &[]);
        check("http2/src/generated/x.rs", "//! The same.\n", &[]);
    }

    #[test]
    fn shares() {
        let text =
            "//! How it works.\n//! More.\n\n/// Where.\nfn a() {}\n\n/// A list.\nfn b() {}\n";
        let share = check("http2/src/x.rs", text, &[]);
        assert_eq!(share, Share { all: 3, refused: 2 });
        let check = |refused, count| {
            let mut findings = Vec::new();
            check_share(Share { all: 100, refused }, &mut findings);
            assert_eq!(findings.len(), count, "{refused} of 100");
        };
        check(2, 0);
        check(3, 1);
    }
}
