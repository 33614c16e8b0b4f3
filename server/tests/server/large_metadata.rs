//! Metadata above the client's limit for header lists: the call fails with a reason, and never
//! looks complete with only part of it.

use std::rc::Rc;

use corespun_codec::{
    Code, Kind, MetadataMap, Method, Request, Response, Sender, Status, Streaming,
};
use corespun_http2::Config as Http2Config;
use corespun_runtime::{block_on, yield_now};
use corespun_server::{Config, Routes, Service};

use crate::support::{Answer, Pair};

const SAY: Method<String, String> = Method::new("/test.Large/Say", Kind::Unary);
const LATE: Method<String, String> = Method::new("/test.Large/Late", Kind::Unary);
const LIST: Method<String, String> = Method::new("/test.Large/List", Kind::ServerStreaming);
const JOIN: Method<String, String> = Method::new("/test.Large/Join", Kind::ClientStreaming);

/// Limit in bytes that clients announce.
const LIMIT: usize = 2000;

struct Large;

/// Returns a map of one pair that counts as `bytes` in a header list.
fn map(bytes: &str) -> MetadataMap {
    let mut map = MetadataMap::new();
    match bytes.parse::<usize>().unwrap() {
        0 => {}
        bytes => map.append("x-a", &"v".repeat(bytes - 35)).unwrap(),
    }
    map
}

/// Responds as the words request: sizes of head and trailers, then optionally the size of an
/// error's text.
fn say(text: &str) -> Result<Response<String>, Status> {
    let words: Vec<_> = text.split(' ').collect();
    if let Some(bytes) = words.get(2) {
        let text = "m".repeat(bytes.parse().unwrap());
        let mut status = Status::with_details(Code::Aborted, text, vec![7; 10]);
        *status.metadata_mut() = map(words[1]);
        return Err(status);
    }
    let mut response = Response::new("said".to_owned());
    *response.metadata_mut() = map(words[0]);
    *response.trailers_mut() = map(words[1]);
    Ok(response)
}

async fn list(text: &str, out: &mut Sender<String>) -> Result<(), Status> {
    let words: Vec<_> = text.split(' ').collect();
    out.with_metadata(|metadata| *metadata = map(words[0]));
    out.with_trailers(|trailers| *trailers = map(words[1]));
    match words.get(2) {
        Some(bytes) => Err(Status::aborted("m".repeat(bytes.parse().unwrap()))),
        None => {
            out.send("said".to_owned()).await?;
            out.send("again".to_owned()).await
        }
    }
}

impl Service for Large {
    const NAME: &'static str = "test.Large";

    fn register(self, routes: &mut Routes) {
        let service = Rc::new(self);
        routes.unary(SAY, &service, |_, request: Request<String>| async move {
            say(request.get_ref())
        });
        routes.unary(LATE, &service, |_, request: Request<String>| async move {
            yield_now().await;
            say(request.get_ref())
        });
        routes.server_streaming(
            LIST,
            &service,
            |_, request: Request<String>, mut out| async move {
                list(request.get_ref(), &mut out).await
            },
        );
        routes.client_streaming(
            JOIN,
            &service,
            |_, mut requests: Streaming<String>| async move {
                let text = requests.message().await?.unwrap_or_default();
                say(&text)
            },
        );
    }
}

/// Passes the responses of all kinds of methods to a client that announces `limit`.
fn answers(limit: usize, text: &str, look: impl Fn(&str, &Answer)) {
    block_on(async {
        let mut client = Http2Config::client();
        client.limits.header_list_bytes_soft = limit;
        let mut routes = Routes::new();
        Large.register(&mut routes);
        let mut pair = Pair::with(routes, Config::default(), client);
        for path in [SAY.path(), LATE.path(), LIST.path(), JOIN.path()] {
            let stream = pair.open(path, &[], false);
            pair.send(stream, &text.to_owned(), true);
            for _ in 0..4 {
                pair.exchange();
                yield_now().await;
            }
            let answer = &pair.answers[&stream.id];
            assert!(answer.ended, "{path} {text}: {answer:?}");
            look(path, answer);
        }
    })
    .unwrap();
}

/// Returns the number of metadata pairs that were received.
fn pairs(answer: &Answer) -> usize {
    let all = answer.head.iter().chain(&answer.trailers);
    all.filter(|(name, _)| name == "x-a").count()
}

#[test]
fn calls_that_went_well_have_all_their_metadata_or_fail() {
    let head = 42 + 60;
    let trailers = 44;
    for (head_bytes, trailer_bytes, fits) in [
        (0, 0, true),
        (LIMIT - head, 0, true),
        (LIMIT - head + 1, 0, false),
        (0, LIMIT - trailers, true),
        (0, LIMIT - trailers + 1, false),
        (LIMIT - head, LIMIT - trailers, true),
        (40_000, 40_000, false),
    ] {
        answers(
            LIMIT,
            &format!("{head_bytes} {trailer_bytes}"),
            |path, answer| {
                let status = answer.status();
                let what = format!("{path} {head_bytes} {trailer_bytes}: {status}");
                if fits {
                    let expected = usize::from(head_bytes > 0) + usize::from(trailer_bytes > 0);
                    assert_eq!(
                        (status.code(), pairs(answer)),
                        (Code::Ok, expected),
                        "{what}"
                    );
                    assert!(!answer.body.is_empty(), "{what}");
                    return;
                }
                assert_eq!(status.code(), Code::ResourceExhausted, "{what}");
                assert_eq!(pairs(answer), 0, "{what}");
                let text = status.message();
                assert!(text.contains("over the caller's limit of 2000"), "{what}");
                if [SAY.path(), LATE.path()].contains(&path) {
                    assert!(answer.body.is_empty(), "a response for nothing: {what}");
                }
            },
        );
    }
}

#[test]
fn errors_keep_their_code_and_the_beginning_of_their_message() {
    for (text, cut, omitted) in [
        ("0 0 10", false, false),
        ("0 500 10", false, false),
        ("0 0 20000", true, false),
        ("0 3000 10", false, true),
        ("0 3000 20000", true, true),
        ("3000 100 10", false, true),
    ] {
        answers(LIMIT, text, |path, answer| {
            let status = answer.status();
            let what = format!("{path} {text}: {status}");
            assert_eq!(status.code(), Code::Aborted, "{what}");
            assert!(status.message().starts_with("mmmmmmmmmm"), "{what}");
            assert_eq!(status.message().contains("the end of"), cut, "{what}");
            // A status that is alone has no head that could be too large.
            let has_head = path == LIST.path();
            let omitted = omitted && (has_head || !text.starts_with("3000"));
            assert_eq!(status.message().contains("metadata of"), omitted, "{what}");
        });
    }
}

#[test]
fn a_limit_that_nothing_fits_leaves_the_code() {
    for limit in [0, 50, 146] {
        answers(limit, "0 0", |_, answer| {
            assert_eq!(answer.status().code(), Code::Ok)
        });
        answers(limit, "0 100 10", |_, answer| {
            assert_eq!(answer.status().code(), Code::Aborted);
        });
    }
}
