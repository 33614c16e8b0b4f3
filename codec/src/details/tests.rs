//! Tests of all types of details in both directions, and of details from other peers.

use super::*;

fn full() -> ErrorDetails {
    let mut details = ErrorDetails::new();
    details
        .set_error_info(
            "STOCKOUT",
            "example.com",
            HashMap::from([("zone".to_owned(), "a".to_owned())]),
        )
        .set_retry_info(Duration::from_millis(1500))
        .set_debug_info(vec!["main".to_owned()], "it broke")
        .add_quota_failure_violation("client:1", "10 calls a day")
        .add_quota_failure_violation("client:1", "2 calls an hour")
        .add_precondition_failure_violation("TOS", "example.com/terms", "not accepted")
        .add_bad_request_violation("id", "must be positive")
        .set_request_info("7f", "")
        .set_resource_info(ResourceInfo {
            resource_type: "user".to_owned(),
            resource_name: "users/7".to_owned(),
            ..ResourceInfo::default()
        })
        .add_help_link("Quotas", "https://example.com/quotas")
        .set_localized_message("de", "Zu oft gefragt");
    details.other.push(Any {
        type_url: "example.com/acme.Extra".to_owned(),
        value: vec![1, 2, 3],
    });
    details
}

#[test]
fn details_come_through_trailers() {
    let sent = Status::with_error_details(Code::ResourceExhausted, "naïve", full());
    let mut scratch = Vec::new();
    let received = Status::from_trailers(sent.fields(&mut scratch));
    assert_eq!(received.code(), Code::ResourceExhausted);
    let details = received.error_details();
    assert_eq!(details, full());
    let delay = details.retry_info.and_then(|retry| retry.delay());
    assert_eq!(delay, Some(Duration::from_millis(1500)));
}

/// The wire form equals that of the google.rpc schema, written out by hand.
#[test]
fn the_wire_form_is_that_of_google_rpc() {
    let mut details = ErrorDetails::new();
    details.add_bad_request_violation("id", "no");
    let status = Status::with_error_details(Code::InvalidArgument, "m", details);
    let url = b"type.googleapis.com/google.rpc.BadRequest";
    let violation = [&b"\x0a\x02id\x12\x02no"[..]].concat();
    let bad_request = [&[0x0a, violation.len() as u8][..], &violation].concat();
    let any = [
        &[0x0a, url.len() as u8][..],
        url,
        &[0x12, bad_request.len() as u8],
        &bad_request,
    ]
    .concat();
    let expected = [&b"\x08\x03\x12\x01m\x1a"[..], &[any.len() as u8], &any].concat();
    assert_eq!(status.details(), expected);
}

#[test]
fn what_cannot_be_read_is_kept_apart() {
    assert_eq!(
        Status::aborted("x").error_details(),
        ErrorDetails::default()
    );
    let noise = Status::with_details(Code::Aborted, "x", &b"\xff\xff"[..]);
    assert_eq!(noise.error_details(), ErrorDetails::default());
    let mut details = ErrorDetails::new();
    details.set_retry_info(Duration::MAX);
    let delay = details.retry_info.as_ref().and_then(RetryInfo::delay);
    assert_eq!(delay, None, "longer than the wire form can say");
    let broken = Any {
        type_url: "type.googleapis.com/google.rpc.Help".to_owned(),
        value: vec![0xff],
    };
    let twice = any("RetryInfo", &RetryInfo::default());
    let status = RpcStatus {
        code: 10,
        message: String::new(),
        details: vec![broken.clone(), twice.clone(), twice.clone()],
    };
    let status = Status::with_details(Code::Aborted, "x", status.encode_to_vec());
    let details = status.error_details();
    assert_eq!((details.help, details.other), (None, vec![broken, twice]));
    assert!(details.retry_info.is_some());
}
