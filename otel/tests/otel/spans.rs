//! Spans of calls, and their parents.

use std::io::Write;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use corespun_client::Channel;
use corespun_codec::{Request, TraceContext};
use corespun_otel::{Sampler, Tracer};
use corespun_proto::opentelemetry::proto::trace::v1::Span;
use corespun_proto::opentelemetry::proto::trace::v1::span::SpanKind;
use tracing_subscriber::fmt::MakeWriter;
use tracing_subscriber::fmt::format::FmtSpan;

use crate::collector::{Collector, attribute};
use crate::world::{CHAT, LATER, TELL, on_each_engine, relay, tracer};

const TRACE: &str = "0af7651916cd43dd8448eb211c80319c";
const PARENT: &str = "b7ad6b7169203331";
const LIMIT: Duration = Duration::from_secs(60);

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn called(text: &str, traceparent: Option<&str>) -> Request<String> {
    let mut request = Request::new(text.to_owned());
    if let Some(traceparent) = traceparent {
        let metadata = request.metadata_mut();
        metadata.append("traceparent", traceparent).unwrap();
        metadata.append("tracestate", "vendor=1").unwrap();
    }
    request
}

/// Collector, two relays in a row, and a plain channel to the first.
struct Scene {
    collector: Collector,
    tracer: Tracer,
    channel: Channel,
}

impl Scene {
    /// Returns the spans of the calls so far, in the order in which they ended, once there are
    /// `count`.
    fn spans(&self, count: usize) -> Vec<Span> {
        assert!(self.tracer.flush(LIMIT));
        let spans = self.collector.spans();
        assert_eq!(spans.len(), count, "{spans:#?}");
        spans
    }
}

fn with_scene(sampler: Sampler, test: impl AsyncFn(&Scene)) {
    on_each_engine(async |engine| {
        let collector = Collector::default();
        let endpoint = collector.start();
        let tracer = tracer("relays", &endpoint, sampler);
        let last = relay(engine, &tracer, None);
        let first = relay(engine, &tracer, Some(&last));
        let target = first.addresses()[0].to_string();
        let scene = Scene {
            collector,
            tracer,
            channel: Channel::lazy(&target).unwrap(),
        };
        test(&scene).await;
        for server in [first, last, endpoint] {
            server.stop().unwrap();
        }
    });
}

fn parent_of(span: &Span) -> String {
    hex(&span.parent_span_id)
}

#[test]
fn a_trace_goes_through_both_services() {
    let parent = format!("00-{TRACE}-{PARENT}-01");
    for method in [TELL, LATER] {
        with_scene(Sampler::NEVER, async |scene| {
            let request = called("x", Some(&parent));
            let seen = scene.channel.unary(method, request).await.unwrap();
            let seen = TraceContext::parse(seen.get_ref()).unwrap();
            let spans = scene.spans(3);
            let [last, between, first] = &spans[..] else {
                panic!("{spans:#?}")
            };
            assert_eq!(parent_of(first), PARENT);
            assert_eq!(parent_of(between), hex(&first.span_id));
            assert_eq!(parent_of(last), hex(&between.span_id));
            assert_eq!(seen.span_id().to_string(), hex(&last.span_id));
            let kinds = [last, between, first].map(Span::kind);
            let expected = [SpanKind::Server, SpanKind::Client, SpanKind::Server];
            assert_eq!(kinds, expected);
            for span in &spans {
                assert_eq!(hex(&span.trace_id), TRACE);
                assert_eq!(span.trace_state, "vendor=1");
                assert!(span.start_time_unix_nano <= span.end_time_unix_nano);
            }
            assert!(first.start_time_unix_nano <= last.start_time_unix_nano);
            assert!(last.end_time_unix_nano <= first.end_time_unix_nano);
            assert_eq!((first.flags, between.flags), (0x301, 0x101));
        });
    }
}

#[test]
fn spans_say_what_was_called_by_whom_and_how_it_ended() {
    with_scene(Sampler::ALWAYS, async |scene| {
        let status = scene.channel.unary(TELL, called("fail", None)).await;
        assert_eq!(status.unwrap_err().message(), "asked to");
        let spans = scene.spans(3);
        assert_eq!(parent_of(&spans[2]), "", "a trace of its own");
        for span in &spans {
            let of = |name: &str| attribute(&span.attributes, name).unwrap_or_default();
            assert_eq!(span.name, "test.Relay/Tell");
            assert_eq!(
                (of("rpc.system"), of("rpc.service")),
                ("grpc".into(), "test.Relay".into())
            );
            assert_eq!(
                (of("rpc.method"), of("rpc.grpc.status_code")),
                ("Tell".into(), "13".into())
            );
            let (received, sent) = match span.kind() {
                SpanKind::Server => ("corespun.received", "corespun.sent"),
                _ => ("corespun.sent", "corespun.received"),
            };
            assert_eq!(of(&format!("{received}.messages")), "1");
            assert_eq!(of(&format!("{received}.bytes")), "6");
            assert_eq!(of(&format!("{sent}.messages")), "0");
            let status = span.status.clone().unwrap();
            assert_eq!((status.code, &*status.message), (2, "asked to"));
            let address = match span.kind() {
                SpanKind::Server => of("network.peer.address"),
                _ => of("server.address"),
            };
            assert_eq!(address, "127.0.0.1");
        }
        let (_, request) = &scene.collector.requests()[0];
        let resource = request.resource_spans[0].resource.clone().unwrap();
        let name = attribute(&resource.attributes, "service.name");
        assert_eq!(name.as_deref(), Some("relays"));
    });
}

