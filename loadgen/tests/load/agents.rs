//! Tests of agents in separate processes: TLS and access control.

use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};

use corespun_runtime::Engine;

use crate::authority::{Authority, Issued};
use crate::commands::{at, program};
use crate::server::{Answer, TestServer};
use crate::{alone, scratch};

/// Running agent process.
struct Agent {
    child: Child,
    address: String,
}

impl Agent {
    fn start(flags: &str) -> Self {
        let mut child = Command::new(env!("CARGO_BIN_EXE_corespun-load"))
            .args(["agent", "--listen", "127.0.0.1:0"])
            .args(flags.split_whitespace())
            .stdin(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut line = String::new();
        let mut said = BufReader::new(child.stderr.take().unwrap());
        said.read_line(&mut line).unwrap();
        let address = line.strip_prefix("listening on ");
        let address = address.unwrap_or_else(|| panic!("the agent says {line:?}"));
        Self {
            child,
            address: address.trim().to_owned(),
        }
    }

    fn over_tls(identity: &Issued, flags: &str) -> Self {
        let (cert, key) = (identity.cert.display(), identity.key.display());
        Self::start(&format!("--tls-cert {cert} --tls-key {key} {flags}"))
    }

    /// Makes a run with this agent; returns its exit code and output.
    fn run(&self, flags: &str) -> (i32, String) {
        let target = TestServer::start(Engine::Epoll, Answer::Good);
        let flags = format!(
            "--duration 300ms --warmup 50ms --rate 500 --agents {} {flags}",
            self.address
        );
        let done = program(&format!("run {}", at(target.address(), &flags)));
        let called = target.calls() > 0;
        assert_eq!(called, done.0 == 0, "{done:?}");
        done
    }

    /// Returns the one-line error of a refused run.
    fn refusal(&self, flags: &str) -> String {
        let (code, text) = self.run(flags);
        assert_eq!((code, text.lines().count()), (1, 1), "{flags}: {text}");
        assert!(text.starts_with("failed to "), "{flags}: {text}");
        text
    }
}

impl Drop for Agent {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[test]
fn a_coordinator_that_knows_the_token_is_served_over_tls() {
    let _alone = alone();
    let (good, bad) = (Authority::new("agents"), Authority::new("strangers"));
    let token = scratch("agents.token");
    std::fs::write(&token, "open sesame\n").unwrap();
    let at_token = format!("@{}", token.display());
    let agent = Agent::over_tls(&good.issue("agent.example"), &format!("--token {at_token}"));
    let ca = format!("--agents-cacert {}", good.file().display());
    let json = scratch("agents.json");
    let flags = format!("{ca} --agents-token {at_token} --json {}", json.display());
    let (code, text) = agent.run(&flags);
    assert_eq!(code, 0, "{text}");
    assert!(text.contains("ok 150, failed 0, censored 0"), "{text}");
    let report = std::fs::read_to_string(&json).unwrap();
    assert!(report.contains("--agents-cacert") && !report.contains("agents.token"));
    for file in [&token, &json] {
        std::fs::remove_file(file).unwrap();
    }

    let named = format!("{ca} --agents-token sesame --agents-servername agent.example");
    let other = format!("--agents-cacert {}", bad.file().display());
    let elsewhere = format!("{ca} --agents-servername else.example");
    for (flags, wanted) in [
        (ca.as_str(), "UNAUTHENTICATED: this agent requires a token"),
        (
            named.as_str(),
            "UNAUTHENTICATED: the token of --agents-token",
        ),
        (other.as_str(), "invalid peer certificate"),
        (elsewhere.as_str(), "else.example"),
        ("", "if it speaks TLS, give --agents-cacert"),
    ] {
        let refused = agent.refusal(flags);
        assert!(refused.contains(wanted), "{flags}: {refused}");
        assert!(!refused.contains("sesame"), "{refused}");
    }
}

#[test]
fn a_coordinator_is_known_by_its_certificate() {
    let _alone = alone();
    let authority = Authority::new("mutual");
    let (server, client) = (
        authority.issue("agent.example"),
        authority.issue("coordinator.example"),
    );
    let ca = authority.file().display().to_string();
    let agent = Agent::over_tls(&server, &format!("--tls-client-ca {ca}"));
    let believe = format!("--agents-cacert {ca}");
    let identity = format!(
        "{believe} --agents-cert {} --agents-key {}",
        client.cert.display(),
        client.key.display()
    );
    let (code, text) = agent.run(&identity);
    assert!(code == 0 && text.contains("ok 150"), "{text}");
    let refused = agent.refusal(&believe);
    assert!(refused.contains("CertificateRequired"), "{refused}");

    let plain = Agent::start("");
    let refused = plain.refusal(&believe);
    assert!(refused.contains(&plain.address), "{refused}");
}

#[test]
fn what_would_let_strangers_in_is_refused() {
    let authority = Authority::new("refused");
    let identity = authority.issue("agent.example");
    let (cert, key) = (identity.cert.display(), identity.key.display());
    let target = "run --target 127.0.0.1:1 --agents 192.0.2.1:1";
    let proto = crate::schema().display().to_string();
    let target = format!("{target} --method user.UserService/GetUser --proto {proto}");
    let cases = [
        ("agent --listen 0.0.0.0:0".to_owned(), "--insecure"),
        (
            format!("agent --listen 0.0.0.0:0 --tls-cert {cert} --tls-key {key}"),
            "--token",
        ),
        ("agent --listen nowhere".to_owned(), "\"nowhere\""),
        (
            "agent --listen 127.0.0.1:0 --tls-cert /nowhere/a --tls-key /nowhere/b".to_owned(),
            "/nowhere/a",
        ),
        (
            format!("{target} --agents-token sesame"),
            "unencrypted; give --agents-cacert",
        ),
        (
            format!("{target} --agents-cert {cert} --agents-key {key}"),
            "it needs --agents-cacert",
        ),
        (
            format!("{target} --agents-cacert {key}"),
            "agent.example.key",
        ),
    ];
    for (line, wanted) in cases {
        let (code, text) = program(&line);
        assert_eq!((code, text.lines().count()), (1, 1), "{line}: {text}");
        assert!(
            text.contains(wanted) && !text.contains("sesame"),
            "{line}: {text}"
        );
    }
}
