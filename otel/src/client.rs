//! Spans of outgoing calls of a channel.

use std::rc::Rc;

use corespun_client::{Answer, Calling, Interceptor, Step};
use corespun_codec::TraceContext;

use crate::call_span::{CallSpan, Side, Subject};
use crate::ids::Ids;
use crate::tracer::Tracer;

/// Interceptor of a channel, created by [`Tracer::client`]. The parent of a call is the context in
/// its own metadata, else the current one: that of the handler which makes the call.
pub struct ClientTracing {
    tracer: Tracer,
    ids: Ids,
}

impl ClientTracing {
    pub(crate) fn new(tracer: Tracer) -> Self {
        Self {
            tracer,
            ids: Ids::new(),
        }
    }
}

impl Interceptor for ClientTracing {
    fn start(&self, call: &mut Calling) -> Result<Step, Answer> {
        if self.tracer.is_off() {
            return Ok(Step::Pass);
        }
        let parent = TraceContext::read(call.metadata()).or_else(TraceContext::current);
        let subject = Subject {
            side: Side::Client,
            method: call.method(),
            other: Some(call.target().to_owned()),
        };
        let context = self.ids.follow(parent.as_ref(), self.tracer.sampler());
        let span = CallSpan::begin(context, parent.as_ref(), self.tracer.queue(), subject);
        // A call whose metadata has no space left is sent without trace context.
        if let Err(error) = span.context().write(call.metadata_mut()) {
            tracing::debug!(%error, "a call goes out without its trace context");
        }
        if span.is_observed() {
            call.observe(Rc::new(span));
        }
        Ok(Step::Pass)
    }
}
