//! Tests of the JSON format.

use std::time::Duration;

use serde_json::Value;

use super::*;
use crate::measure::{Phases, Times};
use crate::outcome::Outcome;
use corespun_codec::Code;

/// Returns a report on `calls` successful calls of 100 µs in 2 s, one failed and one censored call.
pub(crate) fn report(flags: &str, calls: u64) -> Report {
    let at = Duration::from_micros;
    let phases = Phases {
        begin: at(0),
        measure: at(0),
        end: at(2_000_000),
    };
    let times = |sent, ended| Times {
        intended: at(10),
        ready: at(10),
        sent: at(sent),
        first: Some(at(ended - 5)),
        ended: at(ended),
    };
    let mut record = Record::default();
    for _ in 0..calls {
        record.ended(&phases, times(30, 110), Outcome::OK);
    }
    record.ended(&phases, times(10, 20), Outcome::Status(Code::NotFound));
    record.censored(at(10), at(5000));
    record.gap(at(300));
    let interval = record.take_interval((at(0), at(1_000_000)));
    record.absorb(&interval);
    let used = Used {
        cpu_s: 0.004,
        ..Used::default()
    };
    let findings = Findings {
        engine: "uring".into(),
        record,
        messages: None,
        tallies: Vec::new(),
        seconds: vec![Second::of(&interval, 0.0)],
        window: Window {
            length: Duration::from_secs(2),
            target: Some(used),
            own_cpu: Duration::from_secs(1),
            steal_share: Some(0.01),
            ..Window::default()
        },
    };
    Report::new(&crate::plan::tests::plan(flags).unwrap(), findings)
}

#[test]
fn the_json_has_what_it_promises() {
    let report = report("--rate 999 --connections 2", 1996);
    let document = Document::from(Body::Run(Box::new(report)));
    let json: Value = serde_json::from_str(&document.to_json()).unwrap();
    assert_eq!((&json["format"], &json["kind"]), (&1.into(), &"run".into()));
    assert_eq!(json["ok"], 1996);
    assert_eq!(json["failed"]["NOT_FOUND"], 1);
    assert_eq!(json["censored"], 1);
    assert_eq!(json["duration_s"], 2.0);
    assert_eq!(json["rps"], 998.0);
    assert_eq!(json["offered_rps"], 999.0);
    assert_eq!(json["engine"], "uring");
    assert_eq!(json["connections"], 2);
    assert_eq!(json["streams"], 1);
    assert_eq!(json["loop"], "open");
    assert_eq!(json["generator_cpu_share"], 0.5);
    let near = |value: &Value, wanted: f64, by: f64| {
        let value = value.as_f64().unwrap();
        assert!((value - wanted).abs() < by, "{value}, not {wanted}");
    };
    near(&json["target_cpu_us_per_rpc"], 2.0, 0.01);
    near(&json["latency_us"]["p99"], 100.0, 1.0);
    near(&json["service_us"]["p50"], 80.0, 1.0);
    near(&json["lag_us"]["p90"], 20.0, 1.0);
    near(&json["first_byte_us"]["p50"], 75.0, 1.0);
    near(&json["latency_us"]["max"], 4990.0, 10.0);
    near(&json["generator_stall_us"]["max"], 300.0, 1.0);
    assert!(json["latency_us"]["p999"].is_null());
    assert!(json["warnings"].is_array());
    assert_eq!(json["outcomes"][1]["name"], "NOT_FOUND");
    assert_eq!(json["seconds"][0]["calls"], 1998);
}

#[test]
fn a_closed_loop_has_no_timetable() {
    let json = serde_json::to_value(report("", 10)).unwrap();
    assert!(json["offered_rps"].is_null() && json["lag_us"].is_null());
    assert_eq!(json["loop"], "closed");
}
