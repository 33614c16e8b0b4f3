//! Reference for the CPU time of calls: a server that only returns the bytes that it receives.

use std::path::Path;

use serde::{Deserialize, Serialize};

use super::Calibration;
use crate::error::LoadError;
use crate::report::{Body, Document, Report};
use crate::units::several;

/// Raw echo of a calibration, as other results use it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct RawEcho {
    /// CPU time of the echo server per message, in µs: about the lower bound of a call.
    pub server_cpu_us: f64,
    /// Round trips of messages per second.
    pub rps: f64,
    /// Total number of connections.
    pub connections: usize,
    /// Number of messages in flight at once on each connection.
    pub streams: usize,
    /// Kernel interface of the sockets: `uring` or `epoll`.
    pub engine: String,
    /// Name of the processor.
    pub cpu: String,
}

impl RawEcho {
    /// Reads a file that `calibrate --json` wrote.
    ///
    /// # Errors
    /// The file is not a calibration, or has no CPU time.
    pub fn read(path: &Path) -> Result<Self, LoadError> {
        let failed = |cause: &str| LoadError::Input {
            path: path.to_owned(),
            cause: cause.to_owned(),
        };
        let Body::Calibrate(calibration) = Document::read(path)?.body else {
            return Err(failed(
                "it is not a calibration, as calibrate --json writes it",
            ));
        };
        let cpu_us = calibration.echo.server_cpu_us;
        match cpu_us.is_finite() && cpu_us > 0.0 {
            true => Ok(Self::of(&calibration)),
            false => Err(failed("its raw echo has no CPU time")),
        }
    }

    fn of(Calibration { null, echo, .. }: &Calibration) -> Self {
        Self {
            server_cpu_us: echo.server_cpu_us,
            rps: echo.rps,
            connections: null.setup.connections,
            streams: null.setup.streams,
            engine: null.setup.engine.clone(),
            cpu: null.machine.cpu.clone(),
        }
    }

    /// Returns the run's calls per CPU-second as a share of the echo's messages: 0 to 1, or above 1
    /// under a different load.
    pub fn share(&self, report: &Report) -> Option<f64> {
        let cpu_us = report.cost.target_cpu_us_per_rpc?;
        (cpu_us > 0.0).then_some(self.server_cpu_us / cpu_us)
    }

    /// Returns the report with the largest share, and that share.
    pub fn best<'a>(&self, reports: impl Iterator<Item = &'a Report>) -> Option<(&'a Report, f64)> {
        let shares = reports.filter_map(|report| Some((report, self.share(report)?)));
        shares.max_by(|(_, one), (_, other)| one.total_cmp(other))
    }

    /// Returns a warning about the shares of these reports, unless the echo ran under the
    /// conditions of one of them.
    pub fn doubt<'a>(&self, reports: impl Iterator<Item = &'a Report> + Clone) -> Option<String> {
        let mut measured = reports.filter(|r| r.cost.target_cpu_us_per_rpc.is_some());
        let first = measured.clone().next()?;
        let cause = if first.machine.cpu != self.cpu {
            format!("on another processor ({})", self.cpu)
        } else if first.setup.engine != self.engine {
            format!("with another engine ({})", self.engine)
        } else if measured.any(|report| self.is_like(report)) {
            return None;
        } else {
            format!("with {}", self.shape())
        };
        Some(format!(
            "raw echo: it was measured {cause}, unlike these calls; a message costs less the more \
             are in flight"
        ))
    }

    fn is_like(&self, report: &Report) -> bool {
        let setup = &report.setup;
        (setup.connections, setup.streams) == (self.connections, self.streams)
    }

    /// Returns the number of messages in flight in words.
    pub fn shape(&self) -> String {
        let connections = several(self.connections, "connection");
        format!("{connections} × {}", several(self.streams, "message"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::tests::report;

    fn echo() -> RawEcho {
        RawEcho {
            server_cpu_us: 2.0,
            rps: 1e5,
            connections: 2,
            streams: 1,
            engine: report("", 9).setup.engine,
            cpu: report("", 9).machine.cpu,
        }
    }

    fn costing(flags: &str, cpu_us: f64) -> Report {
        let mut report = report(flags, 50);
        report.cost.target_cpu_us_per_rpc = Some(cpu_us);
        report
    }

    #[test]
    fn a_share_is_of_the_calls_in_a_cpu_second() {
        let echo = echo();
        assert_eq!(echo.share(&costing("", 8.0)), Some(0.25));
        assert_eq!(echo.share(&costing("", 0.0)), None);
        let (dear, cheap) = (costing("", 8.0), costing("--connections 2", 4.0));
        let (best, share) = echo.best([&dear, &cheap].into_iter()).unwrap();
        assert_eq!((best.setup.connections, share), (2, 0.5));
    }

    #[test]
    fn what_differs_is_told() {
        let echo = echo();
        let like = costing("--connections 2", 8.0);
        let unlike = costing("", 8.0);
        assert_eq!(echo.doubt([&unlike, &like].into_iter()), None);
        assert_eq!(echo.doubt([].into_iter()), None);
        let doubt = |echo: &RawEcho| echo.doubt([&unlike].into_iter()).unwrap();
        assert!(doubt(&echo).contains("2 connections × 1 message"));
        let mut other = echo.clone();
        other.engine = "other".to_owned();
        assert!(doubt(&other).contains("another engine (other)"));
        other.cpu = "Z80".to_owned();
        assert!(doubt(&other).contains("another processor (Z80)"));
    }
}
