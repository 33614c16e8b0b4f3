//! Names within a message: fields, methods that prost derives for them, and nested types.

use super::{Scope, Walk};
use crate::error::Error;
use crate::names;
use prost_types::field_descriptor_proto::{Label, Type};
use prost_types::{DescriptorProto, FieldDescriptorProto};

/// Walks a message; returns true if it has a module of nested types.
pub(super) fn walk(
    walk: &mut Walk<'_>,
    message: &DescriptorProto,
    nested: &mut Scope,
) -> Result<bool, Error> {
    let mut fields = Scope::default();
    let mut methods = Scope::default();
    for field in message.field.iter().filter(|field| !is_in_oneof(field)) {
        fields.claim(names::snake(field.name()), walk.item("field", field.name()))?;
        for method in derived_methods(field, message) {
            methods.claim(method, walk.item("field", field.name()))?;
        }
    }
    let mut has_nested = !message.enum_type.is_empty();
    for inner in message
        .nested_type
        .iter()
        .filter(|inner| !is_map_entry(inner))
    {
        has_nested = true;
        walk.message_within(inner, nested)?;
    }
    for inner in &message.enum_type {
        walk.enumeration(inner, nested)?;
    }
    for (index, oneof) in message.oneof_decl.iter().enumerate() {
        let index = i32::try_from(index).ok();
        let members = || message.field.iter().filter(|field| is_in_oneof(field));
        let mut members = members()
            .filter(|field| field.oneof_index == index)
            .peekable();
        // The oneof of an optional field is no type.
        if members.peek().is_none() {
            continue;
        }
        has_nested = true;
        fields.claim(names::snake(oneof.name()), walk.item("oneof", oneof.name()))?;
        nested.claim(
            oneof_type(message, oneof.name()),
            walk.item("oneof", oneof.name()),
        )?;
        let mut variants = Scope::default();
        for field in members {
            variants.claim(names::camel(field.name()), walk.item("field", field.name()))?;
        }
    }
    Ok(has_nested)
}

impl Walk<'_> {
    /// Walks the nested items of a message. Their module does not conflict with the package's
    /// names.
    fn message_within(
        &mut self,
        message: &DescriptorProto,
        scope: &mut Scope,
    ) -> Result<(), Error> {
        let outer = std::mem::take(&mut self.modules);
        let walked = self.message(message, scope);
        self.modules = outer;
        walked
    }
}

/// Returns the type name of a oneof, which differs from nested types of the message.
fn oneof_type(message: &DescriptorProto, oneof: &str) -> String {
    let name = names::camel(oneof);
    let messages = message.nested_type.iter().map(DescriptorProto::name);
    let enums = message
        .enum_type
        .iter()
        .map(prost_types::EnumDescriptorProto::name);
    if messages
        .chain(enums)
        .any(|nested| names::camel(nested) == name)
    {
        format!("{name}OneOf")
    } else {
        name
    }
}

/// Returns the methods that `prost::Message` derives for a field.
fn derived_methods(field: &FieldDescriptorProto, message: &DescriptorProto) -> Vec<String> {
    let name = names::snake(field.name());
    let name = name.strip_prefix("r#").unwrap_or(&name);
    let repeated = field.label() == Label::Repeated;
    let optional = field.proto3_optional();
    match field.r#type() {
        Type::Enum if repeated => vec![name.to_owned(), format!("push_{name}")],
        Type::Enum => vec![name.to_owned(), format!("set_{name}")],
        Type::Message if repeated && maps_to_enum(field, message) => {
            vec![format!("get_{name}"), format!("insert_{name}")]
        }
        Type::Message | Type::Group => Vec::new(),
        _ if optional && !repeated => vec![name.to_owned()],
        _ => Vec::new(),
    }
}

fn maps_to_enum(field: &FieldDescriptorProto, message: &DescriptorProto) -> bool {
    let entry = field.type_name().rsplit('.').next();
    let entries = message
        .nested_type
        .iter()
        .filter(|nested| is_map_entry(nested));
    entries
        .filter(|nested| Some(nested.name()) == entry)
        .filter_map(|nested| nested.field.get(1))
        .any(|value| value.r#type() == Type::Enum)
}

fn is_in_oneof(field: &FieldDescriptorProto) -> bool {
    field.oneof_index.is_some() && !field.proto3_optional()
}

fn is_map_entry(message: &DescriptorProto) -> bool {
    message
        .options
        .as_ref()
        .is_some_and(prost_types::MessageOptions::map_entry)
}
