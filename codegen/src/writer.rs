//! Lines of Rust, indented, in the layout of rustfmt.

use prost_build::Comments;

/// The columns that rustfmt fills by default.
const COLUMNS_MAX: usize = 100;

/// The columns up to which it leaves a tuple in one line.
const LIST_COLUMNS_MAX: usize = 60;

/// Attribute of generated items. Names and comments come from the proto, and a program need not
/// use all that is made; neither is for its author to mend.
pub(crate) const LINTS: &str = "#[allow(warnings, missing_docs, clippy::all, rustdoc::all)]";

/// The text so far, and how deep in braces it stands.
#[derive(Default)]
pub(crate) struct Writer {
    text: String,
    depth: usize,
}

/// Result of a function, and the end of its head: `;`, or ` {` to open its body.
pub(crate) struct Outcome {
    /// One type, or the parts of a tuple.
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

    /// One line at the present depth; an empty one has no spaces.
    pub(crate) fn line(&mut self, line: impl AsRef<str>) {
        let line = line.as_ref();
        if !line.is_empty() {
            self.text.extend(std::iter::repeat_n("    ", self.depth));
            self.text.push_str(line);
        }
        self.text.push('\n');
    }

    /// A line that opens a block.
    pub(crate) fn open(&mut self, line: impl AsRef<str>) {
        self.line(line);
        self.depth += 1;
    }

    /// Lines of others, each at the present depth.
    pub(crate) fn lines(&mut self, lines: &[String]) {
        for line in lines {
            self.line(line);
        }
    }

    /// Opens a module, in which nothing is warned of.
    pub(crate) fn open_module(&mut self, name: &str, attributes: &[String]) {
        self.line(LINTS);
        self.lines(attributes);
        self.open(format!("pub mod {name} {{"));
    }

    /// A line that closes a block.
    pub(crate) fn close(&mut self, line: impl AsRef<str>) {
        self.depth -= 1;
        self.line(line);
    }

    /// Returns whether `line` fits at the present depth.
    pub(crate) fn fits(&self, line: &str) -> bool {
        self.depth * 4 + line.chars().count() <= COLUMNS_MAX
    }

    /// `head` and `body` in one line when they fit, else `body` in the next one.
    pub(crate) fn assign(&mut self, head: &str, body: &str) {
        let line = format!("{head} {body}");
        if self.fits(&line) {
            return self.line(line);
        }
        self.nested(head, [body]);
    }

    /// A line, and those below it one step deeper.
    pub(crate) fn nested<'a>(&mut self, head: &str, below: impl IntoIterator<Item = &'a str>) {
        self.open(head);
        for line in below {
            self.line(line);
        }
        self.depth -= 1;
    }

    /// A line, and items below it one step deeper, each with a comma.
    pub(crate) fn list(&mut self, head: &str, items: &[String]) {
        self.open(head);
        for item in items {
            self.line(format!("{item},"));
        }
        self.depth -= 1;
    }

    /// The head of a function that answers a `Result`, in one line when that fits.
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

    /// An `impl` and what it is for, in one line when that fits; opens its block.
    pub(crate) fn open_impl(&mut self, head: &str, target: &str) {
        let line = format!("{head} {target} {{");
        if self.fits(&line) {
            return self.open(line);
        }
        self.nested(head, [target]);
        self.open("{");
    }

    /// Comments of a proto as documentation, or `otherwise` if it has none. Detached comments are
    /// left out, because they speak of the file and not of the item below them.
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
