//! Cases of compression, message by message.

use corespun::{Code, Encoding, Request};

use super::calls::large;
use super::streams::check_next;
use super::{Deviation, LARGE_RESPONSE, check, check_refusal, check_zeros, timed, zeros};
use crate::interop::proto::grpc::testing::test_service_client::TestServiceClient;
use crate::interop::proto::grpc::testing::{
    BoolValue, ResponseParameters, SimpleRequest, StreamingInputCallRequest,
    StreamingOutputCallRequest,
};

fn packed<T>(message: T) -> Request<T> {
    let mut request = timed(message);
    request.set_encoding(Encoding::Gzip);
    request
}

fn bool_value(value: bool) -> Option<BoolValue> {
    Some(BoolValue { value })
}

pub(super) async fn client_unary(client: &TestServiceClient) -> Result<(), Deviation> {
    let expecting = |compressed| SimpleRequest {
        expect_compressed: bool_value(compressed),
        ..large()
    };
    let probe = client.unary_call(timed(expecting(true))).await;
    check_refusal(probe, Code::InvalidArgument)?;
    for request in [packed(expecting(true)), timed(expecting(false))] {
        let answer = client.unary_call(request).await?;
        check_zeros(answer.get_ref().payload.as_ref(), LARGE_RESPONSE)?;
    }
    Ok(())
}

/// Requests a compressed and an uncompressed response. The test cannot see the difference, which
/// shows on the wire only.
pub(super) async fn server_unary(client: &TestServiceClient) -> Result<(), Deviation> {
    for compressed in [true, false] {
        let request = SimpleRequest {
            response_compressed: bool_value(compressed),
            ..large()
        };
        let answer = client.unary_call(timed(request)).await?;
        check_zeros(answer.get_ref().payload.as_ref(), LARGE_RESPONSE)?;
    }
    Ok(())
}

fn counted(size: usize, compressed: bool) -> StreamingInputCallRequest {
    StreamingInputCallRequest {
        payload: zeros(size),
        expect_compressed: bool_value(compressed),
    }
}

pub(super) async fn client_streaming(client: &TestServiceClient) -> Result<(), Deviation> {
    let mut probe = client.streaming_input_call(timed(())).await?;
    // The refusal may arrive before the request is sent; the end of the call reports it.
    drop(probe.send(counted(27_182, true)).await);
    check_refusal(probe.finish().await, Code::InvalidArgument)?;

    let mut requests = client.streaming_input_call(packed(())).await?;
    requests.send(counted(27_182, true)).await?;
    requests.set_compression(false);
    requests.send(counted(45_904, false)).await?;
    let answer = requests.finish().await?.into_inner();
    check("the sum", answer.aggregated_payload_size, 73_086)
}

pub(super) async fn server_streaming(client: &TestServiceClient) -> Result<(), Deviation> {
    let wanted = [(31_415, true), (92_653, false)];
    let parameters = wanted.map(|(size, compressed)| ResponseParameters {
        size,
        compressed: bool_value(compressed),
        ..ResponseParameters::default()
    });
    let request = StreamingOutputCallRequest {
        response_parameters: parameters.to_vec(),
        ..StreamingOutputCallRequest::default()
    };
    let answers = client.streaming_output_call(timed(request)).await?;
    let mut answers = answers.into_inner();
    for (size, compressed) in wanted {
        check_next(&mut answers, size).await?;
        check("compression", answers.is_compressed(), compressed)?;
    }
    check("the end", answers.message().await?, None)
}
