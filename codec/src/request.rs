//! A request message with its head, its deadline, and the extensions that interceptors added.

use crate::{Draining, Encoding, Extensions, MetadataMap, RequestHead};
use std::rc::Rc;
use std::time::Duration;

/// A request: the message with its metadata, timeout and other parts.
///
/// The head is shared: a server keeps the parsed head of a repeated header block and uses it for
/// every call that sends an equal block. So a request belongs to one thread.
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

/// Parts of a [`Request`] other than its message.
#[derive(Debug, Default)]
pub struct RequestParts {
    /// Metadata, timeout, peer; `None` stands for an empty head.
    pub head: Option<Rc<RequestHead>>,
    /// Moment by which the call must have ended, on the clock of the shard; set on servers only.
    pub deadline: Option<Duration>,
    /// Values that interceptors added.
    pub extensions: Extensions,
    /// Encoding in which a client compresses its messages; `None` for the channel's default.
    pub encoding: Option<Encoding>,
    /// True if the message arrived compressed; set on servers only.
    pub compressed: bool,
}

impl<T> Request<T> {
    /// Creates a request without metadata or timeout.
    pub fn new(message: T) -> Self {
        Self {
            message,
            parts: RequestParts::default(),
        }
    }

    /// Creates a request that was received under `head`. `deadline` is counted from the epoch of
    /// the process, as the shard's `now` is.
    pub fn from_parts(message: T, head: Rc<RequestHead>, deadline: Option<Duration>) -> Self {
        let parts = RequestParts {
            head: Some(head),
            deadline,
            ..RequestParts::default()
        };
        Self { message, parts }
    }

    /// Creates a request from a message and the other parts.
    pub fn with_parts(message: T, parts: RequestParts) -> Self {
        Self { message, parts }
    }

    /// Returns the message and the other parts.
    pub fn into_parts(self) -> (T, RequestParts) {
        (self.message, self.parts)
    }

    /// Returns the message alone.
    pub fn into_inner(self) -> T {
        self.message
    }

    /// Returns the message.
    pub fn get_ref(&self) -> &T {
        &self.message
    }

    /// Returns the message for changing it.
    pub fn get_mut(&mut self) -> &mut T {
        &mut self.message
    }

    /// Replaces the message by `change(message)`, and keeps the other parts.
    pub fn map<U>(self, change: impl FnOnce(T) -> U) -> Request<U> {
        Request {
            message: change(self.message),
            parts: self.parts,
        }
    }

    /// Returns the head, if there is one.
    pub fn head(&self) -> Option<&Rc<RequestHead>> {
        self.parts.head.as_ref()
    }

    /// Returns the metadata.
    pub fn metadata(&self) -> &MetadataMap {
        self.head()
            .map_or(MetadataMap::EMPTY, |head| &head.metadata)
    }

    /// Returns the metadata for changing it; a head that is shared is copied first.
    pub fn metadata_mut(&mut self) -> &mut MetadataMap {
        &mut self.head_mut().metadata
    }

    /// Returns the time that the caller allows, counted from the start of the call.
    pub fn timeout(&self) -> Option<Duration> {
        self.head()?.timeout
    }

    /// Sets the time that the call may take, counted from when it is sent.
    pub fn set_timeout(&mut self, timeout: Duration) {
        self.head_mut().timeout = Some(timeout);
    }

    /// Returns the moment by which the call must have ended, since the epoch of the process; `None`
    /// on clients.
    pub fn deadline(&self) -> Option<Duration> {
        self.parts.deadline
    }

    /// Returns the peer's address as text, such as `127.0.0.1:5000` or `unix:/run/users.sock`.
    pub fn peer(&self) -> Option<&str> {
        self.head()?.peer.as_deref()
    }

    /// Sets the encoding in which the client compresses the messages of the call, which the server
    /// may refuse. [`Encoding::Identity`] sends them uncompressed, whatever the channel's settings
    /// are.
    pub fn set_encoding(&mut self, encoding: Encoding) {
        self.parts.encoding = Some(encoding);
    }

    /// Returns `true` if the message arrived compressed; always `false` on clients.
    pub fn is_compressed(&self) -> bool {
        self.parts.compressed
    }

    /// Returns the host that the caller addressed; empty if it sent none.
    pub fn authority(&self) -> &str {
        self.head().map_or("", |head| &head.authority)
    }

    /// Returns a future that is ready once the connection of the request drains, so that a long
    /// call can end by itself (server).
    pub fn draining(&self) -> Draining {
        self.head()
            .map_or_else(Draining::default, |head| head.draining())
    }

    /// Returns the values that interceptors added.
    pub fn extensions(&self) -> &Extensions {
        &self.parts.extensions
    }

    /// Returns the values that interceptors added, for changing them.
    pub fn extensions_mut(&mut self) -> &mut Extensions {
        &mut self.parts.extensions
    }

    fn head_mut(&mut self) -> &mut RequestHead {
        Rc::make_mut(self.parts.head.get_or_insert_default())
    }
}

/// Conversion into a request, which a client's methods accept: a request itself, or a message.
pub trait IntoRequest<T> {
    /// Returns the request.
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
