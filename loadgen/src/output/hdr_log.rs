//! HDR interval log: the histograms of every second, readable by other HDR tools.

use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use hdrhistogram::serialization::V2DeflateSerializer;
use hdrhistogram::serialization::interval_log::{
    IntervalLogWriterBuilder, IntervalLogWriterError, Tag,
};

use super::file::{failure, stream};
use crate::error::LoadError;
use crate::progress::Observer;
use crate::timeline::Moment;

/// Interval log that is written during a run.
///
/// Each second of the measured window has five lines, tagged `response`, `service`, `lag`, `late`
/// and `first_byte`. Values are nanoseconds. Times count from the start of the window.
pub struct HdrLog {
    path: PathBuf,
    out: BufWriter<Box<dyn Write + Send>>,
    begun: bool,
    trouble: Option<io::Error>,
}

impl std::fmt::Debug for HdrLog {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("HdrLog").field("path", &self.path).finish()
    }
}

impl HdrLog {
    /// Creates a log, and replaces the previous content.
    ///
    /// # Errors
    /// The system refuses.
    pub fn create(path: &Path) -> Result<Self, LoadError> {
        let out = stream(path).map_err(|error| failure(path, error.to_string()))?;
        Ok(Self {
            path: path.to_owned(),
            out: BufWriter::new(out),
            begun: false,
            trouble: None,
        })
    }

    /// Completes the log.
    ///
    /// # Errors
    /// Some of it could not be written.
    pub fn finish(mut self) -> Result<(), LoadError> {
        let flushed = self.out.flush();
        match self.trouble.map_or(flushed, Err) {
            Ok(()) => Ok(()),
            Err(error) => Err(failure(&self.path, error.to_string())),
        }
    }

    fn write(&mut self, moment: Moment<'_>, at: Duration) -> io::Result<()> {
        let mut builder = IntervalLogWriterBuilder::new();
        if !self.begun {
            self.begun = true;
            let began = SystemTime::now() - Duration::from_secs_f64(moment.interval.seconds());
            builder
                .add_comment("[Logged with corespun-load; values in nanoseconds]")
                .with_start_time(began)
                .with_base_time(began);
        }
        let mut serializer = V2DeflateSerializer::new();
        let mut log = builder.begin_log_with(&mut self.out, &mut serializer)?;
        let length = Duration::from_secs_f64(moment.interval.seconds());
        for (name, histogram) in moment.interval.measured.named() {
            let written = log.write_histogram(histogram, at, length, Tag::new(name));
            written.map_err(|error| match error {
                IntervalLogWriterError::IoError(error) => error,
                IntervalLogWriterError::SerializeError(error) => {
                    io::Error::other(error.to_string())
                }
            })?;
        }
        Ok(())
    }
}

impl Observer for HdrLog {
    /// Writes the interval. A write error does not end the run: [`HdrLog::finish`] returns it.
    fn interval(&mut self, moment: Moment<'_>) {
        let (Some(at), None) = (moment.since_measure, &self.trouble) else {
            return;
        };
        self.trouble = self.write(moment, at).err();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::measure::{Phases, Record, Times};
    use crate::outcome::Outcome;
    use crate::report::Packed;
    use base64::Engine as _;
    use hdrhistogram::serialization::interval_log::{IntervalLogIterator, LogEntry};

    const fn at(millis: u64) -> Duration {
        Duration::from_millis(millis)
    }

    #[test]
    fn the_log_is_read_back_by_the_family() {
        let path = std::env::temp_dir().join(format!("load-{}.hlog", std::process::id()));
        let mut log = HdrLog::create(&path).unwrap();
        let phases = Phases {
            begin: at(0),
            measure: at(0),
            end: at(9000),
        };
        for second in 0..2 {
            let mut record = Record::default();
            let times = Times {
                intended: at(0),
                ready: at(0),
                sent: at(1),
                first: Some(at(3)),
                ended: at(7),
            };
            (0..=second).for_each(|_| record.ended(&phases, times, Outcome::OK));
            let span = (at(1000 * second), at(1000 * second + 1000));
            let interval = record.take_interval(span);
            log.interval(Moment {
                interval: &interval,
                since_begin: span.1,
                since_measure: Some(span.0),
                after_end: false,
            });
        }
        log.finish().unwrap();
        let text = std::fs::read(&path).unwrap();
        let mut seen = Vec::new();
        for entry in IntervalLogIterator::new(&text) {
            let LogEntry::Interval(line) = entry.unwrap() else {
                continue;
            };
            let bytes = base64::engine::general_purpose::STANDARD
                .decode(line.encoded_histogram())
                .unwrap();
            let values = Packed::of_bytes(&bytes).unwrap();
            assert_eq!(line.duration(), at(1000));
            let name = line.tag().unwrap().as_str().to_owned();
            let millis = (values.max() as f64 / 1e6).round() as u64;
            seen.push((line.start_timestamp().as_secs(), name, values.len(), millis));
        }
        let expected = [
            ("response", 7),
            ("service", 6),
            ("lag", 1),
            ("late", 1),
            ("first_byte", 2),
        ];
        let expected: Vec<_> = (0..2)
            .flat_map(|s| expected.map(|(name, ms)| (s, name.to_owned(), s + 1, ms)))
            .collect();
        assert_eq!(seen, expected);
        std::fs::remove_file(path).unwrap();
    }
}
