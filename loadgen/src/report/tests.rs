//! Quantiles that are told or not, the JSON, and its file.

use std::path::Path;
use std::time::Duration;

use serde_json::Value;

use super::*;
use crate::measure::{Phases, Times, histogram};
use crate::outcome::Outcome;
use corespun_codec::Code;

#[test]
fn a_quantile_needs_ten_samples_beyond_it() {
    for (per_mille, needed) in [(500, 20), (900, 100), (990, 1000), (999, 10_000)] {
        assert_eq!(samples_needed(per_mille), needed);
        let mut values = histogram();
        values.record_n(1000, needed - 1).unwrap();
        assert_eq!(quantile_us(&values, per_mille), None, "{per_mille}");
        values.record(1000).unwrap();
        assert_eq!(quantile_us(&values, per_mille), Some(1.0), "{per_mille}");
    }
    let none = Percentiles::of(&histogram());
    assert_eq!((none.p50, none.max), (None, None));
    let mut one = histogram();
    one.record(2000).unwrap();
    assert_eq!(
        (Percentiles::of(&one).p50, Percentiles::of(&one).max),
        (None, Some(2.0))
    );
}

fn record(calls: u64) -> Record {
    let at = Duration::from_micros;
    let phases = Phases {
        begin: at(0),
        measure: at(0),
        end: at(2_000_000),
    };
    let mut record = Record::default();
    for _ in 0..calls {
        let times = Times {
            intended: at(10),
            sent: at(30),
            ended: at(110),
        };
        record.ended(&phases, times, Outcome::OK);
    }
    let times = Times {
        intended: at(10),
        sent: at(10),
        ended: at(20),
    };
    record.ended(&phases, times, Outcome::Status(Code::NotFound));
    record.censored(at(10), at(5000));
    record
}

#[test]
fn the_json_has_what_it_promises() {
    let plan = crate::plan::tests::plan("--rate 999 --connections 2").unwrap();
    let window = Window {
        length: Duration::from_secs(2),
        target_cpu: Some(Duration::from_micros(3996)),
        own_cpu: Duration::from_secs(1),
        steal_share: Some(0.01),
        interrupted: false,
    };
    let report = Report::new(&plan, "uring".into(), record(1996), window);
    let json: Value = serde_json::from_str(&serde_json::to_string(&report).unwrap()).unwrap();
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
    assert!((json["target_cpu_us_per_rpc"].as_f64().unwrap() - 2.0).abs() < 0.01);
    assert!((json["latency_us"]["p99"].as_f64().unwrap() - 100.0).abs() < 1.0);
    assert!((json["service_us"]["p50"].as_f64().unwrap() - 80.0).abs() < 1.0);
    assert!((json["lag_us"]["p90"].as_f64().unwrap() - 20.0).abs() < 1.0);
    assert!(json["latency_us"]["p999"].is_null());
    assert!((json["latency_us"]["max"].as_f64().unwrap() - 4990.0).abs() < 10.0);
    assert!(json["warnings"].is_array());
}

#[test]
fn a_report_file_is_kept_only_with_a_report() {
    let folder = std::env::temp_dir().join(format!("corespun-load-{}", std::process::id()));
    std::fs::create_dir_all(&folder).unwrap();
    let path = folder.join("report.json");
    drop(JsonFile::open(&path).unwrap());
    assert!(!path.exists());
    std::fs::write(&path, "x".repeat(100_000)).unwrap();
    let file = JsonFile::open(&path).unwrap();
    assert_eq!(std::fs::metadata(&path).unwrap().len(), 100_000);
    let plan = crate::plan::tests::plan("").unwrap();
    let window = Window {
        length: Duration::from_secs(1),
        ..Window::default()
    };
    file.write(&Report::new(&plan, "epoll".into(), record(1), window))
        .unwrap();
    let json: Value = serde_json::from_str(&std::fs::read_to_string(&path).unwrap()).unwrap();
    assert!(json["offered_rps"].is_null() && json["lag_us"].is_null());
    std::fs::remove_dir_all(&folder).unwrap();
    let error = JsonFile::open(Path::new("/nowhere/report.json"))
        .unwrap_err()
        .to_string();
    assert!(error.contains("/nowhere/report.json"), "{error}");
}
