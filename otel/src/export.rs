//! Exporter: a thread that sends spans to the collector in batches.

use std::sync::Arc;
use std::time::Duration;

use corespun_client::{Channel, Config};
use corespun_codec::{
    Code, Encoding, Encodings, MetadataMap, Request, RequestHead, RequestParts, Status,
};
use corespun_proto::opentelemetry::proto::collector::trace::v1::{
    ExportTraceServiceRequest, ExportTraceServiceResponse, trace_service_methods,
};
use corespun_proto::opentelemetry::proto::resource::v1::Resource;
use corespun_runtime::{now, sleep, timeout};
use fastrand::Rng;

use crate::otlp::Otlp;
use crate::queue::Queue;
use crate::report;

/// Shortest pause before a batch is sent again; doubled after each attempt.
const BACKOFF_MIN: Duration = Duration::from_millis(500);

/// Longest pause before a batch is sent again.
const BACKOFF_MAX: Duration = Duration::from_secs(10);

/// Sends the spans of the queue to the collector.
pub(crate) struct Exporter {
    channel: Channel,
    settings: Otlp,
    metadata: MetadataMap,
    resource: Resource,
    queue: Arc<Queue>,
    random: Rng,
}

impl Exporter {
    /// Creates an exporter on the current shard; it connects with its first batch.
    ///
    /// # Errors
    ///
    /// The endpoint is invalid, or contradicts the TLS settings.
    pub(crate) fn new(
        settings: Otlp,
        resource: Resource,
        queue: Arc<Queue>,
    ) -> Result<Self, Status> {
        let config = Config {
            encoding: if settings.compress {
                Encoding::Gzip
            } else {
                Encoding::Identity
            },
            accept_encodings: Encodings::IDENTITY,
            connect_timeout: settings.timeout,
            tls: settings.connector().cloned(),
            trace_context: false,
            ..Config::default()
        };
        Ok(Self {
            channel: Channel::lazy_with(&settings.endpoint, config)?,
            metadata: settings.metadata(),
            settings,
            resource,
            queue,
            random: Rng::new(),
        })
    }

    /// Exports until the tracer is dropped and the queue is empty.
    pub(crate) async fn run(mut self) {
        while !self.queue.is_finished() {
            // Export the available spans, whether the pause has elapsed or was interrupted.
            let _ = timeout(self.settings.pause, self.queue.due()).await;
            loop {
                let batch = self.queue.take_batch();
                if batch.is_empty() {
                    break;
                }
                let spans = batch.len() as u64;
                let request = report::request(&self.resource, batch);
                let rejected = self.deliver(&request, spans).await;
                self.queue.settle(spans - rejected, rejected);
                if !self.queue.hurries() {
                    break;
                }
            }
        }
    }

    /// Sends a batch until it is accepted, rejected for good, or out of time; returns the number of
    /// spans lost.
    async fn deliver(&mut self, request: &ExportTraceServiceRequest, spans: u64) -> u64 {
        let end = now() + self.settings.retry_time_max;
        let mut backoff = BACKOFF_MIN;
        loop {
            let status = match self.send(request.clone()).await {
                Ok(response) => return rejected(&response, spans),
                Err(status) => status,
            };
            // Half of the pause is random, so that many processes do not retry together.
            let pause = retry_pause(&status, backoff.mul_f64(0.5 + self.random.f64() / 2.0));
            let Some(pause) = pause.filter(|pause| now() + *pause < end) else {
                let endpoint = &self.settings.endpoint;
                tracing::warn!(endpoint, %status, spans, "failed to export spans");
                return spans;
            };
            sleep(pause).await;
            backoff = (backoff * 2).min(BACKOFF_MAX);
        }
    }

    async fn send(
        &self,
        message: ExportTraceServiceRequest,
    ) -> Result<ExportTraceServiceResponse, Status> {
        let head = RequestHead {
            metadata: self.metadata.clone(),
            timeout: Some(self.settings.timeout),
            ..RequestHead::default()
        };
        let parts = RequestParts {
            head: Some(head.into()),
            ..RequestParts::default()
        };
        let request = Request::with_parts(message, parts);
        let response = self
            .channel
            .unary(trace_service_methods::EXPORT, request)
            .await?;
        Ok(response.into_inner())
    }
}

/// Returns the number of spans that the collector rejected from an accepted batch; they must not be
/// sent again.
fn rejected(response: &ExportTraceServiceResponse, spans: u64) -> u64 {
    let Some(partial) = &response.partial_success else {
        return 0;
    };
    let rejected = u64::try_from(partial.rejected_spans).unwrap_or(0);
    if rejected > 0 || !partial.error_message.is_empty() {
        let why = &*partial.error_message;
        tracing::warn!(
            rejected,
            why,
            "the collector rejected spans or sent a warning"
        );
    }
    rejected.min(spans)
}

/// Returns the pause after which a batch that failed with `status` may be sent again, if it may
/// (OTLP, "Failures"). A pause named by the collector takes precedence.
fn retry_pause(status: &Status, backoff: Duration) -> Option<Duration> {
    let details = status.error_details();
    let asked = details.retry_info.as_ref().and_then(|info| info.delay());
    match status.code() {
        Code::Cancelled
        | Code::DeadlineExceeded
        | Code::Aborted
        | Code::OutOfRange
        | Code::Unavailable
        | Code::DataLoss => Some(asked.unwrap_or(backoff)),
        // A full collector may be retried only if it names a delay.
        Code::ResourceExhausted => asked,
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use corespun_codec::details::ErrorDetails;
    use corespun_proto::opentelemetry::proto::collector::trace::v1::ExportTracePartialSuccess;

    #[test]
    fn what_may_be_sent_again_and_when() {
        let check = |status: &Status, expected: Option<u64>| {
            let pause = retry_pause(status, Duration::from_secs(1));
            assert_eq!(pause, expected.map(Duration::from_secs), "{status}");
        };
        check(&Status::unavailable("x"), Some(1));
        check(&Status::deadline_exceeded("x"), Some(1));
        check(&Status::resource_exhausted("x"), None);
        check(&Status::invalid_argument("x"), None);
        check(&Status::unauthenticated("x"), None);
        let mut details = ErrorDetails::new();
        details.set_retry_info(Duration::from_secs(7));
        for code in [Code::Unavailable, Code::ResourceExhausted] {
            check(
                &Status::with_error_details(code, "x", details.clone()),
                Some(7),
            );
        }
        let denied = Status::with_error_details(Code::PermissionDenied, "x", details);
        check(&denied, None);
    }

    #[test]
    fn a_part_may_be_refused() {
        let response = |rejected_spans| ExportTraceServiceResponse {
            partial_success: Some(ExportTracePartialSuccess {
                rejected_spans,
                error_message: String::new(),
            }),
        };
        assert_eq!(rejected(&ExportTraceServiceResponse::default(), 5), 0);
        assert_eq!(rejected(&response(2), 5), 2);
        assert_eq!(rejected(&response(9), 5), 5);
        assert_eq!(rejected(&response(-1), 5), 0);
    }
}
