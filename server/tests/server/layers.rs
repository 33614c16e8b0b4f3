//! Layers of `tower` around calls.

use std::cell::Cell;
use std::rc::Rc;
use std::time::Duration;

use corespun_codec::{Code, Kind, Method, Request, Response, Sender, Status};
use corespun_http2::{ErrorCode, StreamKey};
use corespun_runtime::{block_on, sleep};
use corespun_server::{Incoming, Routes, Service, intercept_tower};
use tower::filter::FilterLayer;
use tower::limit::ConcurrencyLimitLayer;
use tower::load_shed::LoadShedLayer;
use tower::timeout::TimeoutLayer;
use tower::util::MapRequestLayer;

use crate::support::Pair;

const NAP: Method<String, String> = Method::new("/test.Nap/Nap", Kind::Unary);
const DOZE: Method<String, String> = Method::new("/test.Nap/Doze", Kind::ServerStreaming);

/// Sleeps for a while, and counts the current sleepers.
#[derive(Default)]
struct Nap {
    asleep: Cell<usize>,
    asleep_most: Rc<Cell<usize>>,
}

impl Nap {
    async fn nap(&self, request: &Request<String>) -> String {
        self.asleep.set(self.asleep.get() + 1);
        self.asleep_most
            .set(self.asleep_most.get().max(self.asleep.get()));
        sleep(Duration::from_millis(5)).await;
        self.asleep.set(self.asleep.get() - 1);
        request
            .metadata()
            .get("x-dream")
            .unwrap_or_default()
            .to_owned()
    }
}

impl Service for Nap {
    const NAME: &'static str = "test.Nap";

    fn register(self, routes: &mut Routes) {
        let service = Rc::new(self);
        routes.unary(NAP, &service, |nap, request| async move {
            Ok(Response::new(nap.nap(&request).await))
        });
        routes.server_streaming(
            DOZE,
            &service,
            |nap, request, mut out: Sender<String>| async move {
                out.send(nap.nap(&request).await).await
            },
        );
    }
}

async fn codes(pair: &mut Pair, streams: &[StreamKey]) -> Vec<Code> {
    let ended = |pair: &Pair, stream: &StreamKey| {
        pair.answers
            .get(&stream.id)
            .is_some_and(|answer| answer.ended)
    };
    for _ in 0..2000 {
        pair.exchange();
        if streams.iter().all(|stream| ended(pair, stream)) {
            let code = |stream: &StreamKey| pair.answers[&stream.id].status().code();
            return streams.iter().map(code).collect();
        }
        sleep(Duration::from_millis(1)).await;
    }
    panic!("some do not end: {:?}", pair.answers);
}

fn start(pair: &mut Pair, path: &str, calls: usize, fields: &[(&str, &str)]) -> Vec<StreamKey> {
    let open = |_| {
        let stream = pair.open(path, fields, false);
        pair.send(stream, &"x".to_owned(), true);
        stream
    };
    (0..calls).map(open).collect()
}

#[test]
fn a_concurrency_limit_holds_its_permit_until_the_end() {
    block_on(async {
        for path in [NAP.path(), DOZE.path()] {
            let nap = Nap::default();
            let most = Rc::clone(&nap.asleep_most);
            let mut routes = Routes::new();
            routes.add(nap.intercept(intercept_tower(ConcurrencyLimitLayer::new(2))));
            let mut pair = Pair::new(routes);
            let streams = start(&mut pair, path, 7, &[]);
            assert_eq!(codes(&mut pair, &streams).await, [Code::Ok; 7], "{path}");
            assert_eq!(most.get(), 2, "{path}");
            // Those that are cancelled, asleep or in the queue, give their permits back.
            let streams = start(&mut pair, path, 4, &[]);
            pair.exchange();
            sleep(Duration::from_millis(1)).await;
            for stream in streams {
                pair.client.reset(stream, ErrorCode::CANCEL);
            }
            let streams = start(&mut pair, path, 2, &[]);
            assert_eq!(codes(&mut pair, &streams).await, [Code::Ok; 2], "{path}");
        }
    })
    .unwrap();
}

#[test]
fn load_is_shed_and_errors_become_statuses() {
    block_on(async {
        let layers = tower::ServiceBuilder::new()
            .layer(LoadShedLayer::new())
            .layer(ConcurrencyLimitLayer::new(1))
            .layer(FilterLayer::new(|call: Incoming| {
                match call.metadata().get("x-key") {
                    Some("right") => Ok(call),
                    _ => Err(Status::permission_denied("wrong key")),
                }
            }))
            .layer(MapRequestLayer::new(|mut call: Incoming| {
                call.metadata_mut().append("x-dream", "sheep").unwrap();
                call
            }));
        let mut routes = Routes::new();
        routes.add(Nap::default().intercept(intercept_tower(layers)));
        let mut pair = Pair::new(routes);
        for path in [NAP.path(), DOZE.path()] {
            let streams = start(&mut pair, path, 3, &[("x-key", "right")]);
            let mut codes_of_three = codes(&mut pair, &streams).await;
            codes_of_three.sort_by_key(|code| i32::from(*code));
            assert_eq!(
                codes_of_three,
                [Code::Ok, Code::Unavailable, Code::Unavailable]
            );
            let body = &pair.answers[&streams[0].id].body;
            assert!(body.ends_with(b"sheep"), "{path} {body:?}");
            let streams = start(&mut pair, path, 1, &[]);
            assert_eq!(codes(&mut pair, &streams).await, [Code::PermissionDenied]);
        }
    })
    .unwrap();
}

#[test]
fn a_layer_that_needs_tokio_harms_its_call_alone() {
    block_on(async {
        let mut routes = Routes::new();
        let layer = TimeoutLayer::new(Duration::from_secs(1));
        routes.add(Nap::default().intercept(intercept_tower(layer)));
        let mut pair = Pair::new(routes);
        let streams = start(&mut pair, NAP.path(), 2, &[]);
        assert_eq!(codes(&mut pair, &streams).await, [Code::Unknown; 2]);
    })
    .unwrap();
}
