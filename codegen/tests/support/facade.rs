//! Replacement of the facade, with the shapes that generated code relies on.

#![allow(dead_code, missing_docs)]

pub use corespun_codec::pipe::{Sender, Streaming};
pub use corespun_codec::{IntoRequest, Kind, Method, Request, Response, Status};
pub use prost;
pub use prost_types;
use std::marker::PhantomData;

/// Channel that accepts calls and answers none.
#[derive(Clone)]
pub struct Channel(&'static str);

/// Sending half of a client-streaming call.
pub struct ClientStreaming<Q, R>(PhantomData<(Q, R)>);

fn refused<T, Q, R>(channel: &Channel, method: Method<Q, R>) -> Result<T, Status> {
    Err(Status::unavailable(format!(
        "{} of {}",
        method.path(),
        channel.0
    )))
}

impl Channel {
    pub async fn connect(_address: &str) -> Result<Self, Status> {
        Ok(Self("nowhere"))
    }

    pub async fn unary<Q, R>(
        &self,
        method: Method<Q, R>,
        _request: Request<Q>,
    ) -> Result<Response<R>, Status> {
        refused(self, method)
    }

    pub async fn server_streaming<Q, R>(
        &self,
        method: Method<Q, R>,
        _request: Request<Q>,
    ) -> Result<Response<Streaming<R>>, Status> {
        refused(self, method)
    }

    pub async fn client_streaming<Q, R>(
        &self,
        method: Method<Q, R>,
        _request: Request<()>,
    ) -> Result<ClientStreaming<Q, R>, Status> {
        refused(self, method)
    }

    pub async fn bidi_streaming<Q, R>(
        &self,
        method: Method<Q, R>,
        _request: Request<()>,
    ) -> Result<(Sender<Q>, Streaming<R>), Status> {
        refused(self, method)
    }
}

/// Server types that generated code refers to.
pub mod server {
    use super::{Kind, Method, Request, Response, Sender, Status, Streaming};
    use std::rc::Rc;

    pub trait Service {
        const NAME: &'static str;
        const DESCRIPTOR_SET: &'static [u8] = &[];
        fn register(self, routes: &mut Routes);
    }

    /// Registered paths, each with the kind of RPC.
    #[derive(Default)]
    pub struct Routes(pub Vec<(&'static str, Kind)>);

    impl Routes {
        fn add<Q, R>(&mut self, method: Method<Q, R>, kind: Kind) {
            assert_eq!(method.kind(), kind, "{method:?}");
            self.0.push((method.path(), kind));
        }

        pub fn unary<S, Q, R, F, Fut>(&mut self, method: Method<Q, R>, _: &Rc<S>, _: F)
        where
            F: Fn(Rc<S>, Request<Q>) -> Fut + 'static,
            Fut: Future<Output = Result<Response<R>, Status>> + 'static,
        {
            self.add(method, Kind::Unary);
        }

        pub fn server_streaming<S, Q, R, F, Fut>(&mut self, method: Method<Q, R>, _: &Rc<S>, _: F)
        where
            F: Fn(Rc<S>, Request<Q>, Sender<R>) -> Fut + 'static,
            Fut: Future<Output = Result<(), Status>> + 'static,
        {
            self.add(method, Kind::ServerStreaming);
        }

        pub fn client_streaming<S, Q, R, F, Fut>(&mut self, method: Method<Q, R>, _: &Rc<S>, _: F)
        where
            F: Fn(Rc<S>, Streaming<Q>) -> Fut + 'static,
            Fut: Future<Output = Result<Response<R>, Status>> + 'static,
        {
            self.add(method, Kind::ClientStreaming);
        }

        pub fn bidi_streaming<S, Q, R, F, Fut>(&mut self, method: Method<Q, R>, _: &Rc<S>, _: F)
        where
            F: Fn(Rc<S>, Streaming<Q>, Sender<R>) -> Fut + 'static,
            Fut: Future<Output = Result<(), Status>> + 'static,
        {
            self.add(method, Kind::BidiStreaming);
        }
    }
}
