//! Channels and the four kinds of calls.

use std::rc::Rc;
use std::time::Duration;

use corespun_codec::{Method, Request, RequestParts, Response, Sender, Status, Streaming};
use corespun_http2::StreamKey;
use prost::Message;

use crate::call::{Call, Shape, Unary};
use crate::client_streaming::ClientStreaming;
use crate::config::Config;
use crate::deadline::within;
use crate::link::Link;
use crate::outgoing::Outgoing;
use crate::secure;
use crate::session::Session;
use crate::slot::{Slot, Waiting};
use crate::subchannel::Subchannel;
use crate::target::Target;

/// How many connections in a row a call may find closing before it has opened its stream.
const OPEN_TRIES_MAX: usize = 5;

/// A server's address and the connection to it, shared by all clones. Belongs to one shard; its
/// connection closes once the last clone is dropped and the calls under way are done.
///
/// When the connection is lost the calls on it fail with UNAVAILABLE, and the next call connects
/// anew. When the server admits no more calls at once, further ones wait in order.
#[derive(Clone)]
pub struct Channel {
    subchannel: Rc<Subchannel>,
}

impl Channel {
    /// Connects to `127.0.0.1:50051`, `localhost:50051`, `http://host:port`, `https://host:port` or
    /// `unix:/path`. With `https` the server's certificate must be by an authority that Mozilla
    /// trusts; see [`Config::tls`] for others.
    ///
    /// # Errors
    /// INVALID_ARGUMENT when the target has another form; UNAVAILABLE naming address and cause
    /// when nobody listens there or does not speak HTTP/2.
    ///
    /// # Panics
    /// Outside a shard.
    pub async fn connect(target: &str) -> Result<Self, Status> {
        let channel = Self::lazy(target)?;
        channel.ready().await?;
        Ok(channel)
    }

    /// A channel that connects when the first call is made.
    ///
    /// # Errors
    /// INVALID_ARGUMENT when the target has a form that [`Channel::connect`] does not list, or does
    /// not go with the settings of TLS.
    pub fn lazy(target: &str) -> Result<Self, Status> {
        Self::lazy_with(target, Config::default())
    }

    /// The same with limits of one's own.
    ///
    /// # Errors
    /// As [`Channel::lazy`].
    pub fn lazy_with(target: &str, config: Config) -> Result<Self, Status> {
        let target = Target::parse(target)?;
        let config = secure::settle(&target, config)?;
        let subchannel = Rc::new(Subchannel::new(target, config));
        Ok(Self { subchannel })
    }

    /// A channel over a connection that is there already.
    pub(crate) fn over(authority: &str, config: &Config, link: Rc<Link>) -> Self {
        let target = Target::named(authority);
        let subchannel = Rc::new(Subchannel::over(target, config.clone(), link));
        Self { subchannel }
    }

    /// Waits for a connection, and makes one if there is none.
    ///
    /// # Errors
    /// UNAVAILABLE when that failed.
    pub async fn ready(&self) -> Result<(), Status> {
        self.subchannel.link().await.map(|_| ())
    }

    /// The silence after which the channel's next connection asks whether its server is still
    /// there: [`Config::keepalive_time`], doubled for each time that a server has complained.
    pub fn keepalive_time(&self) -> Duration {
        self.subchannel.keepalive_time()
    }

