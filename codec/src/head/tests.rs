//! Tests of heads: requests that a server refuses, and responses that a client reads.

use super::*;
use crate::Code;

const CALL: [(&str, &str); 5] = [
    (":method", "POST"),
    (":scheme", "http"),
    (":path", "/s/m"),
    (":authority", "example:1"),
    ("content-type", "application/grpc"),
];

fn bytes<'a>(fields: &'a [(&'a str, &'a str)]) -> impl Iterator<Item = Field<'a>> + Clone {
    fields
        .iter()
        .map(|(name, value)| (name.as_bytes(), value.as_bytes()))
}

/// Parses the call above with `changes`: a field with an existing name replaces it, an empty value
/// removes it.
fn request(changes: &[(&str, &str)]) -> Result<(String, RequestHead), HeadError> {
    let mut fields: Vec<_> = CALL
        .into_iter()
        .filter(|(name, _)| changes.iter().all(|(n, _)| n != name))
        .collect();
    fields.extend(changes.iter().filter(|(_, value)| !value.is_empty()));
    let mut head = RequestHead::default();
    let path = parse_request(bytes(&fields), &mut head)?;
    Ok((String::from_utf8_lossy(path).into_owned(), head))
}

#[test]
fn a_plain_call_is_read() {
    let (path, head) = request(&[
        ("te", "trailers"),
        ("user-agent", "grpc-go/1"),
        ("grpc-timeout", "2S"),
        ("grpc-encoding", "identity"),
        ("grpc-accept-encoding", "identity,gzip"),
        ("x-a", "1"),
        ("content-length", "7"),
    ])
    .unwrap();
    assert_eq!(path, "/s/m");
    assert_eq!(head.authority, "example:1");
    assert_eq!(head.timeout, Some(Duration::from_secs(2)));
    assert!(head.accept_encodings.contains(Encoding::Gzip));
    let metadata: Vec<_> = head.metadata.iter().collect();
    assert_eq!(metadata, [("user-agent", &b"grpc-go/1"[..]), ("x-a", b"1")]);
}

#[test]
fn a_head_is_reused_and_its_peer_kept() {
    let mut head = RequestHead {
        peer: Some("peer".into()),
        identity: Some(Rc::default()),
        ..RequestHead::default()
    };
    let mut fields = CALL.to_vec();
    fields.extend([("x-a", "1"), ("grpc-timeout", "1S")]);
    parse_request(bytes(&fields), &mut head).unwrap();
    parse_request(bytes(&CALL), &mut head).unwrap();
    assert_eq!(head.metadata.len(), 0);
    assert_eq!((head.timeout, head.authority.as_str()), (None, "example:1"));
    assert_eq!(head.peer.as_deref(), Some("peer"));
    assert_eq!(head.identity, Some(Rc::default()));
    head.clear();
    assert_eq!(head, RequestHead::default());
}

#[test]
fn content_types_are_grpc_or_not() {
    for (value, expected) in [
        ("application/grpc", Ok(ContentType::Grpc)),
        ("application/grpc;charset=utf-8", Ok(ContentType::Grpc)),
        ("application/grpc+", Ok(ContentType::Grpc)),
        ("application/grpc+proto", Ok(ContentType::GrpcProto)),
        ("application/grpc+proto; v=1", Ok(ContentType::GrpcProto)),
        ("Application/gRPC+Proto", Ok(ContentType::GrpcProto)),
        ("application/grpc+json", Err((200, Code::Unimplemented))),
        ("application/grpcfoo", Err((415, Code::Unknown))),
        ("application/grpc-web", Err((415, Code::Unknown))),
        ("application/json", Err((415, Code::Unknown))),
        ("", Err((415, Code::Unknown))),
    ] {
        let foreign = matches!(expected, Err((415, _)));
        assert_eq!(is_grpc(value.as_bytes()), !foreign, "{value:?}");
        let read = request(&[("content-type", value)]);
        let read = read.map(|(_, head)| head.content_type);
        assert_eq!(
            read.map_err(|e| (e.http_status, e.status.code())),
            expected,
            "{value:?}"
        );
    }
}

