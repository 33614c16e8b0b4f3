//! Span of one call while the call lasts: its counters, and its scope.

use std::cell::{Cell, RefCell};
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use corespun_codec::{CallObserver, Code, MessageBytes, SpanId, Status, TraceContext, TraceId};
use corespun_server::Surround;
use tracing::Span;
use tracing::field::Empty;

use crate::peer::Peer;
use crate::queue::Queue;

/// Side of the call: server or client.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Side {
    Server,
    Client,
}

impl Side {
    fn text(self) -> &'static str {
        match self {
            Self::Server => "server",
            Self::Client => "client",
        }
    }
}

/// Messages in one direction.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Traffic {
    pub(crate) messages: u64,
    /// Encoded size in bytes, before compression.
    pub(crate) bytes: u64,
    /// Size on the wire in bytes.
    pub(crate) wire_bytes: u64,
}

impl Traffic {
    fn add(cell: &Cell<Self>, message: MessageBytes) {
        let so_far = cell.get();
        cell.set(Self {
            messages: so_far.messages + 1,
            bytes: so_far.bytes + message.plain as u64,
            wire_bytes: so_far.wire_bytes + message.wire as u64,
        });
    }
}

/// Subject of a span: a call.
#[derive(Clone, Debug)]
pub(crate) struct Subject {
    pub(crate) side: Side,
    /// Path of the method, `/package.Service/Name`.
    pub(crate) method: &'static str,
    /// Address of the client (on a server), or target of the channel (on a client).
    pub(crate) other: Option<String>,
}

impl Subject {
    /// Returns the names of service and method.
    pub(crate) fn names(&self) -> (&'static str, &'static str) {
        let path = self.method.trim_start_matches('/');
        path.rsplit_once('/').unwrap_or((path, ""))
    }
}

/// Finished span on its way to the collector.
#[derive(Clone, Debug)]
pub(crate) struct Finished {
    pub(crate) trace_id: TraceId,
    pub(crate) span_id: SpanId,
    pub(crate) flags: u8,
    pub(crate) state: String,
    pub(crate) parent: Option<SpanId>,
    pub(crate) subject: Subject,
    pub(crate) began: SystemTime,
    pub(crate) elapsed: Duration,
    pub(crate) code: Code,
    /// Message of the status.
    pub(crate) message: String,
    pub(crate) received: Traffic,
    pub(crate) sent: Traffic,
}

/// Span of a call in progress.
pub(crate) struct CallSpan {
    context: TraceContext,
    parent: Option<SpanId>,
    /// Data to record, if the trace is sampled and there is a collector.
    record: Option<Record>,
    log: Span,
    received: Cell<Traffic>,
    sent: Cell<Traffic>,
    /// Context that was current before the handler was polled.
    outside: RefCell<Option<TraceContext>>,
}

struct Record {
    subject: Subject,
    began: SystemTime,
    queue: Arc<Queue>,
}

impl CallSpan {
    /// Starts a span in `context`.
    pub(crate) fn begin(
        context: TraceContext,
        parent: Option<&TraceContext>,
        queue: Option<&Arc<Queue>>,
        subject: Subject,
    ) -> Self {
        let log = log_span(&subject, &context);
        let queue = queue.filter(|_| context.is_sampled());
        let record = queue.map(|queue| Record {
            subject,
            began: SystemTime::now(),
            queue: Arc::clone(queue),
        });
        Self {
            context,
            parent: parent.map(TraceContext::span_id),
            record,
            log,
            received: Cell::default(),
            sent: Cell::default(),
            outside: RefCell::default(),
        }
    }

    /// Creates no span, and makes the caller's context current for calls made by the handler.
    pub(crate) fn pass(context: TraceContext) -> Self {
        Self {
            context,
            parent: None,
            record: None,
            log: Span::none(),
            received: Cell::default(),
            sent: Cell::default(),
            outside: RefCell::default(),
        }
    }

    pub(crate) fn context(&self) -> &TraceContext {
        &self.context
    }

    /// Returns true if the call needs an observer.
    pub(crate) fn is_observed(&self) -> bool {
        self.record.is_some() || !self.log.is_disabled()
    }

    fn finish(&self, record: &Record, outcome: Result<(), &Status>, elapsed: Duration) {
        let message = outcome.map_or_else(|status| status.message().to_owned(), |()| String::new());
        record.queue.push(Finished {
            trace_id: self.context.trace_id(),
            span_id: self.context.span_id(),
            flags: self.context.flags(),
            state: self.context.state().to_owned(),
            parent: self.parent,
            subject: record.subject.clone(),
            began: record.began,
            elapsed,
            code: outcome.map_or_else(Status::code, |()| Code::Ok),
            message,
            received: self.received.get(),
            sent: self.sent.get(),
        });
    }
}

impl CallObserver for CallSpan {
    fn received(&self, message: MessageBytes) {
        Traffic::add(&self.received, message);
    }

    fn sent(&self, message: MessageBytes) {
        Traffic::add(&self.sent, message);
    }

    fn ended(&self, outcome: Result<(), &Status>, elapsed: Duration) {
        if let Some(record) = &self.record {
            self.finish(record, outcome, elapsed);
        }
        if !self.log.is_disabled() {
            let code = outcome.map_or_else(Status::code, |()| Code::Ok);
            self.log.record("rpc.grpc.status_code", code as i32);
            self.log
                .record("rpc.received", self.received.get().messages);
            self.log.record("rpc.sent", self.sent.get().messages);
        }
    }
}

/// Makes the span current while the handler is polled, and only then.
impl Surround for CallSpan {
    fn enter(&self) {
        let outside = TraceContext::swap_current(Some(self.context.clone()));
        self.outside.replace(outside);
        self.log
            .with_subscriber(|(id, subscriber)| subscriber.enter(id));
    }

    fn leave(&self) {
        self.log
            .with_subscriber(|(id, subscriber)| subscriber.exit(id));
        drop(TraceContext::swap_current(self.outside.take()));
    }
}

fn log_span(subject: &Subject, context: &TraceContext) -> Span {
    let (service, method) = subject.names();
    let peer = subject.other.as_deref().map(Peer::parse);
    tracing::info_span!(
        target: "corespun_otel::call",
        "call",
        otel.kind = subject.side.text(),
        rpc.system = "grpc",
        rpc.service = service,
        rpc.method = method,
        network.peer.address = peer.map(|peer| peer.address),
        network.peer.port = peer.and_then(|peer| peer.port),
        trace_id = %context.trace_id(),
        span_id = %context.span_id(),
        rpc.grpc.status_code = Empty,
        rpc.received = Empty,
        rpc.sent = Empty,
    )
}
