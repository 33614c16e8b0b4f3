//! Status of a call: a code, a message for people, details for programs, and trailing metadata.

mod fit;

pub use fit::ListRoom;

use crate::base64;
use crate::{Code, MetadataError, MetadataMap, percent};
use bytes::Bytes;
use std::borrow::Cow;
use std::fmt;

/// Status of a call: its code, with an explanation.
///
/// A handler returns `Err(Status::not_found("no user 7"))`, and the client receives an equal value.
/// Code and message are inline; details and metadata, which are rare, share one allocation.
#[derive(Clone, PartialEq, Eq)]
pub struct Status {
    code: Code,
    message: Cow<'static, str>,
    extra: Option<Box<Extra>>,
}

#[derive(Clone, Default, PartialEq, Eq)]
struct Extra {
    details: Bytes,
    metadata: MetadataMap,
    /// Metadata of the response's head. Not sent: a server that passes a status on has a head of
    /// its own.
    head: MetadataMap,
}

macro_rules! constructors {
    ($($name:ident $code:ident $text:literal;)*) => {$(
        #[doc = concat!("Creates a status with [`Code::", stringify!($code), "`]: ", $text, ".")]
        pub fn $name(message: impl Into<Cow<'static, str>>) -> Self {
            Self::new(Code::$code, message)
        }
    )*};
}

impl Status {
    /// Creates a status with `code` and a message for people, which may be empty.
    pub fn new(code: Code, message: impl Into<Cow<'static, str>>) -> Self {
        Self {
            code,
            message: message.into(),
            extra: None,
        }
    }

    /// Creates a status with `details`: a serialised `google.rpc.Status`, sent as
    /// `grpc-status-details-bin`.
    pub fn with_details(
        code: Code,
        message: impl Into<Cow<'static, str>>,
        details: impl Into<Bytes>,
    ) -> Self {
        let mut status = Self::new(code, message);
        status.set_details(details.into());
        status
    }

    constructors! {
        ok Ok "the call succeeded";
        cancelled Cancelled "the call was cancelled";
        unknown Unknown "unknown error";
        invalid_argument InvalidArgument "an argument is wrong, regardless of the state";
        deadline_exceeded DeadlineExceeded "the deadline passed before the call ended";
        not_found NotFound "the requested entity does not exist";
        already_exists AlreadyExists "the entity to be created already exists";
        permission_denied PermissionDenied "the caller lacks the permission";
        resource_exhausted ResourceExhausted "a quota or limit is used up";
        failed_precondition FailedPrecondition "the system is not in the required state";
        aborted Aborted "the call lost a conflict with another";
        out_of_range OutOfRange "the call went past the valid range";
        unimplemented Unimplemented "the method does not exist here";
        internal Internal "an invariant is broken";
        unavailable Unavailable "the service is currently unavailable";
        data_loss DataLoss "data is lost or corrupt";
        unauthenticated Unauthenticated "the caller is not authenticated";
    }

    /// Returns the code.
    pub fn code(&self) -> Code {
        self.code
    }

    /// Returns the message for people; may be empty.
    pub fn message(&self) -> &str {
        &self.message
    }

    /// Returns the details for programs, a serialised `google.rpc.Status`; empty if there are none.
    pub fn details(&self) -> &[u8] {
        self.extra.as_ref().map_or(&[], |extra| &extra.details)
    }

    /// Returns the trailing metadata.
    pub fn metadata(&self) -> &MetadataMap {
        self.extra
            .as_ref()
            .map_or(MetadataMap::EMPTY, |extra| &extra.metadata)
    }

    /// Returns the trailing metadata for changing it.
    pub fn metadata_mut(&mut self) -> &mut MetadataMap {
        &mut self.extra.get_or_insert_default().metadata
    }

    /// Returns the metadata of the response's head, if the head came before the call failed
    /// (client). Empty for a Trailers-Only response, whose fields are all in [`Status::metadata`].
    /// Never sent.
    pub fn head(&self) -> &MetadataMap {
        self.extra
            .as_ref()
            .map_or(MetadataMap::EMPTY, |extra| &extra.head)
    }

    /// Sets the metadata that [`Status::head`] returns.
    pub fn set_head(&mut self, head: MetadataMap) {
        if !head.is_empty() {
            self.extra.get_or_insert_default().head = head;
        }
    }

    /// Takes over details and metadata from `other`.
    pub(crate) fn take_extra(&mut self, other: Self) {
        self.extra = other.extra;
    }

    /// Returns the trailing metadata by value.
    pub fn into_metadata(self) -> MetadataMap {
        self.extra
            .map_or_else(MetadataMap::new, |extra| extra.metadata)
    }

    fn set_details(&mut self, details: Bytes) {
        if !details.is_empty() {
            self.extra.get_or_insert_default().details = details;
        }
    }

