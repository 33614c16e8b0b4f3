//! No function is longer than a screen.

use super::source::Source;
use super::{Finding, is_exempt};

/// From the line of `fn` to the closing brace, both counted.
const LINES_MAX: usize = 70;

/// Finds the functions that are too long.
pub fn check(source: &Source, findings: &mut Vec<Finding>) {
    if is_exempt(&source.path) {
        return;
    }
    for function in functions(&source.code) {
        if function.lines > LINES_MAX {
            let what = format!(
                "function `{}` has {} lines, at most {LINES_MAX} are allowed",
                function.name, function.lines
            );
            findings.push(Finding::new(&source.path, function.line, what));
        }
    }
}

#[derive(Debug, PartialEq)]
struct Function<'a> {
    name: &'a str,
    line: usize,
    lines: usize,
}

/// Every function with a body, nested ones too, in a text without comments and strings.
fn functions(code: &str) -> Vec<Function<'_>> {
    let mut found = Vec::new();
    for (at, _) in code.match_indices("fn ") {
        let starts_word = !code[..at].ends_with(|c: char| c.is_alphanumeric() || "_#".contains(c));
        let rest = code[at + 3..].trim_start();
        let is_delimiter = |c: char| c.is_whitespace() || "(<".contains(c);
        let name = &rest[..rest.find(is_delimiter).unwrap_or(rest.len())];
        if !starts_word || name.is_empty() {
            continue;
        }
        if let Some(end) = body(code.as_bytes(), at).and_then(|open| close(code.as_bytes(), open)) {
            let line = code[..at].matches('\n').count() + 1;
            found.push(Function {
                name,
                line,
                lines: code[at..end].matches('\n').count() + 1,
            });
        }
    }
    found
}

/// Returns the start of the body: the first brace outside of parentheses and brackets, unless a `;`
/// ends the declaration before it. A brace right after `<` holds a constant, not a body.
fn body(code: &[u8], from: usize) -> Option<usize> {
    let mut depth = 0;
    let mut at = from;
    let mut before = b' ';
    while at < code.len() {
        match code[at] {
            b'(' | b'[' => depth += 1,
            b')' | b']' => depth -= 1,
            b'{' if before == b'<' => at = close(code, at)?,
            b'{' if depth == 0 => return Some(at),
            b';' if depth == 0 => return None,
            _ => {}
        }
        if !code[at].is_ascii_whitespace() {
            before = code[at];
        }
        at += 1;
    }
    None
}

/// The brace that closes the one at `open`.
fn close(code: &[u8], open: usize) -> Option<usize> {
    let mut depth = 0;
    for (at, byte) in code.iter().enumerate().skip(open) {
        match byte {
            b'{' => depth += 1,
            b'}' => depth -= 1,
            _ => {}
        }
        if depth == 0 {
            return Some(at);
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lengths(text: &str) -> Vec<(String, usize, usize)> {
        let source = Source::new("x.rs", text);
        let found = functions(&source.code);
        found
            .iter()
            .map(|f| (f.name.to_owned(), f.line, f.lines))
            .collect()
    }

    #[test]
    fn lengths_are_counted_from_fn_to_brace() {
        let text = "pub fn a(x: [u8; 2]) -> u8 {\n    '}'; \"}\" // }\n}\nfn b() {}\n";
        assert_eq!(lengths(text), [("a".into(), 1, 3), ("b".into(), 4, 1)]);
    }

    #[test]
    fn declarations_and_pointers_have_no_length() {
        let text = "trait T {\n fn a(&self);\n fn b(&self) {\n }\n}\ntype F = fn (u8);\n";
        assert_eq!(lengths(text), [("b".into(), 3, 2)]);
    }

    #[test]
    fn constants_in_types_are_no_bodies() {
        let text = "fn a<T>() -> Array<{ 3 }>\nwhere\n    T: Copy,\n{\n}\n";
        assert_eq!(lengths(text), [("a".into(), 1, 5)]);
    }

    #[test]
    fn nested_functions_count_for_both() {
        let text = "fn a() {\n    fn b() {\n    }\n}\n";
        assert_eq!(lengths(text), [("a".into(), 1, 4), ("b".into(), 2, 2)]);
    }

    #[test]
    fn a_long_function_is_found() {
        let with_body =
            |lines: usize| format!("//! x\nfn long() {{\n{}}}\n", "    x();\n".repeat(lines));
        let check = |lines| {
            let mut findings = Vec::new();
            super::check(&Source::new("a/src/x.rs", &with_body(lines)), &mut findings);
            findings.len()
        };
        assert_eq!(check(LINES_MAX - 2), 0);
        assert_eq!(check(LINES_MAX - 1), 1);
    }
}
