//! Conversion of spans to OTLP, with the names of OpenTelemetry's conventions for RPC.

use std::time::{Duration, SystemTime};

use corespun_codec::{Code, SpanId};
use corespun_proto::opentelemetry::proto::collector::trace::v1::ExportTraceServiceRequest;
use corespun_proto::opentelemetry::proto::common::v1::any_value::Value;
use corespun_proto::opentelemetry::proto::common::v1::{AnyValue, InstrumentationScope, KeyValue};
use corespun_proto::opentelemetry::proto::resource::v1::Resource;
use corespun_proto::opentelemetry::proto::trace::v1::span::SpanKind;
use corespun_proto::opentelemetry::proto::trace::v1::status::StatusCode;
use corespun_proto::opentelemetry::proto::trace::v1::{ResourceSpans, ScopeSpans, Span, Status};

use crate::call_span::{Finished, Side, Traffic};
use crate::peer::Peer;

/// OTLP flag: the flag [`IS_REMOTE`] is valid.
const HAS_IS_REMOTE: u32 = 0x100;

/// OTLP flag: the parent belongs to another process.
const IS_REMOTE: u32 = 0x200;

/// Returns the export request with the spans of one process.
pub(crate) fn request(resource: &Resource, spans: Vec<Finished>) -> ExportTraceServiceRequest {
    let scope = InstrumentationScope {
        name: env!("CARGO_PKG_NAME").into(),
        version: env!("CARGO_PKG_VERSION").into(),
        ..InstrumentationScope::default()
    };
    let scope_spans = ScopeSpans {
        scope: Some(scope),
        spans: spans.into_iter().map(span).collect(),
        ..ScopeSpans::default()
    };
    ExportTraceServiceRequest {
        resource_spans: vec![ResourceSpans {
            resource: Some(resource.clone()),
            scope_spans: vec![scope_spans],
            ..ResourceSpans::default()
        }],
    }
}

/// Returns the attributes of this process: service name, library, and the user's attributes. The
/// last of several values for a name is used.
pub(crate) fn resource(service: &str, more: &[(String, String)]) -> Resource {
    let fixed = [
        ("service.name", service),
        ("telemetry.sdk.name", "corespun"),
        ("telemetry.sdk.language", "rust"),
        ("telemetry.sdk.version", env!("CARGO_PKG_VERSION")),
    ];
    let more = more.iter().map(|(name, value)| (&**name, &**value));
    let mut attributes: Vec<KeyValue> = Vec::new();
    for (name, value) in fixed.into_iter().chain(more) {
        // A repeated name gets the new value, because OTLP requires each name once.
        attributes.retain(|attribute| attribute.key != name);
        attributes.push(text(name, value));
    }
    Resource {
        attributes,
        ..Resource::default()
    }
}

fn span(finished: Finished) -> Span {
    let (service, method) = finished.subject.names();
    let began = nanos(finished.began);
    let parent_span_id = finished.parent.map(SpanId::to_bytes);
    Span {
        trace_id: finished.trace_id.to_bytes().into(),
        span_id: finished.span_id.to_bytes().into(),
        parent_span_id: parent_span_id.map_or_else(Default::default, Into::into),
        flags: flags(&finished),
        name: format!("{service}/{method}"),
        kind: kind(finished.subject.side).into(),
        start_time_unix_nano: began,
        end_time_unix_nano: began.saturating_add(whole_nanos(finished.elapsed)),
        attributes: attributes(&finished),
        status: status(&finished),
        trace_state: finished.state,
        ..Span::default()
    }
}

fn flags(finished: &Finished) -> u32 {
    let is_remote = finished.subject.side == Side::Server && finished.parent.is_some();
    u32::from(finished.flags) | HAS_IS_REMOTE | if is_remote { IS_REMOTE } else { 0 }
}

fn kind(side: Side) -> SpanKind {
    match side {
        Side::Server => SpanKind::Server,
        Side::Client => SpanKind::Client,
    }
}

fn attributes(finished: &Finished) -> Vec<KeyValue> {
    let (service, method) = finished.subject.names();
    let mut attributes = vec![
        text("rpc.system", "grpc"),
        text("rpc.service", service),
        text("rpc.method", method),
        number("rpc.grpc.status_code", finished.code as u64),
    ];
    if let Some(other) = &finished.subject.other {
        let peer = Peer::parse(other);
        let (address, port) = match finished.subject.side {
            Side::Server => ("network.peer.address", "network.peer.port"),
            Side::Client => ("server.address", "server.port"),
        };
        attributes.push(text("network.transport", peer.transport));
        attributes.push(text(address, peer.address));
        attributes.extend(peer.port.map(|value| number(port, value.into())));
    }
    count("received", finished.received, &mut attributes);
    count("sent", finished.sent, &mut attributes);
    attributes
}

/// Adds the message counters of one direction; the conventions have no names for these.
fn count(direction: &str, traffic: Traffic, attributes: &mut Vec<KeyValue>) {
    let counts = [
        ("messages", traffic.messages),
        ("bytes", traffic.bytes),
        ("wire_bytes", traffic.wire_bytes),
    ];
    for (what, value) in counts {
        attributes.push(number(&format!("corespun.{direction}.{what}"), value));
    }
}

/// Returns the span status: an error for any status but OK on a client, and for faults of the
/// server itself on a server.
fn status(finished: &Finished) -> Option<Status> {
    let is_error = match finished.subject.side {
        Side::Client => finished.code != Code::Ok,
        Side::Server => matches!(
            finished.code,
            Code::Unknown
                | Code::DeadlineExceeded
                | Code::Unimplemented
                | Code::Internal
                | Code::Unavailable
                | Code::DataLoss
        ),
    };
    is_error.then(|| Status {
        message: finished.message.clone(),
        code: StatusCode::Error.into(),
    })
}

fn text(name: &str, value: &str) -> KeyValue {
    attribute(name, Value::StringValue(value.to_owned()))
}

fn number(name: &str, value: u64) -> KeyValue {
    let value = i64::try_from(value).unwrap_or(i64::MAX);
    attribute(name, Value::IntValue(value))
}

fn attribute(name: &str, value: Value) -> KeyValue {
    KeyValue {
        key: name.to_owned(),
        value: Some(AnyValue { value: Some(value) }),
    }
}

/// Converts to nanoseconds since 1970.
fn nanos(time: SystemTime) -> u64 {
    let since = time.duration_since(SystemTime::UNIX_EPOCH);
    since.map_or(0, whole_nanos)
}

fn whole_nanos(span: Duration) -> u64 {
    u64::try_from(span.as_nanos()).unwrap_or(u64::MAX)
}
