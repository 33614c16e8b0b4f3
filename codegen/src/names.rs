//! Conversion of proto names to Rust names, compatible with prost-build.

use heck::{ToSnakeCase, ToUpperCamelCase};

/// Keywords that Rust accepts as raw identifiers.
const RAW: &[&str] = &[
    "abstract", "as", "async", "await", "become", "box", "break", "const", "continue", "do", "dyn",
    "else", "enum", "false", "final", "fn", "for", "gen", "if", "impl", "in", "let", "loop",
    "macro", "match", "mod", "move", "mut", "override", "priv", "pub", "ref", "return", "static",
    "struct", "trait", "true", "try", "type", "typeof", "unsafe", "unsized", "use", "virtual",
    "where", "while", "yield",
];
/// Keywords that Rust does not accept as raw identifiers.
const SUFFIXED: &[&str] = &["_", "super", "self", "Self", "extern", "crate"];

/// Returns the snake-case name of a field, method, or module; empty without a letter or digit.
pub(crate) fn snake(name: &str) -> String {
    identifier(name.to_snake_case())
}

/// Returns the camel-case name of a type or variant; empty without a letter or digit.
pub(crate) fn camel(name: &str) -> String {
    identifier(name.to_upper_camel_case())
}

/// Returns the module name of a service, such as `user_service_server` for the suffix `server`.
pub(crate) fn service_module(service: &str, suffix: &str) -> String {
    format!("{}_{suffix}", service.to_snake_case())
}

/// Returns the constant of the method with the Rust name `method`. `NAME` is reserved for the
/// service.
pub(crate) fn constant(method: &str) -> String {
    match plain(method).to_uppercase() {
        name if name == "NAME" => format!("{name}_"),
        name => name,
    }
}

/// Returns the client method's name, which differs from the client's constructors.
pub(crate) fn client_method(method: &str) -> String {
    match method {
        "new" | "connect" => format!("{method}_"),
        _ => method.to_owned(),
    }
}

/// Returns the variant's name. The enum's name is removed from its start if `strips` is true and a
/// letter follows.
pub(crate) fn variant(enumeration: &str, value: &str, strips: bool) -> String {
    let value = camel(value);
    let stripped = value.strip_prefix(enumeration).filter(|_| strips);
    match stripped.filter(|rest| rest.starts_with(char::is_uppercase)) {
        Some(rest) => identifier(rest.to_owned()),
        None => value,
    }
}

/// Returns the path of a type of the package as seen from a module inside the package. Absolute
/// paths and the primitives for well-known types do not change.
pub(crate) fn from_inner_module(path: &str) -> String {
    let primitive =
        path == "()" || (!path.contains("::") && path.starts_with(|c: char| c.is_lowercase()));
    if is_rooted(path) || primitive {
        path.to_owned()
    } else {
        format!("super::{path}")
    }
}

/// Returns true if `path` means the same in every module.
pub(crate) fn is_rooted(path: &str) -> bool {
    path.starts_with("::") || path.starts_with("crate::")
}

/// Returns a name without its keyword escape (`r#` or a trailing underscore).
pub(crate) fn plain(name: &str) -> &str {
    name.strip_prefix("r#")
        .unwrap_or(name)
        .trim_end_matches('_')
}

fn identifier(name: String) -> String {
    let word = name.as_str();
    if RAW.contains(&word) {
        format!("r#{name}")
    } else if SUFFIXED.contains(&word) {
        format!("{name}_")
    } else if name.starts_with(|c: char| c.is_numeric()) {
        format!("_{name}")
    } else {
        name
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn modules_and_constants() {
        for (service, expected) in [
            ("UserService", "user_service_server"),
            ("Type", "type_server"),
            ("Self", "self_server"),
            ("HTTPProxy", "http_proxy_server"),
        ] {
            assert_eq!(service_module(service, "server"), expected);
        }
        for (method, expected) in [
            ("get_user", "GET_USER"),
            ("r#type", "TYPE"),
            ("self_", "SELF"),
            ("name", "NAME_"),
        ] {
            assert_eq!(constant(method), expected);
        }
        assert_eq!(client_method("connect"), "connect_");
        assert_eq!(client_method("r#move"), "r#move");
    }

    #[test]
    fn types_and_variants() {
        for (name, expected) in [("self", "Self_"), ("http_proxy", "HttpProxy"), ("_1", "_1")] {
            assert_eq!(camel(name), expected);
        }
        for (name, expected) in [("gen", "r#gen"), ("Super", "super_"), ("_", "")] {
            assert_eq!(snake(name), expected);
        }
        for (value, strips, expected) in [
            ("COLOR_RED", true, "Red"),
            ("COLOR_RED", false, "ColorRed"),
            ("COLORED", true, "Colored"),
            ("COLOR_1", true, "Color1"),
            ("COLOR_SELF", true, "Self_"),
        ] {
            assert_eq!(variant("Color", value, strips), expected, "{value}");
        }
    }

    #[test]
    fn types_seen_from_an_inner_module() {
        for (path, expected) in [
            ("UserRequest", "super::UserRequest"),
            ("super::other::Thing", "super::super::other::Thing"),
            ("user_request::Inner", "super::user_request::Inner"),
            ("::prost_types::Timestamp", "::prost_types::Timestamp"),
            ("crate::Mine", "crate::Mine"),
            ("()", "()"),
            ("bool", "bool"),
        ] {
            assert_eq!(from_inner_module(path), expected);
        }
    }
}
