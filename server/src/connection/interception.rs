//! Passage of calls through interceptors, between request head and handler.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll};
use std::time::Duration;

use corespun_codec::pipe::{Doorbell, Pipe};
use corespun_codec::{MessageBytes, RequestParts, Status};
use corespun_http2::StreamKey;
use corespun_runtime::{JoinError, JoinHandle, spawn};

use super::Connection;
use crate::bell::{Bell, Completion, Framed};
use crate::call::{Call, Known, ReplyForm, Whole};
use crate::handler::guarded;
use crate::interceptor::{Answer, Incoming, Step};
use crate::routes::Route;
use crate::service::Scope;
use crate::surround::{Terms, around, within};
use crate::watch::Watch;

/// Call that interceptors let pass, or that waits for the interceptor at index `waits_for`.
struct Admitted {
    call: Incoming,
    watch: Watch,
    waits_for: Option<usize>,
}

impl Connection {
    /// Runs the interceptors for a call; returns `None` if one of them has answered it.
    fn admit(
        &mut self,
        stream: StreamKey,
        known: &Known,
        route: &Route,
        parts: RequestParts,
    ) -> Option<Admitted> {
        let mut watch = Watch::new(&route.scope, route.method, &known.head);
        let mut call = Incoming::new(route.method, route.handler.kind(), parts);
        let asked = ask(&route.scope, &mut call, &mut watch.reached);
        watch.ends = call.ends.clone();
        match asked {
            Ok(waits_for) => Some(Admitted {
                call,
                watch,
                waits_for,
            }),
            Err(answer) => {
                let mut reply = self.reply(stream, known.form);
                reply.watch = Some(watch);
                match answer.framed(known.form) {
                    Ok(framed) => reply.framed(framed),
                    Err(status) => reply.status(&status),
                }
                None
            }
        }
    }

    /// Passes a complete request message to its handler, or to a task that waits for interceptors
    /// first.
    pub(super) fn dispatch_intercepted(
        &mut self,
        stream: StreamKey,
        known: &Rc<Known>,
        route: &Route,
        message: Whole<'_>,
        deadline: Option<Duration>,
    ) {
        let parts = known.parts(deadline, message.compressed);
        let Some(admitted) = self.admit(stream, known, route, parts) else {
            return;
        };
        let mut reply = self.reply(stream, known.form);
        let (task, watch) = match admitted.waits_for {
            None => {
                admitted.call.ends.received(message.size());
                reply.watch = Some(admitted.watch);
                let parts = admitted.call.into_parts();
                let task = route.handler.call(message.bytes, parts, &mut reply);
                (task, reply.watch.take())
            }
            Some(at) => {
                let (call, watch) = admitted.part();
                let (bell, stream) = reply.claim();
                let kept = Kept::new(message, &bell, stream);
                let outcome = unary_later(route.clone(), call, at, kept, known.form);
                let task = spawn(async move {
                    let outcome = outcome.await;
                    bell.complete(Completion { stream, outcome });
                });
                (Some(task), Some(watch))
            }
        };
        if let Some(task) = task {
            let waiting = Call::Waiting {
                id: stream.id,
                known: Rc::clone(known),
                task,
                watch: watch.map(Box::new),
            };
            self.put_call(stream, waiting);
        }
    }

    /// Starts a streaming handler, or a task that waits for interceptors first. Messages that
    /// arrive meanwhile wait in the pipe.
    pub(super) fn start_intercepted(
        &mut self,
        stream: StreamKey,
        known: &Rc<Known>,
        route: &Route,
        message: Option<Whole<'_>>,
        deadline: Option<Duration>,
        end_stream: bool,
    ) {
        let compressed = message.is_some_and(|message| message.compressed);
        let parts = known.parts(deadline, compressed);
        let Some(admitted) = self.admit(stream, known, route, parts) else {
            return;
        };
        let pipe = self.open_pipe(stream, known, end_stream);
        let (started, watch) = match admitted.waits_for {
            None => {
                listen(&admitted.call, &pipe, message.map(Whole::size));
                let parts = admitted.call.into_parts();
                let bytes = message.map(|message| message.bytes);
                (route.handler.start(bytes, parts, &pipe), admitted.watch)
            }
            Some(at) => {
                let (call, watch) = admitted.part();
                let message = message.map(|message| Kept::new(message, &self.bell, stream));
                let later = stream_later(route.clone(), call, at, message, pipe.share());
                (Ok(spawn(later)), watch)
            }
        };
        self.put_streaming(stream, known, pipe, started, Some(watch));
    }
}

/// Request message held while interceptors wait. Its connection counts its bytes until it is
/// released: clients that will be refused must not make the server hold one message for each
/// stream.
struct Kept {
    bytes: Vec<u8>,
    wire_bytes: usize,
    compressed: bool,
    bell: Rc<Bell>,
    token: u64,
}

