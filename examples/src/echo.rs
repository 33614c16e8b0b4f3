//! An echo that shows what a call carries beside its messages: metadata both ways, heads ahead of
//! messages, trailers, typed details, compression, and an interceptor.
//!
//! It is written by hand, without a schema: messages are `google.protobuf.StringValue`.

use std::collections::HashMap;
use std::rc::Rc;
use std::time::Duration;

use corespun::details::ErrorDetails;
use corespun::server::Routes;
use corespun::{
    Code, Ended, Incoming, Interceptor, Kind, MetadataMap, Method, Request, Response, Sender,
    Service, Status, Streaming, sleep,
};

/// One message each way.
pub const SAY: Method<String, String> = Method::new("/demo.Echo/Say", Kind::Unary);
/// The message once for each of its words.
pub const REPEAT: Method<String, String> = Method::new("/demo.Echo/Repeat", Kind::ServerStreaming);
/// All messages in one.
pub const JOIN: Method<String, String> = Method::new("/demo.Echo/Join", Kind::ClientStreaming);
/// Each message as it comes.
pub const CHAT: Method<String, String> = Method::new("/demo.Echo/Chat", Kind::BidiStreaming);

/// How long the answer to `wait` takes: longer than anybody waits.
const WAIT: Duration = Duration::from_secs(60 * 60);

/// What is called comes back, `x-` metadata included: ahead of the messages as it was sent, and
/// once more behind them.
///
/// Three messages are not echoed: `fail` ends the call with FAILED_PRECONDITION and details of
/// every kind that is of use, `crash` panics, and `wait` is said after an hour.
pub struct Echo;

impl Service for Echo {
    const NAME: &'static str = "demo.Echo";

    fn register(self, routes: &mut Routes) {
        let service = Rc::new(self);
        routes.unary(SAY, &service, |_, request: Request<String>| async move {
            if request.get_ref() == "wait" {
                sleep(WAIT).await;
            }
            respond(request.get_ref(), request.metadata())
        });
        routes.server_streaming(REPEAT, &service, |_, request, mut out| async move {
            repeat(&request, &mut out).await
        });
        routes.client_streaming(
            JOIN,
            &service,
            |_, mut requests: Streaming<String>| async move {
                let mut text = String::new();
                while let Some(part) = requests.message().await? {
                    text.push_str(&part);
                }
                respond(&text, requests.metadata())
            },
        );
        routes.bidi_streaming(CHAT, &service, |_, mut requests, mut out| async move {
            chat(&mut requests, &mut out).await
        });
    }
}

fn respond(text: &str, metadata: &MetadataMap) -> Result<Response<String>, Status> {
    check(text)?;
    let mut response = Response::new(text.to_owned());
    echo(metadata, response.metadata_mut());
    echo(metadata, response.trailers_mut());
    Ok(response)
}

async fn repeat(request: &Request<String>, out: &mut Sender<String>) -> Result<(), Status> {
    let text = request.get_ref();
    check(text)?;
    open(out, request.metadata());
    for _ in text.split_whitespace() {
        out.send(text.clone()).await?;
    }
    Ok(())
}

async fn chat(requests: &mut Streaming<String>, out: &mut Sender<String>) -> Result<(), Status> {
    // At once, so that a caller may look at it before it says a word.
    open(out, requests.metadata());
    while let Some(text) = requests.message().await? {
        check(&text)?;
        out.send(text).await?;
    }
    Ok(())
}

fn open(out: &mut Sender<String>, metadata: &MetadataMap) {
    out.with_metadata(|head| echo(metadata, head));
    out.with_trailers(|trailers| echo(metadata, trailers));
    out.send_headers();
}

/// Copies the `x-` pairs, duplicates and bytes included.
fn echo(from: &MetadataMap, to: &mut MetadataMap) {
    for (key, _) in from.iter().filter(|(key, _)| key.starts_with("x-")) {
        if to.contains_key(key) {
            continue;
        }
        // A pair that came in is one that may go out, unless it has bytes beyond ASCII.
        for value in from.get_all(key) {
            drop(to.append(key, value));
        }
        for value in from.get_all_bin(key) {
            drop(to.append_bin(key, &value));
        }
    }
}

fn check(text: &str) -> Result<(), Status> {
    match text {
        "crash" => panic!("asked to"),
        "fail" => Err(Status::with_error_details(
            Code::FailedPrecondition,
            "asked to fail",
            details(),
        )),
        _ => Ok(()),
    }
}

fn details() -> ErrorDetails {
    let mut details = ErrorDetails::new();
    details
        .set_error_info("ASKED_TO", "demo.Echo", HashMap::new())
        .add_precondition_failure_violation("TEXT", "message", "must not be `fail`")
        .add_bad_request_violation("value", "must not be `fail`")
        .set_localized_message("de", "darum gebeten");
    details
}

/// Writes a line about each call when it has ended.
pub struct AccessLog;

impl Interceptor for AccessLog {
    fn end(&self, ended: &Ended<'_>) {
        let peer = ended.head().peer.as_deref();
        let elapsed = ended.elapsed();
        tracing::info!(method = ended.method(), peer, code = %ended.code(), ?elapsed, "call");
    }
}

/// Lets callers in that name no wrong key.
///
/// # Errors
/// UNAUTHENTICATED for those that do.
pub fn authenticate(call: &mut Incoming) -> Result<(), Status> {
    match call.metadata().get("authorization") {
        None | Some("Bearer sesame") => Ok(()),
        Some(_) => Err(Status::unauthenticated("the key is not the right one")),
    }
}
