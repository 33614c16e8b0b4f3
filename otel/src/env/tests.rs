//! Environment variables, alone and combined.

use std::collections::HashMap;
use std::os::unix::ffi::OsStringExt;
use std::time::Duration;

use corespun_codec::{SpanId, TraceContext, TraceId};
use corespun_proto::opentelemetry::proto::common::v1::KeyValue;
use corespun_proto::opentelemetry::proto::common::v1::any_value::Value;

use super::*;

/// Creates a tracer from variables, each given as `NAME=value`.
fn read(variables: &[&str]) -> Result<TracerBuilder, Error> {
    let pairs = variables.iter().filter_map(|text| text.split_once('='));
    let pairs: HashMap<_, _> = pairs.collect();
    tracer("own".to_owned(), &|name| Some(pairs.get(name)?.into()))
}

fn exporter(variables: &[&str]) -> Otlp {
    read(variables).unwrap().otlp.unwrap()
}

/// Returns the error of an invalid variable in a set of variables.
fn refused(variables: &[&str]) -> String {
    match read(variables) {
        Ok(_) => panic!("{variables:?} is taken"),
        Err(error) => error.to_string(),
    }
}

#[test]
fn nothing_is_set() {
    for variables in [
        &[][..],
        &["OTEL_TRACES_SAMPLER=", "OTEL_EXPORTER_OTLP_ENDPOINT="],
    ] {
        let builder = read(variables).unwrap();
        assert_eq!((&*builder.service, builder.off), ("own", false));
        assert_eq!(builder.sampler, Sampler::ALWAYS);
        let otlp = builder.otlp.unwrap();
        assert_eq!(otlp.endpoint, "http://localhost:4317");
        assert_eq!(format!("{otlp:?}"), format!("{:?}", Otlp::new(ENDPOINT)));
    }
}

#[test]
fn endpoints() {
    let check = |variables: &[&str], expected: &str| {
        assert_eq!(exporter(variables).endpoint, expected, "{variables:?}");
    };
    let all = |value: &str| format!("OTEL_EXPORTER_OTLP_ENDPOINT={value}");
    for (value, expected) in [
        ("http://collector:4317", "http://collector:4317"),
        ("HTTPS://collector:4317/", "https://collector:4317"),
        ("http://collector", "http://collector:80"),
        ("https://collector/", "https://collector:443"),
        ("https://[::1]", "https://[::1]:443"),
        ("https://[::1]:7", "https://[::1]:7"),
        (" collector:4317 ", "https://collector:4317"),
        ("unix:/run/otel.sock", "unix:/run/otel.sock"),
    ] {
        check(&[&all(value)], expected);
    }
    let (all, traces) = (
        all("http://all:1"),
        "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT=http://one:2",
    );
    check(&[&all, traces], "http://one:2");
    check(
        &[&all, "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT="],
        "http://all:1",
    );
    let schemeless = "OTEL_EXPORTER_OTLP_ENDPOINT=all:1";
    check(
        &[schemeless, "OTEL_EXPORTER_OTLP_INSECURE=True"],
        "http://all:1",
    );
    check(
        &[schemeless, "OTEL_EXPORTER_OTLP_INSECURE=false"],
        "https://all:1",
    );
    let both = [
        "OTEL_EXPORTER_OTLP_ENDPOINT=https://all:1",
        "OTEL_EXPORTER_OTLP_INSECURE=true",
    ];
    check(&both, "https://all:1");
}

#[test]
fn headers() {
    let metadata = |variables: &[&str]| {
        let metadata = exporter(variables).metadata();
        let pair = |(key, value): (&str, &[u8])| format!("{key}: {}", value.escape_ascii());
        metadata.iter().map(pair).collect::<Vec<_>>()
    };
    let all = "OTEL_EXPORTER_OTLP_HEADERS= Authorization = Bearer%20a=b ,x-b=%2c,,";
    assert_eq!(metadata(&[all]), ["authorization: Bearer a=b", "x-b: ,"]);
    let traces = "OTEL_EXPORTER_OTLP_TRACES_HEADERS=x-c=d";
    assert_eq!(metadata(&[all, traces]), ["x-c: d"]);
    let explicit = exporter(&[all]).header("x-b", "own").unwrap().metadata();
    assert_eq!(explicit.get_all("x-b").collect::<Vec<_>>(), ["own"]);
    assert_eq!(explicit.get("authorization"), Some("Bearer a=b"));
}

