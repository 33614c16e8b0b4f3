//! `grpc.testing.BenchmarkService`: payloads of the requested size.

use std::pin::Pin;
use std::task::{Context, Poll};

use corespun_benches::answers::{RECEIVE_BYTES_MAX, payload};
use prost::bytes::Bytes;
use tonic::codegen::tokio_stream::{self, Iter, Stream};
use tonic::{Request, Response, Status, Streaming};

use crate::reply::ReplyEach;
use schema::benchmark_service_server::{BenchmarkService, BenchmarkServiceServer};
use schema::{Payload, SimpleRequest, SimpleResponse};

mod schema {
    //! Code that tonic generates for package `grpc.testing`.
    include!(concat!(env!("OUT_DIR"), "/tonic/grpc.testing.rs"));
}

/// Service without state, so that shards share nothing.
pub(crate) struct Benchmark;

impl Benchmark {
    /// Returns the tonic service with the limits of all bench servers.
    pub(crate) fn service() -> BenchmarkServiceServer<Self> {
        BenchmarkServiceServer::new(Self).max_decoding_message_size(RECEIVE_BYTES_MAX)
    }
}

fn answer(request: &SimpleRequest) -> Result<SimpleResponse, Status> {
    if let Some(wanted) = &request.response_status
        && wanted.code != 0
    {
        return Err(Status::new(wanted.code.into(), wanted.message.clone()));
    }
    let body = payload(request.response_size)
        .map_err(|error| Status::invalid_argument(error.to_string()))?;
    let payload = Payload {
        body: Bytes::from_static(body),
        ..Payload::default()
    };
    Ok(SimpleResponse {
        payload: Some(payload),
        ..SimpleResponse::default()
    })
}

#[tonic::async_trait]
impl BenchmarkService for Benchmark {
    async fn unary_call(
        &self,
        request: Request<SimpleRequest>,
    ) -> Result<Response<SimpleResponse>, Status> {
        answer(request.get_ref()).map(Response::new)
    }

    type StreamingCallStream = ReplyEach<SimpleRequest, SimpleResponse>;

    async fn streaming_call(
        &self,
        request: Request<Streaming<SimpleRequest>>,
    ) -> Result<Response<Self::StreamingCallStream>, Status> {
        let reply = |request: SimpleRequest| answer(&request);
        Ok(Response::new(ReplyEach::new(request.into_inner(), reply)))
    }

    async fn streaming_from_client(
        &self,
        request: Request<Streaming<SimpleRequest>>,
    ) -> Result<Response<SimpleResponse>, Status> {
        let mut requests = request.into_inner();
        let mut last = SimpleRequest::default();
        while let Some(request) = requests.message().await? {
            last = request;
        }
        answer(&last).map(Response::new)
    }

    type StreamingFromServerStream = Iter<Repeat>;

    async fn streaming_from_server(
        &self,
        request: Request<SimpleRequest>,
    ) -> Result<Response<Self::StreamingFromServerStream>, Status> {
        let reply = answer(request.get_ref())?;
        Ok(Response::new(tokio_stream::iter(Repeat(reply))))
    }

    type StreamingBothWaysStream = BothWays;

    async fn streaming_both_ways(
        &self,
        request: Request<Streaming<SimpleRequest>>,
    ) -> Result<Response<Self::StreamingBothWaysStream>, Status> {
        let mut requests = request.into_inner();
        let first = requests.message().await?.unwrap_or_default();
        Ok(Response::new(BothWays {
            requests,
            reply: answer(&first)?,
        }))
    }
}

/// Stream that repeats one reply until the client cancels.
pub(crate) struct Repeat(SimpleResponse);

impl Iterator for Repeat {
    type Item = Result<SimpleResponse, Status>;

    fn next(&mut self) -> Option<Self::Item> {
        Some(Ok(self.0.clone()))
    }
}

/// Stream that repeats one reply until the client half-closes, and ignores its messages.
pub(crate) struct BothWays {
    requests: Streaming<SimpleRequest>,
    reply: SimpleResponse,
}

impl Stream for BothWays {
    type Item = Result<SimpleResponse, Status>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        match Pin::new(&mut self.requests).poll_next(context) {
            Poll::Ready(None) => Poll::Ready(None),
            Poll::Ready(Some(Err(status))) => Poll::Ready(Some(Err(status))),
            Poll::Ready(Some(Ok(_))) | Poll::Pending => Poll::Ready(Some(Ok(self.reply.clone()))),
        }
    }
}
