//! Channels and the four kinds of calls.

use std::rc::Rc;
use std::time::Duration;

use corespun_codec::pipe::Tap;
use corespun_codec::{
    MessageBytes, Method, Request, RequestParts, Response, Sender, Status, Streaming,
};
use corespun_http2::StreamKey;
use prost::Message;

use crate::call::{Call, Shape, Unary};
use crate::client_streaming::ClientStreaming;
use crate::config::Config;
use crate::deadline::within;
use crate::interceptor::Interceptor;
use crate::link::Link;
use crate::outgoing::Outgoing;
use crate::secure;
use crate::session::{Session, Unopened};
use crate::slot::{Slot, Waiting};
use crate::subchannel::Subchannel;
use crate::target::Target;
use crate::watch::{Interceptors, Watch};

/// Number of consecutive connections that a call may find closing before it has opened its stream.
const OPEN_TRIES_MAX: usize = 5;

/// Server address and the connection to it, shared by all clones. A channel belongs to one shard.
/// Its connection closes once the last clone is dropped and the calls in progress have ended.
///
/// When the connection is lost, its calls fail with UNAVAILABLE, and the next call reconnects. When
/// the server's limit on concurrent calls is reached, further calls wait in order.
#[derive(Clone)]
pub struct Channel {
    subchannel: Rc<Subchannel>,
    around: Around,
}

/// Code that runs around the calls of a channel.
#[derive(Clone)]
enum Around {
    Nobody,
    /// Interceptors of each call; the call itself uses a channel created for it.
    Interceptors(Interceptors),
    /// Watch of the one call that this channel was created for.
    Call(Rc<Watch>),
}

impl Channel {
    /// Connects to `127.0.0.1:50051`, `localhost:50051`, `http://host:port`, `https://host:port` or
    /// `unix:/path`. With `https` the server's certificate must be issued by an authority that
    /// Mozilla trusts; see [`Config::tls`] for others.
    ///
    /// # Errors
    ///
    /// INVALID_ARGUMENT when the target has another form; UNAVAILABLE with address and cause when
    /// the connection fails or the server does not speak HTTP/2.
    ///
    /// # Panics
    ///
    /// Outside a shard.
    pub async fn connect(target: &str) -> Result<Self, Status> {
        let channel = Self::lazy(target)?;
        channel.ready().await?;
        Ok(channel)
    }

    /// Creates a channel that connects when the first call is made.
    ///
    /// # Errors
    ///
    /// INVALID_ARGUMENT when the target has a form that [`Channel::connect`] does not list, or
    /// contradicts the TLS settings.
    pub fn lazy(target: &str) -> Result<Self, Status> {
        Self::lazy_with(target, Config::default())
    }

    /// Creates a channel with custom settings that connects when the first call is made.
    ///
    /// # Errors
    ///
    /// As [`Channel::lazy`].
    pub fn lazy_with(target: &str, config: Config) -> Result<Self, Status> {
        let target = Target::parse(target)?;
        let config = secure::settle(&target, config)?;
        let subchannel = Rc::new(Subchannel::new(target, config));
        Ok(Self {
            subchannel,
            around: Around::Nobody,
        })
    }

    /// Creates a channel over an existing connection.
    pub(crate) fn over(authority: &str, config: &Config, link: Rc<Link>) -> Self {
        let target = Target::named(authority);
        let subchannel = Rc::new(Subchannel::over(target, config.clone(), link));
        Self {
            subchannel,
            around: Around::Nobody,
        }
    }

    /// Adds an interceptor to the calls made through this channel, after those added before. Clones
    /// made earlier share the connection but not the interceptor.
    pub fn intercept(mut self, interceptor: impl Interceptor) -> Self {
        let before = match &self.around {
            Around::Interceptors(before) => &before[..],
            Around::Nobody | Around::Call(_) => &[],
        };
        let all = before.iter().cloned().chain([Rc::new(interceptor) as _]);
        self.around = Around::Interceptors(all.collect());
        self
    }

