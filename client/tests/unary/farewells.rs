//! Connections that end or never begin: the reasons that calls get.

use corespun_client::{Channel, Config, Connection};
use corespun_codec::{Code, Request, Status};
use corespun_runtime::{Flow, Input, Protocol, SocketHandle, block_on, yield_now};

use super::support::{Pair, framed};
use super::{hello, say};

/// Returns SETTINGS that announce header lists of up to `bytes`.
fn settings(bytes: u32) -> Vec<u8> {
    [&b"\0\0\x06\x04\0\0\0\0\0\0\x06"[..], &bytes.to_be_bytes()].concat()
}

/// Returns GOAWAY with the last stream, a code and debug data.
fn go_away(last: u32, code: u32, debug: &[u8]) -> Vec<u8> {
    let len = 8 + debug.len() as u8;
    let head = [0, 0, len, 7, 0, 0, 0, 0, 0];
    [&head[..], &last.to_be_bytes(), &code.to_be_bytes(), debug].concat()
}

/// Expects a call to fail with UNAVAILABLE and a message that contains `parts`, on a connection
/// that receives `input`, in single bytes and in one piece, and then ends.
fn check(what: &str, input: &[u8], parts: &[&str]) {
    for piece in [1, input.len().max(1)] {
        block_on(async {
            let config = Config::default();
            let (mut client, channel) =
                Connection::pair("test:1", &config, SocketHandle::detached());
            let call = hello(&channel);
            let now = corespun_runtime::now();
            for piece in input.chunks(piece) {
                client.receive(now, Input::Bytes(piece));
                yield_now().await;
                let _ = client.transmit(&mut Vec::new());
            }
            client.receive(now, Input::End);
            assert_eq!(client.transmit(&mut Vec::new()), Flow::Close);
            told(what, call.await.unwrap().unwrap_err(), parts);
            told(what, later(&channel).await, parts);
        })
        .unwrap();
    }
}

async fn later(channel: &Channel) -> Status {
    hello(channel).await.unwrap().unwrap_err()
}

fn told(what: &str, status: Status, parts: &[&str]) {
    assert_eq!(status.code(), Code::Unavailable, "{what}: {status}");
    for part in ["test:1"].iter().chain(parts) {
        assert!(status.message().contains(part), "{what}: {status}");
    }
}

#[test]
fn servers_of_other_protocols_are_named() {
    check(
        "HTTP/1.1",
        b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n",
        &["speaks HTTP/1, not HTTP/2", "began with \"HTTP/1."],
    );
    check(
        "a TLS alert",
        b"\x15\x03\x01\0\x02\x02\x46",
        &["TLS", "\\u{15}\\u{3}"],
    );
    check(
        "another",
        b"220 smtp ready\r\n",
        &["does not speak HTTP/2", "began with \"2"],
    );
    check("silence", b"", &["was lost", "ahead of its SETTINGS"]);
    check(
        "a frame of HTTP/2",
        &go_away(0, 0, b""),
        &["PROTOCOL_ERROR", "not SETTINGS"],
    );
    block_on(async {
        let config = Config::default();
        let (mut client, channel) = Connection::pair("test:1", &config, SocketHandle::detached());
        let page = b"HTTP/1.0 505 HTTP Version Not Supported\r\n\r\n";
        client.receive(corespun_runtime::now(), Input::Bytes(page));
        let line = "\"HTTP/1.0 505 HTTP Version Not Supported\\r\\n\\r\\n\"";
        told("its first line", later(&channel).await, &[line]);
    })
    .unwrap();
}

