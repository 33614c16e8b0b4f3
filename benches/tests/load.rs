//! Load generator with the bench servers, ours and tonic's: all four kinds of calls.

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command as Process, Stdio};

use clap::Parser;
use corespun_load::{Command, CommandLine, Interrupt, Plan, Report, run};

/// Server that is killed when dropped.
struct Server {
    child: Child,
    address: String,
}

impl Server {
    fn start(program: &str) -> Self {
        let mut child = Process::new(program)
            .args(["--listen", "127.0.0.1:0", "--shards", "1"])
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(child.stderr.take().unwrap()).lines();
        let address = loop {
            let line = lines
                .next()
                .expect("the server says where it listens")
                .unwrap();
            if let Some(rest) = line.strip_prefix("listening on ") {
                break rest.split(' ').next().unwrap().to_owned();
            }
        };
        Self { child, address }
    }

    fn load(&self, method: &str, flags: &[&str]) -> Report {
        let proto = Path::new(env!("CARGO_MANIFEST_DIR")).join("../proto/user.proto");
        let method = format!("user.UserService/{method}");
        let line = [
            "load",
            "run",
            "--target",
            &self.address,
            "--method",
            &method,
        ];
        let common = "--connections 2 --streams 4 --duration 200ms --warmup 100ms --strict";
        let words = line
            .into_iter()
            .chain(["--proto", proto.to_str().unwrap()])
            .chain(common.split(' '))
            .chain(flags.iter().copied());
        let Command::Run(args) = CommandLine::try_parse_from(words).unwrap().command else {
            unreachable!("the line says run");
        };
        let plan = Plan::new(&args).unwrap();
        let report = run(plan, &mut std::io::sink(), &Interrupt::manual()).unwrap();
        assert_eq!(report.failed(), 0, "{method}: {report:?}");
        assert!(report.counts.ok > 10, "{method}: {report:?}");
        report
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[test]
fn all_four_kinds_are_answered() {
    for program in [
        env!("CARGO_BIN_EXE_bench-tonic"),
        env!("CARGO_BIN_EXE_bench-corespun"),
    ] {
        let server = Server::start(program);
        server.load("GetUser", &["--data", r#"{"id": {{rand 1 100}}}"#]);
        server.load("GetUser", &["--data", r#"{"id": 1}"#, "--rate", "500"]);
        let listed = server.load("ListUsers", &["--data", r#"{"page_size": 10}"#]);
        assert!(listed.messages.unwrap().received >= 10 * (listed.counts.ok - 8));
        let user = r#"[{"id": 1, "name": "a"}, {"id": 2, "name": "b"}]"#;
        server.load("ImportUsers", &["--data", user]);
        server.load("Lookup", &["--data", r#"{"id": 1}"#, "--messages", "5"]);
        let free = [
            "--data",
            r#"{"id": 1}"#,
            "--messages",
            "50",
            "--turns",
            "free",
        ];
        server.load("Lookup", &free);
    }
}
