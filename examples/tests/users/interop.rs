//! Official interoperability cases with our client and our server, and responses of the server that
//! they do not cover.

use std::io::Write as _;

use corespun::client::Config;
use corespun::runtime::{Engine, LocalConfig, LocalShard, timeout};
use corespun::server::Running;
use corespun::{Channel, Code, Encodings, Server, Status, spawn_blocking};
use corespun_examples::interop::proto::grpc::testing::test_service_client::TestServiceClient;
use corespun_examples::interop::proto::grpc::testing::test_service_server::TestServiceServer;
use corespun_examples::interop::proto::grpc::testing::{
    BoolValue, EchoStatus, ResponseParameters, SimpleRequest, StreamingOutputCallRequest,
};
use corespun_examples::interop::proto::xds::service::orca::v3::open_rca_service_server as orca;
use corespun_examples::interop::{Interop, Load, LoadReports, PAYLOAD_BYTES_MAX, cases};

use super::{TIMEOUT, timed};

fn start(engine: Engine) -> Running {
    let load = Load::default();
    let told = load.clone();
    let server = Server::builder().listen("127.0.0.1:0").shards(2);
    server
        .engine(engine)
        .service(move |_shard| Ok(TestServiceServer::new(Interop::new(told.clone()))))
        .service(move |_shard| Ok(orca::OpenRcaServiceServer::new(LoadReports(load.clone()))))
        .start()
        .expect("a server")
}

/// Runs a scenario on each engine that the kernel permits.
fn on_each_engine(scenario: impl AsyncFn(&Channel)) {
    for (engine, usable) in Engine::candidates() {
        let shard = usable.and_then(|()| LocalShard::new(LocalConfig { engine, cpu: None }));
        match shard {
            Ok(mut shard) => shard.block_on(async {
                let running = start(engine);
                let address = running.addresses()[0].to_string();
                let config = Config {
                    accept_encodings: Encodings::ALL,
                    ..Config::default()
                };
                let channel = Channel::lazy_with(&address, config).expect("an address");
                scenario(&channel).await;
                drop(channel);
                let stopped = spawn_blocking(move || running.stop()).await;
                stopped.expect("a clean end");
            }),
            Err(error) if engine == Engine::Uring => {
                let _ = writeln!(std::io::stderr(), "SKIPPED interop on uring: {error}");
            }
            Err(error) => panic!("{error}"),
        }
    }
}

#[test]
fn every_case_with_our_client() {
    on_each_engine(async |channel| {
        for name in cases::NAMES {
            let played = timeout(TIMEOUT, cases::run(name, channel)).await;
            let outcome = played.unwrap_or_else(|_| panic!("{name} hangs"));
            outcome.unwrap_or_else(|deviation| panic!("{name}: {deviation}"));
        }
        let unknown = cases::run("no_such_case", channel).await;
        assert!(unknown.unwrap_err().to_string().contains("no_such_case"));
    });
}

fn check(outcome: Result<impl std::fmt::Debug, Status>, words: &str) {
    let status = outcome.expect_err(words);
    assert_eq!(status.code(), Code::InvalidArgument, "{status}");
    assert!(status.message().contains(words), "{status} lacks {words:?}");
}

#[test]
fn what_cannot_be_made_is_refused() {
    on_each_engine(async |channel| {
        let client = TestServiceClient::new(channel.clone());
        let unary = async |response_type, response_size| {
            let request = SimpleRequest {
                response_type,
                response_size,
                ..SimpleRequest::default()
            };
            client.unary_call(timed(request)).await
        };
        check(unary(0, -1).await, "not -1");
        check(unary(0, PAYLOAD_BYTES_MAX + 1).await, "not 16777217");
        check(unary(7, 1).await, "not 7");

        let parameters = ResponseParameters {
            size: i32::MIN,
            ..ResponseParameters::default()
        };
        let request = StreamingOutputCallRequest {
            response_parameters: vec![parameters],
            ..StreamingOutputCallRequest::default()
        };
        let outcome = async {
            let answers = client.streaming_output_call(timed(request)).await?;
            answers.into_inner().message().await
        };
        check(outcome.await, "not -2147483648");
    });
}

#[test]
fn what_no_case_asks_is_answered_too() {
    on_each_engine(async |channel| {
        let client = TestServiceClient::new(channel.clone());
        let cached = client.cacheable_unary_call(timed(SimpleRequest::default()));
        let cached = cached.await.expect("an answer");
        assert_eq!(
            cached.metadata().get("cache-control"),
            Some("max-age=60, public")
        );
        let body = cached.into_inner().payload.expect("a payload").body;
        let text = String::from_utf8(body).expect("text");
        assert!(text.parse::<u128>().is_ok_and(|nanos| nanos > 0), "{text}");

        let (mut requests, mut answers) = client.half_duplex_call(timed(())).await.unwrap();
        for size in [3, 5] {
            let parameters = ResponseParameters {
                size,
                interval_us: 1_000,
                fill_peer_socket_address: Some(BoolValue { value: true }),
                ..ResponseParameters::default()
            };
            let request = StreamingOutputCallRequest {
                response_parameters: vec![parameters],
                ..StreamingOutputCallRequest::default()
            };
            requests.send(request).await.expect("sent");
        }
        requests.finish();
        for size in [3, 5] {
            let answer = answers.message().await.unwrap().expect("an answer");
            assert_eq!(answer.payload.expect("a payload").body, vec![0; size]);
            assert!(answer.peer_socket_address.starts_with("127.0.0.1:"));
        }
        assert_eq!(answers.message().await.unwrap(), None);

        // OK is not a status for a failure.
        let request = SimpleRequest {
            response_status: Some(EchoStatus::default()),
            ..SimpleRequest::default()
        };
        client.unary_call(timed(request)).await.expect("an answer");
    });
}
