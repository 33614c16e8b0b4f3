//! Tests of command lines: valid plans and errors.

use super::*;
use crate::args::{Command, CommandLine};
use clap::Parser;

pub(crate) fn plan(flags: &str) -> Result<Plan, LoadError> {
    plan_for("127.0.0.1:1", flags)
}

fn plan_for(target: &str, flags: &str) -> Result<Plan, LoadError> {
    let proto = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/schemas/user.proto");
    let line = ["corespun-load", "run", "--target", target, "--proto", proto];
    let method = ["--method", "user.UserService/GetUser"];
    let words = line
        .into_iter()
        .chain(method)
        .chain(flags.split_ascii_whitespace());
    match CommandLine::try_parse_from(words).unwrap().command {
        Command::Run(args) => Plan::new(&args),
        Command::Replay(args) => Plan::new(&args.into_run()),
        other => unreachable!("the line says run, not {other:?}"),
    }
}

#[test]
fn defaults_and_values() {
    let made = plan("").unwrap();
    assert_eq!(
        made.shape,
        Shape {
            connections: 1,
            streams: 1,
            cpus: vec![None]
        }
    );
    assert_eq!(
        (made.pace.rate, made.target.authority()),
        (None, "127.0.0.1:1")
    );
    let made = plan("--connections 8 --streams 4 --cpu 0,2-3 --rate 1e3 --timeout 250ms");
    let made = made.unwrap();
    assert_eq!(made.shape.cpus, [Some(0), Some(2), Some(3)]);
    assert_eq!(
        (made.pace.rate, made.mix.calls()[0].timeout),
        (Some(1e3), Some(Duration::from_millis(250)))
    );
    let made = plan_for("unix:/tmp/s", "--metadata x-a:b c-bin=aGk --token t").unwrap();
    let fields = &made.mix.calls()[0].fields;
    for (name, value) in [
        ("x-a", "b"),
        ("c-bin", "aGk"),
        ("authorization", "Bearer t"),
    ] {
        let field = (name.as_bytes().to_vec(), value.as_bytes().to_vec());
        assert!(fields.contains(&field), "{name}");
    }
    assert_eq!(made.target.authority(), "localhost");
    let made = plan("--authority users.example --compress gzip").unwrap();
    assert_eq!(made.target.authority(), "users.example");
    let encoding = (b"grpc-encoding".to_vec(), b"gzip".to_vec());
    assert!(made.mix.calls()[0].fields.contains(&encoding));
}

#[test]
fn a_curve_takes_the_window_and_a_trace_gives_it() {
    let made = plan("--rate 100..300 --duration 5s --schedule poisson").unwrap();
    assert_eq!(made.pace.rate, Some(200.0));
    let path = std::env::temp_dir().join(format!("corespun-plan-{}", std::process::id()));
    std::fs::write(&path, "0.5\n1.999999999\n").unwrap();
    let made = plan(&format!("--replay {}", path.display()));
    std::fs::remove_file(&path).unwrap();
    let made = made.unwrap();
    assert_eq!(
        (made.pace.duration, made.pace.rate),
        (Duration::from_secs(2), Some(1.0))
    );
}

#[test]
fn a_number_of_calls_sets_the_window() {
    let seconds = Duration::from_secs;
    let cases = [
        ("", 10, 2, None),
        ("--duration 1m30s --warmup 0", 90, 0, None),
        ("-n 7", 3600, 0, Some(7)),
        ("--calls 7 --warmup 1s", 3600, 1, Some(7)),
        ("-n7 --duration 5s", 5, 0, Some(7)),
        ("-n 300 --rate 100", 3, 0, None),
        ("-n 300 --rate 100 --duration 2s", 2, 0, None),
        ("-n 300 --rate 100 --duration 4s", 3, 0, None),
    ];
    for (flags, duration, warmup, calls) in cases {
        let pace = plan(flags).unwrap().pace;
        assert_eq!(
            (pace.duration, pace.warmup, pace.calls),
            (seconds(duration), seconds(warmup), calls),
            "{flags}"
        );
    }
}