impl Kept {
    fn new(message: Whole<'_>, bell: &Rc<Bell>, stream: StreamKey) -> Self {
        bell.keep(message.bytes.len());
        Self {
            // Not a pooled buffer, so that a waiting message uses only as much memory as was sent.
            bytes: message.bytes.to_vec(),
            wire_bytes: message.wire_bytes,
            compressed: message.compressed,
            bell: Rc::clone(bell),
            token: stream.to_token(),
        }
    }

    fn message(&self) -> Whole<'_> {
        Whole {
            bytes: &self.bytes,
            wire_bytes: self.wire_bytes,
            compressed: self.compressed,
        }
    }
}

impl Drop for Kept {
    fn drop(&mut self) {
        self.bell.keep_no_more(self.bytes.len());
        self.bell.ring(self.token);
    }
}

impl Admitted {
    /// Splits the call from its watch; both are used separately from here on.
    fn part(mut self) -> (Incoming, Watch) {
        self.watch.ends = self.call.ends.share();
        (self.call, self.watch)
    }
}

/// Attaches observers to the messages of a call: to a message already present, and to later ones.
fn listen(call: &Incoming, pipe: &Pipe, first: Option<MessageBytes>) {
    let Some(tap) = call.ends.tap() else {
        return;
    };
    if let Some(size) = first {
        tap.received(size);
    }
    pipe.set_tap(tap);
}

/// Runs the interceptors in order; returns the index of the one that has to wait, if any.
fn ask(scope: &Scope, call: &mut Incoming, reached: &mut usize) -> Result<Option<usize>, Answer> {
    for (at, interceptor) in scope.interceptors.iter().enumerate() {
        *reached = at + 1;
        let step = catch_unwind(AssertUnwindSafe(|| interceptor.start(call)));
        match step.unwrap_or_else(|_| Err(panicked().into()))? {
            Step::Pass => {}
            Step::Wait => return Ok(Some(at)),
        }
    }
    Ok(None)
}

/// Waits for the interceptor at index `at`, then runs those after it.
async fn resume(scope: Rc<Scope>, mut call: Incoming, at: usize) -> Result<Incoming, Answer> {
    let mut step = Step::Wait;
    for (at, interceptor) in scope.interceptors.iter().enumerate().skip(at) {
        call.ends.set_reached(at + 1);
        if step == Step::Pass {
            step = interceptor.start(&mut call)?;
        }
        if step == Step::Wait {
            let around = around(call.extensions());
            within(around, interceptor.wait(&mut call)).await?;
            step = Step::Pass;
        }
    }
    Ok(call)
}

/// Runs [`resume`] until the call's deadline; a panic becomes a status.
async fn resume_in_time(
    scope: Rc<Scope>,
    call: Incoming,
    at: usize,
) -> Result<Result<Incoming, Answer>, Status> {
    let terms = Terms::until(call.request().deadline());
    let resumed = Box::pin(async move { Ok(resume(scope, call, at).await) });
    let outcome = guarded(resumed, terms).await?;
    Ok(outcome.unwrap_or_else(|_| Err(panicked().into())))
}

/// Runs a unary call whose interceptors wait; its message is kept for the handler.
async fn unary_later(
    route: Route,
    call: Incoming,
    at: usize,
    kept: Kept,
    form: ReplyForm,
) -> Result<Framed, Status> {
    match resume_in_time(Rc::clone(&route.scope), call, at).await? {
        Ok(call) => {
            call.ends.received(kept.message().size());
            let parts = call.into_parts();
            let outcome = route.handler.call_later(&kept.bytes, parts, form);
            drop(kept);
            outcome.await
        }
        Err(answer) => answer.framed(form),
    }
}

/// Runs a streaming call whose interceptors wait.
async fn stream_later(route: Route, call: Incoming, at: usize, kept: Option<Kept>, pipe: Pipe) {
    let call = match resume_in_time(Rc::clone(&route.scope), call, at).await {
        Ok(Ok(call)) => call,
        Ok(Err(answer)) => return answer.finish(pipe.finisher()),
        Err(overdue) => return pipe.finisher().expire(overdue),
    };
    let message = kept.as_ref().map(Kept::message);
    listen(&call, &pipe, message.map(Whole::size));
    let bytes = message.map(|message| message.bytes);
    let started = route.handler.start(bytes, call.into_parts(), &pipe);
    drop(kept);
    match started {
        // The outcome of the task is sent through the pipe.
        Ok(task) => drop(Running(task).await),
        Err(status) => pipe.finisher().finish(Err(status)),
    }
}

/// Task of a handler that is cancelled when its owner is dropped.
struct Running(JoinHandle<()>);

impl Future for Running {
    type Output = Result<(), JoinError>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        Pin::new(&mut self.0).poll(context)
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.0.abort();
    }
}

/// Returns the status for a call whose interceptor panicked.
fn panicked() -> Status {
    Status::unknown("an interceptor panicked")
}
