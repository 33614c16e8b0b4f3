//! Messages and fields of an edition.

use super::{Lowering, NAME, Syntax, options};
use crate::error::Error;
use crate::features::{Features, Presence, Problem};
use crate::set::name;
use crate::wire::{self, Field};
use std::collections::BTreeSet;

const FIELD: u64 = 2;
pub(super) const NESTED: u64 = 3;
const NESTED_ENUM: u64 = 4;
const NESTED_EXTENSION: u64 = 6;
const OPTIONS: u64 = 7;
const ONEOF: u64 = 8;
const FEATURES: u64 = 12;
const MAP_ENTRY: u64 = 7;

const FIELD_LABEL: u64 = 4;
const FIELD_TYPE: u64 = 5;
const FIELD_TYPE_NAME: u64 = 6;
const FIELD_OPTIONS: u64 = 8;
const FIELD_ONEOF: u64 = 9;
const FIELD_PROTO3_OPTIONAL: u64 = 17;
const FIELD_FEATURES: u64 = 21;
const FIELD_PACKED: u64 = 2;

const LABEL_REQUIRED: u64 = 2;
const LABEL_REPEATED: u64 = 3;
const TYPE_STRING: u64 = 9;
const TYPE_GROUP: u64 = 10;
const TYPE_MESSAGE: u64 = 11;
const TYPE_BYTES: u64 = 12;

/// Message under conversion, with the facts that its fields need.
pub(super) struct Message<'a> {
    pub(super) fields: Vec<Field<'a>>,
    pub(super) features: Features,
    /// Names of nested messages that represent map entries.
    maps: BTreeSet<String>,
}

/// Oneofs that are added to a message for its fields with explicit presence.
pub(super) struct Oneofs {
    names: Vec<String>,
    taken: BTreeSet<String>,
    present: usize,
}

/// Field with the facts that decide its presence and encoding.
struct Scalar<'a> {
    fields: Vec<Field<'a>>,
    features: Features,
    label: u64,
    kind: u64,
    type_name: String,
    in_oneof: bool,
}

impl<'a> Message<'a> {
    pub(super) fn read(message: &'a [u8], features: Features) -> Result<Self, Problem> {
        let fields = wire::fields(message)?;
        let mut features = options(&fields, OPTIONS, FEATURES, features)?;
        // Entries of maps have no form but one.
        features.delimited &= !is_map(&fields)?;
        let mut maps = BTreeSet::new();
        for nested in fields.iter().filter(|field| field.number == NESTED) {
            if is_map(&wire::fields(nested.bytes())?)? {
                maps.insert(name(nested.bytes())?);
            }
        }
        Ok(Self {
            fields,
            features,
            maps,
        })
    }

    pub(super) fn has_implicit(&self, lowering: &mut Lowering) -> Result<bool, Problem> {
        if is_map(&self.fields)? {
            return Ok(false);
        }
        for field in self.fields.iter().filter(|field| field.number == FIELD) {
            lowering.path.push(name(field.bytes())?);
            let field = Scalar::read(field.bytes(), self.features)?;
            lowering.path.pop();
            let single = field.label != LABEL_REPEATED && !field.is_message() && !field.in_oneof;
            if single && field.features.presence == Presence::Implicit {
                return Ok(true);
            }
        }
        Ok(false)
    }

    fn oneofs(&self) -> Result<Oneofs, Error> {
        let all = self
            .fields
            .iter()
            .filter(|f| matches!(f.number, FIELD | ONEOF | NESTED));
        Ok(Oneofs {
            names: Vec::new(),
            taken: all
                .map(|field| name(field.bytes()))
                .collect::<Result<_, _>>()?,
            present: self
                .fields
                .iter()
                .filter(|field| field.number == ONEOF)
                .count(),
        })
    }
}

