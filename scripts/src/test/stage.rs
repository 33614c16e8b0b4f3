//! Stage of a test run: commands whose output is logged, timed, bounded and counted.

use std::cell::RefCell;
use std::fmt::Display;
use std::fs::{self, File, OpenOptions};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use super::count::Count;
use crate::failure::{Attempt, Failure};
use crate::process;

/// Number of lines of a failed stage's log that are shown.
const TAIL_LINES: usize = 60;

/// State of a stage while it runs.
pub struct Stage {
    log: PathBuf,
    start: Instant,
    limit: Duration,
    has_cases: bool,
    faults: Vec<String>,
    skipped: RefCell<Vec<String>>,
    remarks: Vec<String>,
    log_fault: RefCell<Option<String>>,
}

/// Result of a stage.
pub struct Outcome {
    /// Name of the stage.
    pub name: String,
    /// Duration of the stage in seconds.
    pub seconds: f64,
    /// Numbers of its cases.
    pub count: Count,
    /// True if everything in it passed.
    pub held: bool,
    /// Remarks to print below the stage's line.
    pub remarks: Vec<String>,
}

impl Outcome {
    /// Prints the remarks below the stage's line.
    pub fn print_remarks(&self) {
        for remark in &self.remarks {
            println!("                 {remark}");
        }
    }
}

impl Stage {
    /// Opens `name.log` in `folder`; `limit` bounds the duration of the whole stage.
    pub fn begin(folder: &Path, name: &str, limit: Duration) -> Result<Self, Failure> {
        let log = folder.join(format!("{name}.log"));
        File::create(&log).attempt(|| format!("make {log:?}"))?;
        Ok(Self {
            log,
            start: Instant::now(),
            limit,
            has_cases: false,
            faults: Vec::new(),
            skipped: RefCell::default(),
            remarks: Vec::new(),
            log_fault: RefCell::default(),
        })
    }

    /// Makes the stage fail if no case of it runs and none is skipped by name.
    pub fn expect_cases(&mut self) {
        self.has_cases = true;
    }

    /// Writes one line to the log.
    pub fn note(&self, line: impl Display) {
        if let Err(error) = self.open().and_then(|mut log| writeln!(log, "{line}")) {
            *self.log_fault.borrow_mut() = Some(format!("write {:?}: {error}", self.log));
        }
    }

    /// Records a fault, which makes the stage fail.
    pub fn fault(&mut self, what: impl Display) {
        self.note(format!("fault: {what}"));
        self.faults.push(what.to_string());
    }

    /// Records a line that the summary repeats.
    pub fn remark(&mut self, line: impl Display) {
        self.note(&line);
        self.remarks.push(line.to_string());
    }

    /// Records that a part could not run on this machine.
    pub fn skip(&self, name: &str, reason: impl Display) {
        let line = format!("SKIPPED {name}: {reason}");
        self.note(&line);
        self.skipped.borrow_mut().push(line);
    }

    fn open(&self) -> std::io::Result<File> {
        OpenOptions::new().append(true).open(&self.log)
    }

    /// Runs a command with its output in the log; returns true if it succeeded within the limit.
    pub fn command(&mut self, command: &mut Command) -> bool {
        self.note(format!("$ {}", shown(command)));
        match self.try_command(command) {
            Ok(None) => true,
            Ok(Some(fault)) => {
                self.fault(format!("{}: {fault}", shown(command)));
                false
            }
            Err(failure) => {
                self.fault(failure);
                false
            }
        }
    }

    /// Runs a command; returns the fault if it failed.
    fn try_command(&self, command: &mut Command) -> Result<Option<String>, Failure> {
        let output = self.open().attempt(|| format!("open {:?}", self.log))?;
        let errors = output
            .try_clone()
            .attempt(|| format!("share {:?}", self.log))?;
        command
            .stdin(std::process::Stdio::null())
            .stdout(output)
            .stderr(errors);
        let mut child = command
            .spawn()
            .attempt(|| format!("start {}", shown(command)))?;
        let left = self.limit.saturating_sub(self.start.elapsed());
        Ok(match process::wait_at_most(&mut child, left)? {
            Some(status) if status.success() => None,
            Some(status) => Some(status.to_string()),
            None => {
                process::kill_tree(&mut child);
                Some(format!(
                    "killed: the stage took more than {} s",
                    self.limit.as_secs()
                ))
            }
        })
    }

