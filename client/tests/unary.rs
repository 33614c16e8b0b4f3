//! Unary calls against a scripted server: the bytes sent, and the outcome of each kind of response.

#[path = "unary/compression.rs"]
mod compression;
#[path = "unary/farewells.rs"]
mod farewells;
#[path = "unary/foreign.rs"]
mod foreign;
#[path = "unary/heads.rs"]
mod heads;
mod support;

use std::time::Duration;

use corespun_client::{Channel, Config};
use corespun_codec::{Code, Kind, Method, Request, Response, Status};
use corespun_http2::{ErrorCode, StreamKey};
use corespun_runtime::{Flow, JoinHandle, Protocol, block_on, spawn};
use support::{HEAD, Pair, Seen, framed};

const SAY: Method<String, String> = Method::new("/test.Words/Say", Kind::Unary);
const CHAT: Method<String, String> = Method::new("/test.Words/Chat", Kind::BidiStreaming);

type Script<'a> = dyn Fn(&mut Pair, StreamKey) + 'a;
type Outcome = Result<Response<String>, Status>;

fn say(channel: &Channel, request: Request<String>) -> JoinHandle<Outcome> {
    let channel = channel.clone();
    spawn(async move { channel.unary(SAY, request).await })
}

fn hello(channel: &Channel) -> JoinHandle<Outcome> {
    say(channel, Request::new("hello".to_owned()))
}

/// Returns the outcome of one call that `script` answers.
fn answered(script: impl FnOnce(&mut Pair, StreamKey)) -> Outcome {
    pieces(usize::MAX, script)
}

/// Returns the outcome of one call whose response arrives in pieces of `piece` bytes.
fn pieces(piece: usize, script: impl FnOnce(&mut Pair, StreamKey)) -> Outcome {
    let outcome = block_on(async {
        let (mut pair, channel) = Pair::new(100);
        pair.piece = piece;
        let call = hello(&channel);
        let stream = pair.request().await;
        script(&mut pair, stream);
        pair.settle().await;
        let outcome = call.await.unwrap();
        assert_eq!(
            pair.server.open_streams(),
            0,
            "the stream is over on both sides"
        );
        outcome
    });
    outcome.unwrap()
}

fn code(script: impl FnOnce(&mut Pair, StreamKey)) -> Code {
    answered(script).unwrap_err().code()
}

#[test]
fn the_head_of_a_request() {
    block_on(async {
        let (mut pair, channel) = Pair::new(100);
        let constant = [
            (":method", "POST"),
            (":scheme", "http"),
            (":path", "/test.Words/Say"),
            (":authority", "test:1"),
            ("te", "trailers"),
            ("content-type", "application/grpc"),
        ];
        for _ in 0..3 {
            let call = hello(&channel);
            let stream = pair.request().await;
            let fields = pair.fields.iter().map(|(n, v)| (n.as_str(), v.as_str()));
            assert_eq!(fields.take(6).collect::<Vec<_>>(), constant);
            assert!(pair.fields[6].1.starts_with("grpc-rust-corespun/"));
            pair.respond(stream, "yes");
            pair.settle().await;
            assert_eq!(call.await.unwrap().unwrap().get_ref(), "yes");
        }
        let mut request = Request::new("hello".to_owned());
        request.metadata_mut().append("x-user", "ada").unwrap();
        request
            .metadata_mut()
            .append_bin("x-bin", &[0, 255])
            .unwrap();
        request.set_timeout(Duration::from_secs(5));
        let call = say(&channel, request);
        let stream = pair.request().await;
        let value = |name: &str| {
            let found = pair.fields.iter().find(|(n, _)| n == name);
            found.map(|(_, value)| value.clone()).unwrap()
        };
        assert_eq!((&*value("x-user"), &*value("x-bin")), ("ada", "AP8"));
        let timeout = corespun_codec::timeout::parse(value("grpc-timeout").as_bytes()).unwrap();
        assert!(timeout > Duration::from_secs(4) && timeout <= Duration::from_secs(5));
        let fields = pair.fields.iter().map(|(n, v)| (n.as_str(), v.as_str()));
        assert_eq!(fields.take(6).collect::<Vec<_>>(), constant);
        pair.respond(stream, "yes");
        pair.settle().await;
        assert!(call.await.unwrap().is_ok());
        let mut request = Request::new("hello".to_owned());
        request.metadata_mut().append("user-agent", "own").unwrap();
        let call = say(&channel, request);
        let stream = pair.request().await;
        let agents = pair.fields.iter().filter(|(name, _)| name == "user-agent");
        let agents: Vec<_> = agents.map(|(_, value)| value.as_str()).collect();
        assert_eq!(agents, ["own"], "in place of ours");
        pair.respond(stream, "yes");
        pair.settle().await;
        assert!(call.await.unwrap().is_ok());
    })
    .unwrap();
}

