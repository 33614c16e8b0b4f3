//! Methods of the test service.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use corespun::prost::Message;
use corespun::{Code, Encoding, MetadataMap, Request, Response, Sender, Status, Streaming, sleep};

use super::load::{Load, report};
use super::proto::grpc::testing::test_service_server::TestService;
use super::proto::grpc::testing::{
    BoolValue, EchoStatus, Empty, Payload, PayloadType, ResponseParameters, SimpleRequest,
    SimpleResponse, StreamingInputCallRequest, StreamingInputCallResponse,
    StreamingOutputCallRequest, StreamingOutputCallResponse,
};
use super::{CALL_LOAD, ECHO_INITIAL, ECHO_TRAILING};

/// Largest payload that a client may request; more is refused with INVALID_ARGUMENT.
pub const PAYLOAD_BYTES_MAX: i32 = 16 << 20;

/// `cache-control` of the response of `CacheableUnaryCall`.
const CACHEABLE: &str = "max-age=60, public";

/// Test service of one shard.
#[derive(Debug)]
pub struct Interop {
    load: Load,
    server_id: String,
}

impl Interop {
    /// Creates a service that shares the load it is told to report.
    pub fn new(load: Load) -> Self {
        let server_id = format!("corespun-{}", std::process::id());
        Self { load, server_id }
    }

    /// Sends the responses that one request of a stream asks for.
    async fn respond(
        &self,
        request: &StreamingOutputCallRequest,
        peer: &str,
        out: &mut Sender<StreamingOutputCallResponse>,
    ) -> Result<(), Status> {
        let parameters = &request.response_parameters;
        if parameters.iter().any(|one| is_true(one.compressed)) {
            // False for clients that do not read it, which get uncompressed responses.
            out.set_encoding(Encoding::Gzip);
        }
        for one in parameters {
            if let Ok(micros @ 1..) = u64::try_from(one.interval_us) {
                sleep(Duration::from_micros(micros)).await;
            }
            out.set_compression(is_true(one.compressed));
            out.send(response(request.response_type, one, peer)?)
                .await?;
        }
        Ok(())
    }
}

impl TestService for Interop {
    async fn empty_call(&self, _: Request<Empty>) -> Result<Response<Empty>, Status> {
        Ok(Response::new(Empty {}))
    }

    async fn unary_call(
        &self,
        request: Request<SimpleRequest>,
    ) -> Result<Response<SimpleResponse>, Status> {
        let asked = request.get_ref();
        check_compression(asked.expect_compressed, request.is_compressed())?;
        if let Some(mut status) = status(asked.response_status.as_ref()) {
            echo(request.metadata(), ECHO_TRAILING, status.metadata_mut());
            return Err(status);
        }
        let mut response = Response::new(SimpleResponse {
            payload: Some(payload(asked.response_type, asked.response_size)?),
            ..SimpleResponse::default()
        });
        if asked.fill_server_id {
            response.get_mut().server_id.clone_from(&self.server_id);
        }
        if let Some(wished) = asked.response_compressed {
            response.set_encoding(match wished.value {
                true => Encoding::Gzip,
                false => Encoding::Identity,
            });
        }
        echo(request.metadata(), ECHO_INITIAL, response.metadata_mut());
        echo(request.metadata(), ECHO_TRAILING, response.trailers_mut());
        if let Some(load) = request.into_inner().orca_per_query_report {
            let load = report(load).encode_to_vec();
            let trailers = response.trailers_mut();
            trailers.append_bin(CALL_LOAD, &load).map_err(internal)?;
        }
        Ok(response)
    }

    async fn cacheable_unary_call(
        &self,
        _: Request<SimpleRequest>,
    ) -> Result<Response<SimpleResponse>, Status> {
        let since = SystemTime::now().duration_since(UNIX_EPOCH);
        let body = since.unwrap_or_default().as_nanos().to_string();
        let payload = Some(Payload {
            r#type: PayloadType::Compressable.into(),
            body: body.into_bytes(),
        });
        let mut response = Response::new(SimpleResponse {
            payload,
            ..SimpleResponse::default()
        });
        let metadata = response.metadata_mut();
        metadata
            .append("cache-control", CACHEABLE)
            .map_err(internal)?;
        Ok(response)
    }

    async fn streaming_output_call(
        &self,
        request: Request<StreamingOutputCallRequest>,
        out: &mut Sender<StreamingOutputCallResponse>,
    ) -> Result<(), Status> {
        open(request.metadata(), out);
        let asked = request.get_ref();
        if let Some(status) = status(asked.response_status.as_ref()) {
            return Err(status);
        }
        let peer = request.peer().unwrap_or_default();
        self.respond(asked, peer, out).await
    }