#[test]
fn times_counts_and_compression() {
    let otlp = exporter(&[
        "OTEL_EXPORTER_OTLP_TIMEOUT=0",
        "OTEL_EXPORTER_OTLP_TRACES_TIMEOUT=1500",
        "OTEL_EXPORTER_OTLP_COMPRESSION=GZIP",
        "OTEL_BSP_SCHEDULE_DELAY=0",
        "OTEL_BSP_EXPORT_TIMEOUT=0",
        "OTEL_BSP_MAX_QUEUE_SIZE=10",
        "OTEL_BSP_MAX_EXPORT_BATCH_SIZE=10",
        "OTEL_EXPORTER_OTLP_PROTOCOL=grpc",
    ]);
    assert_eq!(otlp.timeout, Duration::from_millis(1500));
    assert_eq!(otlp.pause, Duration::from_millis(1));
    assert!(
        otlp.retry_time_max > Duration::from_secs(24 * 60 * 60),
        "no end"
    );
    assert_eq!((otlp.queue_spans_max, otlp.batch_spans_max), (10, 10));
    assert!(otlp.compress);
    let traces = [
        "OTEL_EXPORTER_OTLP_COMPRESSION=gzip",
        "OTEL_EXPORTER_OTLP_TRACES_COMPRESSION=none",
    ];
    assert!(!exporter(&traces).compress);
}

#[test]
fn samplers() {
    let check = |kind: &str, argument: &str, expected: Sampler| {
        let kind = format!("OTEL_TRACES_SAMPLER={kind}");
        let argument = format!("OTEL_TRACES_SAMPLER_ARG={argument}");
        let sampler = read(&[&kind, &argument]).unwrap().sampler;
        assert_eq!(sampler, expected, "{kind} {argument}");
    };
    check("always_on", "", Sampler::ALWAYS.regardless());
    check("always_off", "not looked at", Sampler::NEVER.regardless());
    check("traceidratio", "0.25", Sampler::ratio(0.25).regardless());
    check("parentbased_always_on", "", Sampler::ALWAYS);
    check("parentbased_always_off", "", Sampler::NEVER);
    check("ParentBased_TraceIdRatio", " 0.25 ", Sampler::ratio(0.25));
    check("parentbased_traceidratio", "", Sampler::ALWAYS);
    check("", "7", Sampler::ALWAYS);
    let trace = TraceId::from_bytes([1; 16]).unwrap();
    let parent = TraceContext::root(trace, SpanId::from_bytes([2; 8]).unwrap(), false);
    let always = read(&["OTEL_TRACES_SAMPLER=always_on"]).unwrap().sampler;
    assert!(always.samples(Some(&parent), trace));
}

#[test]
fn names_and_attributes() {
    let resource = |builder: TracerBuilder| {
        let resource = crate::report::resource(&builder.service, &builder.attributes);
        let pair = |attribute: &KeyValue| format!("{}={}", attribute.key, value(attribute));
        resource.attributes.iter().map(pair).collect::<Vec<_>>()
    };
    let attributes = "OTEL_RESOURCE_ATTRIBUTES=service.name=a,team = x%2Cy ,region=north";
    let found = resource(read(&[attributes]).unwrap());
    assert!(found.contains(&"service.name=a".to_owned()), "{found:?}");
    assert!(found.contains(&"team=x,y".to_owned()), "{found:?}");
    let found = resource(read(&[attributes, "OTEL_SERVICE_NAME=b"]).unwrap());
    let names: Vec<_> = found
        .iter()
        .filter(|text| text.starts_with("service.name"))
        .collect();
    assert_eq!(names, ["service.name=b"]);
    let builder = read(&[attributes, "OTEL_SERVICE_NAME=b"]).unwrap();
    let found = resource(
        builder
            .attribute("region", "south")
            .attribute("service.name", "c"),
    );
    let said = |text: &str| found.iter().filter(|one| one.starts_with(text)).count();
    assert_eq!(
        (
            said("region=south"),
            said("region="),
            said("service.name=c")
        ),
        (1, 1, 1)
    );
}

fn value(attribute: &KeyValue) -> String {
    match attribute.value.as_ref().and_then(|any| any.value.as_ref()) {
        Some(Value::StringValue(text)) => text.clone(),
        other => panic!("{other:?}"),
    }
}

#[test]
fn what_is_off_looks_at_nothing_else() {
    let off = "OTEL_SDK_DISABLED=TRUE";
    let builder = read(&[off, "OTEL_EXPORTER_OTLP_ENDPOINT=ftp://x"]).unwrap();
    assert!(builder.off);
    assert!(read(&["OTEL_TRACES_EXPORTER=none"]).unwrap().otlp.is_none());
    let quiet = [
        "OTEL_TRACES_EXPORTER=none",
        "OTEL_EXPORTER_OTLP_PROTOCOL=http/json",
    ];
    assert!(read(&quiet).unwrap().otlp.is_none());
}

