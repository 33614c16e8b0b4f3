//! Interceptors: code that runs before the handler of a call and at the end of the call.
//!
//! Interceptors of the server run first, then those of the service, each in the order in which they
//! were added. They see only calls of methods that exist. An unknown path, or a request that is not
//! a gRPC call, is refused before. For a call with one request message they run once that message
//! is complete; for a request stream they run when its head is received.
//!
//! Most interceptors do not wait. For these a function is enough, and adds no allocation to a call:
//!
//! ```
//! use corespun_codec::Status;
//! use corespun_server::{Incoming, Server};
//!
//! struct Caller(String);
//!
//! fn authenticate(call: &mut Incoming) -> Result<(), Status> {
//!     let name = match call.metadata().get("authorization") {
//!         Some("Bearer sesame") => "ali".to_owned(),
//!         _ => return Err(Status::unauthenticated("the door stays closed")),
//!     };
//!     call.extensions_mut().insert(Caller(name));     // request.extensions() in the handler
//!     Ok(())
//! }
//!
//! let server = Server::builder().intercept(|_shard| Ok(authenticate));
//! ```
//!
//! An interceptor that has to wait, for another service for example, is an async function in
//! [`intercept_async`]; its calls become tasks. For full control, implement [`Interceptor`].
//! `tower` layers that need no body become interceptors with
//! [`intercept_tower`](crate::intercept_tower).

use std::future::ready;
use std::pin::Pin;
use std::rc::Rc;
use std::time::Duration;

use corespun_codec::pipe::Finisher;
use corespun_codec::{
    CallObserver, Code, Extensions, Kind, MetadataMap, Request, RequestHead, RequestParts,
    Response, Status,
};
use prost::Message;

use crate::bell::Framed;
use crate::call::ReplyForm;
use crate::surround::{Surround, surround};
use crate::watch::Ends;

/// Interceptor of the calls of a server or a service.
///
/// One instance is created on each shard, so it may hold its state in cells. A panic in it becomes
/// UNKNOWN for the current call.
pub trait Interceptor: 'static {
    /// Examines a call before its handler, without waiting.
    ///
    /// # Errors
    ///
    /// The response to send in place of the handler's; a [`Status`] converts into one.
    fn start(&self, call: &mut Incoming) -> Result<Step, Answer> {
        let _ = call;
        Ok(Step::Pass)
    }

    /// Continues a call for which [`Interceptor::start`] has returned [`Step::Wait`]. The deadline
    /// of the call is enforced meanwhile.
    ///
    /// # Errors
    ///
    /// The future fails as [`Interceptor::start`] does.
    fn wait<'a>(&'a self, call: &'a mut Incoming) -> Waiting<'a> {
        let _ = call;
        Box::pin(ready(Ok(())))
    }

    /// Reports the end of a call that this interceptor has examined; the last interceptor is called
    /// first. For code that concerns a single call use [`Incoming::on_end`].
    fn end(&self, ended: &Ended<'_>) {
        let _ = ended;
    }
}

/// Future of an interceptor that waits; it resolves to `Ok` to continue, or to the response to
/// send.
pub type Waiting<'a> = Pin<Box<dyn Future<Output = Result<(), Answer>> + 'a>>;

/// Continuation of a call after an interceptor.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// Continues with the next interceptor, then the handler.
    Pass,
    /// Continues in [`Interceptor::wait`] of this interceptor; the call becomes a task.
    Wait,
}

impl<F> Interceptor for F
where
    F: Fn(&mut Incoming) -> Result<(), Status> + 'static,
{
    fn start(&self, call: &mut Incoming) -> Result<Step, Answer> {
        self(call)?;
        Ok(Step::Pass)
    }
}

/// Returns an interceptor that waits, made of an async function or closure.
///
/// ```
/// use corespun_server::{Incoming, intercept_async};
/// use std::time::Duration;
///
/// let slow = intercept_async(async |call: &mut Incoming| {
///     corespun_runtime::sleep(Duration::from_millis(1)).await;
///     call.metadata_mut().insert("x-waited", "1 ms")?;
///     Ok(())
/// });
/// ```
pub fn intercept_async<F>(ask: F) -> impl Interceptor
where
    F: AsyncFn(&mut Incoming) -> Result<(), Status> + 'static,
{
    Async(ask)
}

struct Async<F>(F);

impl<F> Interceptor for Async<F>
where
    F: AsyncFn(&mut Incoming) -> Result<(), Status> + 'static,
{
    fn start(&self, _: &mut Incoming) -> Result<Step, Answer> {
        Ok(Step::Wait)
    }

    fn wait<'a>(&'a self, call: &'a mut Incoming) -> Waiting<'a> {
        Box::pin(async move { (self.0)(call).await.map_err(Answer::from) })
    }
}

/// Returns an interceptor that observes calls. `start` is called for each call, and returns the
/// observer of its messages and its end, or `None`.
///
/// ```
/// use std::cell::Cell;
/// use std::rc::Rc;
/// use corespun_codec::{CallObserver, MessageBytes};
/// use corespun_server::{Incoming, Server, observe};
///
/// #[derive(Default)]
/// struct Volume(Cell<usize>);
///
/// impl CallObserver for Volume {
///     fn sent(&self, message: MessageBytes) {
///         self.0.set(self.0.get() + message.wire);
///     }
/// }
///
/// let server = Server::builder().intercept(|_shard| {
///     let volume = Rc::new(Volume::default());
///     Ok(observe(move |_call: &Incoming| Some(volume.clone() as _)))
/// });
/// ```
pub fn observe<F>(start: F) -> impl Interceptor
where
    F: Fn(&Incoming) -> Option<Rc<dyn CallObserver>> + 'static,
{
    move |call: &mut Incoming| {
        if let Some(observer) = start(call) {
            call.observe(observer);
        }
        Ok(())
    }
}

