//! Tests of Markdown conversion: no Rust code blocks remain.

use super::*;

#[test]
fn code_is_text() {
    for (comment, expected) in [
        (
            " Example:\n\n     let x;\n",
            " Example:\n\n ```text\n     let x;\n ```\n",
        ),
        ("     $ curl -d x\n", " ```text\n     $ curl -d x\n ```\n"),
        (" ```\n {\"a\": 1}\n ```\n", " ```text\n {\"a\": 1}\n ```\n"),
        (
            " ~~~~rust,no_run\n x\n ~~~\n",
            " ~~~~text\n x\n ~~~\n ~~~~\n",
        ),
        (" ```rust\n x\n", " ```text\n x\n ```\n"),
        (" > ```\n > x\n", " ```text\n > x\n ```\n"),
        (" - ```\n   x\n   ```\n", " ```text\n   x\n ```\n"),
        ("\tx\n", " ```text\n    x\n ```\n"),
        (
            " a\n\n     b\n\n c\n",
            " a\n\n ```text\n     b\n ```\n\n c\n",
        ),
    ] {
        assert_eq!(documentation(comment), expected, "{comment:?}");
    }
}

#[test]
fn prose_is_no_code() {
    for (comment, expected) in [
        (" a\n b\n", " a\n b\n"),
        (" - a\n      more\n", " - a\n   more\n"),
        (
            " # Title\n     fn main() {}\n",
            " # Title\n   fn main() {}\n",
        ),
        (" -      fn main() {}\n", " - fn main() {}\n"),
        (" >      fn main() {}\n", " > fn main() {}\n"),
        (" <div>\n", " \\<div>\n"),
        (" a ``` b\n", " a ``` b\n"),
        (" a\r\n b\rc\n", " a\n b\nc\n"),
        (" a\u{202e}b\u{0}c\n", " abc\n"),
    ] {
        assert_eq!(documentation(comment), expected, "{comment:?}");
    }
}
