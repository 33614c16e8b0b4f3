//! Cases of streams.

use std::time::Duration;

use corespun::{Channel, Code, Streaming};

use super::calls::{check_load, empty_unary, load};
use super::{Deviation, REQUESTS, RESPONSES, check, check_refusal, check_zeros, timed, zeros};
use crate::interop::proto::grpc::testing::test_service_client::TestServiceClient;
use crate::interop::proto::grpc::testing::{
    ResponseParameters, StreamingInputCallRequest, StreamingOutputCallRequest,
    StreamingOutputCallResponse,
};
use crate::interop::proto::xds::service::orca::v3::OrcaLoadReportRequest;
use crate::interop::proto::xds::service::orca::v3::open_rca_service_client::OpenRcaServiceClient;

/// Timeout after which a response is too late that the server never intends to send.
const SLEEPING_TIMEOUT: Duration = Duration::from_millis(1);

/// Requests one response of `size`, with a request payload of `payload` bytes.
pub(super) fn ask_for(size: i32, payload: usize) -> StreamingOutputCallRequest {
    StreamingOutputCallRequest {
        response_parameters: vec![ResponseParameters {
            size,
            ..ResponseParameters::default()
        }],
        payload: zeros(payload),
        ..StreamingOutputCallRequest::default()
    }
}

pub(super) async fn check_next(
    answers: &mut Streaming<StreamingOutputCallResponse>,
    size: i32,
) -> Result<(), Deviation> {
    let answer = answers.message().await?.unwrap_or_default();
    check_zeros(answer.payload.as_ref(), size)
}

pub(super) async fn client_streaming(client: &TestServiceClient) -> Result<(), Deviation> {
    let mut requests = client.streaming_input_call(timed(())).await?;
    for size in REQUESTS {
        let request = StreamingInputCallRequest {
            payload: zeros(size),
            ..StreamingInputCallRequest::default()
        };
        requests.send(request).await?;
    }
    let answer = requests.finish().await?.into_inner();
    check("the sum", answer.aggregated_payload_size, 74_922)
}

pub(super) async fn server_streaming(client: &TestServiceClient) -> Result<(), Deviation> {
    let request = StreamingOutputCallRequest {
        response_parameters: RESPONSES
            .map(|size| ResponseParameters {
                size,
                ..ResponseParameters::default()
            })
            .to_vec(),
        ..StreamingOutputCallRequest::default()
    };
    let answers = client.streaming_output_call(timed(request)).await?;
    let mut answers = answers.into_inner();
    for size in RESPONSES {
        check_next(&mut answers, size).await?;
    }
    check("the end", answers.message().await?, None)
}

pub(super) async fn ping_pong(client: &TestServiceClient) -> Result<(), Deviation> {
    let (mut requests, mut answers) = client.full_duplex_call(timed(())).await?;
    for (sent, wanted) in REQUESTS.into_iter().zip(RESPONSES) {
        requests.send(ask_for(wanted, sent)).await?;
        check_next(&mut answers, wanted).await?;
    }
    requests.finish();
    check("the end", answers.message().await?, None)
}

pub(super) async fn empty_stream(client: &TestServiceClient) -> Result<(), Deviation> {
    let (requests, mut answers) = client.full_duplex_call(timed(())).await?;
    requests.finish();
    check("the end", answers.message().await?, None)
}

pub(super) async fn cancel_after_begin(client: &TestServiceClient) -> Result<(), Deviation> {
    drop(client.streaming_input_call(timed(())).await?);
    empty_unary(client).await
}

pub(super) async fn cancel_after_first_response(
    client: &TestServiceClient,
) -> Result<(), Deviation> {
    let (mut requests, mut answers) = client.full_duplex_call(timed(())).await?;
    requests.send(ask_for(RESPONSES[0], REQUESTS[0])).await?;
    check_next(&mut answers, RESPONSES[0]).await?;
    drop((requests, answers));
    empty_unary(client).await
}

pub(super) async fn timeout_on_sleeping_server(
    client: &TestServiceClient,
) -> Result<(), Deviation> {
    let mut call = timed(());
    call.set_timeout(SLEEPING_TIMEOUT);
    let outcome = async {
        let (mut requests, mut answers) = client.full_duplex_call(call).await?;
        let request = StreamingOutputCallRequest {
            payload: zeros(REQUESTS[0]),
            ..StreamingOutputCallRequest::default()
        };
        requests.send(request).await?;
        answers.message().await
    };
    check_refusal(outcome.await, Code::DeadlineExceeded).map(drop)
}

pub(super) async fn orca_oob(
    client: &TestServiceClient,
    channel: &Channel,
) -> Result<(), Deviation> {
    let watcher = OpenRcaServiceClient::new(channel.clone());
    let reports = watcher.stream_core_metrics(timed(OrcaLoadReportRequest::default()));
    let mut reports = reports.await?.into_inner();
    let (mut requests, mut answers) = client.full_duplex_call(timed(())).await?;
    for asked in [load(0.8210, 0.5847, 0.30499), load(0.29309, 0.2, 0.2039)] {
        let mut request = ask_for(1, 0);
        request.orca_oob_report = Some(asked.clone());
        requests.send(request).await?;
        check_next(&mut answers, 1).await?;
        // Reports in flight may still have the previous load.
        let mut tries = 0;
        loop {
            let report = reports.message().await?.unwrap_or_default();
            match check_load(&report, &asked) {
                Err(_) if tries < 3 => tries += 1,
                outcome => break outcome?,
            }
        }
    }
    requests.finish();
    check("the end", answers.message().await?, None)
}
