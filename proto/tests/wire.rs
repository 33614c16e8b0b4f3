//! Tests of the encoding: field numbers and paths that other implementations rely on.

use corespun_codec::{Kind, Method};
use corespun_proto::benchmark::{self, benchmark_service_methods};
use corespun_proto::user::{self, user_service_methods};
use prost::Message;
use std::fmt::Debug;

fn check(message: &(impl Message + Debug), wire: &[u8]) {
    assert_eq!(message.encode_to_vec(), wire, "{message:?}");
}

fn is<Req, Resp>(method: Method<Req, Resp>, path: &str, kind: Kind) {
    assert_eq!((method.path(), method.kind()), (path, kind));
}

#[test]
fn users_are_what_the_python_client_expects() {
    check(&user::UserRequest { id: 150 }, b"\x08\x96\x01");
    let (name, email) = ("Ada".into(), "a@b".into());
    check(
        &user::UserResponse { id: 1, name, email },
        b"\x08\x01\x12\x03Ada\x1a\x03a@b",
    );
    check(
        &user::ListUsersRequest {
            page: 2,
            page_size: 50,
        },
        b"\x08\x02\x10\x32",
    );
    check(&user::ImportSummary { imported: 3 }, b"\x08\x03");
    assert_eq!(user_service_methods::NAME, "user.UserService");
    is(
        user_service_methods::GET_USER,
        "/user.UserService/GetUser",
        Kind::Unary,
    );
    is(
        user_service_methods::LIST_USERS,
        "/user.UserService/ListUsers",
        Kind::ServerStreaming,
    );
    is(
        user_service_methods::IMPORT_USERS,
        "/user.UserService/ImportUsers",
        Kind::ClientStreaming,
    );
    is(
        user_service_methods::LOOKUP,
        "/user.UserService/Lookup",
        Kind::BidiStreaming,
    );
}

#[test]
fn the_benchmark_service_is_the_one_of_grpc() {
    let payload = benchmark::Payload {
        body: b"xy".to_vec(),
        ..Default::default()
    };
    let request = benchmark::SimpleRequest {
        response_size: 31,
        payload: Some(payload.clone()),
        fill_username: true,
        fill_oauth_scope: true,
        response_compressed: Some(benchmark::BoolValue { value: true }),
        response_status: Some(benchmark::EchoStatus {
            code: 2,
            message: "m".into(),
        }),
        expect_compressed: Some(benchmark::BoolValue::default()),
        ..Default::default()
    };
    let start = b"\x10\x1f\x1a\x04\x12\x02xy\x20\x01\x28\x01".as_slice();
    let end = b"\x32\x02\x08\x01\x3a\x05\x08\x02\x12\x01m\x42\0";
    check(&request, &[start, end].concat());
    let (username, oauth_scope) = ("u".into(), "o".into());
    let response = benchmark::SimpleResponse {
        payload: Some(payload),
        username,
        oauth_scope,
    };
    check(&response, b"\x0a\x04\x12\x02xy\x12\x01u\x1a\x01o");
    assert_eq!(
        benchmark_service_methods::NAME,
        "grpc.testing.BenchmarkService"
    );
    let path = |name: &str| format!("/grpc.testing.BenchmarkService/{name}");
    is(
        benchmark_service_methods::UNARY_CALL,
        &path("UnaryCall"),
        Kind::Unary,
    );
    is(
        benchmark_service_methods::STREAMING_CALL,
        &path("StreamingCall"),
        Kind::BidiStreaming,
    );
    is(
        benchmark_service_methods::STREAMING_FROM_CLIENT,
        &path("StreamingFromClient"),
        Kind::ClientStreaming,
    );
    is(
        benchmark_service_methods::STREAMING_FROM_SERVER,
        &path("StreamingFromServer"),
        Kind::ServerStreaming,
    );
    is(
        benchmark_service_methods::STREAMING_BOTH_WAYS,
        &path("StreamingBothWays"),
        Kind::BidiStreaming,
    );
}

#[test]
fn one_descriptor_set_has_both_packages() {
    assert_eq!(user::FILE_DESCRIPTOR_SET, benchmark::FILE_DESCRIPTOR_SET);
    for name in [
        "user.proto",
        "benchmark.proto",
        "UserService",
        "SimpleRequest",
    ] {
        let mut windows = user::FILE_DESCRIPTOR_SET.windows(name.len());
        assert!(windows.any(|window| window == name.as_bytes()), "{name}");
    }
}
