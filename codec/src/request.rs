//! A message on its way in: with its head, its deadline and what interceptors added.

use crate::{Draining, Encoding, Extensions, MetadataMap, RequestHead};
use std::rc::Rc;
use std::time::Duration;

/// A request: the message and what came, or is to go, with it.
///
/// The head is shared: a server keeps the parsed head of a repeated header block and lends it to
/// every call that sends the same. So a request belongs to one thread.
///
/// ```
/// # use corespun_codec::{MetadataError, Request};
/// # use std::time::Duration;
/// let mut request = Request::new("ping");
/// request.set_timeout(Duration::from_secs(1));
/// request.metadata_mut().append("x-user", "ada")?;
/// assert_eq!(request.metadata().get("x-user"), Some("ada"));
/// assert_eq!(request.into_inner(), "ping");
/// # Ok::<(), MetadataError>(())
/// ```
#[derive(Debug, Default)]
pub struct Request<T> {
    message: T,
    parts: RequestParts,
}

/// All of a [`Request`] but its message.
#[derive(Debug, Default)]
pub struct RequestParts {
    /// Metadata, timeout, peer; `None` stands for an empty one.
    pub head: Option<Rc<RequestHead>>,
    /// When the call must have ended, on the clock of the shard; known to servers only.
    pub deadline: Option<Duration>,
    /// What interceptors added.
    pub extensions: Extensions,
    /// What a client wants its messages compressed as; `None` leaves it to the channel.
    pub encoding: Option<Encoding>,
    /// The message came compressed; known to servers only.
    pub compressed: bool,
}

impl<T> Request<T> {
    /// A request without metadata and timeout.
    pub fn new(message: T) -> Self {
        Self {
            message,
            parts: RequestParts::default(),
        }
    }

    /// A request that was received under `head`. `deadline` counts from the epoch of the process,
    /// as the shard's `now` does.
    pub fn from_parts(message: T, head: Rc<RequestHead>, deadline: Option<Duration>) -> Self {
        let parts = RequestParts {
            head: Some(head),
            deadline,
            ..RequestParts::default()
        };
        Self { message, parts }
    }

    /// A message and all the rest.
    pub fn with_parts(message: T, parts: RequestParts) -> Self {
        Self { message, parts }
    }

    /// The message, and all the rest.
    pub fn into_parts(self) -> (T, RequestParts) {
        (self.message, self.parts)
    }

    /// The message alone.
    pub fn into_inner(self) -> T {
        self.message
    }

    /// The message.
    pub fn get_ref(&self) -> &T {
        &self.message
    }

    /// The message, to change it.
    pub fn get_mut(&mut self) -> &mut T {
        &mut self.message
    }

    /// The same request with another message.
    pub fn map<U>(self, change: impl FnOnce(T) -> U) -> Request<U> {
        Request {
            message: change(self.message),
            parts: self.parts,
        }
    }

    /// The head, if there is one.
    pub fn head(&self) -> Option<&Rc<RequestHead>> {
        self.parts.head.as_ref()
    }

    /// The metadata.
    pub fn metadata(&self) -> &MetadataMap {
        self.head()
            .map_or(MetadataMap::EMPTY, |head| &head.metadata)
    }

    /// The metadata, to change it; a head that others share is copied first.
    pub fn metadata_mut(&mut self) -> &mut MetadataMap {
        &mut self.head_mut().metadata
    }

    /// The time that the caller grants, counted from the call's start.
    pub fn timeout(&self) -> Option<Duration> {
        self.head()?.timeout
    }

    /// Grants the call `timeout`, from when it is sent.
    pub fn set_timeout(&mut self, timeout: Duration) {
        self.head_mut().timeout = Some(timeout);
    }

    /// When the call must have ended, since the epoch of the process; known to servers only.
    pub fn deadline(&self) -> Option<Duration> {
        self.parts.deadline
    }

    /// The peer's address as text, such as `127.0.0.1:5000` or `unix:/run/users.sock`.
    pub fn peer(&self) -> Option<&str> {
        self.head()?.peer.as_deref()
    }

    /// Compresses the messages of the call as `encoding` on the way to the server, which may
    /// refuse that; [`Encoding::Identity`] keeps them plain whatever the channel's settings are.
    pub fn set_encoding(&mut self, encoding: Encoding) {
        self.parts.encoding = Some(encoding);
    }

    /// Whether the message came compressed; known to servers only.
    pub fn is_compressed(&self) -> bool {
        self.parts.compressed
    }

    /// The host that the caller addressed; empty when it named none.
    pub fn authority(&self) -> &str {
        self.head().map_or("", |head| &head.authority)
    }

    /// Is ready once the connection drains that the request came on, so that a call which lasts can
    /// come to an end of its own (server).
    pub fn draining(&self) -> Draining {
        self.head()
            .map_or_else(Draining::default, |head| head.draining())
    }

    /// What interceptors added.
    pub fn extensions(&self) -> &Extensions {
        &self.parts.extensions
    }

    /// What interceptors added, to change it.
    pub fn extensions_mut(&mut self) -> &mut Extensions {
        &mut self.parts.extensions
    }

    fn head_mut(&mut self) -> &mut RequestHead {
        Rc::make_mut(self.parts.head.get_or_insert_default())
    }
}

/// A request, or a message that becomes one: what a client's methods take.
pub trait IntoRequest<T> {
    /// The request itself.
    fn into_request(self) -> Request<T>;
}

impl<T> IntoRequest<T> for T {
    fn into_request(self) -> Request<T> {
        Request::new(self)
    }
}

impl<T> IntoRequest<T> for Request<T> {
    fn into_request(self) -> Request<T> {
        self
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn taken(request: impl IntoRequest<u32>) -> u32 {
        request.into_request().into_inner()
    }

    #[test]
    fn messages_and_requests_are_taken_alike() {
        assert_eq!((taken(7), taken(Request::new(8))), (7, 8));
        assert_eq!(Request::<()>::default().metadata(), MetadataMap::EMPTY);
    }

    #[test]
    fn a_shared_head_is_copied_before_it_changes() {
        let mut head = RequestHead {
            peer: Some("[::1]:9".into()),
            ..RequestHead::default()
        };
        head.metadata.append("a", "1").unwrap();
        head.timeout = Some(Duration::from_secs(2));
        let head = Rc::new(head);
        let deadline = Some(Duration::from_secs(5));
        let mut request = Request::from_parts("x", Rc::clone(&head), deadline);
        request.metadata_mut().append("b", "2").unwrap();
        request.extensions_mut().insert(3u8);
        let request = request.map(str::len);
        assert_eq!(
            (
                request.get_ref(),
                request.metadata().len(),
                head.metadata.len()
            ),
            (&1, 2, 1)
        );
        assert_eq!(
            (request.timeout(), request.deadline()),
            (head.timeout, deadline)
        );
        assert_eq!((request.peer(), request.authority()), (Some("[::1]:9"), ""));
        assert_eq!(request.extensions().get(), Some(&3u8));
        let (message, parts) = request.into_parts();
        assert_eq!((message, parts.deadline), (1, deadline));
    }
}
