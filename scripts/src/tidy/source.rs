//! One Rust file in three views: as written, its code alone, its comments alone.
//!
//! The views have the same lines and columns; what does not belong to a view is blank in it. A
//! rule that looks for a word picks the view in which that word would be a fault, so that a
//! banned word in a string is not code and a keyword in a comment is not either.

/// A Rust file, split.
pub struct Source {
    /// Relative to the workspace, with `/` between names.
    pub path: String,
    /// As written.
    pub text: String,
    /// Without comments and without the insides of strings and characters.
    pub code: String,
    /// Only the comments, with their slashes.
    pub comments: String,
}

impl Source {
    /// Splits `text`, the file at `path`.
    pub fn new(path: &str, text: &str) -> Self {
        let mut scanner = Scanner {
            bytes: text.as_bytes(),
            at: 0,
            code: Vec::with_capacity(text.len()),
            comments: Vec::with_capacity(text.len()),
        };
        scanner.run();
        // Every multi-byte character lies wholly in one view, so both are valid.
        let view = |bytes| String::from_utf8_lossy(bytes).into_owned();
        Self {
            path: path.to_owned(),
            text: text.to_owned(),
            code: view(&scanner.code),
            comments: view(&scanner.comments),
        }
    }

    /// The lines of the code view, counted from one.
    pub fn code_lines(&self) -> impl Iterator<Item = (usize, &str)> {
        (1..).zip(self.code.lines())
    }

    /// The lines of the comment view, counted from one.
    pub fn comment_lines(&self) -> impl Iterator<Item = (usize, &str)> {
        (1..).zip(self.comments.lines())
    }

    /// The line from which on a file holds its unit tests, or one past its end.
    pub fn tests_from(&self) -> usize {
        let tests = self
            .code_lines()
            .find(|(_, line)| line.starts_with("#[cfg(test)]"));
        tests.map_or(self.text.lines().count() + 1, |(line, _)| line)
    }
}

/// The identifiers and keywords of one line of code.
pub fn words(line: &str) -> impl Iterator<Item = &str> {
    line.split(|c: char| !c.is_alphanumeric() && c != '_')
        .filter(|word| !word.is_empty())
}

#[derive(Clone, Copy, PartialEq)]
enum View {
    Code,
    Comment,
    Neither,
}

struct Scanner<'a> {
    bytes: &'a [u8],
    at: usize,
    code: Vec<u8>,
    comments: Vec<u8>,
}

