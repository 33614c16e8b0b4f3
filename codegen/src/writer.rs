//! Writer of indented Rust code in the layout of rustfmt.

use prost_build::Comments;

/// Line width of rustfmt in columns.
const COLUMNS_MAX: usize = 100;

/// Widest tuple in columns that rustfmt keeps on one line.
const LIST_COLUMNS_MAX: usize = 60;

/// Attribute of generated items. Names and comments come from the proto file, and a program need
/// not use every item, so lints on them do not help its author.
pub(crate) const LINTS: &str = "#[allow(warnings, missing_docs, clippy::all, rustdoc::all)]";

/// Text written so far, and the depth of braces.
#[derive(Default)]
pub(crate) struct Writer {
    text: String,
    depth: usize,
}

/// Return type of a function, and the end of its signature: `;`, or ` {` to open its body.
pub(crate) struct Outcome {
    /// Type of the success value, or the elements of a tuple.
    pub(crate) success: Vec<String>,
    pub(crate) status: String,
    pub(crate) end: &'static str,
}

impl Outcome {
    fn success(&self) -> String {
        match self.success.as_slice() {
            [one] => one.clone(),
            parts => format!("({})", parts.join(", ")),
        }
    }

    fn line(&self) -> String {
        format!(
            "::core::result::Result<{}, {}>{}",
            self.success(),
            self.status,
            self.end
        )
    }
}

impl Writer {
    pub(crate) fn into_text(self) -> String {
        self.text
    }

    /// Writes one line at the current depth; an empty line gets no spaces.
    pub(crate) fn line(&mut self, line: impl AsRef<str>) {
        let line = line.as_ref();
        if !line.is_empty() {
            self.text.extend(std::iter::repeat_n("    ", self.depth));
            self.text.push_str(line);
        }
        self.text.push('\n');
    }

    /// Writes a line that opens a block.
    pub(crate) fn open(&mut self, line: impl AsRef<str>) {
        self.line(line);
        self.depth += 1;
    }

    /// Writes lines, each at the current depth.
    pub(crate) fn lines(&mut self, lines: &[String]) {
        for line in lines {
            self.line(line);
        }
    }

    /// Opens a module in which all lints are off.
    pub(crate) fn open_module(&mut self, name: &str, attributes: &[String]) {
        self.line(LINTS);
        self.lines(attributes);
        self.open(format!("pub mod {name} {{"));
    }

    /// Writes a line that closes a block.
    pub(crate) fn close(&mut self, line: impl AsRef<str>) {
        self.depth -= 1;
        self.line(line);
    }

    /// Returns true if `line` fits at the current depth.
    pub(crate) fn fits(&self, line: &str) -> bool {
        self.depth * 4 + line.chars().count() <= COLUMNS_MAX
    }

    /// Writes `head` and `body` on one line if they fit, else `body` on the next line.
    pub(crate) fn assign(&mut self, head: &str, body: &str) {
        let line = format!("{head} {body}");
        if self.fits(&line) {
            return self.line(line);
        }
        self.nested(head, [body]);
    }

    /// Writes a line, and lines below it one level deeper.
    pub(crate) fn nested<'a>(&mut self, head: &str, below: impl IntoIterator<Item = &'a str>) {
        self.open(head);
        for line in below {
            self.line(line);
        }
        self.depth -= 1;
    }

    /// Writes a line, and items below it one level deeper, each with a comma.
    pub(crate) fn list(&mut self, head: &str, items: &[String]) {
        self.open(head);
        for item in items {
            self.line(format!("{item},"));
        }
        self.depth -= 1;
    }

    /// Writes the signature of a function that returns a `Result`, on one line if it fits.
    pub(crate) fn signature(&mut self, head: &str, arguments: &[String], result: &Outcome) {
        let line = format!("{head}({}) -> {}", arguments.join(", "), result.line());
        if self.fits(&line) {
            self.line(line);
        } else {
            self.list(&format!("{head}("), arguments);
            self.answer(result);
        }
        self.depth += usize::from(result.end.ends_with('{'));
    }

    fn answer(&mut self, result: &Outcome) {
        let line = format!(") -> {}", result.line());
        if self.fits(&line) {
            return self.line(line);
        }
        self.open(") -> ::core::result::Result<");
        let success = result.success();
        if result.success.len() > 1 && success.len() > LIST_COLUMNS_MAX {
            self.list("(", &result.success);
            self.line("),");
        } else {
            self.line(format!("{success},"));
        }
        self.line(format!("{},", result.status));
        self.close(format!(">{}", result.end));
    }

    /// Writes the head of an `impl`, on one line if it fits; opens its block.
    pub(crate) fn open_impl(&mut self, head: &str, target: &str) {
        let line = format!("{head} {target} {{");
        if self.fits(&line) {
            return self.open(line);
        }
        self.nested(head, [target]);
        self.open("{");
    }

    /// Writes proto comments as documentation, or `otherwise` if there are none. Detached comments
    /// are left out, because they describe the file and not the item below them.
    pub(crate) fn docs(&mut self, comments: &Comments, otherwise: &str) {
        let is_blank = |lines: &[String]| lines.iter().all(|line| line.trim().is_empty());
        if is_blank(&comments.leading) && is_blank(&comments.trailing) {
            return self.line(format!("/// {otherwise}"));
        }
        let comments = Comments {
            leading_detached: Vec::new(),
            ..comments.clone()
        };
        let mut text = String::new();
        comments.append_with_indent(0, &mut text);
        for line in text.lines() {
            self.line(line.trim_end());
        }
    }
}