#[test]
fn a_response_with_metadata_in_pieces_of_any_size() {
    for piece in [1, 2, 7, 1000] {
        let response = pieces(piece, |pair, stream| {
            let head = [HEAD[0], HEAD[1], ("x-before", "1"), ("x-before", "2")];
            pair.headers(stream, &head, false);
            pair.message(stream, "yes");
            pair.headers(stream, &[("grpc-status", "0"), ("x-after", "3")], true);
        });
        let response = response.unwrap();
        let before: Vec<_> = response.metadata().get_all("x-before").collect();
        assert_eq!(before, ["1", "2"]);
        assert_eq!(response.trailers().get("x-after"), Some("3"));
        assert_eq!(response.into_inner(), "yes");
    }
}

#[test]
fn a_status_in_trailers_and_alone() {
    let status = [
        ("grpc-status", "5"),
        ("grpc-message", "na%C3%AFve"),
        ("grpc-status-details-bin", "AQI"),
        ("x-why", "gone"),
    ];
    let alone: Vec<_> = HEAD.into_iter().chain(status).collect();
    let scripts: [&Script; 3] = [
        &|pair, stream| pair.headers(stream, &alone, true),
        &|pair, stream| {
            pair.head(stream);
            pair.headers(stream, &status, true);
        },
        &|pair, stream| {
            pair.head(stream);
            pair.message(stream, "ignored");
            pair.headers(stream, &status, true);
        },
    ];
    for script in scripts {
        let status = answered(script).unwrap_err();
        assert_eq!((status.code(), status.message()), (Code::NotFound, "naïve"));
        assert_eq!(status.details(), [1, 2]);
        assert_eq!(status.metadata().get("x-why"), Some("gone"));
    }
}

#[test]
fn the_number_of_messages_is_one() {
    let none = code(|pair, stream| {
        pair.head(stream);
        pair.trailers(stream, "0");
    });
    let alone = code(Pair::trailers_only);
    let two = code(|pair, stream| {
        pair.head(stream);
        pair.message(stream, "one");
        pair.message(stream, "two");
        pair.trailers(stream, "0");
    });
    let half = code(|pair, stream| {
        pair.head(stream);
        pair.server
            .send_data(stream, &framed("long enough")[..7], false);
        pair.trailers(stream, "0");
    });
    assert_eq!([none, alone, two, half], [Code::Internal; 4]);
    let empty = answered(|pair, stream| pair.respond(stream, ""));
    assert_eq!(empty.unwrap().get_ref(), "", "an empty message is one");
}

#[test]
fn ends_without_a_status() {
    let on_data = code(|pair, stream| {
        pair.head(stream);
        pair.server.send_data(stream, &framed("yes"), true);
    });
    let in_trailers = code(|pair, stream| {
        pair.head(stream);
        pair.message(stream, "yes");
        pair.headers(stream, &[("x-after", "1")], true);
    });
    let in_head_only = code(|pair, stream| {
        pair.headers(stream, &[HEAD[0], HEAD[1], ("grpc-status", "0")], false);
        pair.message(stream, "yes");
        pair.headers(stream, &[("x-after", "1")], true);
    });
    assert_eq!([on_data, in_trailers, in_head_only], [Code::Unknown; 3]);
}

#[test]
fn messages_that_are_not_taken() {
    let prefixes: [(&[u8], Code); 4] = [
        (&[1, 0, 0, 0, 1, 7], Code::Internal),
        (&[9, 0, 0, 0, 1, 7], Code::Internal),
        (&[0, 0, 64, 0, 1], Code::ResourceExhausted),
        (&[0, 0, 0, 0, 1, 255], Code::Internal),
    ];
    for (bytes, expected) in prefixes {
        block_on(async {
            let (mut pair, channel) = Pair::new(100);
            let call = hello(&channel);
            let stream = pair.request().await;
            pair.head(stream);
            pair.server.send_data(stream, bytes, false);
            let seen = pair.settle().await;
            assert_eq!(seen, [Seen::Reset(stream, ErrorCode::CANCEL)]);
            assert_eq!(
                call.await.unwrap().unwrap_err().code(),
                expected,
                "{bytes:?}"
            );
        })
        .unwrap();
    }
}

