//! Size check of reply header lists against the client's limit, so that metadata is never dropped
//! silently.

use corespun_codec::head::{self, list_bytes};
use corespun_codec::{ListRoom, MetadataMap, ResponseParts, Status};

use super::Reply;

/// `grpc-status` field of a successful call.
const OK: (&[u8], &[u8]) = (b"grpc-status", b"0");

impl Reply<'_> {
    /// Checks that the client accepts the metadata before and after a message, before any of it is
    /// sent.
    ///
    /// # Errors
    ///
    /// As [`Reply::check_head`] and [`Reply::check_trailers`].
    pub(super) fn check_parts(&self, parts: &ResponseParts) -> Result<(), Status> {
        self.check_head(&parts.metadata)?;
        self.check_trailers(&parts.trailers)
    }

    /// Checks that the client accepts a head with this metadata.
    ///
    /// # Errors
    ///
    /// RESOURCE_EXHAUSTED with both sizes.
    pub(crate) fn check_head(&self, metadata: &MetadataMap) -> Result<(), Status> {
        let limit = self.http2.peer_header_list_bytes_max();
        if metadata.is_empty() {
            return Ok(());
        }
        match metadata.list_bytes() + self.start_bytes() {
            bytes if bytes <= limit => Ok(()),
            bytes => Err(too_large("head", bytes, limit)),
        }
    }

    /// Checks that the client accepts these trailers after an OK. gRPC-Web sends them in the body,
    /// where they have no limit.
    ///
    /// # Errors
    ///
    /// RESOURCE_EXHAUSTED with both sizes.
    pub(super) fn check_trailers(&self, metadata: &MetadataMap) -> Result<(), Status> {
        if metadata.is_empty() || self.form.web.is_some() {
            return Ok(());
        }
        let limit = self.http2.peer_header_list_bytes_max();
        match metadata.list_bytes() + list_bytes([OK].into_iter()) {
            bytes if bytes <= limit => Ok(()),
            bytes => Err(too_large("trailers", bytes, limit)),
        }
    }

    /// Returns the space left by the client's limit for a list of which other fields take `used`
    /// bytes.
    pub(crate) fn room(&self, used: usize) -> ListRoom {
        ListRoom {
            limit: self.http2.peer_header_list_bytes_max(),
            used,
        }
    }

    /// Returns the size of the fields that every head starts with.
    pub(super) fn start_bytes(&self) -> usize {
        let content_type = self.form.content_type;
        list_bytes(head::response_fields(content_type, MetadataMap::EMPTY))
    }
}

#[cold]
fn too_large(what: &str, bytes: usize, limit: usize) -> Status {
    Status::resource_exhausted(format!(
        "the response's {what} would be a header list of {bytes} bytes, over the caller's limit of \
         {limit} (SETTINGS_MAX_HEADER_LIST_SIZE)"
    ))
}
