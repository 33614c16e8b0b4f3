//! Tracers configured by environment variables.

use std::cell::Cell;
use std::time::Duration;

use corespun_client::Channel;
use corespun_codec::Request;
use corespun_otel::{ExportStats, Tracer};

use crate::collector::{Collector, attribute};
use crate::world::{TELL, on_each_engine, relay};

const LIMIT: Duration = Duration::from_secs(60);

#[test]
fn variables_lead_to_the_collector() {
    let collector = Collector::default();
    let endpoint = collector.start();
    let endpoint_text = format!("http://{}/", endpoint.addresses()[0]);
    let lookup = |name: &str| {
        let value = match name {
            "OTEL_EXPORTER_OTLP_ENDPOINT" => &*endpoint_text,
            "OTEL_EXPORTER_OTLP_HEADERS" => "X-Key=open%20sesame",
            "OTEL_RESOURCE_ATTRIBUTES" => "team=north,region=one",
            "OTEL_SERVICE_NAME" => "named",
            "OTEL_BSP_SCHEDULE_DELAY" => "20",
            _ => return None,
        };
        Some(value.into())
    };
    let builder = Tracer::from_variables("own", lookup).unwrap();
    let tracer = builder.attribute("region", "two").start().unwrap();
    let calls = Cell::new(0);
    on_each_engine(async |engine| {
        let server = relay(engine, &tracer, None);
        let channel = Channel::lazy(&server.addresses()[0].to_string()).unwrap();
        let request = Request::new("x".to_owned());
        channel.unary(TELL, request).await.unwrap();
        calls.set(calls.get() + 1);
        server.stop().unwrap();
    });
    assert!(tracer.flush(LIMIT));
    assert_eq!(tracer.stats().exported, calls.get());
    for (metadata, request) in &collector.requests() {
        assert_eq!(metadata.get("x-key"), Some("open sesame"));
        let resource = request.resource_spans[0].resource.clone().unwrap();
        let of = |name: &str| attribute(&resource.attributes, name).unwrap_or_default();
        assert_eq!(
            (of("service.name"), of("team")),
            ("named".into(), "north".into())
        );
        assert_eq!(of("region"), "two", "what is said in code counts for more");
    }
    endpoint.stop().unwrap();
}

#[test]
fn what_is_off_hands_traces_on_untouched() {
    let parent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
    let lookup = |name: &str| (name == "OTEL_SDK_DISABLED").then(|| "true".into());
    let tracer = Tracer::from_variables("own", lookup)
        .unwrap()
        .start()
        .unwrap();
    on_each_engine(async |engine| {
        let last = relay(engine, &tracer, None);
        let first = relay(engine, &tracer, Some(&last));
        let channel = Channel::lazy(&first.addresses()[0].to_string()).unwrap();
        for traceparent in [Some(parent), None] {
            let mut request = Request::new("x".to_owned());
            if let Some(traceparent) = traceparent {
                let metadata = request.metadata_mut();
                metadata.append("traceparent", traceparent).unwrap();
            }
            let seen = channel.unary(TELL, request).await.unwrap();
            assert_eq!(seen.get_ref(), traceparent.unwrap_or_default());
        }
        first.stop().unwrap();
        last.stop().unwrap();
    });
    assert_eq!(tracer.stats(), ExportStats::default());
}