#[test]
fn refusals_name_what_was_wrong() {
    for (changes, http_status, code, message) in [
        (
            &[(":method", "GET")][..],
            405,
            Code::Internal,
            ":method is \"GET\", not POST",
        ),
        (
            &[("te", "gzip")],
            400,
            Code::Internal,
            "te is \"gzip\", not trailers",
        ),
        (
            &[("grpc-timeout", "1x")],
            400,
            Code::Internal,
            "malformed grpc-timeout: \"1x\"",
        ),
        (
            &[("host", "a"), ("host", "a")],
            400,
            Code::Internal,
            "the request has several host fields",
        ),
        (
            &[(":authority", "a"), (":authority", "b")],
            400,
            Code::Internal,
            "the request has several :authority fields",
        ),
        (
            &[("x-bin", "?")],
            400,
            Code::Internal,
            "failed to set metadata \"x-bin\": the value is not base64",
        ),
        (
            &[(":path", "s/m")],
            200,
            Code::Unimplemented,
            "malformed method path: \"s/m\"",
        ),
        (
            &[("grpc-encoding", "br")],
            200,
            Code::Unimplemented,
            "grpc-encoding \"br\" is not accepted, only identity,gzip,deflate,zstd",
        ),
        (
            &[("grpc-encoding", "x"), ("content-type", "text/plain")],
            415,
            Code::Unknown,
            "content-type is \"text/plain\", not application/grpc",
        ),
    ] {
        let error = request(changes).unwrap_err();
        assert_eq!(error.http_status, http_status);
        assert_eq!(
            (error.status.code(), error.status.message()),
            (code, message)
        );
        assert_eq!(error.http_status_text(), http_status.to_string().as_bytes());
    }
}

#[test]
fn an_encoding_that_is_not_accepted_is_answered_with_those_that_are() {
    let accepted = Encodings::only(Encoding::Gzip);
    let refused = |encoding: &'static [u8]| {
        let fields: [Field<'static>; 4] = [
            (b":method", b"POST"),
            (b":path", b"/s/m"),
            (b"content-type", b"application/grpc"),
            (b"grpc-encoding", encoding),
        ];
        let mut head = RequestHead::default();
        parse_request_in(accepted, fields.into_iter(), &mut head).map(|_| head.encoding)
    };
    assert_eq!(refused(b"gzip"), Ok(Encoding::Gzip));
    assert_eq!(refused(b"identity"), Ok(Encoding::Identity));
    for encoding in [&b"zstd"[..], b"GZIP", b""] {
        let error = refused(encoding).unwrap_err();
        assert_eq!(error.status.code(), Code::Unimplemented);
        let mut scratch = Vec::new();
        let mut fields = error.status.fields(&mut scratch);
        assert!(fields.any(|field| field == (b"grpc-accept-encoding", b"identity,gzip")));
    }
}

#[test]
fn host_stands_in_for_authority() {
    for (changes, authority) in [
        (&[(":authority", ""), ("host", "h")][..], "h"),
        (&[("host", "h")], "example:1"),
        (&[(":authority", "")], ""),
    ] {
        let (_, head) = request(changes).unwrap();
        assert_eq!(head.authority, authority);
        assert!(!head.metadata.contains_key("host"));
    }
}

fn response(fields: &[(&str, &str)], end_stream: bool) -> (Result<ResponseStart, Status>, usize) {
    let mut metadata = MetadataMap::new();
    metadata.append("left", "over").unwrap();
    let start = parse_response(bytes(fields), end_stream, &mut metadata);
    (start, metadata.len())
}

#[test]
fn a_status_counts_in_the_first_block_only_when_it_is_the_last() {
    let fields = [
        (":status", "200"),
        ("content-type", "application/grpc"),
        ("grpc-status", "5"),
        ("grpc-message", "gone"),
        ("x-a", "1"),
    ];
    let (start, metadata) = response(&fields, false);
    assert_eq!(
        (start, metadata),
        (Ok(ResponseStart::Open(Encoding::Identity)), 1)
    );
    let (start, metadata) = response(&fields, true);
    let Ok(ResponseStart::Ended(status)) = start else {
        panic!("{start:?}")
    };
    assert_eq!(
        (status.code(), status.message(), metadata),
        (Code::NotFound, "gone", 0)
    );
    assert_eq!(
        status.metadata().iter().collect::<Vec<_>>(),
        [("x-a", &b"1"[..])]
    );
}

