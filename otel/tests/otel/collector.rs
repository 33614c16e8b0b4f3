//! Test collector that keeps what it receives, and fails on request.

use std::collections::VecDeque;
use std::rc::Rc;
use std::sync::{Arc, Mutex};

use corespun_codec::{MetadataMap, Request, Response, Status};
use corespun_proto::opentelemetry::proto::collector::trace::v1::{
    ExportTraceServiceRequest, ExportTraceServiceResponse, trace_service_methods,
};
use corespun_proto::opentelemetry::proto::common::v1::KeyValue;
use corespun_proto::opentelemetry::proto::common::v1::any_value::Value;
use corespun_proto::opentelemetry::proto::trace::v1::Span;
use corespun_server::{Routes, Running, Server, ServerBuilder, Service};

use crate::world::{ENGINE_OF_COLLECTOR, GRACE};

/// Exports that a collector received, and its next responses.
#[derive(Clone, Default)]
pub struct Collector(Arc<Mutex<State>>);

#[derive(Default)]
struct State {
    requests: Vec<(MetadataMap, ExportTraceServiceRequest)>,
    answers: VecDeque<Result<ExportTraceServiceResponse, Status>>,
}

impl Collector {
    /// Listens on a free port.
    pub fn start(&self) -> Running {
        self.builder().listen("127.0.0.1:0").start().unwrap()
    }

    pub fn builder(&self) -> ServerBuilder {
        let collector = self.clone();
        Server::builder()
            .shards(1)
            .engine(ENGINE_OF_COLLECTOR)
            .grace(GRACE)
            .service(move |_shard| Ok(collector.clone()))
    }

    /// Adds a response to later exports; OK is returned when none is left.
    pub fn answer(&self, answer: Result<ExportTraceServiceResponse, Status>) {
        self.0.lock().unwrap().answers.push_back(answer);
    }

    /// Returns the exports so far, with their metadata.
    pub fn requests(&self) -> Vec<(MetadataMap, ExportTraceServiceRequest)> {
        self.0.lock().unwrap().requests.clone()
    }

    /// Returns the spans so far, in the order in which they ended.
    pub fn spans(&self) -> Vec<Span> {
        let scopes = self.requests().into_iter().flat_map(|(_, request)| {
            let resources = request.resource_spans.into_iter();
            resources.flat_map(|resource| resource.scope_spans)
        });
        scopes.flat_map(|scope| scope.spans).collect()
    }
}

impl Service for Collector {
    const NAME: &'static str = "opentelemetry.proto.collector.trace.v1.TraceService";

    fn register(self, routes: &mut Routes) {
        let export = |collector: Rc<Self>, request: Request<ExportTraceServiceRequest>| async move {
            let metadata = request.metadata().clone();
            let mut state = collector.0.lock().unwrap();
            let answer = state
                .answers
                .pop_front()
                .unwrap_or_else(|| Ok(Default::default()));
            if answer.is_ok() {
                state.requests.push((metadata, request.into_inner()));
            }
            answer.map(Response::new)
        };
        routes.unary(trace_service_methods::EXPORT, &Rc::new(self), export);
    }
}

/// Returns an attribute as text.
pub fn attribute(attributes: &[KeyValue], name: &str) -> Option<String> {
    let found = attributes.iter().find(|pair| pair.key == name)?;
    match found.value.as_ref()?.value.as_ref()? {
        Value::StringValue(text) => Some(text.clone()),
        Value::IntValue(number) => Some(number.to_string()),
        other => Some(format!("{other:?}")),
    }
}
