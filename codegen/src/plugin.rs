//! Plugin for `protoc` and `buf`: reads a request, returns a response.
//!
//! Source: `google/protobuf/compiler/plugin.proto`.

use crate::builder::{Builder, Target};
use crate::error::{Error, Kind};
use crate::output::File;
use corespun_descriptor::wire;
use std::collections::BTreeSet;

const REQUEST_FILE: u64 = 1;
const REQUEST_PARAMETER: u64 = 2;
const REQUEST_PROTO: u64 = 15;
/// Field number of `FileDescriptorSet.file`.
const SET_FILE: u64 = 1;

const RESPONSE_ERROR: u64 = 1;
const RESPONSE_FEATURES: u64 = 2;
const RESPONSE_EDITION_MIN: u64 = 3;
const RESPONSE_EDITION_MAX: u64 = 4;
const RESPONSE_FILE: u64 = 15;
const FILE_NAME: u64 = 1;
const FILE_CONTENT: u64 = 15;

/// Feature flags `FEATURE_PROTO3_OPTIONAL` and `FEATURE_SUPPORTS_EDITIONS`.
const FEATURES: u64 = 3;
const EDITION_2023: u64 = 1000;
const EDITION_2024: u64 = 1001;

/// Answers an encoded `google.protobuf.compiler.CodeGeneratorRequest` with an encoded
/// `CodeGeneratorResponse`. `protoc-gen-corespun` calls this from standard input to standard
/// output.
///
/// The parameter in the request is a comma-separated list of `option=value`. A backslash escapes a
/// comma in a value. Options have the names of [`Builder`]'s methods. An option with a path and a
/// value separates them by a second `=`, as in `extern_path=.google.type=::types`. A boolean option
/// without a value is `true`. Errors are returned in the response, and protoc prints them.
pub fn answer(request: &[u8]) -> Vec<u8> {
    let mut response = Vec::new();
    wire::write_varint(RESPONSE_FEATURES, FEATURES, &mut response);
    wire::write_varint(RESPONSE_EDITION_MIN, EDITION_2023, &mut response);
    wire::write_varint(RESPONSE_EDITION_MAX, EDITION_2024, &mut response);
    match generate(request) {
        Err(error) => {
            wire::write_bytes(RESPONSE_ERROR, error.to_string().as_bytes(), &mut response)
        }
        Ok(files) => {
            for file in files {
                let mut bytes = Vec::new();
                wire::write_bytes(FILE_NAME, file.name.as_bytes(), &mut bytes);
                wire::write_bytes(FILE_CONTENT, &file.bytes, &mut bytes);
                wire::write_bytes(RESPONSE_FILE, &bytes, &mut response);
            }
        }
    }
    response
}

fn generate(request: &[u8]) -> Result<Vec<File>, Error> {
    let (mut wanted, mut set, mut parameter) = (BTreeSet::new(), Vec::new(), String::new());
    for field in wire::fields(request)? {
        let text = || String::from_utf8_lossy(field.bytes()).into_owned();
        match field.number {
            REQUEST_FILE => drop(wanted.insert(text())),
            REQUEST_PARAMETER => parameter = text(),
            REQUEST_PROTO => wire::write_bytes(SET_FILE, field.bytes(), &mut set),
            _ => {}
        }
    }
    if wanted.is_empty() {
        return Err(Kind::NoProtos.into());
    }
    let mut builder = Builder::new().file_descriptor_set("corespun_descriptor.rs");
    for (option, value) in parameters(&parameter) {
        builder = set_option(builder, &option, &value)?;
    }
    builder.generate_for(&set, Target::Plugin(wanted))
}

/// Returns the options and values of a parameter; a comma after a backslash is part of a value.
fn parameters(parameter: &str) -> Vec<(String, String)> {
    let parameter = parameter.replace("\\,", "\0");
    let parts = parameter
        .split(',')
        .map(str::trim)
        .filter(|part| !part.is_empty());
    parts
        .map(|part| {
            let (option, value) = part.split_once('=').unwrap_or((part, ""));
            (option.to_owned(), value.replace('\0', ","))
        })
        .collect()
}

