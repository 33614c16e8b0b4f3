//! RPC methods: path, kind and message types.

use std::fmt;
use std::marker::PhantomData;

/// Kind of a method, by the sides that stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Kind {
    /// One request, one response.
    Unary,
    /// One request, any number of responses.
    ServerStreaming,
    /// Any number of requests, one response.
    ClientStreaming,
    /// Any number of requests and responses, in any order.
    BidiStreaming,
}

impl Kind {
    /// Returns the kind of a method whose request (`client`) and response (`server`) sides stream
    /// or not.
    pub const fn of(client: bool, server: bool) -> Self {
        match (client, server) {
            (false, false) => Self::Unary,
            (false, true) => Self::ServerStreaming,
            (true, false) => Self::ClientStreaming,
            (true, true) => Self::BidiStreaming,
        }
    }

    /// Returns `true` if the client may send any number of messages.
    pub const fn client_streams(self) -> bool {
        matches!(self, Self::ClientStreaming | Self::BidiStreaming)
    }

    /// Returns `true` if the server may send any number of messages.
    pub const fn server_streams(self) -> bool {
        matches!(self, Self::ServerStreaming | Self::BidiStreaming)
    }
}

/// One RPC method: the single constant that both the server's routes and the client's calls use.
///
/// ```
/// use corespun_codec::{Kind, Method};
/// # struct UserRequest;
/// # struct UserResponse;
/// const GET_USER: Method<UserRequest, UserResponse> =
///     Method::new("/user.UserService/GetUser", Kind::Unary);
/// assert_eq!(GET_USER.service(), "user.UserService");
/// assert_eq!(GET_USER.name(), "GetUser");
/// ```
pub struct Method<Req, Resp> {
    path: &'static str,
    kind: Kind,
    types: PhantomData<fn(Req) -> Resp>,
}

impl<Req, Resp> Method<Req, Resp> {
    /// Creates the method with the path `path`, which must have the form `/package.Service/Name`.
    ///
    /// # Panics
    /// When `path` is not of that form; in a constant that is a compile error.
    pub const fn new(path: &'static str, kind: Kind) -> Self {
        let slash = last_slash(path);
        assert!(
            path.as_bytes()[0] == b'/' && slash > 1 && slash + 1 < path.len(),
            "a method path reads /package.Service/Name"
        );
        Self {
            path,
            kind,
            types: PhantomData,
        }
    }

    /// Returns the `:path` of every call: `/package.Service/Name`.
    pub const fn path(&self) -> &'static str {
        self.path
    }

    /// Returns the kind of the method, which tells the sides that stream.
    pub const fn kind(&self) -> Kind {
        self.kind
    }

    /// Returns the full name of the service: `package.Service`.
    pub const fn service(&self) -> &'static str {
        self.path.split_at(last_slash(self.path)).0.split_at(1).1
    }

    /// Returns the name of the method within its service.
    pub const fn name(&self) -> &'static str {
        self.path.split_at(last_slash(self.path) + 1).1
    }
}

/// Returns the index of the last `/`, which separates service and method; 0 if there is none.
const fn last_slash(path: &str) -> usize {
    let bytes = path.as_bytes();
    let mut at = bytes.len();
    while at > 0 {
        at -= 1;
        if bytes[at] == b'/' {
            return at;
        }
    }
    0
}

// Derived, these would ask the same of the message types, which a constant only names.
impl<Req, Resp> Clone for Method<Req, Resp> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<Req, Resp> Copy for Method<Req, Resp> {}

impl<Req, Resp> fmt::Debug for Method<Req, Resp> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Method({} {:?})", self.path, self.kind)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_path_is_split_at_its_last_slash() {
        for (path, service, name) in [
            ("/user.UserService/GetUser", "user.UserService", "GetUser"),
            ("/S/M", "S", "M"),
            ("/a/b/c", "a/b", "c"),
        ] {
            let method = Method::<(), ()>::new(path, Kind::Unary);
            assert_eq!((method.service(), method.name()), (service, name));
        }
    }

    #[test]
    fn other_forms_are_refused() {
        for path in ["", "/", "user/Get", "//Get", "/user/", "GetUser"] {
            let made = std::panic::catch_unwind(|| Method::<(), ()>::new(path, Kind::Unary));
            assert!(made.is_err(), "{path:?}");
        }
    }

    #[test]
    fn kinds_know_who_streams() {
        for client in [false, true] {
            for server in [false, true] {
                let kind = Kind::of(client, server);
                assert_eq!(
                    (kind.client_streams(), kind.server_streams()),
                    (client, server)
                );
            }
        }
    }
}
