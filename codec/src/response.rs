//! A message on its way out: with its metadata and trailers.

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

/// All of a [`Response`] but its message.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ResponseParts {
    /// What goes ahead of the message.
    pub metadata: MetadataMap,
    /// What goes behind it, beside the status.
    pub trailers: MetadataMap,
    /// What the message is to be compressed as; `None` leaves it to the server's settings.
    pub encoding: Option<Encoding>,
}

impl<T> Response<T> {
    /// A response without metadata.
    pub fn new(message: T) -> Self {
        Self {
            message,
            parts: None,
        }
    }

    /// A response as it was received; `None` stands for no metadata.
    pub fn from_parts(message: T, parts: Option<Box<ResponseParts>>) -> Self {
        Self { message, parts }
    }

    /// The message, and all the rest; `None` when there is no metadata.
    pub fn into_parts(self) -> (T, Option<Box<ResponseParts>>) {
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

    /// The same response with another message.
    pub fn map<U>(self, change: impl FnOnce(T) -> U) -> Response<U> {
        Response {
            message: change(self.message),
            parts: self.parts,
        }
    }

    /// What goes ahead of the message.
    pub fn metadata(&self) -> &MetadataMap {
        self.parts
            .as_ref()
            .map_or(MetadataMap::EMPTY, |parts| &parts.metadata)
    }

    /// What goes ahead of the message, to change it.
    pub fn metadata_mut(&mut self) -> &mut MetadataMap {
        &mut self.parts.get_or_insert_default().metadata
    }

    /// What goes behind the message, beside the status. A client knows it once the call has
    /// ended: of a unary or client-streaming call always, else from the stream.
    pub fn trailers(&self) -> &MetadataMap {
        self.parts
            .as_ref()
            .map_or(MetadataMap::EMPTY, |parts| &parts.trailers)
    }

    /// Compresses the message as `encoding`, if the caller accepts that; [`Encoding::Identity`]
    /// keeps it plain whatever the server's settings are, as a reply should be that has a secret
    /// beside text of the caller's choice.
    pub fn set_encoding(&mut self, encoding: Encoding) {
        self.parts.get_or_insert_default().encoding = Some(encoding);
    }

    /// What [`Response::set_encoding`] has asked for.
    pub fn encoding(&self) -> Option<Encoding> {
        self.parts.as_ref().and_then(|parts| parts.encoding)
    }

    /// What goes behind the message, to change it.
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
