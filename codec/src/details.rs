//! Details of a status for programs: the standard types of `google.rpc`, by name.
//!
//! ```
//! use corespun_codec::{Code, Status, details::ErrorDetails};
//!
//! let mut details = ErrorDetails::new();
//! details
//!     .add_bad_request_violation("page_size", "must be 1 to 1000, not 5000")
//!     .add_help_link("Paging", "https://example.com/paging");
//! let status = Status::with_error_details(Code::InvalidArgument, "bad page", details);
//!
//! // At the other end of the call:
//! let wrong = status.error_details().bad_request.unwrap();
//! assert_eq!(wrong.field_violations[0].field, "page_size");
//! ```

mod messages;

pub use messages::{
    BadRequest, DebugInfo, ErrorInfo, FieldViolation, Help, HelpLink, LocalizedMessage,
    PreconditionFailure, PreconditionViolation, QuotaFailure, QuotaViolation, RequestInfo,
    ResourceInfo, RetryInfo,
};

use std::borrow::Cow;
use std::collections::HashMap;
use std::time::Duration;

use prost::Message;
use prost_types::Any;

use crate::{Code, Status};
use messages::RpcStatus;

/// URL prefix before the type's name in an `Any`.
const TYPE_HOST: &str = "type.googleapis.com/";

