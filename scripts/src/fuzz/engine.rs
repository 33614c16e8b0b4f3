//! libFuzzer for one target: builds it, runs it, and reads its coverage.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use nix::sys::resource::{UsageWho, getrusage};
use nix::sys::time::TimeVal;

use super::corpus::Corpus;
use crate::failure::{Attempt, Failure};
use crate::workspace;

/// Compiler options for libFuzzer's counters on every edge and every comparison. They work on the
/// stable compiler, because LLVM has the pass.
const COUNTERS: [&str; 6] = [
    "-Cpasses=sancov-module",
    "-Cllvm-args=-sanitizer-coverage-level=4",
    "-Cllvm-args=-sanitizer-coverage-inline-8bit-counters",
    "-Cllvm-args=-sanitizer-coverage-pc-table",
    "-Cllvm-args=-sanitizer-coverage-trace-compares",
    "-Ccodegen-units=1",
];

const INPUT_BYTES_MAX: usize = 2_048;

/// Time in seconds after which an input counts as a hang.
const HANG_SECONDS: u32 = 20;

/// Program of one target, and its folders.
pub struct Engine {
    target: String,
    program: PathBuf,
    found: PathBuf,
    least: PathBuf,
    artifacts: PathBuf,
}

/// Result of a search.
#[derive(Debug, Default, PartialEq)]
pub struct Report {
    /// Number of inputs that were run.
    pub executions: u64,
    /// CPU time of the search; on a busy machine less than its wall time.
    pub cpu_time: Duration,
    /// Number of edges of the instrumented code that were reached.
    pub edges: u64,
    /// Input that violated an invariant, if one did.
    pub fault: Option<Vec<u8>>,
}

impl Engine {
    /// Builds the program of the crate in `folder`, with instrumentation and overflow checks.
    pub fn build(root: &Path, folder: &str, target: &str) -> Result<Self, Failure> {
        let triple = host_triple()?;
        let package = format!("corespun-{}", folder.replace('/', "-"));
        let build_folder = workspace::target(root)?.join("fuzz");
        let mut cargo = workspace::cargo(root);
        cargo
            .args([
                "build",
                "--quiet",
                "--profile",
                "fuzz",
                "--features",
                "libfuzzer",
            ])
            .args(["--package", &package, "--target", &triple])
            .arg("--target-dir")
            .arg(&build_folder)
            .env("RUSTFLAGS", COUNTERS.join(" "));
        let status = cargo.status().attempt(|| "start cargo".into())?;
        if !status.success() {
            return Err(Failure::new(
                format!("build {package} for libFuzzer"),
                status,
            ));
        }
        let name = folder.split('/').next().unwrap_or(folder);
        let program = build_folder
            .join(triple)
            .join("fuzz")
            .join(format!("fuzz-{name}"));
        let scratch = |kind| workspace::scratch(root, &format!("fuzz-{kind}-{target}"));
        Ok(Self {
            target: target.to_owned(),
            program,
            found: scratch("found")?,
            least: scratch("least")?,
            artifacts: scratch("artifacts")?,
        })
    }

    /// Writes the initial inputs for the engine.
    pub fn fill(&self, corpus: &Corpus) -> Result<(), Failure> {
        for (at, input) in corpus.inputs.iter().chain(&corpus.faults).enumerate() {
            let path = self.found.join(format!("kept-{at}"));
            fs::write(&path, input).attempt(|| format!("write {path:?}"))?;
        }
        Ok(())
    }

    fn command(&self) -> Command {
        let mut command = Command::new(&self.program);
        command
            .env("CORESPUN_FUZZ_TARGET", &self.target)
            .arg(format!("-artifact_prefix={}/", self.artifacts.display()))
            .arg(format!("-max_len={INPUT_BYTES_MAX}"))
            .arg(format!("-timeout={HANG_SECONDS}"));
        command
    }

