//! The messages of `google/rpc/error_details.proto` and `google/rpc/status.proto`.

use std::collections::HashMap;

use prost::Message;
use prost_types::Any;

/// What `grpc-status-details-bin` holds: the status once more, and details of any types.
#[derive(Clone, PartialEq, Message)]
pub(super) struct RpcStatus {
    #[prost(int32, tag = "1")]
    pub(super) code: i32,
    #[prost(string, tag = "2")]
    pub(super) message: String,
    #[prost(message, repeated, tag = "3")]
    pub(super) details: Vec<Any>,
}

/// Why a call failed, for programs: a constant reason within a domain.
#[derive(Clone, PartialEq, Message)]
pub struct ErrorInfo {
    /// The reason in `UPPER_SNAKE_CASE`, unique within the domain.
    #[prost(string, tag = "1")]
    pub reason: String,
    /// Who gives the reason, mostly the name of a service.
    #[prost(string, tag = "2")]
    pub domain: String,
    /// More about this one error.
    #[prost(map = "string, string", tag = "3")]
    pub metadata: HashMap<String, String>,
}

/// When the call may be tried again.
#[derive(Clone, PartialEq, Message)]
pub struct RetryInfo {
    /// The least time to wait; [`RetryInfo::delay`] gives it as a span of std.
    #[prost(message, optional, tag = "1")]
    pub retry_delay: Option<prost_types::Duration>,
}

impl RetryInfo {
    /// The least time to wait; `None` when it is absent or negative.
    pub fn delay(&self) -> Option<std::time::Duration> {
        std::time::Duration::try_from(self.retry_delay?).ok()
    }
}

/// What a developer may want to know; not for strangers.
#[derive(Clone, PartialEq, Message)]
pub struct DebugInfo {
    /// Where it happened, the innermost frame first.
    #[prost(string, repeated, tag = "1")]
    pub stack_entries: Vec<String>,
    /// Anything else.
    #[prost(string, tag = "2")]
    pub detail: String,
}

/// Which quotas are used up.
#[derive(Clone, PartialEq, Message)]
pub struct QuotaFailure {
    /// One for each quota.
    #[prost(message, repeated, tag = "1")]
    pub violations: Vec<QuotaViolation>,
}

/// One quota that is used up.
#[derive(Clone, PartialEq, Message)]
pub struct QuotaViolation {
    /// Whose quota it is.
    #[prost(string, tag = "1")]
    pub subject: String,
    /// What it is, and how it was passed.
    #[prost(string, tag = "2")]
    pub description: String,
}

/// What is not as the call needs it to be.
#[derive(Clone, PartialEq, Message)]
pub struct PreconditionFailure {
    /// One for each condition.
    #[prost(message, repeated, tag = "1")]
    pub violations: Vec<PreconditionViolation>,
}

/// One condition that does not hold.
#[derive(Clone, PartialEq, Message)]
pub struct PreconditionViolation {
    /// A constant of the service, such as `TOS`.
    #[prost(string, tag = "1")]
    pub r#type: String,
    /// What the condition is about.
    #[prost(string, tag = "2")]
    pub subject: String,
    /// What to do about it.
    #[prost(string, tag = "3")]
    pub description: String,
}

/// Which fields of the request are wrong.
#[derive(Clone, PartialEq, Message)]
pub struct BadRequest {
    /// One for each field.
    #[prost(message, repeated, tag = "1")]
    pub field_violations: Vec<FieldViolation>,
}

/// One field of a request that is wrong.
#[derive(Clone, PartialEq, Message)]
pub struct FieldViolation {
    /// The path to the field, such as `user.emails[1].address`.
    #[prost(string, tag = "1")]
    pub field: String,
    /// Why it is wrong.
    #[prost(string, tag = "2")]
    pub description: String,
    /// The same for programs, in `UPPER_SNAKE_CASE`.
    #[prost(string, tag = "3")]
    pub reason: String,
    /// The same for people, in their language.
    #[prost(message, optional, tag = "4")]
    pub localized_message: Option<LocalizedMessage>,
}

/// What to name when asking about this request.
#[derive(Clone, PartialEq, Message)]
pub struct RequestInfo {
    /// An opaque name that the service can find in its logs.
    #[prost(string, tag = "1")]
    pub request_id: String,
    /// What was used to serve it, such as an encrypted stack trace.
    #[prost(string, tag = "2")]
    pub serving_data: String,
}

/// Which resource the call failed on.
#[derive(Clone, PartialEq, Message)]
pub struct ResourceInfo {
    /// What kind of thing it is.
    #[prost(string, tag = "1")]
    pub resource_type: String,
    /// Its name.
    #[prost(string, tag = "2")]
    pub resource_name: String,
    /// Whose it is.
    #[prost(string, tag = "3")]
    pub owner: String,
    /// What went wrong with it.
    #[prost(string, tag = "4")]
    pub description: String,
}

/// Where to read on.
#[derive(Clone, PartialEq, Message)]
pub struct Help {
    /// Where to.
    #[prost(message, repeated, tag = "1")]
    pub links: Vec<HelpLink>,
}

/// One place to read on at.
#[derive(Clone, PartialEq, Message)]
pub struct HelpLink {
    /// What is there.
    #[prost(string, tag = "1")]
    pub description: String,
    /// Where it is.
    #[prost(string, tag = "2")]
    pub url: String,
}

/// A message to show to the user as it is.
#[derive(Clone, PartialEq, Message)]
pub struct LocalizedMessage {
    /// The language, as in RFC 5646: `en-GB`.
    #[prost(string, tag = "1")]
    pub locale: String,
    /// The message in it.
    #[prost(string, tag = "2")]
    pub message: String,
}
