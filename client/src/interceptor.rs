//! Code around calls: asked before anything is sent, told of the end.
//!
//! Interceptors belong to a [`Channel`](crate::Channel) and are asked in the order in which they
//! were added, once for each call, however often its request is sent. Most have nothing to wait
//! for, and are functions:
//!
//! ```
//! use corespun_client::{Calling, Channel};
//! use corespun_codec::Status;
//!
//! fn sign(call: &mut Calling) -> Result<(), Status> {
//!     call.metadata_mut().insert("authorization", "Bearer sesame")?;
//!     Ok(())
//! }
//!
//! # fn main() -> Result<(), Status> {
//! let channel = Channel::lazy("127.0.0.1:50051")?.intercept(sign);
//! # Ok(())
//! # }
//! ```
//!
//! One that has to wait, for a fresh token say, is an async function behind [`intercept_async`].
//! One that wants all of it implements [`Interceptor`].

use std::future::{Future, ready};
use std::pin::Pin;
use std::rc::Rc;
use std::time::Duration;

use corespun_codec::{
    CallObserver, Code, Extensions, Kind, MetadataMap, Request, RequestParts, Status,
};

use crate::answer::Answer;
use crate::watch::Watch;

/// Code around every call of a channel.
pub trait Interceptor: 'static {
    /// Looks at a call before it is sent, at once.
    ///
    /// # Errors
    /// The answer to give instead of the server's; a [`Status`] is one.
    fn start(&self, call: &mut Calling) -> Result<Step, Answer> {
        let _ = call;
        Ok(Step::Pass)
    }

    /// Goes on with a call for which [`Interceptor::start`] has answered [`Step::Wait`]. The time
    /// it takes is taken off the call's timeout.
    ///
    /// # Errors
    /// As [`Interceptor::start`], from the future.
    fn wait<'a>(&'a self, call: &'a mut Calling) -> Waiting<'a> {
        let _ = call;
        Box::pin(ready(Ok(())))
    }

    /// A call has ended that this interceptor was asked about, the last interceptor first.
    fn end(&self, ended: &Ended<'_>) {
        let _ = ended;
    }
}

/// What an interceptor waits for; then the call goes on, or gets the answer.
pub type Waiting<'a> = Pin<Box<dyn Future<Output = Result<(), Answer>> + 'a>>;

/// How a call goes on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// To the next interceptor, then to the server.
    Pass,
    /// Into [`Interceptor::wait`] of this one.
    Wait,
}

impl<F> Interceptor for F
where
    F: Fn(&mut Calling) -> Result<(), Status> + 'static,
{
    fn start(&self, call: &mut Calling) -> Result<Step, Answer> {
        self(call)?;
        Ok(Step::Pass)
    }
}

/// An interceptor that waits, of an async function or closure.
///
/// ```
/// use std::time::Duration;
/// use corespun_client::{Calling, intercept_async};
///
/// # async fn fresh_token() -> String { String::new() }
/// let signing = intercept_async(async |call: &mut Calling| {
///     let token = fresh_token().await;
///     call.metadata_mut().insert("authorization", &format!("Bearer {token}"))?;
///     Ok(())
/// });
/// ```
pub fn intercept_async<F>(ask: F) -> impl Interceptor
where
    F: AsyncFn(&mut Calling) -> Result<(), Status> + 'static,
{
    Async(ask)
}

struct Async<F>(F);

impl<F> Interceptor for Async<F>
where
    F: AsyncFn(&mut Calling) -> Result<(), Status> + 'static,
{
    fn start(&self, _: &mut Calling) -> Result<Step, Answer> {
        Ok(Step::Wait)
    }

    fn wait<'a>(&'a self, call: &'a mut Calling) -> Waiting<'a> {
        Box::pin(async move { (self.0)(call).await.map_err(Answer::from) })
    }
}

/// An interceptor that has calls watched: `start` is asked about each, and says who, if anybody,
/// hears of its messages and its end.
pub fn observe<F>(start: F) -> impl Interceptor
where
    F: Fn(&Calling) -> Option<Rc<dyn CallObserver>> + 'static,
{
    move |call: &mut Calling| {
        if let Some(observer) = start(call) {
            call.observe(observer);
        }
        Ok(())
    }
}

/// A call on its way to its server: all of its request but the messages.
pub struct Calling {
    method: &'static str,
    kind: Kind,
    target: Rc<str>,
    request: Request<()>,
    pub(crate) watch: Rc<Watch>,
}

impl Calling {
    pub(crate) fn new(
        (method, kind): (&'static str, Kind),
        target: &Rc<str>,
        parts: RequestParts,
        watch: Rc<Watch>,
    ) -> Self {
        Self {
            method,
            kind,
            target: Rc::clone(target),
            request: Request::with_parts((), parts),
            watch,
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

    /// Where to, as the channel was told.
    pub fn target(&self) -> &str {
        &self.target
    }

    /// The request without its messages: timeout, encoding and so on.
    pub fn request(&self) -> &Request<()> {
        &self.request
    }

    /// The same, to change it.
    pub fn request_mut(&mut self) -> &mut Request<()> {
        &mut self.request
    }

    /// The metadata that will be sent.
    pub fn metadata(&self) -> &MetadataMap {
        self.request.metadata()
    }

    /// The same, to change it.
    pub fn metadata_mut(&mut self) -> &mut MetadataMap {
        self.request.metadata_mut()
    }

    /// The time that is granted for the call, if it is bounded.
    pub fn timeout(&self) -> Option<Duration> {
        self.request.timeout()
    }

    /// What is handed on to interceptors that come after.
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
        self.watch.on_end(Box::new(tell));
    }

    /// Lets `observer` hear of the call's messages, and of its end.
    pub fn observe(&mut self, observer: Rc<dyn CallObserver>) {
        self.watch.observe(observer);
    }

    pub(crate) fn into_parts(self) -> RequestParts {
        self.request.into_parts().1
    }
}

impl std::fmt::Debug for Calling {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Calling")
            .field("method", &self.method)
            .field("target", &self.target)
            .finish_non_exhaustive()
    }
}

/// How a call ended.
pub struct Ended<'a> {
    pub(crate) method: &'static str,
    pub(crate) peer: Option<&'a str>,
    pub(crate) outcome: Result<(), &'a Status>,
    pub(crate) elapsed: Duration,
}

impl Ended<'_> {
    /// What was called: `/package.Service/Name`.
    pub fn method(&self) -> &'static str {
        self.method
    }

    /// The address that the request was sent to; `None` when it was not sent.
    pub fn peer(&self) -> Option<&str> {
        self.peer
    }

    /// What the caller is told; CANCELLED when it has dropped the call before.
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

    /// The time from when the first interceptor was asked. A stream ends when its reader has read
    /// the end, or was dropped.
    pub fn elapsed(&self) -> Duration {
        self.elapsed
    }
}
