//! Lines of Rust, indented, in the layout of rustfmt.

use prost_build::Comments;

/// The columns that rustfmt fills by default.
const COLUMNS_MAX: usize = 100;

/// The text so far, and how deep in braces it stands.
#[derive(Default)]
pub(crate) struct Writer {
    text: String,
    depth: usize,
}

/// What a function answers, and how its head ends: `;`, or ` {` to open its body.
pub(crate) struct Outcome {
    pub(crate) success: String,
    pub(crate) status: String,
    pub(crate) end: &'static str,
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

    /// A line that closes a block.
    pub(crate) fn close(&mut self, line: impl AsRef<str>) {
        self.depth -= 1;
        self.line(line);
    }

    /// Whether `line` fits at the present depth.
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

    /// The head of a function that answers a `Result`, in one line when that fits.
    pub(crate) fn signature(&mut self, head: &str, arguments: &[String], result: &Outcome) {
        let Outcome {
            success,
            status,
            end,
        } = result;
        let answer = format!("::core::result::Result<{success}, {status}>{end}");
        let line = format!("{head}({}) -> {answer}", arguments.join(", "));
        if self.fits(&line) {
            self.line(line);
        } else {
            self.open(format!("{head}("));
            for argument in arguments {
                self.line(format!("{argument},"));
            }
            self.depth -= 1;
            self.answer(&format!(") -> {answer}"), result);
        }
        self.depth += usize::from(end.ends_with('{'));
    }

    fn answer(
        &mut self,
        line: &str,
        Outcome {
            success,
            status,
            end,
        }: &Outcome,
    ) {
        if self.fits(line) {
            return self.line(line);
        }
        self.open(") -> ::core::result::Result<");
        self.line(format!("{success},"));
        self.line(format!("{status},"));
        self.close(format!(">{end}"));
    }

    /// The comments of a proto as documentation, or `otherwise` where it has none. Detached
    /// comments are left out: they speak of the file, not of the item below them.
    pub(crate) fn docs(&mut self, comments: &Comments, otherwise: &str) {
        if comments.leading.is_empty() && comments.trailing.is_empty() {
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
