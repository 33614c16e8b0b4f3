//! Cases of single calls.

use corespun::prost::Message;
use corespun::{Channel, Code, Kind, MetadataMap, Method, Request};

use super::streams::ask_for;
use super::{
    Deviation, LARGE_REQUEST, LARGE_RESPONSE, check, check_refusal, check_zeros, timed, zeros,
};
use crate::interop::proto::grpc::testing::test_service_client::TestServiceClient;
use crate::interop::proto::grpc::testing::{
    EchoStatus, Empty, SimpleRequest, StreamingOutputCallRequest, TestOrcaReport,
};
use crate::interop::proto::xds::data::orca::v3::OrcaLoadReport;
use crate::interop::{CALL_LOAD, ECHO_INITIAL, ECHO_TRAILING};

const SOAK_CALLS: usize = 20;
const PICKED_CALLS: usize = 100;
const INITIAL: &str = "test_initial_metadata_value";
const TRAILING: &[u8] = &[0xab; 3];
/// Status message with characters that HTTP does not transmit unencoded.
const SPECIAL: &str = "\t\ntest with whitespace\r\nand Unicode BMP ☺ and non-BMP 😈\t\n";

pub(super) fn large() -> SimpleRequest {
    SimpleRequest {
        response_size: LARGE_RESPONSE,
        payload: zeros(LARGE_REQUEST),
        ..SimpleRequest::default()
    }
}

pub(super) async fn empty_unary(client: &TestServiceClient) -> Result<(), Deviation> {
    let answer = client.empty_call(timed(Empty {})).await?;
    check("the answer", answer.into_inner(), Empty {})
}

pub(super) async fn large_unary(client: &TestServiceClient) -> Result<(), Deviation> {
    let answer = client.unary_call(timed(large())).await?;
    check_zeros(answer.get_ref().payload.as_ref(), LARGE_RESPONSE)
}

pub(super) async fn custom_metadata(client: &TestServiceClient) -> Result<(), Deviation> {
    let answer = client.unary_call(marked(large())).await?;
    check_zeros(answer.get_ref().payload.as_ref(), LARGE_RESPONSE)?;
    check_marks(answer.metadata(), answer.trailers())?;

    let (mut requests, mut answers) = client.full_duplex_call(marked(())).await?;
    requests
        .send(ask_for(LARGE_RESPONSE, LARGE_REQUEST))
        .await?;
    requests.finish();
    let answer = answers.message().await?.unwrap_or_default();
    check_zeros(answer.payload.as_ref(), LARGE_RESPONSE)?;
    check("the end", answers.message().await?, None)?;
    check_marks(answers.metadata(), answers.trailers())
}

fn marked<T>(message: T) -> Request<T> {
    let mut request = timed(message);
    let metadata = request.metadata_mut();
    // Neither can fail: key and value are valid.
    drop(metadata.append(ECHO_INITIAL, INITIAL));
    drop(metadata.append_bin(ECHO_TRAILING, TRAILING));
    request
}

fn check_marks(initial: &MetadataMap, trailing: &MetadataMap) -> Result<(), Deviation> {
    let initial: Vec<_> = initial.get_all(ECHO_INITIAL).collect();
    check("the metadata ahead", initial, vec![INITIAL])?;
    let trailing: Vec<_> = trailing.get_all_bin(ECHO_TRAILING).collect();
    check("the metadata behind", trailing, vec![TRAILING.to_vec()])
}

pub(super) async fn status_code_and_message(client: &TestServiceClient) -> Result<(), Deviation> {
    let text = "test status message";
    echo_status(client, text).await?;

    let (mut requests, mut answers) = client.full_duplex_call(timed(())).await?;
    let request = StreamingOutputCallRequest {
        response_status: Some(wished(text)),
        ..StreamingOutputCallRequest::default()
    };
    requests.send(request).await?;
    requests.finish();
    let status = check_refusal(answers.message().await, Code::Unknown)?;
    check("the message", status.message(), text)
}

pub(super) async fn special_status_message(client: &TestServiceClient) -> Result<(), Deviation> {
    echo_status(client, SPECIAL).await
}

async fn echo_status(client: &TestServiceClient, text: &str) -> Result<(), Deviation> {
    let request = SimpleRequest {
        response_status: Some(wished(text)),
        ..SimpleRequest::default()
    };
    let outcome = client.unary_call(timed(request)).await;
    let status = check_refusal(outcome, Code::Unknown)?;
    check("the message", status.message(), text)
}

fn wished(text: &str) -> EchoStatus {
    EchoStatus {
        code: Code::Unknown as i32,
        message: text.to_owned(),
    }
}

pub(super) async fn unimplemented(channel: &Channel, service: &str) -> Result<(), Deviation> {
    let method: Method<Empty, Empty> = match service {
        "TestService" => Method::new("/grpc.testing.TestService/UnimplementedCall", Kind::Unary),
        _ => Method::new(
            "/grpc.testing.UnimplementedService/UnimplementedCall",
            Kind::Unary,
        ),
    };
    let outcome = channel.unary(method, timed(Empty {})).await;
    check_refusal(outcome, Code::Unimplemented).map(drop)
}

pub(super) async fn soak(client: &TestServiceClient) -> Result<(), Deviation> {
    for _ in 0..SOAK_CALLS {
        large_unary(client).await?;
    }
    Ok(())
}

pub(super) async fn pick_first_unary(client: &TestServiceClient) -> Result<(), Deviation> {
    let mut first = None;
    for _ in 0..PICKED_CALLS {
        let request = SimpleRequest {
            response_size: 1,
            payload: zeros(1),
            fill_server_id: true,
            ..SimpleRequest::default()
        };
        let id = client.unary_call(timed(request)).await?;
        let id = id.into_inner().server_id;
        check("that the server has no name", id.is_empty(), false)?;
        check("the server", &id, first.get_or_insert_with(|| id.clone()))?;
    }
    Ok(())
}

pub(super) fn load(cpu: f64, memory: f64, util: f64) -> TestOrcaReport {
    TestOrcaReport {
        cpu_utilization: cpu,
        memory_utilization: memory,
        utilization: [("util".to_owned(), util)].into(),
        ..TestOrcaReport::default()
    }
}

pub(super) async fn orca_per_rpc(client: &TestServiceClient) -> Result<(), Deviation> {
    let mut asked = load(0.8210, 0.5847, 0.30499);
    asked.request_cost.insert("cost".to_owned(), 3456.32);
    let request = SimpleRequest {
        orca_per_query_report: Some(asked.clone()),
        ..SimpleRequest::default()
    };
    let answer = client.unary_call(timed(request)).await?;
    let found = answer.trailers().get_bin(CALL_LOAD);
    let found = found.ok_or_else(|| Deviation(format!("there is no trailer {CALL_LOAD}")))?;
    let found = OrcaLoadReport::decode(&found[..])
        .map_err(|error| Deviation(format!("{CALL_LOAD} is no load report: {error}")))?;
    check_load(&found, &asked)
}

pub(super) fn check_load(found: &OrcaLoadReport, asked: &TestOrcaReport) -> Result<(), Deviation> {
    let expected = OrcaLoadReport {
        cpu_utilization: asked.cpu_utilization,
        mem_utilization: asked.memory_utilization,
        request_cost: asked.request_cost.clone(),
        utilization: asked.utilization.clone(),
        ..OrcaLoadReport::default()
    };
    check("the load", found, &expected)
}