impl<'a> Scalar<'a> {
    fn read(field: &'a [u8], features: Features) -> Result<Self, Problem> {
        let fields = wire::fields(field)?;
        let last = |number| {
            fields
                .iter()
                .rfind(|field: &&Field<'_>| field.number == number)
        };
        let type_name = last(FIELD_TYPE_NAME).map_or(&b""[..], Field::bytes);
        Ok(Self {
            features: options(&fields, FIELD_OPTIONS, FIELD_FEATURES, features)?,
            label: last(FIELD_LABEL).map_or(0, Field::varint),
            kind: last(FIELD_TYPE).map_or(0, Field::varint),
            type_name: String::from_utf8_lossy(type_name).into_owned(),
            in_oneof: last(FIELD_ONEOF).is_some(),
            fields,
        })
    }

    fn is_message(&self) -> bool {
        matches!(self.kind, TYPE_MESSAGE | TYPE_GROUP)
    }

    fn is_packable(&self) -> bool {
        !self.is_message() && !matches!(self.kind, TYPE_STRING | TYPE_BYTES)
    }

    fn is_map(&self, parent: Option<&Message<'_>>) -> bool {
        let entry = self.type_name.rsplit('.').next().unwrap_or_default();
        parent.is_some_and(|parent| parent.maps.contains(entry))
    }
}

impl Oneofs {
    fn add(&mut self, field: &str) -> u64 {
        let mut name = format!("_{field}");
        while !self.taken.insert(name.clone()) {
            name.insert(0, 'X');
        }
        self.names.push(name);
        (self.present + self.names.len() - 1) as u64
    }
}

impl Lowering {
    pub(super) fn message(&mut self, bytes: &[u8], features: Features) -> Result<Vec<u8>, Problem> {
        self.path.push(name(bytes)?);
        let message = Message::read(bytes, features)?;
        let mut oneofs = message.oneofs()?;
        let is_map = is_map(&message.fields)?;
        let mut out = Vec::new();
        for field in &message.fields {
            match field.number {
                FIELD if !is_map => {
                    let scope = Some((&message, &mut oneofs));
                    let lowered = self.field(field.bytes(), message.features, scope)?;
                    wire::write_bytes(FIELD, &lowered, &mut out);
                }
                NESTED => {
                    let lowered = self.message(field.bytes(), message.features)?;
                    wire::write_bytes(NESTED, &lowered, &mut out);
                }
                NESTED_EXTENSION => {
                    let lowered = self.field(field.bytes(), message.features, None)?;
                    wire::write_bytes(NESTED_EXTENSION, &lowered, &mut out);
                }
                NESTED_ENUM => {
                    self.check_enum(field.bytes(), message.features)?;
                    out.extend_from_slice(field.raw);
                }
                _ => out.extend_from_slice(field.raw),
            }
        }
        for oneof in &oneofs.names {
            let mut bytes = Vec::new();
            wire::write_bytes(NAME, oneof.as_bytes(), &mut bytes);
            wire::write_bytes(ONEOF, &bytes, &mut out);
        }
        self.path.pop();
        Ok(out)
    }

    /// Converts a field of the message `scope`, or an extension if `scope` is `None`.
    pub(super) fn field(
        &mut self,
        bytes: &[u8],
        features: Features,
        scope: Option<(&Message<'_>, &mut Oneofs)>,
    ) -> Result<Vec<u8>, Problem> {
        let field_name = name(bytes)?;
        self.path.push(field_name.clone());
        let field = Scalar::read(bytes, features)?;
        let (parent, oneofs) = scope.unzip();
        let grouped = field.is_message() && field.features.delimited && !field.is_map(parent);
        let required = field.features.presence == Presence::Required && oneofs.is_some();
        let required = required && field.label != LABEL_REPEATED && !field.in_oneof;
        let mut out = Vec::new();
        for part in &field.fields {
            match part.number {
                FIELD_TYPE if grouped => wire::write_varint(FIELD_TYPE, TYPE_GROUP, &mut out),
                FIELD_LABEL if required => {
                    wire::write_varint(FIELD_LABEL, LABEL_REQUIRED, &mut out);
                }
                FIELD_OPTIONS | FIELD_PROTO3_OPTIONAL => {}
                _ => out.extend_from_slice(part.raw),
            }
        }
        write_options(&field, &mut out)?;
        let explicit = match field.is_message() {
            true => grouped,
            false => field.features.presence == Presence::Explicit,
        };
        let single = field.label != LABEL_REPEATED && !field.in_oneof;
        if let Some(oneofs) = oneofs.filter(|_| self.syntax == Syntax::Proto3 && single && explicit)
        {
            wire::write_varint(FIELD_ONEOF, oneofs.add(&field_name), &mut out);
            wire::write_varint(FIELD_PROTO3_OPTIONAL, 1, &mut out);
        }
        self.path.pop();
        Ok(out)
    }
}

/// Writes the options of a field. A repeated field always gets an explicit `packed` option.
fn write_options(field: &Scalar<'_>, out: &mut Vec<u8>) -> Result<(), Error> {
    let states_form = field.label == LABEL_REPEATED && field.is_packable();
    let mut options = Vec::new();
    for part in field
        .fields
        .iter()
        .filter(|part| part.number == FIELD_OPTIONS)
    {
        let kept = wire::fields(part.bytes())?;
        let kept = kept.iter().filter(|option| option.number != FIELD_PACKED);
        options.extend(kept.flat_map(|option| option.raw.iter().copied()));
    }
    if states_form {
        wire::write_varint(FIELD_PACKED, u64::from(field.features.packed), &mut options);
    }
    if !options.is_empty() {
        wire::write_bytes(FIELD_OPTIONS, &options, out);
    }
    Ok(())
}

/// Returns true if a message represents the entries of a map.
fn is_map(message: &[Field<'_>]) -> Result<bool, Error> {
    let mut is_map = false;
    for options in message.iter().filter(|field| field.number == OPTIONS) {
        for option in wire::fields(options.bytes())? {
            is_map |= option.number == MAP_ENTRY && option.varint() == 1;
        }
    }
    Ok(is_map)
}