    /// Returns a channel for one call that the interceptors have let pass.
    pub(crate) fn watched(&self, watch: &Rc<Watch>) -> Self {
        Self {
            subchannel: Rc::clone(&self.subchannel),
            around: Around::Call(Rc::clone(watch)),
        }
    }

    pub(crate) fn target(&self) -> &Rc<str> {
        self.subchannel.target().text()
    }

    /// Waits for a connection, and connects if there is none.
    ///
    /// # Errors
    ///
    /// UNAVAILABLE when the attempt failed.
    pub async fn ready(&self) -> Result<(), Status> {
        self.subchannel.link().await.map(|_| ())
    }

    /// Returns the time without data after which the next connection of this channel sends a
    /// keepalive PING: [`Config::keepalive_time`], doubled each time that a server answered
    /// `too_many_pings`.
    pub fn keepalive_time(&self) -> Duration {
        self.subchannel.keepalive_time()
    }

    /// Calls a method with one request and one response. Dropping the future cancels the call.
    ///
    /// # Errors
    ///
    /// The status that the call ended with; [`Status::head`] has the metadata of the response head.
    pub async fn unary<Q, R>(
        &self,
        method: Method<Q, R>,
        request: Request<Q>,
    ) -> Result<Response<R>, Status>
    where
        Q: Message,
        R: Message + Default + 'static,
    {
        if let Around::Interceptors(all) = &self.around {
            return Box::pin(self.intercepted_unary(all, method, request)).await;
        }
        let (message, parts) = request.into_parts();
        let outgoing = self.outgoing(method.path(), parts)?;
        outgoing.framing.measure(&message)?;
        let mut retried = false;
        loop {
            let slot = Rc::new(Slot::<R>::default());
            let begin = |session: &mut Session, stream: StreamKey| {
                let call = Call {
                    id: stream.id,
                    deadline: outgoing.deadline,
                    foreign: None,
                    shape: Shape::Unary(Unary::new(slot.clone())),
                };
                session.put_call(stream, call);
                let wire = session.send_message(stream, &message, outgoing.framing);
                (stream, wire)
            };
            let (link, (stream, wire)) = self.open(&outgoing, begin).await?;
            if let Around::Call(watch) = &self.around {
                tell_sent(watch, &link, &message, wire);
            }
            let waiting = Waiting::new(Rc::clone(&slot), Rc::clone(link.bell()), stream);
            drop(link);
            match waiting.await {
                Err(failure) if failure.unprocessed && !retried => retried = true,
                outcome => {
                    if let Around::Call(watch) = &self.around
                        && outcome.is_ok()
                    {
                        watch.received(slot.size());
                    }
                    return outcome.map_err(|failure| failure.status);
                }
            }
        }
    }

    /// Calls a method with one request and a stream of responses, and waits for the response head.
    /// Dropping the future, or the stream before its end, cancels the call.
    ///
    /// # Errors
    ///
    /// The status that the call ended with, if it ended before any response.
    pub async fn server_streaming<Q, R>(
        &self,
        method: Method<Q, R>,
        request: Request<Q>,
    ) -> Result<Response<Streaming<R>>, Status>
    where
        Q: Message,
        R: Message + Default,
    {
        if let Around::Interceptors(all) = &self.around {
            return Box::pin(self.intercepted_server_streaming(all, method, request)).await;
        }
        let (message, parts) = request.into_parts();
        let outgoing = self.outgoing(method.path(), parts)?;
        outgoing.framing.measure(&message)?;
        let mut retried = false;
        loop {
            let begin = |session: &mut Session, stream: StreamKey| {
                let pipe = session.pipe(stream, outgoing.framing);
                let responses = pipe.streaming::<R>();
                let unprocessed = session.put_streamed(stream, outgoing.deadline, pipe);
                let wire = session.send_message(stream, &message, outgoing.framing);
                (responses, unprocessed, wire)
            };
            let (link, (mut responses, unprocessed, wire)) = self.open(&outgoing, begin).await?;
            if let Around::Call(watch) = &self.around {
                tell_sent(watch, &link, &message, wire);
            }
            drop(link);
            match responses.wait_for_head().await {
                Ok(()) => return Ok(with_metadata(responses)),
                Err(_) if unprocessed.get() && !retried => retried = true,
                Err(status) => return Err(status),
            }
        }
    }

