//! A service as the writers need it: names settled, types known.

use crate::error::{Error, Kind};
use crate::names;
use prost_build::Comments;

/// Where generated text refers to.
#[derive(Clone, Debug)]
pub(crate) struct Paths {
    /// `Request`, `Response`, `Status`, `Streaming`, `Sender`, `server`, `Channel`, …
    pub(crate) runtime: String,
    /// `Method` and `Kind`.
    pub(crate) codec: String,
}

pub(crate) struct Service {
    /// `UserService`: the trait.
    pub(crate) name: String,
    /// `user_service`: the module of constants.
    pub(crate) module: String,
    /// `user.UserService`.
    pub(crate) full_name: String,
    pub(crate) comments: Comments,
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
    pub(crate) input: String,
    pub(crate) output: String,
    pub(crate) client_streams: bool,
    pub(crate) server_streams: bool,
    pub(crate) deprecated: bool,
}

impl Service {
    pub(crate) fn new(from: prost_build::Service) -> Result<Self, Error> {
        let full_name = match from.package.as_str() {
            "" => from.proto_name.clone(),
            package => format!("{package}.{}", from.proto_name),
        };
        same_names(&full_name, &from.methods)?;
        let deprecated = from.options.deprecated();
        let methods = from.methods.into_iter();
        Ok(Self {
            module: names::module(&from.proto_name),
            methods: methods
                .map(|method| Method::new(method, &full_name, deprecated))
                .collect(),
            name: from.name,
            full_name,
            comments: from.comments,
        })
    }
}

impl Method {
    fn new(from: prost_build::Method, service: &str, deprecated: bool) -> Self {
        Self {
            constant: names::constant(&from.name),
            path: format!("/{service}/{}", from.proto_name),
            name: from.name,
            comments: from.comments,
            input: from.input_type,
            output: from.output_type,
            client_streams: from.client_streaming,
            server_streams: from.server_streaming,
            deprecated: deprecated || from.options.deprecated(),
        }
    }

    /// The variant of `Kind`.
    pub(crate) fn kind(&self) -> &'static str {
        match (self.client_streams, self.server_streams) {
            (false, false) => "Unary",
            (false, true) => "ServerStreaming",
            (true, false) => "ClientStreaming",
            (true, true) => "BidiStreaming",
        }
    }

    /// The method of `Routes` and of `Channel` that takes this kind.
    pub(crate) fn verb(&self) -> &'static str {
        match (self.client_streams, self.server_streams) {
            (false, false) => "unary",
            (false, true) => "server_streaming",
            (true, false) => "client_streaming",
            (true, true) => "bidi_streaming",
        }
    }
}

/// Proto tells `GetURL` from `GetUrl`, snake case does not.
fn same_names(service: &str, methods: &[prost_build::Method]) -> Result<(), Error> {
    for (index, method) in methods.iter().enumerate() {
        if let Some(other) = methods[..index]
            .iter()
            .find(|other| other.name == method.name)
        {
            let (first, second) = (other.proto_name.clone(), method.proto_name.clone());
            let (service, name) = (service.to_owned(), method.name.clone());
            return Err(Kind::SameName {
                service,
                first,
                second,
                name,
            }
            .into());
        }
    }
    Ok(())
}
