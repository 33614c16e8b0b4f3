//! The load generator as a program: its flags, and the part of its JSON that the demo shows.

use std::collections::BTreeMap;
use std::fmt::{self, Display};
use std::fs;
use std::path::PathBuf;
use std::process::{Command, Stdio};

use serde::Deserialize;

use crate::cpus::spawn_on;
use crate::failure::{Attempt, Failure};
use crate::process::Server;

/// How a server is driven.
#[derive(Clone, Copy)]
pub struct Load {
    /// TCP connections.
    pub connections: u32,
    /// Concurrent calls on each.
    pub streams: u32,
    /// Calls per second offered in an open loop; none means a closed one.
    pub rate: Option<f64>,
}

impl Display for Load {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{} connections × {} streams, ",
            self.connections, self.streams
        )?;
        match self.rate {
            None => f.write_str("closed loop"),
            Some(rate) => write!(f, "open loop at {rate:.0} req/s"),
        }
    }
}

/// Percentiles in microseconds; one that too few samples support is absent.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub struct Latency {
    /// Half of the calls took no longer.
    pub p50: Option<f64>,
    /// All but one in a hundred.
    pub p99: Option<f64>,
    /// All but one in a thousand.
    pub p999: Option<f64>,
    /// The slowest.
    pub max: Option<f64>,
}

/// What one run measured.
#[derive(Debug, Deserialize)]
pub struct Report {
    /// Calls answered with OK, per second.
    pub rps: f64,
    /// From the intended start in an open loop, from the send in a closed one.
    pub latency_us: Latency,
    /// CPU time of the server's process per call.
    #[serde(default)]
    pub target_cpu_us_per_rpc: Option<f64>,
    /// Calls by the name of the status they failed with.
    #[serde(default)]
    pub failed: BTreeMap<String, u64>,
    /// Why the numbers may not mean what they seem to.
    #[serde(default)]
    pub warnings: Vec<String>,
}

impl Report {
    /// One line.
    pub fn describe(&self) -> String {
        let micros = |value: Option<f64>| value.map_or("n/a".into(), |value| format!("{value:.0}"));
        let latency = &self.latency_us;
        let mut line = format!(
            "{:.0} req/s, p50 {} µs, p99 {} µs, p99.9 {} µs, max {} µs",
            self.rps,
            micros(latency.p50),
            micros(latency.p99),
            micros(latency.p999),
            micros(latency.max),
        );
        if let Some(cpu_us) = self.target_cpu_us_per_rpc {
            line.push_str(&format!(", {cpu_us:.2} CPU-µs/RPC"));
        }
        for (status, calls) in &self.failed {
            line.push_str(&format!(", {calls} × {status}"));
        }
        line
    }
}

/// `corespun-load`, ready to be pointed at a server.
pub struct Generator {
    /// The program.
    pub program: PathBuf,
    /// The schema of the user service.
    pub schema: PathBuf,
    /// Where its reports go.
    pub folder: PathBuf,
    /// Its own CPU.
    pub cpu: Option<usize>,
    /// How long each run lasts.
    pub seconds: u32,
}

impl Generator {
    /// Drives `server` once and reads the report.
    pub fn run(&self, server: &Server, load: Load) -> Result<Report, Failure> {
        let file = self.folder.join("report.json");
        let mut command = self.command(server, load);
        command.arg("--json").arg(&file);
        command
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        let child = spawn_on(self.cpu, &mut command)?;
        let output = child
            .wait_with_output()
            .attempt(|| "run corespun-load".into())?;
        if !output.status.success() {
            let said = String::from_utf8_lossy(&output.stderr).into_owned();
            return Err(Failure::new(
                "run corespun-load",
                format!("{}: {said}", output.status),
            ));
        }
        let text = fs::read_to_string(&file).attempt(|| format!("read {file:?}"))?;
        serde_json::from_str(&text).attempt(|| format!("understand {file:?}"))
    }

    /// Compares two servers, each with its name, and leaves a page; where that is.
    ///
    /// What the generator prints is for whoever looks on.
    pub fn compare(
        &self,
        [(a_name, a), (b_name, b)]: [(&str, &Server); 2],
        load: Load,
        name: &str,
    ) -> Result<PathBuf, Failure> {
        let page = self.folder.join(format!("{name}.html"));
        let mut command = Command::new(&self.program);
        command.args(["compare", &a.address, &b.address]);
        command.args(["--a-name", a_name, "--a-pid", &a.id().to_string()]);
        command.args(["--b-name", b_name, "--b-pid", &b.id().to_string()]);
        command.args(["--pairs", "12", "--noise-pairs", "8"]);
        command.args(["--warmup", "500ms"]);
        command.arg("--html").arg(&page);
        self.describe_load(&mut command, load);
        command.stdin(Stdio::null());
        let status = spawn_on(self.cpu, &mut command)?.wait();
        let status = status.attempt(|| "run corespun-load".into())?;
        match status.success() {
            true => Ok(page),
            false => Err(Failure::new("run corespun-load", status.to_string())),
        }
    }

    fn command(&self, server: &Server, load: Load) -> Command {
        let mut command = Command::new(&self.program);
        command.args(["run", "--target", &server.address]);
        command.args(["--target-pid", &server.id().to_string()]);
        self.describe_load(&mut command, load);
        command
    }

    /// The flags that say what is called, and how often.
    fn describe_load(&self, command: &mut Command, load: Load) {
        command
            .args(["--method", "user.UserService/GetUser", "--proto"])
            .arg(&self.schema);
        command.args([
            "--data",
            r#"{"id":1}"#,
            "--duration",
            &format!("{}s", self.seconds),
        ]);
        command.args(["--connections", &load.connections.to_string()]);
        command.args(["--streams", &load.streams.to_string()]);
        if let Some(rate) = load.rate {
            command.args(["--rate", &format!("{rate:.0}")]);
        }
        if let Some(cpu) = self.cpu {
            command.args(["--cpu", &cpu.to_string()]);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reports_are_read_with_what_they_have() {
        let text = r#"{"ok": 10, "rps": 100.5, "failed": {"UNAVAILABLE": 2},
            "latency_us": {"p50": 1.5, "p99": 20, "p999": null, "max": 30},
            "target_cpu_us_per_rpc": 3.25, "warnings": ["steal"]}"#;
        let report: Report = serde_json::from_str(text).unwrap();
        assert_eq!(
            report.describe(),
            "100 req/s, p50 2 µs, p99 20 µs, p99.9 n/a µs, max 30 µs, 3.25 CPU-µs/RPC, \
             2 × UNAVAILABLE"
        );
        assert_eq!(report.warnings, ["steal"]);
        let bare: Report = serde_json::from_str(r#"{"rps": 1, "latency_us": {}}"#).unwrap();
        assert!(bare.describe().starts_with("1 req/s, p50 n/a"));
    }
}
