//! The blessed text compiles: keyword names, methods that the `Rc` has too, all kinds, types from
//! other packages, no package. The facade here has the shapes that the generated text relies on.

#![deny(missing_docs)]

use facade::{Request, Response, Sender, Status, Streaming};
use std::rc::Rc;

/// Where the text was told to find everything.
mod facade {
    pub use corespun_codec::pipe::{Sender, Streaming};
    pub use corespun_codec::{IntoRequest, Kind, Method, Request, Response, Status};
    pub use prost;
    pub use prost_types;
    use std::marker::PhantomData;

    /// Takes calls and answers none.
    #[derive(Clone)]
    pub struct Channel(&'static str);

    /// The sending side of a client-streaming call.
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

    /// The server's side.
    pub mod server {
        use super::{Kind, Method, Request, Response, Sender, Status, Streaming};
        use std::rc::Rc;

        pub trait Service {
            const NAME: &'static str;
            const DESCRIPTOR_SET: &'static [u8] = &[];
            fn register(self, routes: &mut Routes);
        }

        /// The paths that were registered, each under the kind of its door.
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

            pub fn server_streaming<S, Q, R, F, Fut>(
                &mut self,
                method: Method<Q, R>,
                _: &Rc<S>,
                _: F,
            ) where
                F: Fn(Rc<S>, Request<Q>, Sender<R>) -> Fut + 'static,
                Fut: Future<Output = Result<(), Status>> + 'static,
            {
                self.add(method, Kind::ServerStreaming);
            }

            pub fn client_streaming<S, Q, R, F, Fut>(
                &mut self,
                method: Method<Q, R>,
                _: &Rc<S>,
                _: F,
            ) where
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
}

/// All packages, each in its modules.
#[allow(
    missing_docs,
    dead_code,
    reason = "the protos of these tests are terse"
)]
mod generated {
    include!("golden/kinds/modules.rs");
}

use facade::server::{Routes, Service};
use generated::com::acme::v1::{self, Option as Choice, Result as Input, result::Inner};

type Outcome<T> = Result<T, Status>;

struct Answers;

impl v1::Type for Answers {
    async fn r#move(&self, _: Request<Input>) -> Outcome<Response<Choice>> {
        Ok(Choice {}.into())
    }
    async fn self_(&self, _: &mut Streaming<Input>) -> Outcome<Response<Choice>> {
        Ok(Choice {}.into())
    }
    async fn clone(&self, _: Request<Input>, _: &mut Sender<Choice>) -> Outcome<()> {
        Ok(())
    }
    async fn connect(&self, _: &mut Streaming<Input>, _: &mut Sender<Choice>) -> Outcome<()> {
        Ok(())
    }
    async fn new(&self, request: Request<Input>) -> Outcome<Response<Input>> {
        Ok(request.into_inner().into())
    }
    async fn name(&self, request: Request<Input>) -> Outcome<Response<Input>> {
        Ok(request.into_inner().into())
    }
    async fn borrow(&self, request: Request<Inner>) -> Outcome<Response<Inner>> {
        Ok(request.into_inner().into())
    }
    async fn gone(&self, request: Request<Input>) -> Outcome<Response<Input>> {
        Ok(request.into_inner().into())
    }
}

impl v1::Nobody for Answers {}

fn registered(service: impl Service) -> Vec<(&'static str, facade::Kind)> {
    let mut routes = Routes::default();
    service.register(&mut routes);
    routes.0
}

#[test]
fn every_method_is_registered_under_its_path_and_kind() {
    use facade::Kind::{BidiStreaming, ClientStreaming, ServerStreaming, Unary};
    assert_eq!(
        registered(v1::TypeServer::new(Answers)),
        [
            ("/com.acme.v1.Type/Move", Unary),
            ("/com.acme.v1.Type/Self", ClientStreaming),
            ("/com.acme.v1.Type/Clone", ServerStreaming),
            ("/com.acme.v1.Type/Connect", BidiStreaming),
            ("/com.acme.v1.Type/New", Unary),
            ("/com.acme.v1.Type/Name", Unary),
            ("/com.acme.v1.Type/Borrow", Unary),
            ("/com.acme.v1.Type/Gone", Unary),
        ]
    );
    assert_eq!(registered(v1::NobodyServer::from_rc(Rc::new(Answers))), []);
    assert_eq!(
        <v1::NobodyServer<Answers> as Service>::NAME,
        "com.acme.v1.Nobody"
    );
    let schema = <v1::NobodyServer<Answers> as Service>::DESCRIPTOR_SET;
    assert!(!schema.is_empty());
}

#[test]
fn names_without_a_package_and_of_keywords() {
    assert_eq!(generated::bare::NAME, "Bare");
    assert_eq!(generated::bare::CALL.path(), "/Bare/Call");
    assert_eq!(
        generated::r#type::r#async::r#struct::FN.path(),
        "/type.async.Struct/Fn"
    );
    assert_eq!(
        (v1::r#type::NAME, v1::r#type::NAME_.name()),
        ("com.acme.v1.Type", "Name")
    );
}

#[test]
fn types_from_elsewhere_are_the_ones_that_prost_gives() {
    let _: facade::Method<(), ()> = v1::foreign::NOTHING;
    let _: facade::Method<String, prost_types::Timestamp> = v1::foreign::TIME;
    let _: facade::Method<bool, Vec<u8>> = v1::foreign::TRUTH;
    let _: facade::Method<generated::com::acme::shared::Thing, v1::part::Piece> =
        v1::foreign::SHARED;
}

#[test]
fn a_client_has_a_method_per_rpc() {
    let mut waker = std::task::Context::from_waker(std::task::Waker::noop());
    let mut calls = std::pin::pin!(async {
        let client = v1::TypeClient::connect("nowhere").await?;
        for status in [
            client.r#move(Input::default()).await.err(),
            client.self_(()).await.err(),
            client.clone(Request::new(Input::default())).await.err(),
            client.connect_(Request::new(())).await.err(),
            client.new_(Input::default()).await.err(),
        ] {
            assert!(status.unwrap().message().starts_with("/com.acme.v1.Type/"));
        }
        Ok::<(), Status>(())
    });
    let std::task::Poll::Ready(result) = calls.as_mut().poll(&mut waker) else {
        panic!("waits")
    };
    assert_eq!(result, Ok(()));
}

#[test]
fn the_descriptor_set_is_the_one_of_the_whole_call() {
    assert_eq!(v1::FILE_DESCRIPTOR_SET, generated::FILE_DESCRIPTOR_SET);
    assert!(v1::FILE_DESCRIPTOR_SET.len() > 1_000);
}
