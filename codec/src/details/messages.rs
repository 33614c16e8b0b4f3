//! The messages of `google/rpc/error_details.proto` and `google/rpc/status.proto`.

use std::collections::HashMap;

use prost::Message;
use prost_types::Any;

/// Content of `grpc-status-details-bin`: the status again, with details of any types.
#[derive(Clone, PartialEq, Message)]
pub(super) struct RpcStatus {
    #[prost(int32, tag = "1")]
    pub(super) code: i32,
    #[prost(string, tag = "2")]
    pub(super) message: String,
    #[prost(message, repeated, tag = "3")]
    pub(super) details: Vec<Any>,
}

/// Reason that a call failed, for programs: a constant within a domain.
#[derive(Clone, PartialEq, Message)]
pub struct ErrorInfo {
    /// Reason in `UPPER_SNAKE_CASE`, unique within the domain.
    #[prost(string, tag = "1")]
    pub reason: String,
    /// Source of the reason, mostly the name of a service.
    #[prost(string, tag = "2")]
    pub domain: String,
    /// Additional data about this error.
    #[prost(map = "string, string", tag = "3")]
    pub metadata: HashMap<String, String>,
}

/// Delay before the call may be retried.
#[derive(Clone, PartialEq, Message)]
pub struct RetryInfo {
    /// Minimum time to wait; [`RetryInfo::delay`] returns it as a `Duration` of std.
    #[prost(message, optional, tag = "1")]
    pub retry_delay: Option<prost_types::Duration>,
}

impl RetryInfo {
    /// Returns the minimum time to wait; `None` if it is absent or negative.
    pub fn delay(&self) -> Option<std::time::Duration> {
        std::time::Duration::try_from(self.retry_delay?).ok()
    }
}

/// Debugging information for developers; do not send it to strangers.
#[derive(Clone, PartialEq, Message)]
pub struct DebugInfo {
    /// Stack trace of the error, innermost frame first.
    #[prost(string, repeated, tag = "1")]
    pub stack_entries: Vec<String>,
    /// Additional information.
    #[prost(string, tag = "2")]
    pub detail: String,
}

/// Quotas that are used up.
#[derive(Clone, PartialEq, Message)]
pub struct QuotaFailure {
    /// Violations, one for each quota.
    #[prost(message, repeated, tag = "1")]
    pub violations: Vec<QuotaViolation>,
}

/// One quota that is used up.
#[derive(Clone, PartialEq, Message)]
pub struct QuotaViolation {
    /// Owner of the quota, such as a client or a project.
    #[prost(string, tag = "1")]
    pub subject: String,
    /// Description of the quota and of the violation.
    #[prost(string, tag = "2")]
    pub description: String,
}

/// Conditions that the call requires and that do not hold.
#[derive(Clone, PartialEq, Message)]
pub struct PreconditionFailure {
    /// Violations, one for each condition.
    #[prost(message, repeated, tag = "1")]
    pub violations: Vec<PreconditionViolation>,
}

/// One condition that does not hold.
#[derive(Clone, PartialEq, Message)]
pub struct PreconditionViolation {
    /// Constant of the service, such as `TOS`.
    #[prost(string, tag = "1")]
    pub r#type: String,
    /// Subject of the condition.
    #[prost(string, tag = "2")]
    pub subject: String,
    /// Advice on how to meet the condition.
    #[prost(string, tag = "3")]
    pub description: String,
}

/// Invalid fields of the request.
#[derive(Clone, PartialEq, Message)]
pub struct BadRequest {
    /// Violations, one for each field.
    #[prost(message, repeated, tag = "1")]
    pub field_violations: Vec<FieldViolation>,
}

/// One invalid field of a request.
#[derive(Clone, PartialEq, Message)]
pub struct FieldViolation {
    /// Path to the field, such as `user.emails[1].address`.
    #[prost(string, tag = "1")]
    pub field: String,
    /// Reason that the field is invalid, for people.
    #[prost(string, tag = "2")]
    pub description: String,
    /// Reason that the field is invalid, for programs, in `UPPER_SNAKE_CASE`.
    #[prost(string, tag = "3")]
    pub reason: String,
    /// Reason that the field is invalid, for users, in their language.
    #[prost(message, optional, tag = "4")]
    pub localized_message: Option<LocalizedMessage>,
}

/// Identification of a request in a report of a problem.
#[derive(Clone, PartialEq, Message)]
pub struct RequestInfo {
    /// Opaque name that the service can find in its logs.
    #[prost(string, tag = "1")]
    pub request_id: String,
    /// Data used to serve the request, such as an encrypted stack trace.
    #[prost(string, tag = "2")]
    pub serving_data: String,
}

/// Resource that the call failed on.
#[derive(Clone, PartialEq, Message)]
pub struct ResourceInfo {
    /// Type of the resource.
    #[prost(string, tag = "1")]
    pub resource_type: String,
    /// Name of the resource.
    #[prost(string, tag = "2")]
    pub resource_name: String,
    /// Owner of the resource.
    #[prost(string, tag = "3")]
    pub owner: String,
    /// Description of the error on the resource.
    #[prost(string, tag = "4")]
    pub description: String,
}

/// Links to further information.
#[derive(Clone, PartialEq, Message)]
pub struct Help {
    /// List of links.
    #[prost(message, repeated, tag = "1")]
    pub links: Vec<HelpLink>,
}

/// One link to further information.
#[derive(Clone, PartialEq, Message)]
pub struct HelpLink {
    /// Description of the link's content.
    #[prost(string, tag = "1")]
    pub description: String,
    /// URL of the link.
    #[prost(string, tag = "2")]
    pub url: String,
}

/// Message to show to the user as it is.
#[derive(Clone, PartialEq, Message)]
pub struct LocalizedMessage {
    /// Language as in RFC 5646, such as `en-GB`.
    #[prost(string, tag = "1")]
    pub locale: String,
    /// Text of the message in that language.
    #[prost(string, tag = "2")]
    pub message: String,
}
