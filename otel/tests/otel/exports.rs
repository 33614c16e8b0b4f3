//! Export of spans to a collector that fails, rejects, or is not reachable.

use std::net::TcpListener;
use std::time::Duration;

use corespun_client::{Channel, ClientTlsConfig, Roots};
use corespun_codec::{Request, Status};
use corespun_otel::{Error, ExportStats, Otlp, Tracer};
use corespun_proto::opentelemetry::proto::collector::trace::v1::{
    ExportTracePartialSuccess, ExportTraceServiceResponse,
};
use corespun_server::TlsConfig;

use crate::collector::Collector;
use crate::world::{TELL, on_each_engine, relay};

const LIMIT: Duration = Duration::from_secs(60);

fn started(otlp: Otlp) -> Tracer {
    Tracer::builder("exports").export(otlp).start().unwrap()
}

fn stats(exported: u64, dropped: u64, failed: u64) -> ExportStats {
    ExportStats {
        exported,
        dropped,
        failed,
    }
}

/// Makes `count` calls, each of which creates a span.
fn call(tracer: &Tracer, count: usize) {
    on_each_engine(async |engine| {
        let server = relay(engine, tracer, None);
        let channel = Channel::lazy(&server.addresses()[0].to_string()).unwrap();
        for _ in 0..count {
            channel
                .unary(TELL, Request::new("x".to_owned()))
                .await
                .unwrap();
        }
        server.stop().unwrap();
    });
}

/// Returns the number of engines here, each of which makes the calls.
fn engines() -> u64 {
    let count = std::cell::Cell::new(0);
    on_each_engine(async |_| count.set(count.get() + 1));
    count.get()
}

#[test]
fn a_batch_that_fails_for_a_moment_is_sent_again() {
    let collector = Collector::default();
    let endpoint = collector.start();
    collector.answer(Err(Status::unavailable("not yet")));
    let target = format!("http://{}", endpoint.addresses()[0]);
    let tracer = started(Otlp::new(target).pause(LIMIT));
    call(&tracer, 3);
    assert!(tracer.flush(LIMIT));
    let spans = 3 * engines();
    assert_eq!(tracer.stats(), stats(spans, 0, 0));
    assert_eq!(collector.spans().len() as u64, spans);
    endpoint.stop().unwrap();
}

#[test]
fn a_batch_that_is_refused_is_not() {
    let collector = Collector::default();
    let endpoint = collector.start();
    let target = format!("http://{}", endpoint.addresses()[0]);
    let tracer = started(Otlp::new(target).pause(LIMIT));
    collector.answer(Err(Status::unauthenticated("who are you?")));
    call(&tracer, 1);
    assert!(tracer.flush(LIMIT));
    assert_eq!(tracer.stats(), stats(0, 0, engines()));
    collector.answer(Ok(ExportTraceServiceResponse {
        partial_success: Some(ExportTracePartialSuccess {
            rejected_spans: 1,
            error_message: "too old".into(),
        }),
    }));
    call(&tracer, 2);
    assert!(tracer.flush(LIMIT));
    let taken = 2 * engines() - 1;
    assert_eq!(tracer.stats(), stats(taken, 0, engines() + 1));
    endpoint.stop().unwrap();
}

#[test]
fn a_collector_that_is_not_there_costs_no_more_than_the_queue() {
    // A port that is bound and never accepts: a connection is established, and gets no response.
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let target = format!("http://{}", silent.local_addr().unwrap());
    let tracer = started(Otlp::new(target).pause(LIMIT).queue_spans_max(4));
    let spans = 8 * engines();
    call(&tracer, 8);
    assert!(!tracer.flush(Duration::from_millis(10)));
    let ExportStats {
        exported,
        dropped,
        failed,
    } = tracer.stats();
    // Four are on their way, four wait.
    assert_eq!((exported, failed), (0, 0));
    assert!(
        (spans - 8..=spans - 4).contains(&dropped),
        "{dropped} of {spans}"
    );
}

#[test]
fn a_batch_is_given_up_when_its_time_is_over() {
    let gone = TcpListener::bind("127.0.0.1:0").unwrap();
    let target = format!("http://{}", gone.local_addr().unwrap());
    drop(gone);
    let otlp = Otlp::new(target).pause(LIMIT);
    let tracer = started(otlp.retry_time_max(Duration::from_millis(100)));
    call(&tracer, 1);
    assert!(tracer.flush(LIMIT));
    assert_eq!(tracer.stats(), stats(0, 0, engines()));
}

#[test]
fn batches_headers_and_compression() {
    let collector = Collector::default();
    let endpoint = collector.start();
    let target = format!("http://{}", endpoint.addresses()[0]);
    let otlp = Otlp::new(target).pause(LIMIT).batch_spans_max(2).gzip();
    let tracer = started(otlp.header("x-key", "sesame").unwrap());
    call(&tracer, 5);
    assert!(tracer.flush(LIMIT));
    let requests = collector.requests();
    assert_eq!(collector.spans().len() as u64, 5 * engines());
    for (metadata, request) in &requests {
        assert_eq!(metadata.get("x-key"), Some("sesame"));
        assert!(request.resource_spans[0].scope_spans[0].spans.len() <= 2);
        assert!(
            metadata.get("traceparent").is_none(),
            "exports have no trace"
        );
    }
    endpoint.stop().unwrap();
}

#[test]
fn spans_go_out_after_a_pause_without_a_flush() {
    let collector = Collector::default();
    let endpoint = collector.start();
    let target = format!("http://{}", endpoint.addresses()[0]);
    let tracer = started(Otlp::new(target).pause(Duration::from_millis(20)));
    call(&tracer, 1);
    for _ in 0..3000 {
        if tracer.stats().exported == engines() {
            endpoint.stop().unwrap();
            return;
        }
        std::thread::sleep(Duration::from_millis(10));
    }
    panic!("nothing is exported: {:?}", tracer.stats());
}

#[test]
fn over_tls() {
    let issued = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    let (chain, key) = (issued.cert.pem(), issued.signing_key.serialize_pem());
    let collector = Collector::default();
    let tls = TlsConfig::from_pem(&chain, key);
    let endpoint = collector
        .builder()
        .listen("127.0.0.1:0")
        .tls(tls)
        .start()
        .unwrap();
    let port = endpoint.addresses()[0].to_string();
    let port = port.rsplit(':').next().unwrap();
    let connector = ClientTlsConfig::new(Roots::from_pem(&chain))
        .load()
        .unwrap();
    let otlp = Otlp::new(format!("https://localhost:{port}")).tls(connector);
    let tracer = started(otlp.pause(LIMIT));
    call(&tracer, 1);
    assert!(tracer.flush(LIMIT));
    assert_eq!(tracer.stats(), stats(engines(), 0, 0));
    endpoint.stop().unwrap();
}

#[test]
fn an_endpoint_that_makes_no_sense_is_named() {
    let tracer = Tracer::builder("x")
        .export(Otlp::new("ftp://nowhere"))
        .start();
    let Err(Error::Endpoint(status)) = tracer else {
        panic!("it is taken");
    };
    assert!(status.message().contains("ftp"), "{status}");
    assert!(Otlp::new("x").header("grpc-x", "y").is_err());
}