    async fn streaming_input_call(
        &self,
        requests: &mut Streaming<StreamingInputCallRequest>,
    ) -> Result<Response<StreamingInputCallResponse>, Status> {
        let mut sum = 0usize;
        while let Some(request) = requests.message().await? {
            check_compression(request.expect_compressed, requests.is_compressed())?;
            sum += request.payload.map_or(0, |payload| payload.body.len());
        }
        let mut response = Response::new(StreamingInputCallResponse {
            aggregated_payload_size: i32::try_from(sum).unwrap_or(i32::MAX),
        });
        echo(requests.metadata(), ECHO_INITIAL, response.metadata_mut());
        echo(requests.metadata(), ECHO_TRAILING, response.trailers_mut());
        Ok(response)
    }

    async fn full_duplex_call(
        &self,
        requests: &mut Streaming<StreamingOutputCallRequest>,
        out: &mut Sender<StreamingOutputCallResponse>,
    ) -> Result<(), Status> {
        open(requests.metadata(), out);
        while let Some(mut request) = requests.message().await? {
            if let Some(load) = request.orca_oob_report.take() {
                self.load.set(load);
            }
            if let Some(status) = status(request.response_status.as_ref()) {
                return Err(status);
            }
            let peer = requests.peer().unwrap_or_default();
            self.respond(&request, peer, out).await?;
        }
        Ok(())
    }

    async fn half_duplex_call(
        &self,
        requests: &mut Streaming<StreamingOutputCallRequest>,
        out: &mut Sender<StreamingOutputCallResponse>,
    ) -> Result<(), Status> {
        open(requests.metadata(), out);
        let mut kept = Vec::new();
        let mut bytes = 0;
        while let Some(mut request) = requests.message().await? {
            // Data that the response does not need is not kept.
            request.payload = None;
            bytes += request.encoded_len() + size_of_val(&request);
            if bytes > PAYLOAD_BYTES_MAX as usize {
                let text = format!("requests of {bytes} bytes are more than can be kept");
                return Err(Status::resource_exhausted(text));
            }
            kept.push(request);
        }
        let peer = requests.peer().unwrap_or_default();
        for request in &kept {
            self.respond(request, peer, out).await?;
        }
        Ok(())
    }
}

fn is_true(value: Option<BoolValue>) -> bool {
    value.is_some_and(|BoolValue { value }| value)
}

/// Checks that a message is compressed as its sender says, if the sender says anything.
fn check_compression(expected: Option<BoolValue>, found: bool) -> Result<(), Status> {
    match (expected.map(|BoolValue { value }| value), found) {
        (Some(true), false) => Err(Status::invalid_argument("the message came plain")),
        (Some(false), true) => Err(Status::invalid_argument("the message came compressed")),
        _ => Ok(()),
    }
}

/// Returns the status that a client asks for, unless it is OK.
fn status(asked: Option<&EchoStatus>) -> Option<Status> {
    let EchoStatus { code, message } = asked?;
    (*code != 0).then(|| Status::new(Code::from_i32(*code), message.clone()))
}

fn payload(kind: i32, size: i32) -> Result<Payload, Status> {
    if PayloadType::try_from(kind).is_err() {
        let text = format!("response_type must be 0 (COMPRESSABLE), not {kind}");
        return Err(Status::invalid_argument(text));
    }
    match size {
        0..=PAYLOAD_BYTES_MAX => Ok(Payload {
            r#type: kind,
            body: vec![0; size.unsigned_abs() as usize],
        }),
        _ => Err(Status::invalid_argument(format!(
            "the size of a payload must be 0 to {PAYLOAD_BYTES_MAX}, not {size}"
        ))),
    }
}

fn response(
    kind: i32,
    parameters: &ResponseParameters,
    peer: &str,
) -> Result<StreamingOutputCallResponse, Status> {
    let mut response = StreamingOutputCallResponse {
        payload: Some(payload(kind, parameters.size)?),
        ..StreamingOutputCallResponse::default()
    };
    if is_true(parameters.fill_peer_socket_address) {
        response.peer_socket_address.push_str(peer);
    }
    Ok(response)
}

fn open<T>(metadata: &MetadataMap, out: &mut Sender<T>) {
    out.with_metadata(|head| echo(metadata, ECHO_INITIAL, head));
    out.with_trailers(|trailers| echo(metadata, ECHO_TRAILING, trailers));
}

/// Copies the metadata with the key `key`.
fn echo(from: &MetadataMap, key: &str, to: &mut MetadataMap) {
    // A pair that came in is one that may go out, unless it has bytes beyond ASCII.
    for value in from.get_all(key) {
        drop(to.append(key, value));
    }
    for value in from.get_all_bin(key) {
        drop(to.append_bin(key, &value));
    }
}

fn internal(error: impl std::fmt::Display) -> Status {
    Status::internal(error.to_string())
}
