//! Load generator as clients with deadlines, and the part of its JSON with their results.

use std::collections::BTreeMap;
use std::fmt::{self, Display};
use std::fs;
use std::path::PathBuf;
use std::process::{Command, Stdio};

use serde::Deserialize;

use super::page::Measured;
use crate::cpus::spawn_on;
use crate::failure::{Attempt, Failure};
use crate::process::Server;

/// Number of connections; enough that no call has to wait for another one.
const CONNECTIONS: u32 = 8;
const STREAMS: u32 = 600;
/// Concurrent calls on each connection in a closed loop.
const CLOSED_STREAMS: u32 = 16;
/// Timeout of calls.
const TIMEOUT: &str = "250ms";

/// Schedule of calls.
#[derive(Clone, Copy)]
pub enum Pace {
    /// Closed loop: each client calls again when its last call is answered.
    Closed,
    /// Open loop: this many calls per second, at random moments, whatever their outcome.
    Open(f64),
}

impl Display for Pace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Closed => f.write_str("closed loop"),
            Self::Open(rate) => write!(f, "{rate:.0} calls/s offered"),
        }
    }
}

#[derive(Deserialize)]
struct Report {
    ok: u64,
    #[serde(default)]
    failed: BTreeMap<String, u64>,
    duration_s: f64,
    outcomes: Vec<Outcome>,
    #[serde(default)]
    warnings: Vec<String>,
}

#[derive(Deserialize)]
struct Outcome {
    name: String,
    latency_us: Latency,
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct Latency {
    p50: Option<f64>,
    p99: Option<f64>,
}

impl Report {
    fn measured(self) -> Measured {
        let mut outcomes = self.outcomes.into_iter();
        let good = outcomes.find(|outcome| outcome.name == "OK");
        let latency = good.map(|good| good.latency_us).unwrap_or_default();
        let count = |name: &str| self.failed.get(name).copied().unwrap_or(0);
        let per_s = |calls: u64| calls as f64 / self.duration_s;
        let (refused, late) = (count("RESOURCE_EXHAUSTED"), count("DEADLINE_EXCEEDED"));
        let failed: u64 = self.failed.values().sum();
        Measured {
            good_per_s: per_s(self.ok),
            refused_per_s: per_s(refused),
            late_per_s: per_s(late),
            other_per_s: per_s(failed - refused - late),
            p50_ms: latency.p50.map(|us| us / 1e3),
            p99_ms: latency.p99.map(|us| us / 1e3),
            warnings: self.warnings,
        }
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
    /// Calls `method` for a while, and reads the report.
    pub fn run(
        &self,
        server: &Server,
        method: &str,
        data: &str,
        pace: Pace,
    ) -> Result<Measured, Failure> {
        let file = self.folder.join("report.json");
        let mut command = Command::new(&self.program);
        command.args(["run", "--target", &server.address, "--method", method]);
        command.args(["--data", data, "--proto"]).arg(&self.schema);
        command.args(["--warmup", "1s", "--timeout", TIMEOUT]);
        command.args(["--duration", &format!("{}s", self.seconds)]);
        command.args(["--connections", &CONNECTIONS.to_string()]);
        let streams = match pace {
            Pace::Closed => CLOSED_STREAMS,
            Pace::Open(rate) => {
                command.args(["--rate", &format!("{rate:.0}")]);
                command.args(["--schedule", "poisson"]);
                STREAMS
            }
        };
        command.args(["--streams", &streams.to_string()]);
        if let Some(cpu) = self.cpu {
            command.args(["--cpu", &cpu.to_string()]);
        }
        command.arg("--json").arg(&file);
        command.stdin(Stdio::null()).stdout(Stdio::null());
        command.stderr(Stdio::piped());
        let child = spawn_on(self.cpu, &mut command)?;
        let output = child.wait_with_output();
        let output = output.attempt(|| "run corespun-load".into())?;
        if !output.status.success() {
            let said = String::from_utf8_lossy(&output.stderr).into_owned();
            let why = format!("{}: {said}", output.status);
            return Err(Failure::new("run corespun-load", why));
        }
        let text = fs::read_to_string(&file).attempt(|| format!("read {file:?}"))?;
        let report: Report =
            serde_json::from_str(&text).attempt(|| format!("understand {file:?}"))?;
        Ok(report.measured())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn good_calls_are_told_from_refused_and_late_ones() {
        let text = r#"{"ok": 800, "duration_s": 2, "latency_us": {"p99": 9e9},
            "failed": {"RESOURCE_EXHAUSTED": 100, "DEADLINE_EXCEEDED": 40, "UNAVAILABLE": 2},
            "outcomes": [
                {"name": "RESOURCE_EXHAUSTED", "latency_us": {"p50": 1, "p99": 2}},
                {"name": "OK", "latency_us": {"p50": 1500, "p99": 2500}}]}"#;
        let report: Report = serde_json::from_str(text).unwrap();
        let measured = report.measured();
        assert_eq!(measured.good_per_s, 400.0);
        assert_eq!(
            (
                measured.refused_per_s,
                measured.late_per_s,
                measured.other_per_s
            ),
            (50.0, 20.0, 1.0)
        );
        assert_eq!((measured.p50_ms, measured.p99_ms), (Some(1.5), Some(2.5)));
    }
}
