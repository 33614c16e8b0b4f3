//! `grpc.health.v1.Health` from the perspective of a client.

use corespun_codec::{Code, message};
use corespun_proto::health::health_check_response::ServingStatus;
use corespun_proto::health::{
    HealthCheckRequest, HealthCheckResponse, HealthListRequest, HealthListResponse, health_methods,
};
use corespun_runtime::{block_on, yield_now};
use corespun_server::{Health, Routes};
use prost::Message;

use crate::support::Pair;

fn pair(health: &Health) -> Pair {
    let mut routes = Routes::new();
    routes.add(health.clone());
    Pair::new(routes)
}

fn about(service: &str) -> HealthCheckRequest {
    HealthCheckRequest {
        service: service.to_owned(),
    }
}

fn messages<M: Message + Default>(mut body: &[u8]) -> Vec<M> {
    let mut messages = Vec::new();
    while let Some((bytes, rest)) = message::split(body, 1 << 20).unwrap() {
        messages.push(message::decode(bytes).unwrap());
        body = rest;
    }
    messages
}

fn check(pair: &mut Pair, service: &str) -> Result<ServingStatus, Code> {
    let answer = pair.unary(health_methods::CHECK.path(), &about(service));
    match answer.status().code() {
        Code::Ok => Ok(messages::<HealthCheckResponse>(&answer.body)[0].status()),
        code => Err(code),
    }
}

#[test]
fn check_answers_what_was_set() {
    block_on(async {
        let health = Health::new();
        let mut pair = pair(&health);
        assert_eq!(check(&mut pair, ""), Ok(ServingStatus::Serving));
        assert_eq!(check(&mut pair, "a.B"), Err(Code::NotFound));
        health.set_serving("a.B");
        assert_eq!(check(&mut pair, "a.B"), Ok(ServingStatus::Serving));
        health.set_not_serving("a.B");
        assert_eq!(check(&mut pair, "a.B"), Ok(ServingStatus::NotServing));
        health.forget("a.B");
        assert_eq!(check(&mut pair, "a.B"), Err(Code::NotFound));
    })
    .unwrap();
}

#[test]
fn list_answers_everything_unless_it_is_too_much() {
    block_on(async {
        let health = Health::new();
        let mut pair = pair(&health);
        health.set_not_serving("a.B");
        let answer = pair.unary(health_methods::LIST.path(), &HealthListRequest {});
        let list = &messages::<HealthListResponse>(&answer.body)[0].statuses;
        assert_eq!(list.len(), 2);
        assert_eq!(list["a.B"].status(), ServingStatus::NotServing);
        (0..100).for_each(|n| health.set_serving(&format!("s.{n}")));
        let answer = pair.unary(health_methods::LIST.path(), &HealthListRequest {});
        assert_eq!(answer.status().code(), Code::ResourceExhausted);
    })
    .unwrap();
}

#[test]
fn watch_tells_of_each_change_once() {
    block_on(async {
        let health = Health::new();
        let mut pair = pair(&health);
        let stream = pair.open(health_methods::WATCH.path(), &[], false);
        pair.send(stream, &about("a.B"), true);
        let mut told = Vec::new();
        for change in 0..4 {
            match change {
                1 => health.set_serving("a.B"),
                2 => health.set_serving("c.D"),
                3 => health.set_not_serving("a.B"),
                _ => {}
            }
            for _ in 0..10 {
                pair.exchange();
                yield_now().await;
            }
            let body = &pair.answers[&stream.id].body;
            told.push(messages::<HealthCheckResponse>(body).len());
        }
        assert_eq!(told, [1, 2, 2, 3]);
        let body = &pair.answers[&stream.id].body;
        let statuses = messages::<HealthCheckResponse>(body);
        let statuses: Vec<_> = statuses.iter().map(|response| response.status()).collect();
        let expected = [
            ServingStatus::ServiceUnknown,
            ServingStatus::Serving,
            ServingStatus::NotServing,
        ];
        assert_eq!(statuses, expected);
        assert!(!pair.answers[&stream.id].ended);
    })
    .unwrap();
}
