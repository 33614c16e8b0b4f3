//! Compiles the golden files: keyword names, methods that `Rc` also has, all kinds of RPC, types
//! from other packages, no package. The facade here has the shapes that generated code relies on.

#![deny(missing_docs)]

use facade::{Request, Response, Sender, Status, Streaming};
use std::rc::Rc;

/// Module that generated code uses as its runtime path.
#[path = "support/facade.rs"]
mod facade;

/// All packages in nested modules.
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

impl v1::type_server::Type for Answers {
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

impl v1::nobody_server::Nobody for Answers {}

fn registered(service: impl Service) -> Vec<(&'static str, facade::Kind)> {
    let mut routes = Routes::default();
    service.register(&mut routes);
    routes.0
}

#[test]
fn every_method_is_registered_under_its_path_and_kind() {
    use facade::Kind::{BidiStreaming, ClientStreaming, ServerStreaming, Unary};
    assert_eq!(
        registered(v1::type_server::TypeServer::new(Answers)),
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
    assert_eq!(
        registered(v1::nobody_server::NobodyServer::from_rc(Rc::new(Answers))),
        []
    );
    assert_eq!(
        <v1::nobody_server::NobodyServer<Answers> as Service>::NAME,
        "com.acme.v1.Nobody"
    );
    let schema = <v1::nobody_server::NobodyServer<Answers> as Service>::DESCRIPTOR_SET;
    assert!(!schema.is_empty());
}

#[test]
fn names_without_a_package_and_of_keywords() {
    assert_eq!(generated::bare_methods::NAME, "Bare");
    assert_eq!(generated::bare_methods::CALL.path(), "/Bare/Call");
    assert_eq!(
        generated::r#type::r#async::struct_methods::FN.path(),
        "/type.async.Struct/Fn"
    );
    assert_eq!(
        (v1::type_methods::NAME, v1::type_methods::NAME_.name()),
        ("com.acme.v1.Type", "Name")
    );
}

#[test]
fn types_from_elsewhere_are_the_ones_that_prost_gives() {
    let _: facade::Method<(), ()> = v1::foreign_methods::NOTHING;
    let _: facade::Method<String, prost_types::Timestamp> = v1::foreign_methods::TIME;
    let _: facade::Method<bool, Vec<u8>> = v1::foreign_methods::TRUTH;
    let _: facade::Method<generated::com::acme::shared::Thing, v1::part::Piece> =
        v1::foreign_methods::SHARED;
}

#[test]
fn a_client_has_a_method_per_rpc() {
    let mut waker = std::task::Context::from_waker(std::task::Waker::noop());
    let mut calls = std::pin::pin!(async {
        let client = v1::type_client::TypeClient::connect("nowhere").await?;
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