#[test]
fn senseless_values_are_named() {
    let cases = [
        ("--calls 0", "--calls \"0\""),
        ("--calls -1", "--calls \"-1\""),
        ("-n ten", "--calls \"ten\""),
        ("-n 5 --rate 1..9", "--calls \"5\""),
        ("-n 5 --rate 9 --schedule poisson", "--calls \"5\""),
        ("-n 5 --rate 0", "--rate \"0\""),
        ("-n 99999999 --rate 1", "1000 hours"),
        ("--duration 1m30", "--duration \"1m30\""),
        ("--rate 0", "--rate \"0\""),
        ("--rate -3", "--rate \"-3\""),
        ("--rate NaN", "--rate \"NaN\""),
        ("--rate inf", "--rate \"inf\""),
        ("--rate ten", "--rate \"ten\""),
        ("--connections 0", "--connections \"0\""),
        ("--streams -1", "--streams \"-1\""),
        ("--cores 2", "--connections \"1\""),
        ("--cores 2 --connections 2 --cpu 1", "--cpu \"1\""),
        ("--rate 10..", "--rate \"10..\""),
        ("--rate 1e12", "--rate \"1e12\""),
        ("--rate 10 --schedule often", "--schedule \"often\""),
        ("--schedule poisson", "--schedule \"poisson\""),
        ("--replay /nowhere", "--replay \"/nowhere\""),
        ("--seed x", "--seed \"x\""),
        ("--messages 0", "--messages \"0\""),
        ("--messages 2", "--messages \"2\""),
        ("--turns wild", "--turns \"wild\""),
        ("--compress lzma", "--compress \"lzma\""),
        ("--data-mode pool:0", "--data-mode \"pool:0\""),
        ("--data @/nowhere", "--data \"@/nowhere\""),
        ("--scenario x.toml", "--method"),
        ("--token @/nowhere", "--token"),
        ("--tls --cert a.pem", "--cert \"a.pem\""),
        ("--tls --key a.pem", "--key \"a.pem\""),
        ("--cacert a.pem", "--cacert \"a.pem\""),
        ("--servername x", "--servername \"x\""),
        ("--insecure-skip-verify", "--insecure-skip-verify"),
        (
            "--tls --insecure-skip-verify --cacert a.pem",
            "--cacert \"a.pem\"",
        ),
        ("--tls --cacert /nowhere.pem", "/nowhere.pem"),
        ("--cpu 3-1", "--cpu \"3-1\""),
        ("--duration 10", "--duration \"10\""),
        ("--duration 0s", "--duration \"0s\""),
        ("--warmup x", "--warmup \"x\""),
        ("--timeout -1s", "--timeout \"-1s\""),
        ("--engine kqueue", "--engine \"kqueue\""),
        ("--target-pid 0", "--target-pid \"0\""),
        ("--metadata nothing", "--metadata \"nothing\""),
        ("--metadata grpc-x=1", "grpc-x"),
    ];
    for (flags, wanted) in cases {
        let error = plan(flags).unwrap_err().to_string();
        assert!(
            error.starts_with("failed to read ") && error.contains(wanted),
            "{error}"
        );
    }
}

#[test]
fn targets_that_make_no_sense_are_named() {
    let error = plan_for("http://127.0.0.1:1", "--tls")
        .unwrap_err()
        .to_string();
    assert!(error.contains("the target is http"), "{error}");
    let secure = plan_for("https://127.0.0.1:1", "--insecure-skip-verify").unwrap();
    assert_eq!(secure.target.scheme(), "https");
    let error = plan_for("nowhere", "").unwrap_err().to_string();
    assert!(
        error.starts_with("failed to read address \"nowhere\""),
        "{error}"
    );
}
