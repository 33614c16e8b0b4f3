//! Names: from those in a proto to those in Rust.

use prost_build::Module;

/// The snake-case module of a service, raw when it is a keyword.
pub(crate) fn module(service: &str) -> String {
    let module = Module::from_protobuf_package_name(service);
    module.parts().collect()
}

/// The constant of a method whose Rust name is `method`. `NAME` belongs to the service.
pub(crate) fn constant(method: &str) -> String {
    match plain(method).to_uppercase() {
        name if name == "NAME" => format!("{name}_"),
        name => name,
    }
}

/// A client's method: not one of the constructors that every client has.
pub(crate) fn client_method(method: &str) -> String {
    match method {
        "new" | "connect" => format!("{method}_"),
        _ => method.to_owned(),
    }
}

/// A type of the package as it is called from a module inside the package. Paths from a root
/// and the primitives that stand for well-known types are the same everywhere.
pub(crate) fn from_inner_module(path: &str) -> String {
    let rooted = path.starts_with("::") || path.starts_with("crate::");
    let primitive =
        path == "()" || (!path.contains("::") && path.starts_with(|c: char| c.is_lowercase()));
    if rooted || primitive {
        path.to_owned()
    } else {
        format!("super::{path}")
    }
}

/// A Rust name without what keeps it from being a keyword.
fn plain(name: &str) -> &str {
    name.strip_prefix("r#")
        .unwrap_or(name)
        .trim_end_matches('_')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn modules_and_constants() {
        for (service, expected) in [
            ("UserService", "user_service"),
            ("Type", "r#type"),
            ("HTTPProxy", "http_proxy"),
        ] {
            assert_eq!(module(service), expected);
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
