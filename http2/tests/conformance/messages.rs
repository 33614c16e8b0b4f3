//! RFC 9113 §8: heads, trailers, content-length, interim responses.

use corespun_http2::{Config, OpenError};

use crate::end::{End, check, check_client, check_server, fields};
use crate::wire::*;

const RESET: &str = "RST_STREAM 1 PROTOCOL_ERROR";

// spec: RFC9113-8.3.1
#[test]
fn malformed_requests_are_reset() {
    let check = |name: &str, block: Vec<u8>| {
        check_server(name, &[headers(1, 0, block), data(1, 0, b"late")], RESET);
    };
    for missing in &REQUEST[..3] {
        let mut fields = REQUEST.to_vec();
        fields.retain(|field| field != missing);
        check(&format!("without {}", missing.0), block(&fields));
    }
    check("nothing", block(&[]));
    for more in [
        (":method", "GET"),
        (":path", "/"),
        (":status", "200"),
        (":unknown", "x"),
        (":protocol", "websocket"),
        ("Upper", "case"),
        ("connection", "close"),
        ("keep-alive", "1"),
        ("proxy-connection", "close"),
        ("transfer-encoding", "chunked"),
        ("upgrade", "h2c"),
        ("te", "gzip"),
        ("te", "trailers, deflate"),
        ("content-length", "x"),
        ("content-length", "18446744073709551616"),
        ("", "empty name"),
        ("a b", "space"),
        ("a", "line\r\nbreak"),
        ("a", "\0"),
        ("te", "trailers "),
        ("content-length", " 1"),
    ] {
        check(&format!("{more:?}"), request(&[more]));
    }
    check(
        "pseudo after regular",
        block(&[("a", "b"), (":method", "GET"), (":path", "/")]),
    );
    for (at, blank) in [(0, "POST "), (2, " /a"), (3, "example.com\t")] {
        let mut fields = REQUEST;
        fields[at].1 = blank;
        check("a blank in a pseudo field", block(&fields));
    }
    let mut empty_path = REQUEST;
    empty_path[2].1 = "";
    check("an empty path", block(&empty_path));
    check(
        "CONNECT with a path",
        block(&[(":method", "CONNECT"), (":path", "/")]),
    );
    let twice = [("content-length", "1"), ("content-length", "2")];
    check("two lengths", request(&twice));
    let connect = block(&[(":method", "CONNECT"), (":authority", "a:1")]);
    check_server("CONNECT", &[headers(1, 0, connect)], "headers 1");
    check_server(
        "te",
        &[headers(1, 0, request(&[("te", "trailers")]))],
        "headers 1",
    );
}

// spec: RFC9113-8.3.2
#[test]
fn malformed_responses_are_reset() {
    let expected = "reset 1 PROTOCOL_ERROR by us; RST_STREAM 1 PROTOCOL_ERROR";
    for (name, head) in [
        ("nothing", block(&[])),
        ("no status", block(&[("a", "b")])),
        ("two", block(&[(":status", "200"), (":status", "200")])),
        ("a request's", request(&[])),
        ("not a number", block(&[(":status", "2x0")])),
        ("four digits", block(&[(":status", "2000")])),
        ("switching protocols", block(&[(":status", "101")])),
        ("late", block(&[("a", "b"), (":status", "200")])),
        ("connection", response(&[("connection", "close")])),
    ] {
        check_client(name, &[headers(1, END, head)], expected);
    }
    let early = [data(1, 0, b"x")];
    check_client("DATA before the head", &early, expected);
}