    /// Closes the stage: counts the cases in its log and, if it failed, prints the end of it.
    pub fn finish(mut self, name: &str) -> Outcome {
        let text = fs::read(&self.log).unwrap_or_default();
        let text = String::from_utf8_lossy(&text);
        let mut count = Count::read(&text);
        // Counted in memory too, because a log that could not be written must not lose cases.
        count.add_skipped(self.skipped.take());
        if let Some(fault) = self.log_fault.take() {
            self.fault(fault);
        }
        if self.has_cases && self.faults.is_empty() && count.is_empty() {
            self.fault("no case ran, and none was skipped by name");
        }
        let held = self.faults.is_empty() && count.failed == 0;
        if !held {
            for fault in &self.faults {
                println!("    fault: {fault}");
            }
            // A stage that failed before its first case must still appear in the sum.
            count.failed = count.failed.max(1);
            let lines: Vec<_> = text.lines().collect();
            println!("--- last lines of {}", self.log.display());
            for line in &lines[lines.len().saturating_sub(TAIL_LINES)..] {
                println!("    {line}");
            }
        }
        let seconds = self.start.elapsed().as_secs_f64();
        Outcome {
            name: name.to_owned(),
            seconds,
            count,
            held,
            remarks: self.remarks,
        }
    }
}

fn shown(command: &Command) -> String {
    let environment = command.get_envs().filter_map(|(key, value)| {
        Some(format!(
            "{}={} ",
            key.to_string_lossy(),
            value?.to_string_lossy()
        ))
    });
    let mut line: String = environment.collect();
    line.push_str(&command.get_program().to_string_lossy());
    for argument in command.get_args() {
        line.push(' ');
        line.push_str(&argument.to_string_lossy());
    }
    line
}

#[cfg(test)]
mod tests {
    use super::*;

    fn outcome(script: &str, limit: Duration) -> Outcome {
        let name = format!("stage-{}-{}", std::process::id(), script.len());
        let folder = std::env::temp_dir();
        let mut stage = Stage::begin(&folder, &name, limit).unwrap();
        stage.command(Command::new("sh").args(["-c", script]));
        let outcome = stage.finish(&name);
        fs::remove_file(folder.join(format!("{name}.log"))).unwrap();
        outcome
    }

    #[test]
    fn cases_are_counted_from_the_log() {
        let outcome = outcome("echo ok a; echo ok b >&2", Duration::from_secs(9));
        assert!(outcome.held);
        assert_eq!(outcome.count.passed, 2);
    }

    #[test]
    fn a_stage_of_no_cases_fails() {
        let name = format!("stage-empty-{}", std::process::id());
        let outcome = |skip: bool| {
            let mut stage =
                Stage::begin(&std::env::temp_dir(), &name, Duration::from_secs(9)).unwrap();
            stage.expect_cases();
            // Simulates a full disk, which loses the log.
            fs::remove_file(std::env::temp_dir().join(format!("{name}.log"))).unwrap();
            if skip {
                stage.skip("part", "its tool is missing");
            }
            stage.finish(&name)
        };
        assert!(!outcome(false).held);
        let skipped = outcome(true);
        assert_eq!(skipped.count.skipped.len(), 1);
        assert!(!skipped.held);
    }

    #[test]
    fn a_command_that_fails_counts() {
        let outcome = outcome("echo ok a; exit 3", Duration::from_secs(9));
        assert!(!outcome.held);
        assert_eq!((outcome.count.passed, outcome.count.failed), (1, 1));
    }

    #[test]
    fn a_command_that_hangs_is_killed() {
        let outcome = outcome("sleep 60; echo ok never", Duration::from_millis(200));
        assert!(!outcome.held);
        assert!(outcome.seconds < 30.0);
    }
}
