//! Allocations of a unary call on the server's side, on a connection that has served calls before.

use std::cell::Cell;
use std::rc::Rc;

use corespun_codec::{Code, Request, Response, Status, message};
use corespun_http2::hpack::{Field, Indexing};
use corespun_proto::user::{UserRequest, UserResponse, user_service_methods};
use corespun_server::{Ended, Incoming, Interceptor, Routes, Service};

use crate::support::Pair;

/// Service whose response has no string, so that the message owns no memory.
struct Numbers;

impl Service for Numbers {
    const NAME: &'static str = user_service_methods::NAME;

    fn register(self, routes: &mut Routes) {
        let service = Rc::new(self);
        let handler = |_: Rc<Self>, request: Request<UserRequest>| async move {
            let id = request.into_inner().id;
            Ok(Response::new(UserResponse {
                id,
                ..UserResponse::default()
            }))
        };
        routes.unary(user_service_methods::GET_USER, &service, handler);
    }
}

/// Service whose response has a name and an address: two strings that the message owns.
struct Names;

impl Service for Names {
    const NAME: &'static str = user_service_methods::NAME;

    fn register(self, routes: &mut Routes) {
        let service = Rc::new(self);
        let handler = |_: Rc<Self>, request: Request<UserRequest>| async move {
            let id = request.into_inner().id;
            let (name, email) = ("John Doe".to_owned(), "john@example.com".to_owned());
            Ok(Response::new(UserResponse { id, name, email }))
        };
        routes.unary(user_service_methods::GET_USER, &service, handler);
    }
}

fn known(call: &mut Incoming) -> Result<(), Status> {
    match call.metadata().get("x-unknown") {
        None => Ok(()),
        Some(_) => Err(Status::unauthenticated("not known")),
    }
}

/// Counts calls by success and failure.
#[derive(Default)]
struct Counter {
    counts: [Cell<u64>; 2],
}

impl Interceptor for Counter {
    fn end(&self, ended: &Ended<'_>) {
        let count = &self.counts[usize::from(ended.code() == Code::Ok)];
        count.set(count.get() + 1);
    }
}

fn allocations_per_call(service: impl Service) -> f64 {
    const CALLS: u64 = 1000;
    corespun_runtime::block_on(async move {
        let mut routes = Routes::new();
        routes.add(service);
        let mut pair = Pair::new(routes);
        let field = |name, value| Field {
            name,
            value,
            indexing: Indexing::Index,
        };
        let fields = [
            field(b":method", b"POST"),
            field(b":scheme", b"http"),
            field(b":path", user_service_methods::GET_USER.path().as_bytes()),
            field(b"te", b"trailers"),
            field(b"content-type", b"application/grpc"),
        ];
        let mut framed = Vec::new();
        message::encode(&UserRequest { id: 1 }, &mut framed).unwrap();
        for _ in 0..100 {
            assert_eq!(pair.unary_constant(&fields, &framed), 1);
        }
        let counted = allocation_counter::measure(|| {
            for _ in 0..CALLS {
                pair.unary_constant(&fields, &framed);
            }
        });
        counted.count_total as f64 / CALLS as f64
    })
    .unwrap()
}

#[test]
fn a_unary_call_allocates_only_what_its_message_owns() {
    let bare = allocations_per_call(Numbers);
    let named = allocations_per_call(Names);
    let asked = allocations_per_call(Numbers.intercept(known).intercept(Counter::default()));
    println!("allocations per unary call: {bare} bare, {named} with two strings in the message");
    println!("with two interceptors that do not wait: {asked}");
    assert_eq!(asked, 0.0, "interceptors allocate");
    assert_eq!(bare, 0.0, "the call itself allocates");
    assert_eq!(named, 2.0, "only the message's two strings are allocated");
}