    /// Calls a method with a stream of requests and one response. `request` carries metadata and
    /// timeout.
    ///
    /// # Errors
    ///
    /// UNAVAILABLE or DEADLINE_EXCEEDED when the call could not be started.
    pub async fn client_streaming<Q, R>(
        &self,
        method: Method<Q, R>,
        request: Request<()>,
    ) -> Result<ClientStreaming<Q, R>, Status> {
        let (requests, response) = self.start(method, request).await?;
        Ok(ClientStreaming::new(requests, response))
    }

    /// Calls a method with streams in both directions; returns without waiting for the server.
    /// Dropping the sender ends the requests. Dropping the stream before its end cancels the call.
    ///
    /// # Errors
    ///
    /// UNAVAILABLE or DEADLINE_EXCEEDED when the call could not be started.
    pub async fn bidi_streaming<Q, R>(
        &self,
        method: Method<Q, R>,
        request: Request<()>,
    ) -> Result<(Sender<Q>, Streaming<R>), Status> {
        self.start(method, request).await
    }

    pub(crate) async fn start<Q, R>(
        &self,
        method: Method<Q, R>,
        request: Request<()>,
    ) -> Result<(Sender<Q>, Streaming<R>), Status> {
        if let Around::Interceptors(all) = &self.around {
            return Box::pin(self.intercepted_start(all, method, request)).await;
        }
        let outgoing = self.outgoing(method.path(), request.into_parts().1)?;
        let begin = |session: &mut Session, stream: StreamKey| {
            let pipe = session.pipe(stream, outgoing.framing);
            let ends = (pipe.sender::<Q>(), pipe.streaming::<R>());
            session.put_streamed(stream, outgoing.deadline, pipe);
            ends
        };
        let (link, ends) = self.open(&outgoing, begin).await?;
        if let Around::Call(watch) = &self.around {
            watch.opened(link.session().peer());
        }
        Ok(ends)
    }

    fn outgoing(&self, path: &'static str, parts: RequestParts) -> Result<Outgoing, Status> {
        Outgoing::new(path, parts, self.subchannel.config())
    }

    /// Opens a stream on a connection that accepts calls, and passes it to `begin`.
    async fn open<T>(
        &self,
        outgoing: &Outgoing,
        mut begin: impl FnMut(&mut Session, StreamKey) -> T,
    ) -> Result<(Rc<Link>, T), Status> {
        within(outgoing.deadline, async {
            for _ in 0..OPEN_TRIES_MAX {
                let link = self.subchannel.link().await?;
                match link.open(outgoing, &mut begin).await {
                    Ok(begun) => return Ok((link, begun)),
                    Err(Unopened::Gone) => {}
                    Err(Unopened::Refused(status)) => return Err(status),
                }
            }
            let target = self.subchannel.target().text();
            let text = format!("every connection to {target} closes ahead of its first call");
            Err(Status::unavailable(text))
        })
        .await
    }
}

impl std::fmt::Debug for Channel {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let target = self.subchannel.target().text();
        f.debug_struct("Channel").field("target", target).finish()
    }
}

/// Reports the sent request, `wire` bytes of it, to the observers of a call.
fn tell_sent<Q: Message>(watch: &Watch, link: &Link, message: &Q, wire: usize) {
    let is_first = watch.opened(link.session().peer());
    if is_first {
        let plain = message.encoded_len();
        watch.sent(MessageBytes { plain, wire });
    }
}

/// Returns a stream of responses with the metadata of its head.
pub(crate) fn with_metadata<R>(responses: Streaming<R>) -> Response<Streaming<R>> {
    let metadata = responses.metadata().clone();
    let mut response = Response::new(responses);
    if !metadata.is_empty() {
        *response.metadata_mut() = metadata;
    }
    response
}
