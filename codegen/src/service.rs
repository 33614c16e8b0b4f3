//! A service as the writers need it: names settled, types known.

use crate::attributes::Attributes;
use crate::meetings::Modules;
use crate::names;
use prost_build::Comments;

/// Paths that generated text refers to.
#[derive(Clone, Debug)]
pub(crate) struct Paths {
    /// Module with `Request`, `Response`, `Status`, `Streaming`, `Sender`, `server`, `Channel`, …
    pub(crate) runtime: String,
    /// Module with `Method` and `Kind`.
    pub(crate) codec: String,
}

pub(crate) struct Service {
    /// Trait: `UserService`.
    pub(crate) name: String,
    /// `user.UserService`.
    pub(crate) full_name: String,
    /// Module of constants: `user_service_methods`.
    pub(crate) methods_module: String,
    /// Module of the trait and of what serves it: `user_service_server`.
    pub(crate) server_module: String,
    /// Module of the client: `user_service_client`.
    pub(crate) client_module: String,
    pub(crate) comments: Comments,
    pub(crate) attributes: Attributes,
    pub(crate) methods: Vec<Method>,
}

pub(crate) struct Method {
    /// `get_user`.
    pub(crate) name: String,
    /// `GET_USER`.
    pub(crate) constant: String,
    /// `/user.UserService/GetUser`.
    pub(crate) path: String,
    pub(crate) comments: Comments,
    /// Request type as the service's modules call it.
    pub(crate) input: String,
    /// Response type as the service's modules call it.
    pub(crate) output: String,
    pub(crate) client_streams: bool,
    pub(crate) server_streams: bool,
    pub(crate) deprecated: bool,
}

/// Full name of a service.
pub(crate) fn full_name(package: &str, service: &str) -> String {
    match package {
        "" => service.to_owned(),
        package => format!("{package}.{service}"),
    }
}

impl Service {
    pub(crate) fn new(
        from: prost_build::Service,
        modules: &Modules,
        attributes: Attributes,
        emits_package: bool,
    ) -> Self {
        let module = |suffix| modules.of_service(&from.package, &from.proto_name, suffix);
        let package = if emits_package {
            from.package.as_str()
        } else {
            ""
        };
        let full_name = full_name(package, &from.proto_name);
        let deprecated = from.options.deprecated();
        let methods = from.methods.into_iter();
        Self {
            methods_module: module("methods"),
            server_module: module("server"),
            client_module: module("client"),
            methods: methods
                .map(|method| Method::new(method, &full_name, deprecated))
                .collect(),
            name: from.name,
            full_name,
            comments: from.comments,
            attributes,
        }
    }
}

impl Method {
    fn new(from: prost_build::Method, service: &str, deprecated: bool) -> Self {
        Self {
            constant: names::constant(&from.name),
            path: format!("/{service}/{}", from.proto_name),
            name: from.name,
            comments: from.comments,
            input: names::from_inner_module(&from.input_type),
            output: names::from_inner_module(&from.output_type),
            client_streams: from.client_streaming,
            server_streams: from.server_streaming,
            deprecated: deprecated || from.options.deprecated(),
        }
    }

    /// Variant of `Kind`.
    pub(crate) fn kind(&self) -> &'static str {
        match (self.client_streams, self.server_streams) {
            (false, false) => "Unary",
            (false, true) => "ServerStreaming",
            (true, false) => "ClientStreaming",
            (true, true) => "BidiStreaming",
        }
    }

    /// Method of `Routes` and of `Channel` that takes this kind.
    pub(crate) fn verb(&self) -> &'static str {
        match (self.client_streams, self.server_streams) {
            (false, false) => "unary",
            (false, true) => "server_streaming",
            (true, false) => "client_streaming",
            (true, true) => "bidi_streaming",
        }
    }
}