#[test]
fn resets_and_what_they_mean() {
    for (reset, expected) in [
        (ErrorCode::NO_ERROR, Code::Internal),
        (ErrorCode::PROTOCOL_ERROR, Code::Internal),
        (ErrorCode::CANCEL, Code::Cancelled),
        (ErrorCode::ENHANCE_YOUR_CALM, Code::ResourceExhausted),
        (ErrorCode::INADEQUATE_SECURITY, Code::PermissionDenied),
    ] {
        let found = code(|pair, stream| {
            pair.head(stream);
            pair.server.reset(stream, reset);
        });
        assert_eq!(found, expected, "{reset}");
    }
}

#[test]
fn a_refused_call_is_sent_once_more() {
    block_on(async {
        let (mut pair, channel) = Pair::new(100);
        let call = hello(&channel);
        for _ in 0..2 {
            let stream = pair.request().await;
            pair.server.reset(stream, ErrorCode::REFUSED_STREAM);
        }
        assert_eq!(pair.settle().await, []);
        let status = call.await.unwrap().unwrap_err();
        assert_eq!(status.code(), Code::Unavailable);
        assert!(status.message().contains("REFUSED_STREAM"));
    })
    .unwrap();
}

#[test]
fn a_dropped_call_is_cancelled() {
    block_on(async {
        let (mut pair, channel) = Pair::new(100);
        let call = hello(&channel);
        let stream = pair.request().await;
        call.abort();
        assert_eq!(
            pair.settle().await,
            [Seen::Reset(stream, ErrorCode::CANCEL)]
        );
    })
    .unwrap();
}

#[test]
fn a_deadline_ends_the_call() {
    block_on(async {
        let (mut pair, channel) = Pair::new(100);
        let timed = |seconds| {
            let mut request = Request::new("hello".to_owned());
            request.set_timeout(Duration::from_secs(seconds));
            say(&channel, request)
        };
        let (slow, quick) = (timed(30), timed(10));
        let streams = pair.requests().await;
        assert_eq!(streams.len(), 2);
        pair.now += Duration::from_secs(11);
        let seen = pair.settle().await;
        assert_eq!(seen, [Seen::Reset(streams[1], ErrorCode::CANCEL)]);
        let status = quick.await.unwrap().unwrap_err();
        assert_eq!(status.code(), Code::DeadlineExceeded);
        pair.now += Duration::from_secs(20);
        pair.server.reset(streams[0], ErrorCode::CANCEL);
        pair.settle().await;
        let status = slow.await.unwrap().unwrap_err();
        assert_eq!(
            status.code(),
            Code::DeadlineExceeded,
            "the server was a little ahead"
        );
        let status = timed(0).await.unwrap().unwrap_err();
        assert_eq!(status.code(), Code::DeadlineExceeded);
        assert_eq!(pair.settle().await, [], "nothing is sent without time");
    })
    .unwrap();
}

#[test]
fn calls_over_the_limit_wait_in_order() {
    block_on(async {
        let (mut pair, channel) = Pair::new(2);
        let mut calls: Vec<_> = (0..7)
            .map(|number| say(&channel, Request::new(format!("call {number}"))))
            .collect();
        let dropped = calls.remove(3);
        let mut order = Vec::new();
        let mut seen = pair.settle().await;
        dropped.abort();
        while order.len() < 6 {
            let open: Vec<_> = seen
                .into_iter()
                .filter_map(|seen| match seen {
                    Seen::Data(stream, bytes, true) => Some((stream, bytes)),
                    _ => None,
                })
                .collect();
            assert!((1..=2).contains(&open.len()), "no more than the limit");
            for (stream, bytes) in open {
                order.push(String::from_utf8_lossy(&bytes[7..]).into_owned());
                pair.respond(stream, "yes");
            }
            seen = pair.settle().await;
        }
        assert_eq!(
            order,
            ["call 0", "call 1", "call 2", "call 4", "call 5", "call 6"]
        );
        for call in calls {
            assert!(call.await.unwrap().is_ok());
        }
    })
    .unwrap();
}