#[test]
fn values_that_make_no_sense_are_named() {
    for (variable, why) in [
        ("OTEL_SDK_DISABLED=1", "expected true or false"),
        ("OTEL_TRACES_SAMPLER=often", "expected always_on,"),
        ("OTEL_TRACES_EXPORTER=zipkin", "expected otlp or none"),
        ("OTEL_RESOURCE_ATTRIBUTES=a=b,c", "pair 2 has no ="),
        ("OTEL_RESOURCE_ATTRIBUTES==b", "pair 1 has no key"),
        ("OTEL_RESOURCE_ATTRIBUTES=a=%4", "a % in the value of a"),
        (
            "OTEL_RESOURCE_ATTRIBUTES=a=%ff",
            "the value of a is not UTF-8",
        ),
        ("OTEL_EXPORTER_OTLP_PROTOCOL=http/protobuf", "only grpc"),
        (
            "OTEL_EXPORTER_OTLP_ENDPOINT=ftp://a:1",
            "neither http nor https",
        ),
        (
            "OTEL_EXPORTER_OTLP_ENDPOINT=http://a:1/v1/traces",
            "no other path",
        ),
        ("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT=http://a:0", "the port"),
        ("OTEL_EXPORTER_OTLP_ENDPOINT=http://a:65536", "the port"),
        ("OTEL_EXPORTER_OTLP_ENDPOINT=http://", "a host and a port"),
        ("OTEL_EXPORTER_OTLP_INSECURE=yes", "expected true or false"),
        ("OTEL_EXPORTER_OTLP_COMPRESSION=br", "expected gzip or none"),
        ("OTEL_EXPORTER_OTLP_TIMEOUT=10s", "milliseconds"),
        ("OTEL_EXPORTER_OTLP_TRACES_TIMEOUT=-1", "milliseconds"),
        ("OTEL_BSP_SCHEDULE_DELAY=1.5", "milliseconds"),
        ("OTEL_BSP_EXPORT_TIMEOUT=soon", "milliseconds"),
        ("OTEL_BSP_MAX_QUEUE_SIZE=0", "from 1 to"),
        ("OTEL_BSP_MAX_QUEUE_SIZE=4294967296", "from 1 to"),
        ("OTEL_BSP_MAX_EXPORT_BATCH_SIZE=2049", "only 2048 spans"),
    ] {
        let error = refused(&[variable]);
        let start = format!("failed to understand {variable}: ");
        assert!(error.starts_with(&start) && error.contains(why), "{error}");
    }
    for ratio in ["1.1", "-0.1", "NaN", "half"] {
        let argument = format!("OTEL_TRACES_SAMPLER_ARG={ratio}");
        let error = refused(&["OTEL_TRACES_SAMPLER=traceidratio", &argument]);
        assert!(error.contains(&argument), "{error}");
    }
}

#[test]
fn an_error_keeps_keys_to_itself() {
    for value in [
        "x-key",
        "x key=sesame",
        "x-key=ses%61me%",
        "x-key=%C3%A4sesame",
        "grpc-x=sesame",
    ] {
        let error = refused(&[&format!("OTEL_EXPORTER_OTLP_HEADERS=a=sesame,{value}")]);
        let start = "failed to understand OTEL_EXPORTER_OTLP_HEADERS=(not shown): ";
        assert!(error.starts_with(start), "{error}");
        assert!(!error.contains("sesame"), "{error}");
    }
}

#[test]
fn what_is_not_utf_8_is_named() {
    let broken = |name: &str| {
        let set = name == "OTEL_SERVICE_NAME";
        set.then(|| std::ffi::OsString::from_vec(vec![b'a', 0xff]))
    };
    let error = tracer("own".to_owned(), &broken).err().unwrap().to_string();
    assert!(
        error.starts_with("failed to understand OTEL_SERVICE_NAME=a"),
        "{error}"
    );
}

#[test]
fn certificates() {
    let folder = std::env::temp_dir().join(format!("corespun-otel-env-{}", std::process::id()));
    std::fs::create_dir_all(&folder).unwrap();
    let issued = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    let write = |name: &str, text: &str| {
        let path = folder.join(name);
        std::fs::write(&path, text).unwrap();
        path.to_str().unwrap().to_owned()
    };
    let chain = write("chain.pem", &issued.cert.pem());
    let key = write("key.pem", &issued.signing_key.serialize_pem());
    let named = |name: &str, path: &str| format!("OTEL_EXPORTER_OTLP_{name}={path}");
    let (roots, shown) = (
        named("CERTIFICATE", &chain),
        named("CLIENT_CERTIFICATE", &chain),
    );
    let key = named("CLIENT_KEY", &key);
    let https = "OTEL_EXPORTER_OTLP_ENDPOINT=https://localhost:1";
    assert!(exporter(&[https]).connector().is_none());
    for variables in [
        &[https, &roots][..],
        &[https, &shown, &key],
        &[https, &roots, &shown, &key],
    ] {
        assert!(exporter(variables).connector().is_some(), "{variables:?}");
    }
    let http = "OTEL_EXPORTER_OTLP_ENDPOINT=http://localhost:1";
    let plain = exporter(&[http, &roots]);
    assert!(plain.connector().is_none(), "a collector without TLS");
    let other = plain.endpoint("https://localhost:2");
    assert!(other.connector().is_some(), "another one, named in code");
    let missing = named("CERTIFICATE", "/nowhere/roots.pem");
    let wrong = named("CLIENT_KEY", &chain);
    for (variables, blamed) in [
        (&[https, &*missing][..], &missing),
        (&[https, &shown], &shown),
        (&[https, &key], &key),
        (&[https, &roots, &shown, &wrong], &shown),
    ] {
        let error = refused(variables);
        assert!(
            error.starts_with(&format!("failed to understand {blamed}: ")),
            "{error}"
        );
    }
    std::fs::remove_dir_all(&folder).unwrap();
}
