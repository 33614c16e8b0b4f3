//! Load generator for gRPC servers with latency from the intended start of each call.
//!
//! ```text
//!   command line ──▶ plan ──▶ run ──┬─▶ core 0: shard, connections, histograms ─┐
//!                    schema         ├─▶ core 1: …                              ├─▶ report
//!                                   └─▶ …                                      ┘   summary
//! ```
//!
//! # What is measured
//! - **Latency** runs from the moment at which a call was *meant* to start. In an open loop
//!   (`--rate`) a timetable says when that is; a call that finds no free stream waits with its
//!   clock running, and no call is skipped or put off. In a closed loop a call is meant to start
//!   when it is sent, so that waiting for one's turn goes unseen: the report says so.
//! - **Service** time runs from the sending, **lag** from the intended start to the sending,
//!   **late** from the moment at which a stream was free for it.
//! - **The window** comes after the warm-up. A call belongs to it if it was meant to start within
//!   it, whenever it ends. After the window its calls have one more second to leave, if there was
//!   no room before, and to end. What has not ended then is **censored**: counted, with its age
//!   as the latency that it has at least. So `ok`, `failed` and `censored` add up to all calls
//!   that the window asked for, and `rps` is `ok` for each second of the window. (In a closed
//!   loop a call that hangs since the warm-up is censored too.)
//! - Failed calls count in the histograms like good ones: leaving them out would let time-outs
//!   improve a percentile.
//! - **Messages** within streams are timed too: the first of a call from the sending of the call,
//!   the others from the request they answer, or where only the server streams from the message
//!   before. They belong to the window in which they came.
//! - A **percentile** is told only if at least ten samples lie beyond it, else it is `n/a`.
//! - **Each second** of the window has histograms of its own, cut at whole seconds from its start.
//!   What is merged are histograms, never percentiles.
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
//! [`execute`] carries out every command. `compare` takes turns of both targets in mirrored blocks,
//! `search` closes in on the highest rate that holds an objective, `agent` loads for a coordinator;
//! what they find is a [`Document`], which every format of [`Outputs`] shows. `report` puts several
//! beside each other ([`Collection`]).
//!
//! **Not here:** the servers that are called, but for those that `calibrate` needs.

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
