//! Conversion of proto comments to documentation that rustdoc never runs and rustc always accepts.
//!
//! Every Markdown code block becomes a fenced block of plain text, which starts and ends here at
//! the left margin. A Markdown reader therefore finds the same blocks as this module.

use crate::attributes::matches;
use crate::service::full_name;
use prost_types::source_code_info::Location;
use prost_types::{DescriptorProto, EnumDescriptorProto, FileDescriptorProto};
use std::collections::BTreeSet;

/// Indentation in columns from which Markdown treats a line as code.
const CODE_COLUMNS: usize = 4;
/// Field numbers of `FileDescriptorProto` and `DescriptorProto`, as used in location paths.
const MESSAGE: i32 = 4;
const ENUM: i32 = 5;
const SERVICE: i32 = 6;
const FIELD: i32 = 2;
const NESTED: i32 = 3;
const NESTED_ENUM: i32 = 4;
const ONEOF: i32 = 8;

/// Rewrites the comments of `file` as documentation. Comments of services and methods that a path
/// in `disabled` selects are removed; prost-build removes those of messages.
pub(crate) fn prepare(file: &mut FileDescriptorProto, disabled: &[String]) {
    let Some(mut source) = file.source_code_info.take() else {
        return;
    };
    let silent = silent_paths(file, disabled);
    for location in &mut source.location {
        for comment in [
            &mut location.leading_comments,
            &mut location.trailing_comments,
        ] {
            *comment = comment
                .take()
                .filter(|_| !silent.contains(&location.path))
                .map(|text| documentation(&text));
        }
        location.leading_detached_comments.clear();
    }
    // prost-build looks for the location of each item, and does not ask whether it is there.
    let present: BTreeSet<_> = source.location.iter().map(|l| l.path.clone()).collect();
    let mut items = Vec::new();
    all_items(file, &mut items);
    let missing = items.into_iter().filter(|path| !present.contains(path));
    source.location.extend(missing.map(|path| Location {
        path,
        ..Location::default()
    }));
    file.source_code_info = Some(source);
}

fn silent_paths(file: &FileDescriptorProto, disabled: &[String]) -> BTreeSet<Vec<i32>> {
    let is_disabled = |name: &str| disabled.iter().any(|path| matches(path, name));
    let mut silent = BTreeSet::new();
    for (number, service) in (0..).zip(&file.service) {
        let name = full_name(file.package(), service.name());
        if is_disabled(&name) {
            silent.insert(vec![SERVICE, number]);
        }
        for (index, method) in (0..).zip(&service.method) {
            if is_disabled(&format!("{name}.{}", method.name())) {
                silent.insert(vec![SERVICE, number, FIELD, index]);
            }
        }
    }
    silent
}

fn all_items(file: &FileDescriptorProto, items: &mut Vec<Vec<i32>>) {
    for (index, message) in (0..).zip(&file.message_type) {
        message_items(message, vec![MESSAGE, index], items);
    }
    for (index, enumeration) in (0..).zip(&file.enum_type) {
        enum_items(enumeration, vec![ENUM, index], items);
    }
    for (index, service) in (0..).zip(&file.service) {
        items.push(vec![SERVICE, index]);
        items.extend(
            (0..)
                .zip(&service.method)
                .map(|(method, _)| vec![SERVICE, index, FIELD, method]),
        );
    }
}

fn message_items(message: &DescriptorProto, path: Vec<i32>, items: &mut Vec<Vec<i32>>) {
    let within = |kind, index| [path.as_slice(), &[kind, index]].concat();
    items.extend(
        (0..)
            .zip(&message.field)
            .map(|(index, _)| within(FIELD, index)),
    );
    items.extend(
        (0..)
            .zip(&message.oneof_decl)
            .map(|(index, _)| within(ONEOF, index)),
    );
    for (index, nested) in (0..).zip(&message.nested_type) {
        message_items(nested, within(NESTED, index), items);
    }
    for (index, nested) in (0..).zip(&message.enum_type) {
        enum_items(nested, within(NESTED_ENUM, index), items);
    }
    items.push(path);
}

fn enum_items(enumeration: &EnumDescriptorProto, path: Vec<i32>, items: &mut Vec<Vec<i32>>) {
    let values = (0..).zip(&enumeration.value);
    items.extend(values.map(|(index, _)| [path.as_slice(), &[FIELD, index]].concat()));
    items.push(path);
}

/// Converts one comment to Markdown without Rust code blocks.
pub(crate) fn documentation(comment: &str) -> String {
    let mut out = Text::default();
    for line in comment.replace("\r\n", "\n").replace('\r', "\n").lines() {
        out.take(&clean(line));
    }
    out.end_block();
    out.lines.join("\n") + "\n"
}

