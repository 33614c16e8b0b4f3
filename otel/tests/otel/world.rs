//! Two services in a row, each with its own tracer.

use std::rc::Rc;
use std::time::Duration;

use corespun_client::Channel;
use corespun_codec::{Kind, Method, Request, Response, Sender, Status, Streaming, TraceContext};
use corespun_otel::{Otlp, Sampler, Tracer};
use corespun_runtime::{Engine, LocalConfig, LocalShard, sleep};
use corespun_server::{Routes, Running, Server, Service};

pub const TELL: Method<String, String> = Method::new("/test.Relay/Tell", Kind::Unary);
pub const LATER: Method<String, String> = Method::new("/test.Relay/Later", Kind::Unary);
pub const CHAT: Method<String, String> = Method::new("/test.Relay/Chat", Kind::BidiStreaming);

/// Engine of the collector, which stands for another program and is not tested.
pub const ENGINE_OF_COLLECTOR: Engine = Engine::Epoll;

/// Grace of servers at the end of a test, whose connections are idle then.
pub const GRACE: Duration = Duration::from_millis(200);

/// Runs a test on each engine.
pub fn on_each_engine(test: impl AsyncFn(Engine)) {
    for (engine, usable) in Engine::candidates() {
        let shard = usable.and_then(|()| LocalShard::new(LocalConfig { engine, cpu: None }));
        match shard {
            Ok(mut shard) => shard.block_on(test(engine)),
            Err(error) => println!("SKIPPED {engine}: {error}"),
        }
    }
}

/// Passes calls on to the next relay, if there is one, and returns the trace that it received.
struct Relay {
    next: Option<Channel>,
}

impl Relay {
    async fn tell(&self, request: Request<String>) -> Result<Response<String>, Status> {
        let text = request.into_inner();
        tracing::info!("a handler speaks");
        match &self.next {
            Some(next) => next.unary(TELL, Request::new(text)).await,
            None if text == "fail" => Err(Status::internal("asked to")),
            None => {
                let seen = TraceContext::current().map(|context| context.to_string());
                Ok(Response::new(seen.unwrap_or_default()))
            }
        }
    }
}

impl Relay {
    async fn chat(
        &self,
        mut texts: Streaming<String>,
        mut out: Sender<String>,
    ) -> Result<(), Status> {
        while let Some(text) = texts.message().await? {
            let told = self.tell(Request::new(text)).await?;
            out.send(told.into_inner()).await?;
        }
        Ok(())
    }
}

impl Service for Relay {
    const NAME: &'static str = "test.Relay";

    fn register(self, routes: &mut Routes) {
        let service = Rc::new(self);
        let tell = |relay: Rc<Self>, request| async move { relay.tell(request).await };
        routes.unary(TELL, &service, tell);
        let later = |relay: Rc<Self>, request| async move {
            sleep(Duration::from_millis(2)).await;
            relay.tell(request).await
        };
        routes.unary(LATER, &service, later);
        let chat = |relay: Rc<Self>, texts, out| async move { relay.chat(texts, out).await };
        routes.bidi_streaming(CHAT, &service, chat);
    }
}

/// Creates a tracer whose spans go to the collector at `endpoint` when they are flushed.
pub fn tracer(name: &str, endpoint: &Running, sampler: Sampler) -> Tracer {
    let endpoint = endpoint.addresses()[0].to_string();
    let otlp = Otlp::new(format!("http://{endpoint}")).pause(Duration::from_secs(600));
    let builder = Tracer::builder(name).sampler(sampler);
    builder.export(otlp).start().unwrap()
}

/// Starts a relay that passes calls on to `next`.
pub fn relay(engine: Engine, tracer: &Tracer, next: Option<&Running>) -> Running {
    let next = next.map(|next| next.addresses()[0].to_string());
    let (around, inside) = (tracer.clone(), tracer.clone());
    Server::builder()
        .listen("127.0.0.1:0")
        .shards(1)
        .engine(engine)
        .grace(GRACE)
        .intercept(move |_shard| Ok(around.server()))
        .service(move |_shard| {
            let lazy = |target: &String| {
                let channel = Channel::lazy(target)?;
                Ok::<_, Status>(channel.intercept(inside.client()))
            };
            let next = next.as_ref().map(lazy).transpose();
            Ok(Relay {
                next: next.map_err(|status| status.to_string())?,
            })
        })
        .start()
        .unwrap()
}