fn set_option(builder: Builder, option: &str, value: &str) -> Result<Builder, Error> {
    let refused = |text: String| Error::from(Kind::Option(text));
    let flag = || match value {
        "" | "true" => Ok(true),
        "false" => Ok(false),
        _ => Err(refused(format!("{option} is true or false, not {value}"))),
    };
    let pair = || {
        let pair = value.split_once('=');
        pair.ok_or_else(|| refused(format!("{option} takes PATH=VALUE, not {value:?}")))
    };
    let switch = |change: fn(Builder) -> Builder, builder| {
        Ok::<_, Error>(if flag()? { change(builder) } else { builder })
    };
    Ok(match option {
        "server" => builder.server(flag()?),
        "client" => builder.client(flag()?),
        "default_stubs" => builder.default_stubs(flag()?),
        "emit_package" => builder.emit_package(flag()?),
        "runtime_path" => builder.runtime_path(value),
        "codec_path" => builder.codec_path(value),
        "prost_path" => builder.prost_path(value),
        "file_descriptor_set" => builder.file_descriptor_set(value),
        "default_package_filename" => builder.default_package_filename(value),
        "include_file" => builder.include_file(value),
        "btree_map" => builder.btree_map(&[value]),
        "bytes" => builder.bytes(&[value]),
        "boxed" => builder.boxed(value),
        "skip_debug" => builder.skip_debug(&[value]),
        "disable_comments" => builder.disable_comments(&[value]),
        "retain_enum_prefix" => switch(Builder::retain_enum_prefix, builder)?,
        "enable_type_names" => switch(Builder::enable_type_names, builder)?,
        "compile_well_known_types" => switch(Builder::compile_well_known_types, builder)?,
        _ => {
            let change: fn(Builder, &str, &str) -> Builder = match option {
                "extern_path" => |builder, proto, rust| builder.extern_path(proto, rust),
                "type_attribute" => |builder, path, text| builder.type_attribute(path, text),
                "message_attribute" => |builder, path, text| builder.message_attribute(path, text),
                "enum_attribute" => |builder, path, text| builder.enum_attribute(path, text),
                "field_attribute" => |builder, path, text| builder.field_attribute(path, text),
                "type_name_domain" => |builder, path, text| builder.type_name_domain(&[path], text),
                "server_mod_attribute" => Builder::server_mod_attribute,
                "client_mod_attribute" => Builder::client_mod_attribute,
                "server_attribute" => Builder::server_attribute,
                "client_attribute" => Builder::client_attribute,
                "trait_attribute" => Builder::trait_attribute,
                _ => return Err(refused(format!("the plugin has no option {option:?}"))),
            };
            let (path, value) = pair()?;
            change(builder, path, value)
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parameters_are_split_at_commas() {
        let pairs = [
            ("client", "false"),
            ("type_attribute", ".=#[derive(A, B)]"),
            ("server", ""),
        ];
        let pairs = pairs.map(|(option, value)| (option.to_owned(), value.to_owned()));
        let parameter = "client=false, type_attribute=.=#[derive(A\\, B)],,server";
        assert_eq!(parameters(parameter), pairs);
    }

    #[test]
    fn what_is_wrong_is_in_the_response() {
        for (parameter, expected) in [
            ("no_such=1", "the plugin has no option \"no_such\""),
            ("client=1", "client is true or false, not 1"),
            ("extern_path=.a", "extern_path takes PATH=VALUE, not \".a\""),
            (
                "extern_path=.a=b",
                "extern_path of .a must begin with :: or crate::, not be b",
            ),
        ] {
            let mut request = Vec::new();
            wire::write_bytes(REQUEST_FILE, b"a.proto", &mut request);
            wire::write_bytes(REQUEST_PARAMETER, parameter.as_bytes(), &mut request);
            let response = answer(&request);
            let fields = wire::fields(&response).unwrap();
            let error = fields
                .iter()
                .find(|field| field.number == RESPONSE_ERROR)
                .unwrap();
            let expected = format!("failed to configure the build: {expected}");
            assert_eq!(String::from_utf8_lossy(error.bytes()), expected);
        }
    }
}