/// Lines written so far, and the open code block.
#[derive(Default)]
struct Text {
    lines: Vec<String>,
    block: Block,
    /// True at the start and after a line that ends a paragraph.
    after_blank: bool,
}

/// Kind of code block around a line.
#[derive(Default, PartialEq)]
enum Block {
    /// No block: the line is prose.
    #[default]
    None,
    /// Fenced block, which ends at its own marker.
    Fenced(String),
    /// Indented block, which ends at the next line of prose.
    Indented,
}

impl Text {
    fn take(&mut self, line: &str) {
        let text = line.trim_start();
        match &self.block {
            Block::Fenced(mark) if closes(text, mark) => self.end_block(),
            Block::Fenced(_) => self.lines.push(line.to_owned()),
            Block::Indented if text.is_empty() || columns(line) >= CODE_COLUMNS => {
                self.lines.push(line.to_owned());
            }
            Block::Indented => {
                self.end_block();
                self.prose(line);
            }
            Block::None => self.prose(line),
        }
    }

    fn prose(&mut self, line: &str) {
        let (marks, text) = container(line);
        if let Some(mark) = fence(text) {
            self.lines.push(format!(" {mark}text"));
            self.block = Block::Fenced(mark);
        } else if line.trim().is_empty() {
            self.lines.push(String::new());
        } else if columns(line) >= CODE_COLUMNS && (self.after_blank || self.lines.is_empty()) {
            self.lines.push(" ```text".to_owned());
            self.lines.push(line.to_owned());
            self.block = Block::Indented;
        } else {
            // No line of prose is code, nor the start of HTML, in which a fence would not count.
            let escape = if text.starts_with('<') { "\\" } else { "" };
            let indent = " ".repeat(columns(line).min(CODE_COLUMNS - 1));
            self.lines.push(format!("{indent}{marks}{escape}{text}"));
        }
        self.after_blank = line.trim().is_empty();
    }

    fn end_block(&mut self) {
        match std::mem::take(&mut self.block) {
            Block::None => return,
            Block::Fenced(mark) => self.lines.push(format!(" {mark}")),
            Block::Indented => {
                // Blank lines after code are not part of it.
                let blank = self
                    .lines
                    .iter()
                    .rev()
                    .take_while(|line| line.trim().is_empty());
                let end = self.lines.len() - blank.count();
                self.lines.insert(end, " ```".to_owned());
            }
        }
        self.after_blank = true;
    }
}

/// Removes characters that rustc refuses in comments: control characters and direction marks.
fn clean(line: &str) -> String {
    let is_refused = |c: &char| {
        (c.is_control() && *c != '\t')
            || matches!(c, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
    };
    let kept = line.chars().filter(|c| !is_refused(c));
    // A tab is as wide as the four columns that make code.
    kept.collect::<String>().replace('\t', "    ")
}

fn columns(line: &str) -> usize {
    line.len() - line.trim_start().len()
}

/// Returns the quotation and list markers at the start of a line, each with one space, and the
/// rest.
fn container(line: &str) -> (String, &str) {
    let (mut marks, mut text) = (String::new(), line.trim_start());
    while let Some(length) = mark_length(text) {
        marks.push_str(&text[..length]);
        marks.push(' ');
        text = text[length..].trim_start();
    }
    (marks, text)
}

fn mark_length(text: &str) -> Option<usize> {
    if text.starts_with('>') {
        return Some(1);
    }
    let digits = text.len() - text.trim_start_matches(|c: char| c.is_ascii_digit()).len();
    let rest = &text[digits..];
    let marks: &[char] = if digits > 0 {
        &['.', ')']
    } else {
        &['-', '*', '+']
    };
    let is_mark = rest.starts_with(marks) && rest[1..].starts_with(' ');
    is_mark.then_some(digits + 1)
}

/// Returns the fence marker if `text` opens a fenced block.
fn fence(text: &str) -> Option<String> {
    ['`', '~'].into_iter().find_map(|mark| {
        let rest = text.trim_start_matches(mark);
        let length = text.len() - rest.len();
        let opens = length >= 3 && !(mark == '`' && rest.contains('`'));
        opens.then(|| text[..length].to_owned())
    })
}

fn closes(text: &str, mark: &str) -> bool {
    let rest = text.trim_end();
    rest.starts_with(mark) && rest.trim_start_matches(&mark[..1]).is_empty()
}

#[cfg(test)]
mod tests;