impl Scanner<'_> {
    fn run(&mut self) {
        while let Some(&byte) = self.bytes.get(self.at) {
            match byte {
                b'/' if self.peek(1) == b'/' => self.line_comment(),
                b'/' if self.peek(1) == b'*' => self.block_comment(),
                b'"' => self.string(),
                b'r' if !self.inside_word() && self.raw_hashes(1).is_some() => self.raw_string(1),
                b'b' | b'c' if !self.inside_word() && self.peek(1) == b'r' => self.raw_or_word(),
                b'\'' => self.quote(),
                _ => self.take(1, View::Code),
            }
        }
    }

    fn peek(&self, ahead: usize) -> u8 {
        self.bytes.get(self.at + ahead).copied().unwrap_or(0)
    }

    fn inside_word(&self) -> bool {
        let before = self.at.checked_sub(1).and_then(|at| self.bytes.get(at));
        before.is_some_and(|byte| byte.is_ascii_alphanumeric() || *byte == b'_')
    }

    /// Moves `count` bytes into a view; line ends go into both, so that lines stay aligned.
    fn take(&mut self, count: usize, view: View) {
        let end = (self.at + count).min(self.bytes.len());
        for &byte in &self.bytes[self.at..end] {
            let kept = |wanted| {
                if byte == b'\n' || view == wanted {
                    byte
                } else {
                    b' '
                }
            };
            self.code.push(kept(View::Code));
            self.comments.push(kept(View::Comment));
        }
        self.at = end;
    }

    fn line_comment(&mut self) {
        let rest = &self.bytes[self.at..];
        let length = rest
            .iter()
            .position(|byte| *byte == b'\n')
            .unwrap_or(rest.len());
        self.take(length, View::Comment);
    }

    fn block_comment(&mut self) {
        let mut depth = 0;
        while self.at < self.bytes.len() {
            match (self.peek(0), self.peek(1)) {
                (b'/', b'*') => depth += 1,
                (b'*', b'/') => depth -= 1,
                _ => {
                    self.take(1, View::Comment);
                    continue;
                }
            }
            self.take(2, View::Comment);
            if depth == 0 {
                return;
            }
        }
    }

    fn string(&mut self) {
        self.take(1, View::Code);
        loop {
            match self.peek(0) {
                b'\\' => self.take(2, View::Neither),
                b'"' => return self.take(1, View::Code),
                _ if self.at >= self.bytes.len() => return,
                _ => self.take(1, View::Neither),
            }
        }
    }

    /// Returns the number of `#` before an opening quote; `None` if no quote follows.
    fn raw_hashes(&self, from: usize) -> Option<usize> {
        let rest = self.bytes.get(self.at + from..)?;
        let hashes = rest.iter().take_while(|byte| **byte == b'#').count();
        (rest.get(hashes) == Some(&b'"')).then_some(hashes)
    }

    fn raw_or_word(&mut self) {
        if self.raw_hashes(2).is_some() {
            self.raw_string(2)
        } else {
            self.take(1, View::Code)
        }
    }

    fn raw_string(&mut self, prefix: usize) {
        let hashes = self.raw_hashes(prefix).unwrap_or(0);
        self.take(prefix + hashes + 1, View::Code);
        while self.at < self.bytes.len() {
            let rest = &self.bytes[self.at + 1..];
            let closes = self.peek(0) == b'"'
                && rest.len() >= hashes
                && rest[..hashes].iter().all(|byte| *byte == b'#');
            if closes {
                return self.take(1 + hashes, View::Code);
            }
            self.take(1, View::Neither);
        }
    }

    /// A character literal or a lifetime: only the literal has a second quote right after it.
    fn quote(&mut self) {
        if self.peek(1) == b'\\' {
            self.take(1, View::Code);
            self.take(2, View::Neither);
            while !matches!(self.peek(0), b'\'' | b'\n' | 0) {
                self.take(1, View::Neither);
            }
            return self.take(1, View::Code);
        }
        let rest =
            String::from_utf8_lossy(&self.bytes[self.at + 1..self.bytes.len().min(self.at + 6)])
                .into_owned();
        let mut characters = rest.chars();
        let width = characters.next().map_or(0, char::len_utf8);
        let closed = characters.next() == Some('\'');
        self.take(1, View::Code);
        if closed {
            self.take(width, View::Neither);
            self.take(1, View::Code);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, code: &str, comments: &str) {
        let source = Source::new("x.rs", text);
        let squeeze = |view: &str| view.split_whitespace().collect::<Vec<_>>().join(" ");
        assert_eq!(squeeze(&source.code), code, "code of {text:?}");
        assert_eq!(squeeze(&source.comments), comments, "comments of {text:?}");
        assert_eq!(source.code.lines().count(), text.lines().count());
        assert_eq!(source.code.len(), source.comments.len());
    }

    #[test]
    fn comments_are_set_apart() {
        check("a // b {\nc", "a c", "// b {");
        check("a /* b /* c */ } */ d", "a d", "/* b /* c */ } */");
        check("//! doc “é”\nx", "x", "//! doc “é”");
    }

    #[test]
    fn strings_are_hollow() {
        check(r#"f("a // \" {", 1)"#, r#"f(" ", 1)"#, "");
        check(
            r###"r#"a " { "# + br##"x"#"## b"###,
            r###"r#" "# + br##" "## b"###,
            "",
        );
        check("r#fn + bridge + cr\"{\"", "r#fn + bridge + cr\" \"", "");
        check("\"open {", "\"", "");
    }

    #[test]
    fn characters_are_not_lifetimes() {
        check("'{' '\\'' '\\u{7d}' 'é' b'\"'", "' ' ' ' ' ' ' ' b' '", "");
        check("&'a str, 'static {", "&'a str, 'static {", "");
        check("'b: loop { break 'b }", "'b: loop { break 'b }", "");
    }
}