// spec: RFC9113-8.1
#[test]
fn trailers() {
    let open = || headers(1, 0, request(&[]));
    let last = |flags, list: &[(&str, &str)]| headers(1, flags, block(list));
    let ok = [open(), data(1, 0, b"x"), last(END, &[("grpc-status", "0")])];
    check_server("after a body", &ok, "headers 1; data 1 x; trailers 1");
    let ok = [open(), last(END, &[])];
    check_server("empty, without a body", &ok, "headers 1; trailers 1");
    let expected = "headers 1; reset 1 PROTOCOL_ERROR by us; RST_STREAM 1 PROTOCOL_ERROR";
    check_server(
        "without END_STREAM",
        &[open(), last(0, &[("a", "b")])],
        expected,
    );
    check_server(
        "with a pseudo field",
        &[open(), last(END, &[(":path", "/")])],
        expected,
    );
    check_server(
        "with connection",
        &[open(), last(END, &[("connection", "x")])],
        expected,
    );
    let head = || headers(1, 0, response(&[]));
    let ok = [head(), data(1, 0, b"x"), last(END, &[("grpc-status", "0")])];
    check_client("client", &ok, "headers 1; data 1 x; trailers 1");
    let expected = "headers 1; reset 1 PROTOCOL_ERROR by us; RST_STREAM 1 PROTOCOL_ERROR";
    check_client("a second head", &[head(), head()], expected);
    check_client(
        "an interim head late",
        &[head(), last(END, &[(":status", "100")])],
        expected,
    );
}

// spec: RFC9113-8.1.1
#[test]
fn content_length() {
    let open = |length| headers(1, 0, request(&[("content-length", length)]));
    let cases = [
        (
            "exact",
            vec![open("3"), data(1, 0, b"ab"), data(1, END, b"c")],
            "data 1 abc end",
        ),
        (
            "exact, trailers",
            vec![open("1"), data(1, 0, b"a"), headers(1, END, [])],
            "data 1 a; trailers 1",
        ),
        ("zero", vec![open("0"), data(1, END, b"")], "data 1  end"),
        (
            "padding is not counted",
            vec![open("1"), padded_data(1, END, b"a", 9)],
            "data 1 a end",
        ),
    ];
    for (name, input, expected) in cases {
        check_server(name, &input, &format!("headers 1; {expected}"));
    }
    let fault = "reset 1 PROTOCOL_ERROR by us; RST_STREAM 1 PROTOCOL_ERROR";
    let over = [
        open("1"),
        data(1, 0, b"a"),
        data(1, 0, b"b"),
        data(1, END, b"c"),
    ];
    check_server("over", &over, &format!("headers 1; data 1 a; {fault}"));
    let under = [open("4"), data(1, 0, b"abc"), data(1, END, b"")];
    check_server("under", &under, &format!("headers 1; data 1 abc; {fault}"));
    let trailers = [open("4"), data(1, 0, b"abc"), headers(1, END, [])];
    check_server(
        "under, trailers",
        &trailers,
        &format!("headers 1; data 1 abc; {fault}"),
    );
    let empty = [headers(1, END, request(&[("content-length", "1")]))];
    check_server("no body", &empty, RESET);
    let none = [headers(1, END, response(&[("content-length", "5")]))];
    check_client("a response to HEAD", &none, "headers 1 end");
    let short = [
        headers(1, 0, response(&[("content-length", "5")])),
        data(1, END, b""),
    ];
    check_client("a short response", &short, &format!("headers 1; {fault}"));
}

/// Blanks at the edges of values come from many callers, and gRPC has receivers take them.
// spec: gRPC over HTTP/2, "Custom-Metadata"
#[test]
fn blanks_at_the_edges_of_values() {
    let more = [("a", " padded\t"), ("b", " ")];
    let mut server = End::server();
    let input = [
        headers(1, 0, request(&more)),
        headers(1, END, block(&[("a", "trailer ")])),
    ];
    assert_eq!(server.feed(&input.concat()), ["headers 1", "trailers 1"]);
    let mut client = End::client(&[true]);
    client.feed(&headers(1, 0, response(&more)));
    let values: Vec<Vec<u8>> = client
        .connection
        .headers()
        .iter()
        .map(|header| header.value.to_vec())
        .collect();
    assert_eq!(values, [&b"200"[..], b" padded\t", b" "], "as they came");
    let trailers = block(&[("grpc-status", "5"), ("grpc-message", "gone ")]);
    assert_eq!(client.feed(&headers(1, END, trailers)), ["trailers 1"]);
}

/// A frame over the content-length is dropped to its end, however it is split.
#[test]
fn a_body_over_its_length_is_credited_back() {
    let mut config = Config::server();
    config.limits.connection_window_bytes = 65_535;
    let mut end = End::ready(config);
    for id in (1..200).step_by(2) {
        let open = headers(id, 0, request(&[("content-length", "1")]));
        let input = [
            open,
            data(id, 0, &[b'x'; 16_384]),
            data(id, END, &[b'x'; 16_384]),
        ]
        .concat();
        for piece in input.chunks(5_000) {
            let said = end.feed(piece);
            assert!(
                said.iter().all(|line| !line.starts_with("error")),
                "{said:?}"
            );
        }
        end.output();
        assert_eq!(end.connection.open_streams(), 0);
    }
}