#[test]
fn the_reason_of_a_goaway_is_passed_on() {
    let open = settings(8192);
    for (debug, shown) in [
        (&b""[..], "ENHANCE_YOUR_CALM (0xb)"),
        (
            b"too_many_pings",
            "ENHANCE_YOUR_CALM (0xb): \"too_many_pings\"",
        ),
        (b"\xff\n", "ENHANCE_YOUR_CALM (0xb): \"\u{fffd}\\n\""),
    ] {
        let unseen = [&open[..], &go_away(0, 11, debug)].concat();
        check("a call that was not seen", &unseen, &[shown]);
        let seen = [&open[..], &go_away(1, 11, debug)].concat();
        check("a call that was", &seen, &[shown]);
    }
    check("no GOAWAY", &open, &["closed or reset it without GOAWAY"]);
}

#[test]
fn limits_that_a_server_breaks_are_named() {
    let mut config = Config::default();
    config.http2.settings_entries_max = 1;
    block_on(async {
        let (mut client, channel) = Connection::pair("test:1", &config, SocketHandle::detached());
        let call = hello(&channel);
        let two = b"\0\0\x0c\x04\0\0\0\0\0\0\x06\0\0\0\0\0\x06\0\0\0\0";
        client.receive(corespun_runtime::now(), Input::Bytes(two));
        let status = call.await.unwrap().unwrap_err();
        told("SETTINGS", status, &["settings_entries_max: 1"]);
    })
    .unwrap();
}

/// A head above the server's limit is not sent, and the connection continues.
#[test]
fn heads_over_the_servers_limit_are_not_sent() {
    block_on(async {
        let (mut pair, channel) = Pair::new(100);
        assert!(pair.settle().await.is_empty());
        let request = |bytes: usize| {
            let mut request = Request::new("hello".to_owned());
            let value = "v".repeat(bytes);
            request.metadata_mut().append("x-a", &value).unwrap();
            request
        };
        let call = say(&channel, request(1));
        let stream = pair.request().await;
        let fields = pair.fields.iter();
        let own: usize = fields
            .map(|(name, value)| name.len() + value.len() + 32)
            .sum();
        pair.respond(stream, "yes");
        pair.settle().await;
        assert!(call.await.unwrap().is_ok());
        for (bytes, fits) in [(8192 - own + 1, true), (8192 - own + 2, false)] {
            let call = say(&channel, request(bytes));
            if fits {
                let stream = pair.request().await;
                pair.respond(stream, "yes");
                pair.settle().await;
                assert!(call.await.unwrap().is_ok());
                continue;
            }
            assert!(pair.settle().await.is_empty(), "nothing is sent");
            let status = call.await.unwrap().unwrap_err();
            assert_eq!(status.code(), Code::ResourceExhausted);
            let text = "has 8193 bytes, over the server's limit of 8192";
            assert!(status.message().contains(text), "{status}");
        }
    })
    .unwrap();
}

/// Trailers above the client's own limit: an error keeps its code, an OK becomes an error.
#[test]
fn trailers_over_the_clients_limit_end_their_call_alone() {
    let mut config = Config::default();
    config.http2.header_list_bytes_soft = 400;
    block_on(async {
        let (mut pair, channel) = Pair::with(100, &config);
        let long = "v".repeat(400);
        for (status, code, text) in [
            ("0", Code::ResourceExhausted, "400 bytes are allowed"),
            (
                "9",
                Code::FailedPrecondition,
                "why [trailers were dropped: ",
            ),
        ] {
            let calls = [hello(&channel), hello(&channel)];
            let streams = pair.requests().await;
            pair.head(streams[0]);
            pair.server.send_data(streams[0], &framed("yes"), false);
            let trailers = [
                ("grpc-status", status),
                ("grpc-message", "why"),
                ("x-a", &long),
            ];
            pair.headers(streams[0], &trailers, true);
            pair.respond(streams[1], "fine");
            pair.settle().await;
            let [call, other] = calls;
            let status = call.await.unwrap().unwrap_err();
            assert_eq!(status.code(), code, "{status}");
            assert!(status.message().contains(text), "{status}");
            assert_eq!(other.await.unwrap().unwrap().get_ref(), "fine");
        }
    })
    .unwrap();
}
