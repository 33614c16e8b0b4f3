//! Traces of call start times, read for `--replay` and written by `--record`.

use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::duration;
use crate::error::LoadError;
use crate::outcome::Outcome;
use crate::output::stream;

/// Offsets of calls from the start of the measured window, in ascending order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Trace(Vec<Duration>);

impl Trace {
    /// Parses a trace: a line for each call, which starts with its offset in seconds. Text after
    /// the offset, empty lines, and lines that start with `#` are ignored. The order of lines does
    /// not matter.
    ///
    /// # Errors
    /// Names the first line without an offset, or reports that the trace is empty.
    pub fn parse(text: &str) -> Result<Self, String> {
        let mut offsets = Vec::new();
        for (index, line) in text.lines().enumerate() {
            let Some(word) = line.split([' ', '\t', ',']).find(|word| !word.is_empty()) else {
                continue;
            };
            if word.starts_with('#') {
                continue;
            }
            let offset = duration::parse(&format!("{word}s"));
            let failed = || format!("line {}: {word:?} is not an offset in seconds", index + 1);
            offsets.push(offset.ok_or_else(failed)?);
        }
        if offsets.is_empty() {
            return Err("it has no calls".to_owned());
        }
        offsets.sort_unstable();
        Ok(Self(offsets))
    }

    /// Reads a trace file.
    ///
    /// # Errors
    /// The file cannot be read or is not a trace.
    pub fn read(path: &Path) -> Result<Self, LoadError> {
        let failed = |cause: String| LoadError::flag("--replay", path.to_string_lossy(), cause);
        let text = std::fs::read_to_string(path).map_err(|error| failed(error.to_string()))?;
        Self::parse(&text).map_err(failed)
    }

    /// Returns the offset of a call by its number.
    pub fn offset(&self, number: u64) -> Option<Duration> {
        self.0.get(usize::try_from(number).ok()?).copied()
    }

    /// Returns the number of calls that start before this offset.
    pub fn calls_by(&self, offset: Duration) -> usize {
        self.0.partition_point(|&call| call < offset)
    }

    /// Returns the shortest window that contains all calls.
    pub fn length(&self) -> Duration {
        self.0
            .last()
            .map_or(Duration::ZERO, |last| *last + Duration::from_nanos(1))
    }
}

/// Call of a run for a trace.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sample {
    /// Intended start, from the start of the measured window.
    pub offset: Duration,
    /// Time from the intended start to the end; the age of a call that did not end.
    pub latency: Duration,
    /// Outcome of the call, if it ended.
    pub outcome: Option<Outcome>,
}

/// File of `--record`, opened before the run so that a wrong path is reported at once.
pub struct TraceFile {
    path: PathBuf,
    out: Box<dyn Write + Send>,
}

impl TraceFile {
    /// Creates the file, or empties it.
    ///
    /// # Errors
    /// The system refuses.
    pub fn create(path: &Path) -> Result<Self, LoadError> {
        let out = stream(path).map_err(|error| unwritable(path, &error))?;
        Ok(Self {
            path: path.to_owned(),
            out,
        })
    }

    /// Writes a line for each call, in the order of intended starts.
    ///
    /// # Errors
    /// The system refuses.
    pub fn write(self, mut samples: Vec<Sample>) -> Result<(), LoadError> {
        samples.sort_unstable_by_key(|sample| sample.offset);
        let written = write_all(BufWriter::new(self.out), &samples);
        written.map_err(|error| unwritable(&self.path, &error))
    }
}

fn write_all(mut out: impl Write, samples: &[Sample]) -> io::Result<()> {
    writeln!(
        out,
        "# corespun-load trace: offset in s, outcome, latency in us"
    )?;
    for sample in samples {
        let Sample {
            offset,
            latency,
            outcome,
        } = sample;
        let outcome = outcome.map_or("CENSORED", Outcome::name);
        let micros = latency.as_nanos() as f64 / 1e3;
        let (seconds, nanos) = (offset.as_secs(), offset.subsec_nanos());
        writeln!(out, "{seconds}.{nanos:09}\t{outcome}\t{micros:.3}")?;
    }
    out.flush()
}

fn unwritable(path: &Path, error: &io::Error) -> LoadError {
    LoadError::Report {
        path: path.to_owned(),
        cause: error.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn offsets_are_read_in_any_order() {
        let trace = Trace::parse("# made by hand\n0.5 x\n\n0.000000001,y\n.25\n").unwrap();
        assert_eq!(trace.offset(0), Some(Duration::from_nanos(1)));
        assert_eq!(trace.offset(2), Some(Duration::from_millis(500)));
        assert_eq!(
            (trace.offset(3), trace.calls_by(Duration::from_millis(250))),
            (None, 1)
        );
        assert_eq!(trace.length(), Duration::from_nanos(500_000_001));
    }

    #[test]
    fn what_is_no_trace_is_named() {
        for (text, wanted) in [
            ("", "no calls"),
            ("1\n-2\n", "line 2: \"-2\""),
            ("one", "line 1"),
        ] {
            let error = Trace::parse(text).unwrap_err();
            assert!(error.contains(wanted), "{error}");
        }
        let error = Trace::read(Path::new("/nowhere/trace"))
            .unwrap_err()
            .to_string();
        assert!(error.contains("--replay \"/nowhere/trace\""), "{error}");
    }

    #[test]
    fn what_is_recorded_can_be_replayed() {
        let sample = |millis, outcome| Sample {
            offset: Duration::from_millis(millis),
            latency: Duration::from_micros(1500),
            outcome,
        };
        let samples = [sample(1, Some(Outcome::OK)), sample(2001, None)];
        let mut out = Vec::new();
        write_all(&mut out, &samples).unwrap();
        let text = String::from_utf8(out).unwrap();
        assert!(text.contains("0.001000000\tOK\t1500.000\n"), "{text}");
        assert!(
            text.ends_with("2.001000000\tCENSORED\t1500.000\n"),
            "{text}"
        );
        let trace = Trace::parse(&text).unwrap();
        assert_eq!(trace.offset(1), Some(Duration::from_millis(2001)));
    }
}
