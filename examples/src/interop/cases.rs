//! Official test cases with our client, against a test service in any language.
//!
//! Each case follows gRPC's `doc/interop-test-descriptions.md`. Our client cancels a call by
//! dropping it, so that no one can observe CANCELLED. The cancelling cases check later calls on the
//! same connection instead.

mod calls;
mod compression;
mod streams;

use std::fmt::{self, Debug};
use std::time::Duration;

use corespun::{Channel, Code, Request, Status};

use super::proto::grpc::testing::Payload;
use super::proto::grpc::testing::test_service_client::TestServiceClient;

/// Timeout of each call.
const CALL_TIMEOUT: Duration = Duration::from_secs(30);

/// Payload of the large request, in bytes.
const LARGE_REQUEST: usize = 271_828;
/// Payload of the large response, in bytes.
const LARGE_RESPONSE: i32 = 314_159;
/// Payloads of the requests of a stream, in bytes.
const REQUESTS: [usize; 4] = [27_182, 8, 1_828, 45_904];
/// Payloads of the responses of a stream, in bytes.
const RESPONSES: [i32; 4] = [31_415, 9, 2_653, 58_979];

/// Names of the cases.
pub const NAMES: &[&str] = &[
    "empty_unary",
    "large_unary",
    "client_streaming",
    "server_streaming",
    "ping_pong",
    "empty_stream",
    "custom_metadata",
    "status_code_and_message",
    "special_status_message",
    "unimplemented_method",
    "unimplemented_service",
    "cancel_after_begin",
    "cancel_after_first_response",
    "timeout_on_sleeping_server",
    "client_compressed_unary",
    "server_compressed_unary",
    "client_compressed_streaming",
    "server_compressed_streaming",
    "rpc_soak",
    "pick_first_unary",
    "orca_per_rpc",
    "orca_oob",
];

/// Behaviour of a server that violates a test case.
#[derive(Debug)]
pub struct Deviation(String);

impl fmt::Display for Deviation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for Deviation {}

impl From<Status> for Deviation {
    fn from(status: Status) -> Self {
        Self(format!("a call failed: {status}"))
    }
}

/// Runs the case of this name. The channel has to accept gzip, otherwise the compression cases test
/// nothing.
///
/// # Errors
///
/// The deviation of the server, or that there is no such case.
pub async fn run(name: &str, channel: &Channel) -> Result<(), Deviation> {
    let client = &TestServiceClient::new(channel.clone());
    match name {
        "empty_unary" => calls::empty_unary(client).await,
        "large_unary" => calls::large_unary(client).await,
        "client_streaming" => streams::client_streaming(client).await,
        "server_streaming" => streams::server_streaming(client).await,
        "ping_pong" => streams::ping_pong(client).await,
        "empty_stream" => streams::empty_stream(client).await,
        "custom_metadata" => calls::custom_metadata(client).await,
        "status_code_and_message" => calls::status_code_and_message(client).await,
        "special_status_message" => calls::special_status_message(client).await,
        "unimplemented_method" => calls::unimplemented(channel, "TestService").await,
        "unimplemented_service" => calls::unimplemented(channel, "UnimplementedService").await,
        "cancel_after_begin" => streams::cancel_after_begin(client).await,
        "cancel_after_first_response" => streams::cancel_after_first_response(client).await,
        "timeout_on_sleeping_server" => streams::timeout_on_sleeping_server(client).await,
        "client_compressed_unary" => compression::client_unary(client).await,
        "server_compressed_unary" => compression::server_unary(client).await,
        "client_compressed_streaming" => compression::client_streaming(client).await,
        "server_compressed_streaming" => compression::server_streaming(client).await,
        "rpc_soak" => calls::soak(client).await,
        "pick_first_unary" => calls::pick_first_unary(client).await,
        "orca_per_rpc" => calls::orca_per_rpc(client).await,
        "orca_oob" => streams::orca_oob(client, channel).await,
        _ => Err(Deviation(format!("there is no case {name:?}"))),
    }
}

fn timed<T>(message: T) -> Request<T> {
    let mut request = Request::new(message);
    request.set_timeout(CALL_TIMEOUT);
    request
}

fn zeros(size: usize) -> Option<Payload> {
    Some(Payload {
        body: vec![0; size],
        ..Payload::default()
    })
}

/// Checks that a payload consists of the requested number of zeros.
fn check_zeros(payload: Option<&Payload>, size: i32) -> Result<(), Deviation> {
    let body = payload.map_or(&[][..], |payload| &payload.body);
    check(
        "the size of a payload",
        body.len(),
        size.unsigned_abs() as usize,
    )?;
    check("all zeros", body.iter().all(|byte| *byte == 0), true)
}

fn check<T: PartialEq + Debug>(what: &str, found: T, expected: T) -> Result<(), Deviation> {
    if found == expected {
        return Ok(());
    }
    Err(Deviation(format!("{what} is {found:?}, not {expected:?}")))
}

fn check_refusal<T: Debug>(outcome: Result<T, Status>, code: Code) -> Result<Status, Deviation> {
    match outcome {
        Err(status) if status.code() == code => Ok(status),
        other => Err(Deviation(format!("{other:?} came, not {}", code.name()))),
    }
}