/// Call before it reaches its handler: the request without its messages.
pub struct Incoming {
    method: &'static str,
    kind: Kind,
    request: Request<()>,
    pub(crate) ends: Ends,
}

impl Incoming {
    pub(crate) fn new(method: &'static str, kind: Kind, parts: RequestParts) -> Self {
        Self {
            method,
            kind,
            request: Request::with_parts((), parts),
            ends: Ends::default(),
        }
    }

    /// Returns the path of the method, `/package.Service/Name`.
    pub fn method(&self) -> &'static str {
        self.method
    }

    /// Returns the kind of the method: which sides stream.
    pub fn kind(&self) -> Kind {
        self.kind
    }

    /// Returns the request as the handler will receive it, without the message: peer, deadline,
    /// authority and so on.
    pub fn request(&self) -> &Request<()> {
        &self.request
    }

    /// Returns the metadata.
    pub fn metadata(&self) -> &MetadataMap {
        self.request.metadata()
    }

    /// Returns the metadata for changes that later interceptors and the handler see. The metadata
    /// of a client that repeats the same head is shared between its calls, and is copied first.
    pub fn metadata_mut(&mut self) -> &mut MetadataMap {
        self.request.metadata_mut()
    }

    /// Returns the extensions that later interceptors and the handler receive.
    pub fn extensions(&self) -> &Extensions {
        self.request.extensions()
    }

    /// Returns the extensions for changes that later interceptors and the handler see.
    pub fn extensions_mut(&mut self) -> &mut Extensions {
        self.request.extensions_mut()
    }

    /// Registers a callback for the end of the call, which may own a span, a permit or a timer. It
    /// runs before every [`Interceptor::end`].
    pub fn on_end(&mut self, tell: impl FnOnce(&Ended<'_>) + 'static) {
        self.ends.push(Box::new(tell));
    }

    /// Registers an observer of the call's messages, including the request, and of its end.
    pub fn observe(&mut self, observer: Rc<dyn CallObserver>) {
        self.ends.observe(observer);
    }

    /// Registers a scope for every poll of the handler, and of later interceptors that wait.
    /// `inner` is entered within scopes that were registered before.
    pub fn surround(&mut self, inner: Rc<dyn Surround>) {
        surround(self.extensions_mut(), inner);
    }

    /// Takes the call, and leaves an empty one of the same method in its place.
    pub(crate) fn take(&mut self) -> Self {
        let empty = Self::new(self.method, self.kind, RequestParts::default());
        std::mem::replace(self, empty)
    }

    pub(crate) fn into_parts(self) -> RequestParts {
        self.request.into_parts().1
    }
}

impl std::fmt::Debug for Incoming {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Incoming")
            .field("method", &self.method)
            .field("peer", &self.request.peer())
            .finish_non_exhaustive()
    }
}

/// Outcome of a call.
pub struct Ended<'a> {
    pub(crate) method: &'static str,
    pub(crate) head: &'a RequestHead,
    pub(crate) outcome: Result<(), &'a Status>,
    pub(crate) elapsed: Duration,
}

impl Ended<'_> {
    /// Returns the path of the method, `/package.Service/Name`.
    pub fn method(&self) -> &'static str {
        self.method
    }

    /// Returns the request head with metadata and peer, as the first interceptor received it.
    pub fn head(&self) -> &RequestHead {
        self.head
    }

    /// Returns the outcome sent to the client; CANCELLED if the client had left before.
    ///
    /// # Errors
    ///
    /// The status, when it is not OK.
    pub fn outcome(&self) -> Result<(), &Status> {
        self.outcome
    }

    /// Returns the status code of the outcome.
    pub fn code(&self) -> Code {
        self.outcome.map_or_else(Status::code, |()| Code::Ok)
    }

    /// Returns the time from the first interceptor's start until the end of the response was handed
    /// to the connection.
    pub fn elapsed(&self) -> Duration {
        self.elapsed
    }
}

/// Response in place of the handler's: a status, or one message.
pub struct Answer(Content);

enum Content {
    Status(Status),
    Response(Box<dyn Whole>),
}

impl Answer {
    /// Creates a response of one message with its metadata, followed by OK.
    pub fn response<R: Message + 'static>(response: Response<R>) -> Self {
        Self(Content::Response(Box::new(response)))
    }

    /// Encodes the response as the result of a unary call's task.
    pub(crate) fn framed(self, form: ReplyForm) -> Result<Framed, Status> {
        match self.0 {
            Content::Status(status) => Err(status),
            Content::Response(response) => response.framed(form),
        }
    }

    /// Sends the response on a stream.
    pub(crate) fn finish(self, finisher: Finisher) {
        match self.0 {
            Content::Status(status) => finisher.finish(Err(status)),
            Content::Response(response) => response.finish(finisher),
        }
    }
}

impl From<Status> for Answer {
    fn from(status: Status) -> Self {
        Self(Content::Status(status))
    }
}

impl std::fmt::Debug for Answer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match &self.0 {
            Content::Status(status) => f.debug_tuple("Answer").field(status).finish(),
            Content::Response(_) => f.debug_tuple("Answer").finish_non_exhaustive(),
        }
    }
}

/// Response of any message type.
trait Whole {
    fn framed(self: Box<Self>, form: ReplyForm) -> Result<Framed, Status>;
    fn finish(self: Box<Self>, finisher: Finisher);
}

impl<R: Message> Whole for Response<R> {
    fn framed(self: Box<Self>, form: ReplyForm) -> Result<Framed, Status> {
        Framed::new(*self, form.sending)
    }

    fn finish(self: Box<Self>, finisher: Finisher) {
        finisher.respond(*self);
    }
}
