//! `calibrate`: measures the upper limit of the generator, against servers that do almost nothing.
//!
//! A null responder answers each call with constant bytes. Its result is the highest rate that the
//! generator can measure for any server. A raw echo returns the bytes that it receives. Its result
//! is the cost of the sockets alone.

mod echo;
mod raw_echo;
mod respond;

use std::process::ExitCode;

use clap::Args;
use corespun_runtime::CpuList;
use serde::{Deserialize, Serialize};

use super::bundled::{self, SchemaFile};
use super::child::Server;
use super::slice::{in_brief, measure, plan};
use super::{Condition, finish, tell};
use crate::args::RunArgs;
use crate::error::LoadError;
use crate::interrupt::Interrupt;
use crate::output::Outputs;
use crate::report::{Body, Document, Report};

pub use raw_echo::RawEcho;
pub use respond::RespondArgs;
#[cfg(test)]
pub(super) use respond::null_for_tests;
pub(super) use respond::respond;

/// Arguments of `calibrate`: those of `run`.
#[derive(Args, Clone, Debug)]
#[command(mut_arg("target", |arg| arg.required(false).default_value("null").hide(true)))]
#[command(mut_arg("method", |arg| arg.hide(true)))]
#[command(mut_arg("proto", |arg| arg.hide(true)))]
#[command(mut_arg("data", |arg| arg.default_value(bundled::DATA).hide(true)))]
#[command(mut_arg("connections", |arg| arg.default_value("10")))]
#[command(mut_arg("streams", |arg| arg.default_value("10")))]
#[command(mut_arg("duration", |arg| arg.default_value("5s")))]
#[command(mut_arg("warmup", |arg| arg.default_value("1s")))]
pub struct CalibrateArgs {
    /// Flags of the run
    #[command(flatten)]
    pub run: RunArgs,
    /// CPUs to pin the responders to, as in 0 or 0,2-3
    #[arg(long, value_name = "LIST", help_heading = "Calibration")]
    pub server_cpus: Option<CpuList>,
}

/// Result of a calibration.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Calibration {
    /// Run against the null responder.
    pub null: Report,
    /// Raw echo with equal numbers of connections and messages in flight.
    pub echo: Echo,
    /// Warnings about the validity of the result.
    pub warnings: Vec<String>,
}

/// Result of the raw echo.
#[derive(Clone, Copy, Debug, Default, Serialize, Deserialize)]
pub struct Echo {
    /// Round trips of 64-byte messages per second.
    pub rps: f64,
    /// CPU time of the generator per message, in µs.
    pub generator_cpu_us: f64,
    /// CPU time of the echo server per message, in µs.
    pub server_cpu_us: f64,
}

/// Runs the calibration.
pub(super) fn execute(args: &CalibrateArgs, interrupt: &Interrupt) -> Result<ExitCode, LoadError> {
    let conditions = Condition::parse_all(&args.run.output.fail_if)?;
    let schema = SchemaFile::write()?;
    let outputs = Outputs::open(&args.run.output)?;
    let null = responder(args, false)?;
    let mut run = RunArgs {
        target: null.address.clone(),
        target_pid: Some(null.pid()),
        ..args.run.clone()
    };
    bundled::fill_in(&mut run.call, &schema);
    let plan = plan(&run)?;
    Condition::check_all(&conditions, &plan, false)?;
    let Some(report) = measure(&run, interrupt)? else {
        return Err(LoadError::Interrupted);
    };
    drop(null);
    tell(format_args!("null responder: {}", in_brief(&report)));
    let echo = echo::measure(&plan, &responder(args, true)?)?;
    tell(format_args!("raw echo: {:.0} messages/s", echo.rps));
    let calibration = Calibration {
        warnings: report.warnings.clone(),
        null: report,
        echo,
    };
    let document = Document::from(Body::Calibrate(Box::new(calibration)));
    finish(&document, outputs, &conditions, interrupt)
}

/// Starts this program as a server in a separate process, so that its CPU time is measured
/// separately.
fn responder(args: &CalibrateArgs, echo: bool) -> Result<Server, LoadError> {
    let program = std::env::current_exe().map_err(|error| LoadError::Server {
        program: "corespun-load".into(),
        cause: error.to_string(),
    })?;
    let mut arguments = vec!["respond".to_owned(), "--engine".to_owned()];
    arguments.push(args.run.engine.clone());
    if echo {
        arguments.push("--echo".to_owned());
    }
    if let Some(cpus) = &args.server_cpus {
        let first = cpus.as_slice().first().copied().unwrap_or_default();
        arguments.extend(["--cpu".to_owned(), first.to_string()]);
    }
    Server::start(&program, &arguments)
}
