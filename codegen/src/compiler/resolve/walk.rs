//! Walk over all places of a file that have a name to resolve.

use super::{Sought, Visible, joined};
use prost_types::{
    DescriptorProto, EnumDescriptorProto, FieldDescriptorProto, FileDescriptorProto,
    ServiceDescriptorProto, UninterpretedOption,
};

pub(super) fn file(file: &mut FileDescriptorProto, visible: &Visible<'_>) {
    let package = file.package().to_owned();
    let walk = Walk { visible };
    for message in &mut file.message_type {
        walk.message(&package, message);
    }
    for enumeration in &mut file.enum_type {
        walk.enumeration(&package, enumeration);
    }
    for extension in &mut file.extension {
        walk.field(&package, extension);
    }
    for service in &mut file.service {
        walk.service(&package, service);
    }
    if let Some(options) = &mut file.options {
        walk.options(&package, &mut options.uninterpreted_option);
    }
}

struct Walk<'a> {
    visible: &'a Visible<'a>,
}

impl Walk<'_> {
    fn message(&self, scope: &str, message: &mut DescriptorProto) {
        let name = joined(scope, message.name());
        for field in message.field.iter_mut().chain(&mut message.extension) {
            self.field(&name, field);
        }
        for nested in &mut message.nested_type {
            self.message(&name, nested);
        }
        for nested in &mut message.enum_type {
            self.enumeration(&name, nested);
        }
        for options in message
            .oneof_decl
            .iter_mut()
            .filter_map(|one| one.options.as_mut())
        {
            self.options(&name, &mut options.uninterpreted_option);
        }
        for options in message
            .extension_range
            .iter_mut()
            .filter_map(|one| one.options.as_mut())
        {
            self.options(&name, &mut options.uninterpreted_option);
        }
        if let Some(options) = &mut message.options {
            self.options(scope, &mut options.uninterpreted_option);
        }
    }

    fn field(&self, scope: &str, field: &mut FieldDescriptorProto) {
        self.type_name(scope, &mut field.type_name);
        self.type_name(scope, &mut field.extendee);
        if let Some(options) = &mut field.options {
            self.options(scope, &mut options.uninterpreted_option);
        }
    }

    fn enumeration(&self, scope: &str, enumeration: &mut EnumDescriptorProto) {
        let name = joined(scope, enumeration.name());
        for options in enumeration
            .value
            .iter_mut()
            .filter_map(|one| one.options.as_mut())
        {
            // Values are siblings of their enum.
            self.options(&name, &mut options.uninterpreted_option);
        }
        if let Some(options) = &mut enumeration.options {
            self.options(scope, &mut options.uninterpreted_option);
        }
    }

    fn service(&self, scope: &str, service: &mut ServiceDescriptorProto) {
        let name = joined(scope, service.name());
        for method in &mut service.method {
            self.type_name(&name, &mut method.input_type);
            self.type_name(&name, &mut method.output_type);
            if let Some(options) = &mut method.options {
                self.options(&name, &mut options.uninterpreted_option);
            }
        }
        if let Some(options) = &mut service.options {
            self.options(scope, &mut options.uninterpreted_option);
        }
    }

    fn type_name(&self, scope: &str, name: &mut Option<String>) {
        let written = name.as_deref().unwrap_or_default();
        if let Some(absolute) = self.visible.absolute(scope, written, Sought::Type) {
            *name = Some(absolute);
        }
    }

    fn options(&self, scope: &str, options: &mut [UninterpretedOption]) {
        let parts = options.iter_mut().flat_map(|option| &mut option.name);
        for part in parts.filter(|part| part.is_extension) {
            if let Some(absolute) = self
                .visible
                .absolute(scope, &part.name_part, Sought::Extension)
            {
                part.name_part = absolute;
            }
        }
    }
}