#[test]
fn streams_have_one_span_and_their_calls_are_its_children() {
    let parent = format!("00-{TRACE}-{PARENT}-01");
    with_scene(Sampler::NEVER, async |scene| {
        let request = called("", Some(&parent)).map(|_| ());
        let (mut out, mut seen) = scene.channel.bidi_streaming(CHAT, request).await.unwrap();
        for _ in 0..2 {
            out.send("x".to_owned()).await.unwrap();
            let told = seen.message().await.unwrap().unwrap();
            assert!(told.starts_with(&format!("00-{TRACE}-")));
        }
        drop(out);
        assert_eq!(seen.message().await, Ok(None));
        let spans = scene.spans(5);
        let stream = &spans[4];
        assert_eq!(stream.name, "test.Relay/Chat");
        let count = attribute(&stream.attributes, "corespun.received.messages");
        assert_eq!(count.as_deref(), Some("2"));
        for between in [&spans[1], &spans[3]] {
            assert_eq!(parent_of(between), hex(&stream.span_id));
        }
    });
}

#[test]
fn what_is_not_sampled_leaves_no_span_but_goes_on() {
    let unsampled = format!("00-{TRACE}-{PARENT}-00");
    with_scene(Sampler::ALWAYS, async |scene| {
        let request = called("x", Some(&unsampled));
        let seen = scene.channel.unary(TELL, request).await.unwrap();
        assert!(seen.get_ref().starts_with(&format!("00-{TRACE}-")));
        assert!(seen.get_ref().ends_with("-00"));
        assert!(!seen.get_ref().contains(PARENT));
        scene.spans(0);
    });
    with_scene(Sampler::NEVER, async |scene| {
        let seen = scene.channel.unary(TELL, called("x", None)).await.unwrap();
        assert!(seen.get_ref().ends_with("-02"), "{seen:?}");
        scene.spans(0);
    });
}

#[test]
fn a_broken_parent_is_not_gone_on_with() {
    let broken = format!("00-{TRACE}-{PARENT}-01-");
    with_scene(Sampler::ALWAYS, async |scene| {
        let seen = scene.channel.unary(TELL, called("x", Some(&broken))).await;
        assert!(!seen.unwrap().get_ref().contains(TRACE));
        let spans = scene.spans(3);
        assert_eq!(
            (parent_of(&spans[2]), &*spans[2].trace_state),
            (String::new(), "")
        );
        assert_eq!(spans[0].trace_id, spans[2].trace_id);
    });
}

/// Log output of a test.
#[derive(Clone, Default)]
struct Lines(Arc<Mutex<Vec<u8>>>);

impl Write for Lines {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

impl<'a> MakeWriter<'a> for Lines {
    type Writer = Self;

    fn make_writer(&'a self) -> Self {
        self.clone()
    }
}

#[test]
fn what_a_handler_logs_lies_in_its_span() {
    let lines = Lines::default();
    let subscriber = tracing_subscriber::fmt()
        .with_writer(lines.clone())
        .with_ansi(false)
        .with_span_events(FmtSpan::CLOSE)
        .finish();
    // Shards have their own threads, so the log is global to the process; no other test reads it.
    tracing::subscriber::set_global_default(subscriber).unwrap();
    let parent = format!("00-{TRACE}-00f067aa0ba902b7-00");
    with_scene(Sampler::NEVER, async |scene| {
        let request = called("x", Some(&parent));
        scene.channel.unary(LATER, request).await.unwrap();
    });
    let text = String::from_utf8(lines.0.lock().unwrap().clone()).unwrap();
    let spoken = |method: &str| {
        let says = format!("rpc.method=\"{method}\"");
        let mut spoken = text
            .lines()
            .filter(|line| line.contains("a handler speaks"));
        spoken.any(|line| line.contains(&says) && line.contains(TRACE))
    };
    assert!(spoken("Later") && spoken("Tell"), "{text}");
    let closed = |line: &str| line.contains("close") && line.contains("rpc.grpc.status_code=0");
    assert!(text.lines().any(closed), "{text}");
}
