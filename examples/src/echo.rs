//! Echo service that shows the parts of a call other than its messages: metadata in both
//! directions, heads before messages, trailers, typed error details, compression, and an
//! interceptor.
//!
//! It has no schema and no generated code: messages are `google.protobuf.StringValue`.

use std::collections::HashMap;
use std::rc::Rc;
use std::time::Duration;

use corespun::details::ErrorDetails;
use corespun::server::Routes;
use corespun::{
    Code, Ended, Incoming, Interceptor, Kind, MetadataMap, Method, Request, Response, Sender,
    Service, Status, Streaming, sleep,
};

/// Returns one message for one message.
pub const SAY: Method<String, String> = Method::new("/demo.Echo/Say", Kind::Unary);
/// Returns the message once for each of its words.
pub const REPEAT: Method<String, String> = Method::new("/demo.Echo/Repeat", Kind::ServerStreaming);
/// Returns all messages joined into one.
pub const JOIN: Method<String, String> = Method::new("/demo.Echo/Join", Kind::ClientStreaming);
/// Returns each message when it arrives.
pub const CHAT: Method<String, String> = Method::new("/demo.Echo/Chat", Kind::BidiStreaming);

/// Delay of the response to `wait`: longer than any client waits.
const WAIT: Duration = Duration::from_secs(60 * 60);

/// Service that echoes messages and `x-` metadata: the metadata as headers before the messages, and
/// again as trailers.
///
/// Three messages are not echoed. `fail` ends the call with FAILED_PRECONDITION and error details
/// of every useful kind, `crash` panics, and `wait` is answered after an hour.
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
    // Sent at once, so that a client can read it before it sends a message.
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

/// Copies the `x-` pairs, including duplicates and binary values.
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

/// Interceptor that logs a line for each call when it has ended.
pub struct AccessLog;

impl Interceptor for AccessLog {
    fn end(&self, ended: &Ended<'_>) {
        let peer = ended.head().peer.as_deref();
        let elapsed = ended.elapsed();
        tracing::info!(method = ended.method(), peer, code = %ended.code(), ?elapsed, "call");
    }
}

/// Accepts all callers but those with a wrong key.
///
/// # Errors
///
/// UNAUTHENTICATED for a wrong key.
pub fn authenticate(call: &mut Incoming) -> Result<(), Status> {
    match call.metadata().get("authorization") {
        None | Some("Bearer sesame") => Ok(()),
        Some(_) => Err(Status::unauthenticated("the key is not the right one")),
    }
}
