//! A response message with its metadata and trailers.

use crate::{Encoding, MetadataMap};

/// A response: the message, the metadata ahead of it and the trailers behind it.
///
/// ```
/// # use corespun_codec::{MetadataError, Response};
/// let mut response = Response::new("pong");
/// response.trailers_mut().append("x-rows", "1")?;
/// assert_eq!(response.get_ref(), &"pong");
/// # Ok::<(), MetadataError>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Response<T> {
    message: T,
    // Boxed because most responses have neither, and every one is moved several times.
    parts: Option<Box<ResponseParts>>,
}

/// Parts of a [`Response`] other than its message.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ResponseParts {
    /// Metadata sent before the message.
    pub metadata: MetadataMap,
    /// Trailing metadata, sent after the message together with the status.
    pub trailers: MetadataMap,
    /// Encoding in which the message is compressed; `None` for the server's default.
    pub encoding: Option<Encoding>,
}

impl<T> Response<T> {
    /// Creates a response without metadata.
    pub fn new(message: T) -> Self {
        Self {
            message,
            parts: None,
        }
    }

    /// Creates a response from its parts; `None` stands for no metadata.
    pub fn from_parts(message: T, parts: Option<Box<ResponseParts>>) -> Self {
        Self { message, parts }
    }

    /// Returns the message and the other parts; `None` if there is no metadata.
    pub fn into_parts(self) -> (T, Option<Box<ResponseParts>>) {
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
    pub fn map<U>(self, change: impl FnOnce(T) -> U) -> Response<U> {
        Response {
            message: change(self.message),
            parts: self.parts,
        }
    }

    /// Returns the metadata sent before the message.
    pub fn metadata(&self) -> &MetadataMap {
        self.parts
            .as_ref()
            .map_or(MetadataMap::EMPTY, |parts| &parts.metadata)
    }

    /// Returns the metadata sent before the message, for changing it.
    pub fn metadata_mut(&mut self) -> &mut MetadataMap {
        &mut self.parts.get_or_insert_default().metadata
    }

    /// Returns the trailing metadata, sent after the message together with the status. On a client
    /// it is there for a unary or client-streaming call; for other calls use
    /// [`Streaming::trailers`](crate::Streaming::trailers).
    pub fn trailers(&self) -> &MetadataMap {
        self.parts
            .as_ref()
            .map_or(MetadataMap::EMPTY, |parts| &parts.trailers)
    }

    /// Sets the encoding in which the message is compressed, if the caller accepts it.
    /// [`Encoding::Identity`] sends it uncompressed whatever the server's settings are; use that
    /// for a reply that has a secret next to text of the caller's choice.
    pub fn set_encoding(&mut self, encoding: Encoding) {
        self.parts.get_or_insert_default().encoding = Some(encoding);
    }

    /// Returns the encoding set by [`Response::set_encoding`].
    pub fn encoding(&self) -> Option<Encoding> {
        self.parts.as_ref().and_then(|parts| parts.encoding)
    }

    /// Returns the trailing metadata for changing it.
    pub fn trailers_mut(&mut self) -> &mut MetadataMap {
        &mut self.parts.get_or_insert_default().trailers
    }
}

impl<T> From<T> for Response<T> {
    fn from(message: T) -> Self {
        Self::new(message)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn metadata_and_trailers_are_apart() {
        let mut response = Response::from("x");
        assert_eq!(response.metadata(), MetadataMap::EMPTY);
        response.metadata_mut().append("a", "1").unwrap();
        response.trailers_mut().append("b", "2").unwrap();
        *response.get_mut() = "yy";
        let response = response.map(str::len);
        assert_eq!(response.metadata().get("a"), Some("1"));
        assert_eq!(response.trailers().get("b"), Some("2"));
        let (message, parts) = response.clone().into_parts();
        assert_eq!(Response::from_parts(message, parts), response);
        assert_eq!((response.get_ref(), response.clone().into_inner()), (&2, 2));
    }
}
