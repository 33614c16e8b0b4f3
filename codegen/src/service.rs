//! Description of a service with final names and types, as the writers use it.

use crate::attributes::Attributes;
use crate::meetings::Modules;
use crate::names;
use prost_build::Comments;

/// Paths that generated code refers to.
#[derive(Clone, Debug)]
pub(crate) struct Paths {
    /// Path of the module with `Request`, `Response`, `Status`, `Streaming`, `Sender`, `server`,
    /// `Channel`, …
    pub(crate) runtime: String,
    /// Path of the module with `Method` and `Kind`.
    pub(crate) codec: String,
}

pub(crate) struct Service {
    /// Name of the trait, such as `UserService`.
    pub(crate) name: String,
    /// Full name of the service, such as `user.UserService`.
    pub(crate) full_name: String,
    /// Name of the module of constants, such as `user_service_methods`.
    pub(crate) methods_module: String,
    /// Name of the module of the trait and the server struct, such as `user_service_server`.
    pub(crate) server_module: String,
    /// Name of the module of the client, such as `user_service_client`.
    pub(crate) client_module: String,
    pub(crate) comments: Comments,
    pub(crate) attributes: Attributes,
    pub(crate) methods: Vec<Method>,
}

pub(crate) struct Method {
    /// Rust name of the method, such as `get_user`.
    pub(crate) name: String,
    /// Name of the method's constant, such as `GET_USER`.
    pub(crate) constant: String,
    /// Path of the method, such as `/user.UserService/GetUser`.
    pub(crate) path: String,
    pub(crate) comments: Comments,
    /// Request type as the service's modules refer to it.
    pub(crate) input: String,
    /// Response type as the service's modules refer to it.
    pub(crate) output: String,
    pub(crate) client_streams: bool,
    pub(crate) server_streams: bool,
    pub(crate) deprecated: bool,
}

/// Returns the full name of a service.
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

    /// Returns the variant of `Kind` for the method.
    pub(crate) fn kind(&self) -> &'static str {
        match (self.client_streams, self.server_streams) {
            (false, false) => "Unary",
            (false, true) => "ServerStreaming",
            (true, false) => "ClientStreaming",
            (true, true) => "BidiStreaming",
        }
    }

    /// Returns the method of `Routes` and `Channel` for this kind of RPC.
    pub(crate) fn verb(&self) -> &'static str {
        match (self.client_streams, self.server_streams) {
            (false, false) => "unary",
            (false, true) => "server_streaming",
            (true, false) => "client_streaming",
            (true, true) => "bidi_streaming",
        }
    }
}
