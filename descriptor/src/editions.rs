//! Conversion of edition files to proto2 or proto3.
//!
//! An edition is a set of features for each item. Proto2 and proto3 are two such sets with a
//! keyword for each exception. A file with a field of implicit presence becomes proto3, because
//! proto3 can declare explicit presence (`optional`). Any other file becomes proto2. Source:
//! Protobuf's "Feature Settings for Editions".

mod message;

use crate::error::Error;
use crate::features::{EDITION_2023, EDITION_2024, Features, Problem};
use crate::set::{SET_FILE, name};
use crate::wire::{self, Field};
use message::Message;

const FILE_PACKAGE: u64 = 2;
const FILE_MESSAGE: u64 = 4;
const FILE_ENUM: u64 = 5;
const FILE_EXTENSION: u64 = 7;
const FILE_OPTIONS: u64 = 8;
const FILE_SYNTAX: u64 = 12;
const FILE_EDITION: u64 = 14;
const FILE_FEATURES: u64 = 50;

const ENUM_VALUE: u64 = 2;
const ENUM_OPTIONS: u64 = 3;
const ENUM_FEATURES: u64 = 7;
const ENUM_VALUE_NUMBER: u64 = 2;

/// Number of the field `name` in the descriptors of messages, enums, and fields.
const NAME: u64 = 1;

/// Target syntax of a converted file.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Syntax {
    Proto2,
    Proto3,
}

/// Converts the edition files of a set to proto2 or proto3; other files stay byte for byte.
///
/// # Errors
/// The bytes are no descriptor set. A file's edition is not known, or one of its features cannot be
/// expressed: the error names the file and the feature.
pub fn lowered(set: &[u8]) -> Result<Vec<u8>, Error> {
    let mut out = Vec::with_capacity(set.len());
    for field in wire::fields(set)? {
        match lowered_file(field)? {
            Some(file) => wire::write_bytes(SET_FILE, &file, &mut out),
            None => out.extend_from_slice(field.raw),
        }
    }
    Ok(out)
}

/// Converts one field of a set if it is an edition file; returns `None` for any other field.
fn lowered_file(field: Field<'_>) -> Result<Option<Vec<u8>>, Error> {
    if field.number != SET_FILE {
        return Ok(None);
    }
    let file = wire::fields(field.bytes())?;
    let last = |number| {
        file.iter()
            .rfind(|field: &&Field<'_>| field.number == number)
    };
    if last(FILE_SYNTAX).map(Field::bytes) != Some(b"editions") {
        return Ok(None);
    }
    let name = name(field.bytes())?;
    let edition = last(FILE_EDITION).map_or(0, Field::varint);
    if !matches!(edition, EDITION_2023 | EDITION_2024) {
        return Err(Error::Edition {
            file: name,
            edition,
        });
    }
    let package = last(FILE_PACKAGE).map_or(&b""[..], Field::bytes);
    let mut lowering = Lowering {
        path: vec![String::from_utf8_lossy(package).into_owned()],
        syntax: Syntax::Proto2,
    };
    let result = lowering.file(&file);
    result.map(Some).map_err(|problem| match problem {
        Problem::Other(error) => error,
        Problem::Feature(feature) => Error::Feature {
            file: name,
            item: lowering.item(),
            feature,
        },
    })
}

/// State of the conversion of one file.
struct Lowering {
    /// Package and names of the items around the current one; after an error, the path of its item.
    path: Vec<String>,
    syntax: Syntax,
}

impl Lowering {
    fn file(&mut self, file: &[Field<'_>]) -> Result<Vec<u8>, Problem> {
        let features = options(file, FILE_OPTIONS, FILE_FEATURES, Features::DEFAULT)?;
        if self.any_implicit(file, FILE_MESSAGE, features)? {
            self.syntax = Syntax::Proto3;
        }
        let mut out = Vec::new();
        for field in file {
            match field.number {
                FILE_MESSAGE => {
                    let message = self.message(field.bytes(), features)?;
                    wire::write_bytes(FILE_MESSAGE, &message, &mut out);
                }
                FILE_ENUM => {
                    self.check_enum(field.bytes(), features)?;
                    out.extend_from_slice(field.raw);
                }
                FILE_EXTENSION => {
                    let extension = self.field(field.bytes(), features, None)?;
                    wire::write_bytes(FILE_EXTENSION, &extension, &mut out);
                }
                FILE_SYNTAX | FILE_EDITION => {}
                _ => out.extend_from_slice(field.raw),
            }
        }
        let syntax: &[u8] = match self.syntax {
            Syntax::Proto2 => b"proto2",
            Syntax::Proto3 => b"proto3",
        };
        wire::write_bytes(FILE_SYNTAX, syntax, &mut out);
        Ok(out)
    }

    /// Returns true if a message in `parent`, or a message nested in it, has a field of implicit
    /// presence.
    fn any_implicit(
        &mut self,
        parent: &[Field<'_>],
        number: u64,
        features: Features,
    ) -> Result<bool, Problem> {
        for field in parent.iter().filter(|field| field.number == number) {
            let message = Message::read(field.bytes(), features)?;
            self.path.push(name(field.bytes())?);
            if message.has_implicit(self)?
                || self.any_implicit(&message.fields, message::NESTED, message.features)?
            {
                self.path.pop();
                return Ok(true);
            }
            self.path.pop();
        }
        Ok(false)
    }

    /// Checks that an enum can be declared in the target syntax; the encoding of all enums is
    /// equal.
    fn check_enum(&mut self, enumeration: &[u8], features: Features) -> Result<(), Problem> {
        self.path.push(name(enumeration)?);
        let fields = wire::fields(enumeration)?;
        let features = options(&fields, ENUM_OPTIONS, ENUM_FEATURES, features)?;
        let first = fields.iter().find(|field| field.number == ENUM_VALUE);
        let first = wire::fields(first.map_or(b"", Field::bytes))?;
        let number = first
            .iter()
            .rfind(|field| field.number == ENUM_VALUE_NUMBER);
        let starts_at_zero = number.map_or(0, Field::varint) == 0;
        if self.syntax == Syntax::Proto3 && !features.open && !starts_at_zero {
            let text = "enum_type = CLOSED without a zero, beside field_presence = IMPLICIT,";
            return Err(Problem::Feature(text.to_owned()));
        }
        self.path.pop();
        Ok(())
    }

    /// Returns the full name of the item that an error is about.
    fn item(&self) -> String {
        let parts = self.path.iter().filter(|part| !part.is_empty());
        let parts: Vec<_> = parts.map(String::as_str).collect();
        match self.path.len() {
            0 | 1 => String::new(),
            _ => parts.join("."),
        }
    }
}

/// Returns the features of an item; `options` is the field number of its options.
fn options(
    item: &[Field<'_>],
    options: u64,
    number: u64,
    mut features: Features,
) -> Result<Features, Problem> {
    for field in item.iter().filter(|field| field.number == options) {
        features = features.with_options(field.bytes(), number)?;
    }
    Ok(features)
}

#[cfg(test)]
mod tests;
