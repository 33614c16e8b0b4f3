//! Load generator for gRPC servers with latency from the intended start of each call.
//!
//! ```text
//!   command line ──▶ plan ──▶ run ──┬─▶ core 0: shard, connections, histograms ─┐
//!                    schema         ├─▶ core 1: …                              ├─▶ report
//!                                   └─▶ …                                      ┘   summary
//! ```
//!
//! # What is measured
//! - **Latency** is the time from the *intended* start of a call to its end. In an open loop
//!   (`--rate`) a schedule sets the intended start. A call that finds no free stream waits while
//!   its latency grows; no call is skipped or postponed. In a closed loop the intended start is the
//!   sending, so latency does not include queueing; the report has a warning about this.
//! - **Service** time is the time from the sending to the end, **lag** from the intended start to
//!   the sending. **Late** is the part of the lag after a stream was free.
//! - **The window** comes after the warm-up. A call belongs to it if its intended start is within
//!   it, whenever it ends. After the window its calls have one more second to be sent, if no stream
//!   was free before, and to end. A call that has not ended then is **censored**: it is counted,
//!   with its age as a lower bound of its latency. So `ok`, `failed` and `censored` add up to all
//!   calls that were due in the window, and `rps` is `ok` for each second of the window. (In a
//!   closed loop a call that hangs since the warm-up is censored too.)
//! - Failed calls count in the histograms like successful ones. Otherwise timeouts would improve a
//!   percentile.
//! - **Messages** within streams are timed too. The first message counts from the sending of the
//!   call, later ones from the request that they answer, or from the previous message if only the
//!   server streams. They belong to the window in which they were received.
//! - A **percentile** is reported only if at least ten samples lie beyond it, else it is `n/a`.
//! - **Each second** of the window has histograms of its own, cut at whole seconds from its start.
//!   Histograms are merged, never percentiles.
//! - **CPU** times are read at both ends of the window and divided by the calls that ended in it.
//! - Times are those of the shard's turn: a response counts as read when the turn that read it
//!   began, and a request as sent in the turn that wrote it.
//!
//! # A run from a program
//! ```no_run
//! use clap::Parser;
//! use corespun_load::{Command, CommandLine, Interrupt, Plan, run, summary};
//!
//! let line = "corespun-load run --target 127.0.0.1:50051 --proto user.proto \
//!             --method user.UserService/GetUser --rate 1000";
//! let Command::Run(args) = CommandLine::parse_from(line.split_whitespace()).command else {
//!     unreachable!("the line says run");
//! };
//! let report = run(Plan::new(&args)?, &mut std::io::stderr(), &Interrupt::manual())?;
//! print!("{}", summary(&report));
//! # Ok::<(), corespun_load::LoadError>(())
//! ```
//!
//! # Comparisons
//! [`execute`] runs every command. `compare` measures two targets in alternating turns, `search`
//! finds the highest rate that meets an objective, and `agent` runs the load for a coordinator. The
//! result is a [`Document`], which every format of [`Outputs`] shows. `report` shows several
//! results together ([`Collection`]).
//!
//! **Not here:** the servers under load, except those that `calibrate` needs.

#![forbid(unsafe_code)]
#![deny(missing_docs)]

mod args;
mod call;
mod chart;
mod command;
mod compression;
mod connection;
mod control;
mod core;
mod data;
mod duration;
mod endpoint;
mod error;
mod failures;
mod interrupt;
mod lane;
mod measure;
mod messages;
mod metadata;
mod outcome;
mod output;
mod plan;
mod process;
mod progress;
mod report;
mod response;
mod run;
mod schedule;
mod schema;
mod stall;
mod stats;
mod summary;
mod tally;
mod timeline;
mod units;
mod warnings;

pub use args::{
    AgentsArgs, CallArgs, Command, CommandLine, PaceArgs, ReplayArgs, RunArgs, SchemaArgs, TlsArgs,
    Words,
};
pub use call::{Call, Mix, Turns};
pub use command::{
    AgentArgs, BaselineArgs, CalibrateArgs, Calibration, CheckArgs, Collection, CompareArgs,
    Comparison, DoorArgs, Echo, Finding, MergeArgs, Metric, Point, Probe, RawEcho, ReportArgs,
    RespondArgs, Search, SearchArgs, Side, Slice, Sweep, SweepArgs, execute,
};
pub use data::Payloads;
pub use endpoint::Endpoint;
pub use error::LoadError;
pub use interrupt::Interrupt;
pub use measure::{Interval, Latencies};
pub use output::{HdrLog, OutputArgs, Outputs, WatchArgs};
pub use plan::{Pace, Plan, Shape};
pub use process::{Machine, Memory, PressureShares, Switches, Used};
pub use progress::{Lines, Observer, Silence};
pub use report::{
    AgentShare, Body, Cost, Counts, Document, FORMAT, FailureRow, Histograms, MessageReport,
    MethodRow, OutcomeRow, Packed, Percentiles, Report, Second, Setup,
};
pub use run::{observe, run};
pub use schedule::{Arrivals, Curve, Schedule, Trace};
pub use schema::{Method, Schema};
pub use stats::{Estimate, Verdict};
pub use summary::{summarize, summary};
pub use timeline::Moment;
