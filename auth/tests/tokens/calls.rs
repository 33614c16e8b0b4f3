//! Guard of a server that is called over sockets.

use std::rc::Rc;
use std::time::Duration;

use corespun_auth::{Claims, Guard, Policy, Rule};
use corespun_client::Channel;
use corespun_codec::{Code, Kind, Method, Request, Response, Status};
use corespun_runtime::block_on;
use corespun_server::{Routes, Server, Service};
use serde_json::json;

use crate::issuer::{Issuer, in_seconds, tamper};
use crate::{but, good, strict};

const OPEN: Method<String, String> = Method::new("/test.Greeter/Open", Kind::Unary);
const READ: Method<String, String> = Method::new("/test.Greeter/Read", Kind::Unary);
const ROOT: Method<String, String> = Method::new("/test.Greeter/Root", Kind::Unary);

struct Greeter;

/// Returns the subject of the token.
async fn greet(_: Rc<Greeter>, request: Request<String>) -> Result<Response<String>, Status> {
    let claims = request.extensions().get::<Rc<Claims>>();
    let subject = claims.and_then(|claims| claims.subject.clone());
    Ok(Response::new(subject.unwrap_or_default()))
}

impl Service for Greeter {
    const NAME: &'static str = "test.Greeter";

    fn register(self, routes: &mut Routes) {
        let service = Rc::new(self);
        for method in [OPEN, READ, ROOT] {
            routes.unary(method, &service, greet);
        }
    }
}

fn policy() -> Policy {
    Policy::new()
        .method(OPEN.path(), Rule::Anybody)
        .method(READ.path(), Rule::scope("read"))
        .method(ROOT.path(), Rule::scope("root"))
}

#[test]
fn callers_get_the_code_of_what_they_lack() {
    let issuer = Issuer::es256();
    let keys = issuer.keys().expect("keys");
    let server = Server::builder()
        .listen("127.0.0.1:0")
        .shards(1)
        .grace(Duration::from_millis(200))
        .intercept(move |_shard| {
            let verifier = Rc::new(strict(Ok(keys.clone())));
            Ok(Guard::new(policy()).tokens(verifier))
        })
        .service(|_shard| Ok(Greeter));
    let server = server.start().expect("a server");
    let valid = issuer.token(&good());
    let ended = issuer.token(&but(json!({ "exp": in_seconds(-120) })));
    let foreign = Issuer::es256().token(&good());
    let tampered = tamper(&valid);
    let (nonsense, empty) = ("nonsense".to_owned(), String::new());
    let cases = [
        (OPEN, None, Ok("")),
        (READ, Some(&valid), Ok("ada")),
        (READ, None, Err(Code::Unauthenticated)),
        (READ, Some(&ended), Err(Code::Unauthenticated)),
        (READ, Some(&foreign), Err(Code::Unauthenticated)),
        (READ, Some(&tampered), Err(Code::Unauthenticated)),
        (READ, Some(&nonsense), Err(Code::Unauthenticated)),
        (READ, Some(&empty), Err(Code::Unauthenticated)),
        (ROOT, Some(&valid), Err(Code::PermissionDenied)),
    ];
    let target = server.addresses()[0].to_string();
    block_on(async {
        let channel = Channel::connect(&target).await.expect("a channel");
        for (method, token, expected) in cases {
            let mut request = Request::new(String::new());
            if let Some(token) = token {
                let value = format!("Bearer {token}");
                let metadata = request.metadata_mut();
                let value = value.trim_end();
                metadata.append("authorization", value).expect("ASCII");
            }
            let path = method.path();
            let outcome = channel.unary(method, request).await;
            let answer = outcome.map(Response::into_inner);
            let answer = answer.map_err(|status| status.code());
            assert_eq!(answer.as_deref(), expected.as_deref(), "{path}");
        }
    })
    .expect("a shard");
    server.stop().expect("a clean end");
}
