//! Compiles names that conflict with Rust and with generated code, under strict lints.

#![deny(warnings)]

#[path = "support/facade.rs"]
mod facade;

mod generated {
    include!("golden/hostile/modules.rs");
}

use facade::server::{Routes, Service};
use generated::core::std;

struct Nothing;

impl std::t_server::T for Nothing {}
impl std::game_server_::Game for Nothing {}
impl std::below_server::t_server::T for Nothing {}
impl std::below_server::self_server::Self_ for Nothing {}
impl std::invoices::below_server::Below for Nothing {}

fn paths(service: impl Service) -> Vec<&'static str> {
    let mut routes = Routes::default();
    service.register(&mut routes);
    routes.0.into_iter().map(|(path, _)| path).collect()
}

#[test]
fn modules_that_meet_are_told_apart() {
    let game = paths(std::game_server_::GameServer::new(Nothing));
    assert_eq!(game, ["/core.std.GAME/Find"]);
    assert_eq!(std::game_methods_::NAME, "core.std.GAME");
    let _ = std::GameServer {
        state: std::game_server::State::Up.into(),
    };
    let _ = std::GameClient {
        address: Some(std::game_client::Address::default()),
    };
    assert_eq!(paths(std::t_server::TServer::new(Nothing)).len(), 12);
}

#[test]
fn traits_may_have_the_name_of_any_parameter() {
    let service = std::below_server::t_server::TServer::new(Nothing);
    assert_eq!(paths(service), ["/core.std.below_server.T/T"]);
    let service = std::below_server::self_server::Self_Server::new(Nothing);
    assert_eq!(paths(service), ["/core.std.below_server.Self/Self"]);
    let service = std::invoices::below_server::BelowServer::new(Nothing);
    assert_eq!(paths(service), ["/core.std.invoices.Below/Get"]);
}