// spec: RFC9113-8.1
#[test]
fn interim_responses_are_skipped() {
    let interim = |status| headers(1, 0, block(&[(":status", status), ("a", "b")]));
    let input = [
        interim("100"),
        interim("103"),
        interim("103"),
        headers(1, END, response(&[])),
    ];
    check_client("skipped", &input, "headers 1 end");
    let fault = "reset 1 PROTOCOL_ERROR by us; RST_STREAM 1 PROTOCOL_ERROR";
    check_client(
        "never the last",
        &[headers(1, END, block(&[(":status", "100")]))],
        fault,
    );
    check_client("no head yet", &[interim("100"), data(1, 0, b"x")], fault);
}

// spec: RFC9113-5.1.2
#[test]
fn concurrency() {
    let two = || {
        let mut config = Config::server();
        config.limits.concurrent_streams_max = 2;
        End::ready(config)
    };
    let at = |id, flags| headers(id, flags, [request(&[]), inserted("x", "1")].concat());
    let input = [
        at(1, 0),
        at(3, END),
        at(5, 0),
        data(5, END, b"late"),
        data(1, 0, b"x"),
    ];
    let expected = "headers 1; headers 3 end; data 1 x; RST_STREAM 5 REFUSED_STREAM";
    check("one over", two, &input, expected);
    let input = [at(1, 0), at(3, 0), reset(1, 8), at(5, 0)];
    check(
        "room again",
        two,
        &input,
        "headers 1; headers 3; reset 1 CANCEL; headers 5",
    );

    let mut client = End::client(&[]);
    client.feed(&settings(&[(3, 1)]));
    let key = client.open(true);
    assert!(!client.connection.can_open());
    let refused = client.connection.open(fields(&REQUEST), None, true);
    assert_eq!(refused, Err(OpenError::AtPeerLimit));
    client.feed(&headers(1, END, response(&[])));
    assert!(!client.connection.is_open(key));
    assert!(client.connection.can_open());
    client.feed(&settings(&[(3, 0)]));
    assert!(!client.connection.can_open());
}

/// A header list over the soft limit is reported as such; the table stays right.
// spec: RFC9113-10.5.1
#[test]
fn header_lists_over_a_limit() {
    let config = || {
        let mut config = Config::server();
        config.limits.header_list_bytes_soft = 400;
        config.limits.header_list_bytes_hard = 1000;
        config.limits.header_fields_soft = 8;
        config.limits.header_fields_hard = 12;
        config
    };
    let make = || End::ready(config());
    let long = "v".repeat(400);
    let soft = [request(&[("long", &long)]), inserted("x-kept", "1")].concat();
    let next = [request(&[]), indexed(62)].concat();
    let mut end = make();
    assert_eq!(end.feed(&headers(1, END, &soft)), ["headers 1 end"]);
    assert!(end.connection.headers().overflowed());
    assert_eq!(end.feed(&headers(3, END, &next)), ["headers 3 end"]);
    assert!(!end.connection.headers().overflowed());
    assert_eq!(
        end.connection.headers().iter().next_back().map(|h| h.name),
        Some(&b"x-kept"[..])
    );

    let hard = "error ENHANCE_YOUR_CALM; GOAWAY 1 ENHANCE_YOUR_CALM";
    let longer = "v".repeat(900);
    check(
        "bytes",
        make,
        &[headers(1, END, request(&[("long", &longer)]))],
        hard,
    );
    let many = |count| request(&vec![("cookie", "a=b"); count]);
    let mut end = make();
    end.feed(&headers(1, END, many(4)));
    assert!(!end.connection.headers().overflowed());
    end.feed(&headers(3, END, many(5)));
    assert!(end.connection.headers().overflowed());
    check("fields", make, &[headers(1, END, many(9))], hard);
    let bomb = [inserted("b", &"v".repeat(200)), indexed(62).repeat(5)].concat();
    check("a bomb", make, &[headers(1, END, bomb)], hard);
}
