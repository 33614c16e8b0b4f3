//! Code around calls: asked ahead of the handler, told of the end.
//!
//! Interceptors of the server come first, then those of the service, each in the order in which
//! they were added. They see calls of methods that exist: a request that leads nowhere, or is no
//! call at all, is refused before. Of a call with one request message they are asked once that is
//! there, of one with many when its head is.
//!
//! Most have nothing to wait for. A function is enough for them, and adds no allocation to a call:
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
//! One that has to wait, for another service say, is an async function behind
//! [`intercept_async`]; its calls become tasks. One that wants all of it implements
//! [`Interceptor`]. Layers of `tower` that need no body are interceptors by
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

/// Code around every call of a server or a service.
///
/// One is made on each shard, so it may keep what it likes in cells. Whatever panics in it
/// becomes UNKNOWN for the call at hand.
pub trait Interceptor: 'static {
    /// Looks at a call ahead of its handler, at once.
    ///
    /// # Errors
    /// The answer to give instead of the handler's; a [`Status`] is one.
    fn start(&self, call: &mut Incoming) -> Result<Step, Answer> {
        let _ = call;
        Ok(Step::Pass)
    }

    /// Goes on with a call for which [`Interceptor::start`] has answered [`Step::Wait`]. The
    /// call's deadline is watched over meanwhile.
    ///
    /// # Errors
    /// As [`Interceptor::start`], from the future.
    fn wait<'a>(&'a self, call: &'a mut Incoming) -> Waiting<'a> {
        let _ = call;
        Box::pin(ready(Ok(())))
    }

    /// A call has ended that this interceptor was asked about, the last interceptor first. What
    /// belongs to one call alone is better told by [`Incoming::on_end`].
    fn end(&self, ended: &Ended<'_>) {
        let _ = ended;
    }
}

/// What an interceptor waits for; then the call goes on, or gets the answer.
pub type Waiting<'a> = Pin<Box<dyn Future<Output = Result<(), Answer>> + 'a>>;

/// How a call goes on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// To the next interceptor, then to the handler.
    Pass,
    /// Into [`Interceptor::wait`] of this one: the call becomes a task.
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

/// An interceptor that waits, of an async function or closure.
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

/// An interceptor that has calls watched: `start` is asked about each, and says who, if anybody,
/// hears of its messages and its end.
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

/// A call on its way to its handler: all of its request but the messages.
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

    /// What is called: `/package.Service/Name`.
    pub fn method(&self) -> &'static str {
        self.method
    }

    /// Which side streams.
    pub fn kind(&self) -> Kind {
        self.kind
    }

    /// What the handler's request will be, without the message: peer, deadline, authority and so
    /// on.
    pub fn request(&self) -> &Request<()> {
        &self.request
    }

    /// The metadata.
    pub fn metadata(&self) -> &MetadataMap {
        self.request.metadata()
    }

    /// The metadata, to change it for those who come after. That of callers who send the same head
    /// again and again is shared, and is copied first.
    pub fn metadata_mut(&mut self) -> &mut MetadataMap {
        self.request.metadata_mut()
    }

    /// What is handed on to the handler, and to interceptors that come after.
    pub fn extensions(&self) -> &Extensions {
        self.request.extensions()
    }

    /// The same, to change it.
    pub fn extensions_mut(&mut self) -> &mut Extensions {
        self.request.extensions_mut()
    }

    /// Has `tell` called when the call ends, with what it holds: a span, a permit, a timer. Comes
    /// ahead of every [`Interceptor::end`].
    pub fn on_end(&mut self, tell: impl FnOnce(&Ended<'_>) + 'static) {
        self.ends.push(Box::new(tell));
    }

    /// Lets `observer` hear of the call's messages, the request included, and of its end.
    pub fn observe(&mut self, observer: Rc<dyn CallObserver>) {
        self.ends.observe(observer);
    }

    /// Has every poll of the handler, and of interceptors behind this one that wait, happen inside
    /// `inner`, and inside of what was added before.
    pub fn surround(&mut self, inner: Rc<dyn Surround>) {
        surround(self.extensions_mut(), inner);
    }

    /// The call, with an empty one of the same method left in its place.
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

/// How a call ended.
pub struct Ended<'a> {
    pub(crate) method: &'static str,
    pub(crate) head: &'a RequestHead,
    pub(crate) outcome: Result<(), &'a Status>,
    pub(crate) elapsed: Duration,
}

impl Ended<'_> {
    /// What was called: `/package.Service/Name`.
    pub fn method(&self) -> &'static str {
        self.method
    }

    /// The request's head, with its metadata and peer, as it came to the first interceptor.
    pub fn head(&self) -> &RequestHead {
        self.head
    }

    /// What the caller is told; CANCELLED when it has gone before.
    ///
    /// # Errors
    /// The status, when it is not OK.
    pub fn outcome(&self) -> Result<(), &Status> {
        self.outcome
    }

    /// The code alone.
    pub fn code(&self) -> Code {
        self.outcome.map_or_else(Status::code, |()| Code::Ok)
    }

    /// The time from when the first interceptor was asked until the last of the answer was handed
    /// to the connection.
    pub fn elapsed(&self) -> Duration {
        self.elapsed
    }
}

/// What a caller gets in place of the handler's answer: a status, or one whole response.
pub struct Answer(Content);

enum Content {
    Status(Status),
    Response(Box<dyn Whole>),
}

impl Answer {
    /// One message that the handler might have answered, with its metadata and OK behind it.
    pub fn response<R: Message + 'static>(response: Response<R>) -> Self {
        Self(Content::Response(Box::new(response)))
    }

    /// The answer as a task of a unary call leaves it.
    pub(crate) fn framed(self, form: ReplyForm) -> Result<Framed, Status> {
        match self.0 {
            Content::Status(status) => Err(status),
            Content::Response(response) => response.framed(form),
        }
    }

    /// The answer as that of a stream.
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

/// A response of any message type.
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