    /// Returns the status for the error code of a RST_STREAM that came before any trailers (gRPC
    /// over HTTP/2, "Errors"). A code that HTTP/2 does not define is UNKNOWN.
    pub fn from_reset(error_code: u32) -> Self {
        let (code, name) = match error_code {
            0x0 => (Code::Internal, "NO_ERROR"),
            0x1 => (Code::Internal, "PROTOCOL_ERROR"),
            0x2 => (Code::Internal, "INTERNAL_ERROR"),
            0x3 => (Code::Internal, "FLOW_CONTROL_ERROR"),
            0x4 => (Code::Internal, "SETTINGS_TIMEOUT"),
            0x5 => (Code::Unknown, "STREAM_CLOSED"),
            0x6 => (Code::Internal, "FRAME_SIZE_ERROR"),
            0x7 => (Code::Unavailable, "REFUSED_STREAM"),
            0x8 => (Code::Cancelled, "CANCEL"),
            0x9 => (Code::Internal, "COMPRESSION_ERROR"),
            0xa => (Code::Internal, "CONNECT_ERROR"),
            0xb => (Code::ResourceExhausted, "ENHANCE_YOUR_CALM"),
            0xc => (Code::PermissionDenied, "INADEQUATE_SECURITY"),
            0xd => (Code::Unknown, "HTTP_1_1_REQUIRED"),
            _ => (Code::Unknown, "an unknown error code"),
        };
        Self::new(
            code,
            format!("the peer reset the stream with {name} ({error_code:#x})"),
        )
    }

    /// Reads the status in a list of trailers, with the other fields as its metadata. The code is
    /// UNKNOWN if `grpc-status` is missing, is not a number that gRPC defines, or occurs twice with
    /// different values. Metadata with invalid base64 is left out, so that the status is not lost
    /// over it.
    pub fn from_trailers<'a>(fields: impl Iterator<Item = (&'a [u8], &'a [u8])>) -> Self {
        Self::from_trailers_or(fields, || {
            Self::unknown("the server ended the call without grpc-status")
        })
    }

    /// Reads the status as [`Status::from_trailers`] does, with `missing` for trailers without a
    /// `grpc-status`.
    pub fn from_trailers_or<'a>(
        fields: impl Iterator<Item = (&'a [u8], &'a [u8])>,
        missing: impl FnOnce() -> Self,
    ) -> Self {
        let mut code = None;
        let mut second_code = None;
        let mut message = None;
        let mut details = Bytes::new();
        let mut metadata = MetadataMap::new();
        for (name, value) in fields {
            match name {
                b"grpc-status" if code.is_none_or(|code| code == value) => code = Some(value),
                b"grpc-status" => second_code = Some(value),
                b"grpc-message" => message = Some(percent::decode(value)),
                b"grpc-status-details-bin" => {
                    details = base64::decode(value).unwrap_or_default().into();
                }
                b"grpc-encoding" | b"grpc-accept-encoding" => {}
                _ => drop(metadata.receive(name, value)),
            }
        }
        let mut status = match (code, second_code) {
            (None, _) => missing(),
            (Some(code), None) => Self::parse_code(code),
            (Some(code), Some(second)) => Self::unknown(format!(
                "two values of grpc-status: {} and {}",
                shown(code),
                shown(second)
            )),
        };
        if let Some(message) = message {
            status.message = Cow::Owned(message.into_owned());
        }
        status.set_details(details);
        if !metadata.is_empty() {
            *status.metadata_mut() = metadata;
        }
        status
    }

    fn parse_code(value: &[u8]) -> Self {
        // A proxy may have left a blank at the edge of the value (RFC 9110 section 5.5).
        match Code::parse(value.trim_ascii()) {
            Some(Code::Unknown) if value.trim_ascii() != Code::Unknown.as_bytes() => {
                Self::unknown(format!("undefined grpc-status: {}", shown(value)))
            }
            Some(code) => Self::new(code, ""),
            None => Self::unknown(format!("malformed grpc-status: {}", shown(value))),
        }
    }
}

fn shown(value: &[u8]) -> String {
    format!("{:?}", String::from_utf8_lossy(value))
}

impl fmt::Display for Status {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = if self.message.is_empty() {
            self.code.description()
        } else {
            &self.message
        };
        write!(f, "{}: {text}", self.code)
    }
}

impl fmt::Debug for Status {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut out = f.debug_struct("Status");
        out.field("code", &self.code)
            .field("message", &self.message);
        if let Some(extra) = &self.extra {
            out.field("details", &extra.details)
                .field("metadata", &extra.metadata);
            if !extra.head.is_empty() {
                out.field("head", &extra.head);
            }
        }
        out.finish()
    }
}

impl std::error::Error for Status {}

impl From<MetadataError> for Status {
    fn from(error: MetadataError) -> Self {
        Self::internal(error.to_string())
    }
}

#[cfg(test)]
mod tests;