/// Generates the struct and its conversions from and to a list of `Any`, from one list of the
/// types.
macro_rules! error_details {
    ($($field:ident $Type:ident $doc:literal;)*) => {
        /// Standard error details, at most one of each type, plus details of other types.
        #[derive(Clone, Debug, Default, PartialEq)]
        pub struct ErrorDetails {
            $(#[doc = $doc] pub $field: Option<$Type>,)*
            /// Details of other types, and details that could not be decoded.
            pub other: Vec<Any>,
        }

        impl ErrorDetails {
            fn into_list(self) -> Vec<Any> {
                let mut list = Vec::new();
                $(list.extend(self.$field.map(|detail| any(stringify!($Type), &detail)));)*
                list.extend(self.other);
                list
            }

            /// Adds a detail; the first of each type wins.
            fn accept(&mut self, detail: Any) {
                match detail.type_url.rsplit('/').next() {
                    $(Some(concat!("google.rpc.", stringify!($Type))) if self.$field.is_none() => {
                        match $Type::decode(&*detail.value) {
                            Ok(message) => self.$field = Some(message),
                            Err(_) => self.other.push(detail),
                        }
                    })*
                    _ => self.other.push(detail),
                }
            }
        }
    };
}

error_details! {
    error_info ErrorInfo "Reason that the call failed.";
    retry_info RetryInfo "Delay before the call may be retried.";
    debug_info DebugInfo "Debugging information for developers.";
    quota_failure QuotaFailure "Quotas that are used up.";
    precondition_failure PreconditionFailure "Conditions that do not hold.";
    bad_request BadRequest "Invalid fields of the request.";
    request_info RequestInfo "Identification of the request.";
    resource_info ResourceInfo "Resource that the call failed on.";
    help Help "Links to further information.";
    localized_message LocalizedMessage "Message to show to the user.";
}

fn any(name: &str, message: &impl Message) -> Any {
    Any {
        type_url: format!("{TYPE_HOST}google.rpc.{name}"),
        value: message.encode_to_vec(),
    }
}

impl ErrorDetails {
    /// Returns an empty set of details.
    pub fn new() -> Self {
        Self::default()
    }

    /// Sets the reason that the call failed: a name in `UPPER_SNAKE_CASE` within a domain.
    pub fn set_error_info(
        &mut self,
        reason: impl Into<String>,
        domain: impl Into<String>,
        metadata: HashMap<String, String>,
    ) -> &mut Self {
        self.error_info = Some(ErrorInfo {
            reason: reason.into(),
            domain: domain.into(),
            metadata,
        });
        self
    }

    /// Sets the delay before the call may be retried.
    pub fn set_retry_info(&mut self, delay: Duration) -> &mut Self {
        let retry_delay = prost_types::Duration::try_from(delay).ok();
        self.retry_info = Some(RetryInfo { retry_delay });
        self
    }

    /// Sets debugging information for developers.
    pub fn set_debug_info(
        &mut self,
        stack_entries: Vec<String>,
        detail: impl Into<String>,
    ) -> &mut Self {
        self.debug_info = Some(DebugInfo {
            stack_entries,
            detail: detail.into(),
        });
        self
    }

    /// Adds a quota that is used up: its subject, and a description of the violation.
    pub fn add_quota_failure_violation(
        &mut self,
        subject: impl Into<String>,
        description: impl Into<String>,
    ) -> &mut Self {
        let violation = QuotaViolation {
            subject: subject.into(),
            description: description.into(),
        };
        let failure = self.quota_failure.get_or_insert_default();
        failure.violations.push(violation);
        self
    }

    /// Adds a condition that does not hold.
    pub fn add_precondition_failure_violation(
        &mut self,
        r#type: impl Into<String>,
        subject: impl Into<String>,
        description: impl Into<String>,
    ) -> &mut Self {
        let violation = PreconditionViolation {
            r#type: r#type.into(),
            subject: subject.into(),
            description: description.into(),
        };
        let failure = self.precondition_failure.get_or_insert_default();
        failure.violations.push(violation);
        self
    }

    /// Adds an invalid field of the request, with the reason.
    pub fn add_bad_request_violation(
        &mut self,
        field: impl Into<String>,
        description: impl Into<String>,
    ) -> &mut Self {
        let violation = FieldViolation {
            field: field.into(),
            description: description.into(),
            ..FieldViolation::default()
        };
        let bad = self.bad_request.get_or_insert_default();
        bad.field_violations.push(violation);
        self
    }

    /// Sets the data that identifies the request in a report of the problem.
    pub fn set_request_info(
        &mut self,
        request_id: impl Into<String>,
        serving_data: impl Into<String>,
    ) -> &mut Self {
        self.request_info = Some(RequestInfo {
            request_id: request_id.into(),
            serving_data: serving_data.into(),
        });
        self
    }

    /// Sets the resource that the call failed on.
    pub fn set_resource_info(&mut self, resource: ResourceInfo) -> &mut Self {
        self.resource_info = Some(resource);
        self
    }

    /// Adds a link to further information.
    pub fn add_help_link(
        &mut self,
        description: impl Into<String>,
        url: impl Into<String>,
    ) -> &mut Self {
        let link = HelpLink {
            description: description.into(),
            url: url.into(),
        };
        self.help.get_or_insert_default().links.push(link);
        self
    }

    /// Sets a message to show to the user, in a language such as `en-GB`.
    pub fn set_localized_message(
        &mut self,
        locale: impl Into<String>,
        message: impl Into<String>,
    ) -> &mut Self {
        self.localized_message = Some(LocalizedMessage {
            locale: locale.into(),
            message: message.into(),
        });
        self
    }
}

impl Status {
    /// Creates a status with typed details, which are sent as `grpc-status-details-bin`.
    pub fn with_error_details(
        code: Code,
        message: impl Into<Cow<'static, str>>,
        details: ErrorDetails,
    ) -> Self {
        let message = message.into();
        let encoded = RpcStatus {
            code: code.into(),
            message: message.as_ref().to_owned(),
            details: details.into_list(),
        };
        Self::with_details(code, message, encoded.encode_to_vec())
    }

    /// Returns the typed details; empty if the peer sent none or none that can be decoded.
    pub fn error_details(&self) -> ErrorDetails {
        let mut details = ErrorDetails::new();
        let read = RpcStatus::decode(self.details()).unwrap_or_default();
        read.details
            .into_iter()
            .for_each(|detail| details.accept(detail));
        details
    }
}

#[cfg(test)]
mod tests;
