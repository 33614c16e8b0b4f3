//! Interceptors: code that runs before a call is sent and when it has ended.
//!
//! Interceptors belong to a [`Channel`](crate::Channel). They run in the order in which they were
//! added, once for each call, however often its request is sent. Most do not wait, and are
//! functions:
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
//! An interceptor that has to wait, for a new token for example, is an async function in
//! [`intercept_async`]. For full control, implement [`Interceptor`].

use std::future::{Future, ready};
use std::pin::Pin;
use std::rc::Rc;
use std::time::Duration;

use corespun_codec::{
    CallObserver, Code, Extensions, Kind, MetadataMap, Request, RequestParts, Status,
};

use crate::answer::Answer;
use crate::watch::Watch;

/// Interceptor of the calls of a channel.
pub trait Interceptor: 'static {
    /// Examines a call before it is sent, without waiting.
    ///
    /// # Errors
    ///
    /// The response in place of the server's; a [`Status`] converts into one.
    fn start(&self, call: &mut Calling) -> Result<Step, Answer> {
        let _ = call;
        Ok(Step::Pass)
    }

    /// Continues a call for which [`Interceptor::start`] has returned [`Step::Wait`]. The wait
    /// counts towards the timeout of the call.
    ///
    /// # Errors
    ///
    /// The future fails as [`Interceptor::start`] does.
    fn wait<'a>(&'a self, call: &'a mut Calling) -> Waiting<'a> {
        let _ = call;
        Box::pin(ready(Ok(())))
    }

    /// Reports the end of a call that this interceptor has examined; the last interceptor is called
    /// first.
    fn end(&self, ended: &Ended<'_>) {
        let _ = ended;
    }
}

/// Future of an interceptor that waits; it resolves to `Ok` to continue, or to the response to use.
pub type Waiting<'a> = Pin<Box<dyn Future<Output = Result<(), Answer>> + 'a>>;

/// Continuation of a call after an interceptor.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// Continues with the next interceptor, then the server.
    Pass,
    /// Continues in [`Interceptor::wait`] of this interceptor.
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

/// Returns an interceptor that waits, made of an async function or closure.
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

/// Returns an interceptor that observes calls. `start` is called for each call, and returns the
/// observer of its messages and its end, or `None`.
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

/// Call before it is sent: the request without its messages.
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

    /// Returns the path of the method, `/package.Service/Name`.
    pub fn method(&self) -> &'static str {
        self.method
    }

    /// Returns the kind of the method: which sides stream.
    pub fn kind(&self) -> Kind {
        self.kind
    }

    /// Returns the target of the channel, as it was given.
    pub fn target(&self) -> &str {
        &self.target
    }

    /// Returns the request without its messages: timeout, encoding and so on.
    pub fn request(&self) -> &Request<()> {
        &self.request
    }

    /// Returns the request without its messages, for changes.
    pub fn request_mut(&mut self) -> &mut Request<()> {
        &mut self.request
    }

    /// Returns the metadata that will be sent.
    pub fn metadata(&self) -> &MetadataMap {
        self.request.metadata()
    }

    /// Returns the metadata that will be sent, for changes.
    pub fn metadata_mut(&mut self) -> &mut MetadataMap {
        self.request.metadata_mut()
    }

    /// Returns the timeout of the call, if it has one.
    pub fn timeout(&self) -> Option<Duration> {
        self.request.timeout()
    }

    /// Returns the extensions that later interceptors receive.
    pub fn extensions(&self) -> &Extensions {
        self.request.extensions()
    }

    /// Returns the extensions for changes that later interceptors see.
    pub fn extensions_mut(&mut self) -> &mut Extensions {
        self.request.extensions_mut()
    }

    /// Registers a callback for the end of the call, which may own a span, a permit or a timer. It
    /// runs before every [`Interceptor::end`].
    pub fn on_end(&mut self, tell: impl FnOnce(&Ended<'_>) + 'static) {
        self.watch.on_end(Box::new(tell));
    }

    /// Registers an observer of the call's messages and of its end.
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

/// Outcome of a call.
pub struct Ended<'a> {
    pub(crate) method: &'static str,
    pub(crate) peer: Option<&'a str>,
    pub(crate) outcome: Result<(), &'a Status>,
    pub(crate) elapsed: Duration,
}

impl Ended<'_> {
    /// Returns the path of the method, `/package.Service/Name`.
    pub fn method(&self) -> &'static str {
        self.method
    }

    /// Returns the address that the request was sent to; `None` if it was not sent.
    pub fn peer(&self) -> Option<&str> {
        self.peer
    }

    /// Returns the outcome given to the caller; CANCELLED if the caller had dropped the call
    /// before.
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

    /// Returns the time since the first interceptor started. A stream ends when its reader has read
    /// the end, or was dropped.
    pub fn elapsed(&self) -> Duration {
        self.elapsed
    }
}
