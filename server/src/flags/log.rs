//! Logging of programs to stderr, in a way that never ends or delays the server.

use std::fmt;
use std::io::{IsTerminal, stderr};
use std::process::ExitCode;
use std::time::Duration;

use corespun_runtime::{LogWriter, flush_log, log_line, log_panics};
use tracing_subscriber::EnvFilter;
use tracing_subscriber::fmt::format::FmtSpan;

/// Longest wait at the end of a program for its last lines to be written.
const FLUSH_TIME_MAX: Duration = Duration::from_millis(500);

/// Logger to stderr until the end of the process. Dropping it waits at most half a second for
/// buffered lines.
///
/// A separate thread writes log lines and panic messages. If the reader of stderr stalls, lines
/// wait in up to 1 MiB of memory; further lines are dropped and counted. If the reader is gone, all
/// lines are dropped.
#[derive(Debug)]
#[must_use = "the last lines are lost if the program ends without a drop of this"]
pub struct Log(());

impl Log {
    /// Starts to log the events that `filter` selects, such as `info` or `corespun_runtime=debug`.
    ///
    /// # Errors
    /// The filter makes no sense, or something else in the program logs already.
    pub fn start(filter: &str) -> Result<Self, LogError> {
        Self::begin(filter, FmtSpan::NONE)
    }

    /// Starts to log like [`start`](Self::start), with an extra line for the end of each span.
    ///
    /// # Errors
    /// The filter makes no sense, or something else in the program logs already.
    pub fn start_with_spans(filter: &str) -> Result<Self, LogError> {
        Self::begin(filter, FmtSpan::CLOSE)
    }

    fn begin(filter: &str, spans: FmtSpan) -> Result<Self, LogError> {
        let parsed = EnvFilter::try_new(filter)
            .map_err(|error| LogError(format!("failed to read log filter {filter:?}: {error}")))?;
        log_panics();
        tracing_subscriber::fmt()
            .with_env_filter(parsed)
            .with_ansi(stderr().is_terminal())
            .with_span_events(spans)
            .with_writer(LogWriter::default)
            .log_internal_errors(false)
            .try_init()
            .map_err(|error| LogError(format!("failed to start logging: {error}")))?;
        Ok(Self(()))
    }
}

impl Drop for Log {
    fn drop(&mut self) {
        flush_log(FLUSH_TIME_MAX);
    }
}

/// Reason why logging could not start.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogError(String);

impl fmt::Display for LogError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for LogError {}

/// Ends `main` of `program`: prints an error to stderr and returns exit code 1, or returns 0.
pub fn conclude(program: &str, ended: Result<(), impl fmt::Display>) -> ExitCode {
    let code = match ended {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            log_line(format_args!("{program}: {error}"));
            ExitCode::FAILURE
        }
    };
    flush_log(FLUSH_TIME_MAX);
    code
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_filter_that_makes_no_sense_is_named() {
        let error = Log::start("corespun=loud")
            .expect_err("no level")
            .to_string();
        assert!(
            error.starts_with("failed to read log filter \"corespun=loud\": "),
            "{error}"
        );
    }

    #[test]
    fn errors_become_exit_codes() {
        assert_eq!(conclude("x", Ok::<(), &str>(())), ExitCode::SUCCESS);
        assert_eq!(conclude("x", Err("failed as told")), ExitCode::FAILURE);
    }
}