    /// Calls a method with one request and one response. Dropping the future cancels the call.
    ///
    /// # Errors
    /// The status that the call ended with.
    pub async fn unary<Q, R>(
        &self,
        method: Method<Q, R>,
        request: Request<Q>,
    ) -> Result<Response<R>, Status>
    where
        Q: Message,
        R: Message + Default + 'static,
    {
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
                session.send_message(stream, &message, outgoing.framing);
                stream
            };
            let (link, stream) = self.open(&outgoing, begin).await?;
            let waiting = Waiting::new(Rc::clone(&slot), Rc::clone(link.bell()), stream);
            drop(link);
            match waiting.await {
                Err(failure) if failure.unprocessed && !retried => retried = true,
                outcome => return outcome.map_err(|failure| failure.status),
            }
        }
    }

    /// Calls a method with one request and any number of responses, and waits for the head of
    /// the response. Dropping the future, or the stream before its end, cancels the call.
    ///
    /// # Errors
    /// The status that the call ended with, if it ended ahead of any response.
    pub async fn server_streaming<Q, R>(
        &self,
        method: Method<Q, R>,
        request: Request<Q>,
    ) -> Result<Response<Streaming<R>>, Status>
    where
        Q: Message,
        R: Message + Default,
    {
        let (message, parts) = request.into_parts();
        let outgoing = self.outgoing(method.path(), parts)?;
        outgoing.framing.measure(&message)?;
        let mut retried = false;
        loop {
            let begin = |session: &mut Session, stream: StreamKey| {
                let pipe = session.pipe(stream, outgoing.framing);
                let responses = pipe.streaming::<R>();
                let unprocessed = session.put_streamed(stream, outgoing.deadline, pipe);
                session.send_message(stream, &message, outgoing.framing);
                (responses, unprocessed)
            };
            let (_, (mut responses, unprocessed)) = self.open(&outgoing, begin).await?;
            match responses.wait_for_head().await {
                Ok(()) => return Ok(with_metadata(responses)),
                Err(_) if unprocessed.get() && !retried => retried = true,
                Err(status) => return Err(status),
            }
        }
    }

    /// Calls a method with any number of requests and one response. `request` carries metadata
    /// and timeout.
    ///
    /// # Errors
    /// UNAVAILABLE or DEADLINE_EXCEEDED when the call could not be started.
    pub async fn client_streaming<Q, R>(
        &self,
        method: Method<Q, R>,
        request: Request<()>,
    ) -> Result<ClientStreaming<Q, R>, Status> {
        let (requests, response) = self.start(method, request).await?;
        Ok(ClientStreaming::new(requests, response))
    }

    /// Calls a method with any number of messages both ways; returns without waiting for the
    /// server. Requests end when the sender is dropped; dropping the stream before its end
    /// cancels the call.
    ///
    /// # Errors
    /// UNAVAILABLE or DEADLINE_EXCEEDED when the call could not be started.
    pub async fn bidi_streaming<Q, R>(
        &self,
        method: Method<Q, R>,
        request: Request<()>,
    ) -> Result<(Sender<Q>, Streaming<R>), Status> {
        self.start(method, request).await
    }

    async fn start<Q, R>(
        &self,
        method: Method<Q, R>,
        request: Request<()>,
    ) -> Result<(Sender<Q>, Streaming<R>), Status> {
        let outgoing = self.outgoing(method.path(), request.into_parts().1)?;
        let begin = |session: &mut Session, stream: StreamKey| {
            let pipe = session.pipe(stream, outgoing.framing);
            let ends = (pipe.sender::<Q>(), pipe.streaming::<R>());
            session.put_streamed(stream, outgoing.deadline, pipe);
            ends
        };
        let (_, ends) = self.open(&outgoing, begin).await?;
        Ok(ends)
    }

    fn outgoing(&self, path: &'static str, parts: RequestParts) -> Result<Outgoing, Status> {
        Outgoing::new(path, parts, self.subchannel.config())
    }

    /// Opens a stream on a connection that takes calls, and hands it to `begin`.
    async fn open<T>(
        &self,
        outgoing: &Outgoing,
        mut begin: impl FnMut(&mut Session, StreamKey) -> T,
    ) -> Result<(Rc<Link>, T), Status> {
        within(outgoing.deadline, async {
            for _ in 0..OPEN_TRIES_MAX {
                let link = self.subchannel.link().await?;
                if let Ok(begun) = link.open(outgoing, &mut begin).await {
                    return Ok((link, begun));
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

/// A stream whose head has come, with the head's metadata beside it.
fn with_metadata<R>(responses: Streaming<R>) -> Response<Streaming<R>> {
    let metadata = responses.metadata().clone();
    let mut response = Response::new(responses);
    if !metadata.is_empty() {
        *response.metadata_mut() = metadata;
    }
    response
}
