//! Command lines that make a plan, and those that do not.

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
    let Command::Run(args) = CommandLine::try_parse_from(words).unwrap().command else {
        unreachable!("the line says run");
    };
    Plan::new(&args)
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
        (made.pace.rate, made.authority.as_str()),
        (None, "127.0.0.1:1")
    );
    let made = plan("--connections 8 --streams 4 --cpu 0,2-3 --rate 1e3 --timeout 250ms");
    let made = made.unwrap();
    assert_eq!(made.shape.cpus, [Some(0), Some(2), Some(3)]);
    assert_eq!(
        (made.pace.rate, made.timeout),
        (Some(1e3), Some(Duration::from_millis(250)))
    );
    let made = plan_for("unix:/tmp/s", "--metadata x-a=b c-bin=hi").unwrap();
    assert_eq!(
        (made.metadata.get("x-a"), made.metadata.len()),
        (Some("b"), 2)
    );
    assert_eq!(made.authority, "localhost");
}

#[test]
fn senseless_values_are_named() {
    let cases = [
        ("--rate 0", "--rate \"0\""),
        ("--rate -3", "--rate \"-3\""),
        ("--rate NaN", "--rate \"NaN\""),
        ("--rate inf", "--rate \"inf\""),
        ("--rate ten", "--rate \"ten\""),
        ("--connections 0", "--connections \"0\""),
        ("--streams -1", "--streams \"-1\""),
        ("--cores 2", "--connections \"1\""),
        ("--cores 2 --connections 2 --cpu 1", "--cpu \"1\""),
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
    let error = plan_for("nowhere", "").unwrap_err().to_string();
    assert!(
        error.starts_with("failed to read address \"nowhere\""),
        "{error}"
    );
}
