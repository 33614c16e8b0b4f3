//! Service of strings on its own server, for clients on real sockets.

use std::rc::Rc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use corespun_codec::{Code, Kind, Method, Request, Response, Sender, Status, Streaming};
use corespun_runtime::{Engine, sleep};
use corespun_server::{Config, Routes, Running, Server, ServerBuilder, Service};

pub const UPPER: Method<String, String> = Method::new("/test.Words/Upper", Kind::Unary);
pub const SLEEP: Method<String, String> = Method::new("/test.Words/Sleep", Kind::Unary);
pub const SPLIT: Method<String, String> = Method::new("/test.Words/Split", Kind::ServerStreaming);
pub const JOIN: Method<String, String> = Method::new("/test.Words/Join", Kind::ClientStreaming);
pub const ECHO: Method<String, String> = Method::new("/test.Words/Echo", Kind::BidiStreaming);
pub const NOWHERE: Method<String, String> = Method::new("/test.Words/Nowhere", Kind::Unary);

/// Number of `Sleep` handlers that run, and its maximum so far.
pub static ASLEEP: AtomicUsize = AtomicUsize::new(0);
pub static ASLEEP_MOST: AtomicUsize = AtomicUsize::new(0);

struct Asleep;

impl Asleep {
    fn new() -> Self {
        let now = ASLEEP.fetch_add(1, Ordering::SeqCst) + 1;
        ASLEEP_MOST.fetch_max(now, Ordering::SeqCst);
        Self
    }
}

impl Drop for Asleep {
    fn drop(&mut self) {
        ASLEEP.fetch_sub(1, Ordering::SeqCst);
    }
}

struct Words;

async fn upper(_: Rc<Words>, request: Request<String>) -> Result<Response<String>, Status> {
    match request.get_ref().as_str() {
        "error" => Err(Status::failed_precondition("asked to")),
        "metadata" => {
            let said = request
                .metadata()
                .get("x-say")
                .unwrap_or_default()
                .to_owned();
            let mut response = Response::new("METADATA".to_owned());
            response.metadata_mut().append("x-before", &said)?;
            response.trailers_mut().append("x-after", &said)?;
            Ok(response)
        }
        "trailers" => {
            let mut response = Response::new("TRAILERS".to_owned());
            for nth in 0..40 {
                let (name, value) = (format!("x-t{nth}"), "v".repeat(1000));
                response.trailers_mut().append(&name, &value)?;
            }
            Ok(response)
        }
        "details" => {
            let details = vec![7; 12_700];
            Err(Status::with_details(Code::Aborted, "see details", details))
        }
        "long error" => Err(Status::internal("m".repeat(20_000))),
        text => Ok(Response::new(text.to_uppercase())),
    }
}

async fn nap(_: Rc<Words>, request: Request<String>) -> Result<Response<String>, Status> {
    let _asleep = Asleep::new();
    let text = request.into_inner();
    let span = text
        .parse()
        .map_err(|_| Status::invalid_argument("not a number"))?;
    sleep(Duration::from_millis(span)).await;
    Ok(Response::new(text))
}

async fn split(_: Rc<Words>, text: Request<String>, mut out: Sender<String>) -> Result<(), Status> {
    for word in text.get_ref().split(' ') {
        if word == "error" {
            return Err(Status::aborted("asked to"));
        }
        out.send(word.to_owned()).await?;
    }
    Ok(())
}

async fn join(_: Rc<Words>, mut words: Streaming<String>) -> Result<Response<String>, Status> {
    let mut text = String::new();
    while let Some(word) = words.message().await? {
        text.push_str(&word);
    }
    Ok(Response::new(text))
}

async fn echo(
    _: Rc<Words>,
    mut words: Streaming<String>,
    mut out: Sender<String>,
) -> Result<(), Status> {
    while let Some(word) = words.message().await? {
        out.send(word).await?;
    }
    Ok(())
}

impl Service for Words {
    const NAME: &'static str = "test.Words";

    fn register(self, routes: &mut Routes) {
        let service = Rc::new(self);
        routes.unary(UPPER, &service, upper);
        routes.unary(SLEEP, &service, nap);
        routes.server_streaming(SPLIT, &service, split);
        routes.client_streaming(JOIN, &service, join);
        routes.bidi_streaming(ECHO, &service, echo);
    }
}

/// Starts a server on `address` that admits `limit` concurrent calls.
pub fn serve(address: &str, engine: Engine, limit: u32) -> Running {
    let set = |config: &mut Config| config.http2.concurrent_streams_max = limit;
    serve_with(address, engine, set)
}

/// Starts a server with custom settings.
pub fn serve_with(address: &str, engine: Engine, set: impl FnOnce(&mut Config)) -> Running {
    let mut config = Config::default();
    set(&mut config);
    builder(address, engine).config(config).start().unwrap()
}

/// Returns a builder for a server that needs more settings.
pub fn builder(address: &str, engine: Engine) -> ServerBuilder {
    Server::builder()
        .listen(address)
        .shards(1)
        .engine(engine)
        .grace(Duration::from_millis(200))
        .service(|_shard| Ok(Words))
}
