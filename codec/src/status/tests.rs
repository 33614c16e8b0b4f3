//! Tests of status: to trailers, from trailers, and the tables for HTTP status and RST_STREAM.

use super::*;
use crate::generator::Generator;

type Pairs = Vec<(Vec<u8>, Vec<u8>)>;

fn written(status: &Status) -> Pairs {
    let mut scratch = b"left over".to_vec();
    status
        .fields(&mut scratch)
        .map(|(name, value)| (name.to_vec(), value.to_vec()))
        .collect()
}

fn read(fields: &[(&str, &str)]) -> Status {
    Status::from_trailers(
        fields
            .iter()
            .map(|(name, value)| (name.as_bytes(), value.as_bytes())),
    )
}

#[test]
fn a_status_is_small_and_crosses_threads() {
    fn crosses<T: Send + Sync>() {}
    crosses::<Status>();
    assert!(size_of::<Status>() <= 40);
}

#[test]
fn ok_is_one_field() {
    assert_eq!(
        written(&Status::ok("")),
        [(b"grpc-status".to_vec(), b"0".to_vec())]
    );
}

#[test]
fn message_details_and_metadata_follow_in_order() {
    let mut status = Status::with_details(Code::NotFound, "no user ☺", vec![8, 5]);
    status.metadata_mut().append("x-shard", "3").unwrap();
    status
        .metadata_mut()
        .append_bin("x-key-bin", &[0, 255])
        .unwrap();
    let text: Vec<_> = written(&status)
        .iter()
        .map(|(name, value)| {
            format!(
                "{}: {}",
                String::from_utf8_lossy(name),
                String::from_utf8_lossy(value)
            )
        })
        .collect();
    assert_eq!(
        text,
        [
            "grpc-status: 5",
            "grpc-message: no user %E2%98%BA",
            "grpc-status-details-bin: CAU",
            "x-shard: 3",
            "x-key-bin: AP8",
        ]
    );
}

#[test]
fn what_is_written_reads_back() {
    let mut random = Generator::new(5);
    for _ in 0..1_000 {
        let code = Code::from_i32(random.below(17) as i32);
        let mut status = Status::with_details(code, random.text(20), random.bytes(20, b""));
        for _ in 0..random.below(3) {
            let value = random.bytes(9, b"");
            status
                .metadata_mut()
                .append_bin("x-any-bin", &value)
                .unwrap();
        }
        let fields = written(&status);
        let read = Status::from_trailers(fields.iter().map(|(n, v)| (&n[..], &v[..])));
        assert_eq!(read.code(), status.code());
        assert_eq!(read.message(), status.message());
        assert_eq!(read.details(), status.details());
        assert_eq!(read.metadata(), status.metadata());
    }
}

#[test]
fn missing_and_malformed_codes_are_unknown() {
    for (fields, message) in [
        (&[][..], "the server ended the call without grpc-status"),
        (
            &[("x", "y")],
            "the server ended the call without grpc-status",
        ),
        (&[("grpc-status", "")], "malformed grpc-status: \"\""),
        (&[("grpc-status", "00")], "malformed grpc-status: \"00\""),
        (
            &[("grpc-status", "five")],
            "malformed grpc-status: \"five\"",
        ),
        (&[("grpc-status", "17")], "undefined grpc-status: \"17\""),
        (&[("grpc-status", "99"), ("grpc-message", "own")], "own"),
        (&[("grpc-status", "-1")], "malformed grpc-status: \"-1\""),
        (
            &[("grpc-status", "0, 0")],
            "malformed grpc-status: \"0, 0\"",
        ),
        (&[("grpc-status", "2")], ""),
        (
            &[("grpc-status", "0"), ("grpc-status", "13")],
            "two values of grpc-status: \"0\" and \"13\"",
        ),
        (&[("grpc-message", "lost")], "lost"),
    ] {
        let status = read(fields);
        assert_eq!(
            (status.code(), status.message()),
            (Code::Unknown, message),
            "{fields:?}"
        );
    }
}

#[test]
fn a_code_may_come_twice_or_with_blanks_around_it() {
    for (fields, code) in [
        (&[("grpc-status", "0"), ("grpc-status", "0")][..], Code::Ok),
        (
            &[("grpc-status", "5"), ("grpc-status", "5")],
            Code::NotFound,
        ),
        (&[("grpc-status", "5 ")], Code::NotFound),
        (&[("grpc-status", "\t0")], Code::Ok),
    ] {
        let status = read(fields);
        assert_eq!((status.code(), status.message()), (code, ""), "{fields:?}");
    }
}

#[test]
fn the_head_of_a_failed_call_is_kept_and_not_sent() {
    let mut status = Status::not_found("");
    assert!(status.head().is_empty());
    let plain = status.clone();
    status.set_head(MetadataMap::new());
    assert_eq!(status, plain);
    let mut head = MetadataMap::new();
    head.append("x-a", "1").unwrap();
    status.set_head(head);
    assert_eq!(status.head().get("x-a"), Some("1"));
    assert!(format!("{status:?}").contains("head"), "{status:?}");
    assert_eq!(written(&status), written(&plain));
    assert!(status.into_metadata().is_empty());
}

#[test]
fn broken_base64_does_not_lose_the_status() {
    let status = read(&[
        ("grpc-status-details-bin", "?"),
        ("x-a-bin", "?"),
        ("x-b", "kept"),
        ("grpc-status", "9"),
    ]);
    assert_eq!(status.code(), Code::FailedPrecondition);
    assert_eq!(status.details(), b"");
    assert_eq!(
        status.metadata().iter().collect::<Vec<_>>(),
        [("x-b", &b"kept"[..])]
    );
}

#[test]
fn resets_map_as_the_table_says() {
    for (error_code, code) in [
        (0x0, Code::Internal),
        (0x1, Code::Internal),
        (0x2, Code::Internal),
        (0x3, Code::Internal),
        (0x4, Code::Internal),
        (0x5, Code::Unknown),
        (0x6, Code::Internal),
        (0x7, Code::Unavailable),
        (0x8, Code::Cancelled),
        (0x9, Code::Internal),
        (0xa, Code::Internal),
        (0xb, Code::ResourceExhausted),
        (0xc, Code::PermissionDenied),
        (0xd, Code::Unknown),
        (0xffff, Code::Unknown),
    ] {
        assert_eq!(
            Status::from_reset(error_code).code(),
            code,
            "{error_code:#x}"
        );
    }
    let text = Status::from_reset(8).to_string();
    assert_eq!(
        text,
        "CANCELLED: the peer reset the stream with CANCEL (0x8)"
    );
}

#[test]
fn display_and_debug_name_code_and_message() {
    assert_eq!(
        Status::not_found("no user 7").to_string(),
        "NOT_FOUND: no user 7"
    );
    assert_eq!(
        Status::aborted("").to_string(),
        "ABORTED: the call was aborted"
    );
    let shown = format!("{:?}", Status::internal("x"));
    assert_eq!(shown, "Status { code: Internal, message: \"x\" }");
}
