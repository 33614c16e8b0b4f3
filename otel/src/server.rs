//! Spans of incoming calls of a server.

use std::rc::Rc;

use corespun_codec::TraceContext;
use corespun_server::{Answer, Incoming, Interceptor, Step};

use crate::call_span::{CallSpan, Side, Subject};
use crate::ids::Ids;
use crate::tracer::Tracer;

/// Interceptor of a server, created by [`Tracer::server`]. Add it first, so that its span includes
/// the responses of later interceptors.
pub struct ServerTracing {
    tracer: Tracer,
    ids: Ids,
}

impl ServerTracing {
    pub(crate) fn new(tracer: Tracer) -> Self {
        Self {
            tracer,
            ids: Ids::new(),
        }
    }
}

impl Interceptor for ServerTracing {
    fn start(&self, call: &mut Incoming) -> Result<Step, Answer> {
        let parent = TraceContext::read(call.metadata());
        if self.tracer.is_off() {
            if let Some(parent) = parent {
                call.surround(Rc::new(CallSpan::pass(parent)));
            }
            return Ok(Step::Pass);
        }
        let subject = Subject {
            side: Side::Server,
            method: call.method(),
            other: call.request().peer().map(str::to_owned),
        };
        let context = self.ids.follow(parent.as_ref(), self.tracer.sampler());
        let span = CallSpan::begin(context, parent.as_ref(), self.tracer.queue(), subject);
        let span = Rc::new(span);
        if span.is_observed() {
            call.observe(Rc::clone(&span) as _);
        }
        call.surround(span);
        Ok(Step::Pass)
    }
}