#[test]
fn a_goaway_spares_the_calls_that_the_server_saw() {
    block_on(async {
        let (mut pair, channel) = Pair::new(100);
        let call = hello(&channel);
        let stream = pair.request().await;
        pair.server.go_away(ErrorCode::NO_ERROR);
        // This call is sent before the client learns of the GOAWAY, so it gets no response.
        let unseen = hello(&channel);
        corespun_runtime::yield_now().await;
        pair.settle().await;
        let status = unseen.await.unwrap().unwrap_err();
        assert_eq!(status.code(), Code::Unavailable);
        assert_eq!(pair.flow, corespun_runtime::Flow::Open);
        pair.respond(stream, "yes");
        pair.settle().await;
        assert_eq!(call.await.unwrap().unwrap().get_ref(), "yes");
        assert_eq!(
            pair.flow,
            corespun_runtime::Flow::Close,
            "nothing is left to do"
        );
    })
    .unwrap();
}

#[test]
fn a_lost_connection_ends_its_calls() {
    block_on(async {
        use corespun_runtime::{Input, Protocol};
        let (mut pair, channel) = Pair::new(1);
        let (call, waiting) = (hello(&channel), hello(&channel));
        pair.request().await;
        pair.client.receive(pair.now, Input::End);
        for call in [call, waiting, hello(&channel)] {
            let status = call.await.unwrap().unwrap_err();
            assert_eq!(status.code(), Code::Unavailable);
            let text = "the connection to test:1 was lost: \
                        the server closed or reset it without GOAWAY";
            assert_eq!(status.message(), text);
        }
    })
    .unwrap();
}

#[test]
fn the_connection_closes_behind_its_channel_and_its_calls() {
    block_on(async {
        let (mut pair, channel) = Pair::new(1);
        pair.settle().await;
        let (requests, mut responses) = channel
            .bidi_streaming(CHAT, Request::default())
            .await
            .unwrap();
        drop((channel, requests));
        let seen = pair.settle().await;
        let [Seen::Head(stream), Seen::GoAway, Seen::Data(..)] = seen[..] else {
            panic!("{seen:?}")
        };
        assert_eq!(pair.flow, corespun_runtime::Flow::Open);
        pair.respond(stream, "yes");
        pair.settle().await;
        assert_eq!(responses.message().await.unwrap().as_deref(), Some("yes"));
        assert_eq!(responses.message().await, Ok(None));
        assert_eq!(pair.flow, corespun_runtime::Flow::Close);
    })
    .unwrap();
}

#[test]
fn a_silent_server_is_asked_whether_it_is_there() {
    block_on(async {
        // Ten seconds are the minimum (gRFC A8).
        let config = Config {
            keepalive_time: Duration::from_secs(1),
            keepalive_timeout: Duration::from_secs(20),
            ..Config::default()
        };
        let (mut pair, channel) = Pair::with(100, &config);
        pair.settle().await;
        let ten = Duration::from_secs(10);
        for _ in 0..5 {
            pair.now += ten;
            pair.client.advance(pair.now);
            let mut quiet = Vec::new();
            pair.client.transmit(&mut quiet);
            assert!(quiet.is_empty(), "no call, no PING");
        }
        let call = hello(&channel);
        pair.request().await;
        pair.now += ten;
        assert!(pair.client.deadline().is_some_and(|due| due <= pair.now));
        pair.settle().await;
        pair.now += Duration::from_secs(21);
        pair.client.advance(pair.now);
        assert_eq!(pair.settle().await, [], "it has answered");
        assert!(!call.is_finished());
        // From here on the server is silent.
        pair.now += Duration::from_secs(30);
        pair.client.advance(pair.now);
        let mut ping = Vec::new();
        assert_eq!(pair.client.transmit(&mut ping), Flow::Open);
        assert_eq!((ping.len(), ping[3], ping[4]), (17, 6, 0), "PING");
        pair.client.advance(pair.now + Duration::from_secs(20));
        assert_eq!(pair.client.transmit(&mut Vec::new()), Flow::Close);
        let status = call.await.unwrap().unwrap_err();
        assert_eq!(status.code(), Code::Unavailable);
        assert!(status.message().contains("keepalive_time"), "{status}");
    })
    .unwrap();
}