    /// Runs for `minutes` of wall time, or until an input violates an invariant.
    pub fn search(&self, minutes: f64) -> Result<Report, Failure> {
        if minutes <= 0.0 {
            return Ok(Report::default());
        }
        let mut command = self.command();
        command
            .arg(format!("-max_total_time={}", (minutes * 60.0).ceil()))
            .arg("-print_final_stats=1")
            .arg(&self.found);
        let before = children_cpu_time()?;
        let output = command
            .output()
            .attempt(|| format!("start {:?}", self.program))?;
        let cpu_time = children_cpu_time()?.saturating_sub(before);
        let text = String::from_utf8_lossy(&output.stderr);
        let fault = self.fault()?;
        if !output.status.success() {
            let from = text.lines().count().saturating_sub(40);
            text.lines()
                .skip(from)
                .for_each(|line| println!("  {line}"));
            if fault.is_none() {
                return Err(Failure::new(format!("fuzz {}", self.target), output.status));
            }
        }
        Ok(Report {
            executions: number_behind(&text, "stat::number_of_executed_units:"),
            cpu_time,
            edges: number_behind(&text, " cov:"),
            fault,
        })
    }

    /// Returns the input at which the engine stopped.
    fn fault(&self) -> Result<Option<Vec<u8>>, Failure> {
        let inputs = inputs_in(&self.artifacts)?;
        Ok(inputs.into_iter().next())
    }

    /// Returns a minimal set of inputs that reach all covered code.
    pub fn minimised(&self) -> Result<Vec<Vec<u8>>, Failure> {
        let mut command = self.command();
        let output = command
            .args(["-set_cover_merge=1"])
            .args([&self.least, &self.found])
            .output()
            .attempt(|| format!("start {:?}", self.program))?;
        if !output.status.success() {
            let what = format!("minimise the corpus of {}", self.target);
            return Err(Failure::new(what, output.status));
        }
        inputs_in(&self.least)
    }
}

/// Returns the CPU time of all child processes that have ended.
fn children_cpu_time() -> Result<Duration, Failure> {
    let usage = getrusage(UsageWho::RUSAGE_CHILDREN);
    let usage = usage.attempt(|| "ask for the CPU time of children".into())?;
    Ok(duration(usage.user_time()) + duration(usage.system_time()))
}

fn duration(time: TimeVal) -> Duration {
    Duration::from_secs(time.tv_sec().unsigned_abs())
        + Duration::from_micros(time.tv_usec().unsigned_abs())
}

fn inputs_in(folder: &Path) -> Result<Vec<Vec<u8>>, Failure> {
    let entries = fs::read_dir(folder).attempt(|| format!("list {folder:?}"))?;
    let paths = entries.flatten().map(|entry| entry.path());
    paths
        .map(|path| fs::read(&path).attempt(|| format!("read {path:?}")))
        .collect()
}

/// Returns the last number after `label`, or 0 if there is none.
fn number_behind(text: &str, label: &str) -> u64 {
    let rest = text.rsplit_once(label).map_or("", |(_, rest)| rest);
    let word = rest.split_whitespace().next().unwrap_or("");
    word.parse().unwrap_or(0)
}

/// Returns the target triple of rustc's host. It must be given explicitly, so that build scripts
/// are not instrumented.
fn host_triple() -> Result<String, Failure> {
    let output = Command::new("rustc").arg("-vV").output();
    let output = output.attempt(|| "start rustc".into())?;
    let text = String::from_utf8_lossy(&output.stdout);
    let host = text.lines().find_map(|line| line.strip_prefix("host: "));
    host.map(str::to_owned)
        .ok_or_else(|| Failure::new("name the host", "rustc -vV does not"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_read_behind_their_labels() {
        let text =
            "#2 INITED cov: 7 ft: 9\n#9 NEW cov: 12 ft: 20\nstat::number_of_executed_units: 31\n";
        assert_eq!(number_behind(text, " cov:"), 12);
        assert_eq!(number_behind(text, "stat::number_of_executed_units:"), 31);
        assert_eq!(number_behind(text, "stat::peak_rss_mb:"), 0);
    }
}
