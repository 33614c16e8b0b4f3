//! Load generator as a program: its flags, and the part of its JSON that the demo shows.

use std::collections::BTreeMap;
use std::fmt::{self, Display};
use std::fs;
use std::path::PathBuf;
use std::process::{Command, Stdio};

use serde::Deserialize;

use crate::cpus::spawn_on;
use crate::failure::{Attempt, Failure};
use crate::process::Server;

/// Load on a server.
#[derive(Clone, Copy)]
pub struct Load {
    /// Number of TCP connections.
    pub connections: u32,
    /// Number of concurrent calls on each connection.
    pub streams: u32,
    /// Offered calls per second of an open loop; `None` for a closed loop.
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

/// Latency percentiles in microseconds; `None` for one with too few samples.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub struct Latency {
    /// Median.
    pub p50: Option<f64>,
    /// 99th percentile.
    pub p99: Option<f64>,
    /// 99.9th percentile.
    pub p999: Option<f64>,
    /// Maximum.
    pub max: Option<f64>,
}

/// Result of one run.
#[derive(Debug, Deserialize)]
pub struct Report {
    /// Successful calls per second.
    pub rps: f64,
    /// Latency from the intended start in an open loop, from the send in a closed one.
    pub latency_us: Latency,
    /// CPU time of the server process per call, in microseconds.
    #[serde(default)]
    pub target_cpu_us_per_rpc: Option<f64>,
    /// Number of failed calls by the name of their status.
    #[serde(default)]
    pub failed: BTreeMap<String, u64>,
    /// Reasons why the numbers may be misleading.
    #[serde(default)]
    pub warnings: Vec<String>,
}

impl Report {
    /// Returns a summary in one line.
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

/// `corespun-load`, ready to run against a server.
pub struct Generator {
    /// Path of the program.
    pub program: PathBuf,
    /// Path of the user service's schema.
    pub schema: PathBuf,
    /// Folder of its reports.
    pub folder: PathBuf,
    /// CPU of the load generator.
    pub cpu: Option<usize>,
    /// Duration of each run in seconds.
    pub seconds: u32,
}

impl Generator {
    /// Loads `server` once, and reads the report.
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

    /// Compares two named servers, writes a page, and returns its path.
    ///
    /// The output of the load generator is shown to the user.
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

    /// Adds the flags that select the method, rate and concurrency.
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