#[test]
fn answers_that_are_not_grpc_are_mapped() {
    for (fields, end_stream, code) in [
        (&[(":status", "503")][..], false, Code::Unavailable),
        (&[(":status", "503")], true, Code::Unavailable),
        (
            &[(":status", "200"), ("content-type", "text/html")],
            false,
            Code::Unknown,
        ),
        (
            &[(":status", "200"), ("content-type", "application/grpc")],
            true,
            Code::Unknown,
        ),
        (
            &[(":status", "404"), ("content-type", "application/grpc")],
            false,
            Code::Unimplemented,
        ),
        (
            &[(":status", "503"), ("grpc-status", "7")],
            true,
            Code::PermissionDenied,
        ),
        (
            &[(":status", "404"), ("grpc-status", "0")],
            true,
            Code::Unimplemented,
        ),
        (
            &[(":status", "200"), ("grpc-status", "0")],
            true,
            Code::Unknown,
        ),
        (
            &[
                (":status", "206"),
                ("content-type", "application/grpc"),
                ("grpc-status", "0"),
            ],
            true,
            Code::Unknown,
        ),
    ] {
        let status = match response(fields, end_stream).0 {
            Ok(ResponseStart::Ended(status)) if end_stream => status,
            Ok(ResponseStart::Foreign(foreign)) if !end_stream => foreign.into_status(None),
            other => panic!("{other:?}"),
        };
        assert_eq!(status.code(), code, "{fields:?}");
    }
}

#[test]
fn content_types_are_read_by_their_grammar() {
    for (content_type, is_one) in [
        ("application/grpc", true),
        ("Application/GRPC", true),
        ("application/grpc+proto", true),
        ("application/grpc;charset=utf-8", true),
        ("application/grpc ;charset=utf-8", true),
        ("application/grpc\t; charset=utf-8", true),
        ("application/grpc+proto ; charset=utf-8", true),
        (" application/grpc ", true),
        ("application/grpc ", true),
        ("application/grpc x", false),
        ("application/grpc +proto", false),
        ("application/grpcfoo", false),
        ("application/grpc-web", false),
        ("application/grp", false),
        ("", false),
    ] {
        assert_eq!(is_grpc(content_type.as_bytes()), is_one, "{content_type:?}");
        let fields = [(":status", "200"), ("content-type", content_type)];
        let start = response(&fields, false).0;
        let is_open = matches!(start, Ok(ResponseStart::Open(_)));
        assert_eq!(is_open, is_one, "{content_type:?}");
    }
}

#[test]
fn a_foreign_head_keeps_its_metadata_whatever_it_is() {
    let fields = [
        (":status", "429"),
        ("retry-after", "3"),
        ("x-bin", "?"),
        ("grpc-status", "0"),
    ];
    let (start, metadata) = response(&fields, false);
    assert!(matches!(start, Ok(ResponseStart::Foreign(_))), "{start:?}");
    assert_eq!(metadata, 1);
}

#[test]
fn malformed_responses_are_internal() {
    let grpc = ("content-type", "application/grpc");
    for fields in [
        &[grpc][..],
        &[(":status", "20"), grpc],
        &[(":status", "2000"), grpc],
        &[(":status", "200"), grpc, ("grpc-encoding", "br")],
        &[(":status", "200"), grpc, ("x-bin", "?")],
    ] {
        assert_eq!(
            response(fields, false).0.unwrap_err().code(),
            Code::Internal,
            "{fields:?}"
        );
    }
}

#[test]
fn what_is_sent_is_what_is_read() {
    let target = Target {
        scheme: "http",
        authority: "h:1",
        path: "/s/m",
    };
    let mut metadata = MetadataMap::new();
    metadata.append("x-a", "1").unwrap();
    let mut head = RequestHead::default();
    let path = parse_request(request_fields(target, Some(b"5m"), &metadata), &mut head).unwrap();
    assert_eq!((path, head.authority.as_str()), (&b"/s/m"[..], "h:1"));
    assert_eq!(head.timeout, Some(Duration::from_millis(5)));
    assert_eq!(head.metadata.get("user-agent"), Some(USER_AGENT));
    assert_eq!(head.metadata.get("x-a"), Some("1"));

    metadata.append("user-agent", "mine").unwrap();
    let agents = request_fields(target, None, &metadata).filter(|(name, _)| name == b"user-agent");
    assert_eq!(
        agents.map(|(_, value)| value).collect::<Vec<_>>(),
        [b"mine"]
    );

    let mut read = MetadataMap::new();
    let start = parse_response(
        response_fields(head.content_type, &metadata),
        false,
        &mut read,
    );
    assert_eq!(start, Ok(ResponseStart::Open(Encoding::Identity)));
    assert_eq!(read, metadata);
}
