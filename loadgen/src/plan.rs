//! Validated plan of a run: every flag is checked before anything starts.

mod pace;
mod security;
mod values;

use std::path::PathBuf;
use std::time::Duration;

use corespun_codec::{Encoding, MetadataMap};
use corespun_runtime::{CpuList, Engine};

use crate::args::{CallArgs, RunArgs, SchemaArgs};
use crate::call::{Defaults, Mix, Order, read_scenario};
use crate::compression;
use crate::data::Mode;
use crate::endpoint::Endpoint;
use crate::error::LoadError;
use crate::metadata::{self, Filled};
use crate::process::Target as Measured;
use crate::schedule::Schedule;
use crate::schema::{Schema, Wanted, reflect};
use values::{count, number, pid, span};

/// Run that is ready to start.
#[derive(Clone, Debug)]
pub struct Plan {
    /// Server under load.
    pub target: Endpoint,
    /// Methods to call.
    pub mix: Mix,
    /// Connections, streams and threads of the load.
    pub shape: Shape,
    /// Intended start times; `None` in a closed loop, which calls again when a call has ended.
    pub schedule: Option<Schedule>,
    /// Rate, warm-up and length.
    pub pace: Pace,
    /// Seed of random schedules and data.
    pub seed: u64,
    /// Kernel interface for sockets.
    pub engine: Engine,
    /// True if every response is decoded by the schema.
    pub strict: bool,
    /// Process or control group whose CPU time and memory are measured.
    pub measured: Option<Measured>,
    /// Path of the trace file to write.
    pub record: Option<PathBuf>,
    /// Command line for reports, without secrets.
    pub command: Vec<String>,
    /// Credentials in the metadata; reports hide them, because servers may repeat them in error
    /// texts.
    pub secrets: Vec<String>,
}

/// Connections, streams and threads of the load.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Shape {
    /// Number of connections, at least one for each core.
    pub connections: usize,
    /// Number of calls in flight at once on each connection, at least 1.
    pub streams: usize,
    /// CPU that each core's thread is pinned to, if any; one entry for each core.
    pub cpus: Vec<Option<usize>>,
}

/// Rate, warm-up and length of a run.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Pace {
    /// Total calls per second, on average over the window; `None` in a closed loop.
    pub rate: Option<f64>,
    /// Length of the warm-up.
    pub warmup: Duration,
    /// Length of the measured window; its upper bound if `calls` is set.
    pub duration: Duration,
    /// Number of calls of the window in a closed loop, if it is limited.
    pub calls: Option<u64>,
}

impl Plan {
    /// Checks the command line, reads the schema and encodes the requests. Without a schema flag
    /// the server is asked by reflection.
    ///
    /// # Errors
    /// Names the first invalid flag, or the item that the schema lacks.
    pub fn new(args: &RunArgs) -> Result<Self, LoadError> {
        let shape = shape(args)?;
        let (schedule, pace) = pace::read(&args.pace)?;
        let engine = args.engine.parse::<Engine>();
        let engine = engine.map_err(|_| {
            LoadError::flag("--engine", &args.engine, "expected auto, uring or epoll")
        })?;
        let measured = measured(args)?;
        let seed = number("--seed", &args.pace.seed)?;
        let encoding = compression::parse(&args.call.compress).ok_or_else(|| {
            LoadError::flag("--compress", &args.call.compress, compression::EXPECTED)
        })?;
        let mode = mode(&args.call.data_mode)?;
        let orders = orders(&args.call)?;
        let target = Endpoint::new(&args.target, args.authority.as_deref())?;
        let connector = security::connector(&args.tls, target.is_secure())?;
        let target = match connector {
            None => target,
            Some(connector) => target.over_tls(connector)?,
        };
        let filled = orders
            .iter()
            .map(|order| metadata::fill(&order.metadata, &order.folder));
        let filled = filled.collect::<Result<Vec<_>, _>>()?;
        let samples = filled.iter().map(Filled::sample);
        let samples = samples.collect::<Result<Vec<_>, _>>()?;
        let asked = orders
            .iter()
            .map(|order| order.method.as_str())
            .zip(&samples);
        let asked: Vec<_> = asked.collect();
        let schema = schema(&args.call.schema, &target, (engine, encoding), &asked)?;
        let defaults = Defaults {
            endpoint: &target,
            mode,
            encoding,
            seed,
        };
        let calls = orders.iter().zip(filled);
        let calls = calls.map(|(order, filled)| order.prepare(&schema, &defaults, filled));
        Ok(Self {
            mix: Mix::new(calls.collect::<Result<_, _>>()?),
            target,
            shape,
            schedule,
            pace,
            seed,
            engine,
            strict: args.strict,
            measured,
            record: args.pace.record.clone(),
            command: args.words.shown(),
            secrets: metadata::secrets(samples.iter()),
        })
    }
}

fn shape(args: &RunArgs) -> Result<Shape, LoadError> {
    let connections = count("--connections", &args.connections)?;
    let streams = count("--streams", &args.streams)?;
    let listed = args.cpu.as_deref().map(|text| {
        text.parse::<CpuList>()
            .map_err(|_| LoadError::flag("--cpu", text, "expected CPU numbers, as in 1 or 0,2-3"))
    });
    let listed = listed.transpose()?;
    let cores = match &args.cores {
        Some(text) => count("--cores", text)?,
        None => listed.as_ref().map_or(1, |list| list.as_slice().len()),
    };
    let cpus = match &listed {
        None => vec![None; cores],
        Some(list) if list.as_slice().len() == cores => {
            list.as_slice().iter().copied().map(Some).collect()
        }
        Some(list) => {
            let listed = list.as_slice().len();
            let cause = format!("it lists {listed} CPUs for {cores} cores");
            let text = args.cpu.clone().unwrap_or_default();
            return Err(LoadError::flag("--cpu", text, cause));
        }
    };
    if connections < cores {
        let cause = format!("{cores} cores need at least as many connections");
        return Err(LoadError::flag("--connections", &args.connections, cause));
    }
    Ok(Shape {
        connections,
        streams,
        cpus,
    })
}

fn mode(text: &str) -> Result<Mode, LoadError> {
    let mode = match text.strip_prefix("pool:") {
        Some(size) => count("--data-mode", size).ok().map(Mode::Pool),
        None => match text {
            "auto" => Some(Mode::Auto),
            "each" => Some(Mode::Each),
            _ => None,
        },
    };
    mode.ok_or_else(|| LoadError::flag("--data-mode", text, "expected auto, pool:N or each"))
}

fn measured(args: &RunArgs) -> Result<Option<Measured>, LoadError> {
    let process = args.target_pid.as_deref().map(pid).transpose()?;
    let group = args.target_cgroup.clone().map(Measured::Group);
    Ok(process.map(Measured::Process).or(group))
}

/// Returns the calls that the flags or the scenario describe.
pub(crate) fn orders(args: &CallArgs) -> Result<Vec<Order>, LoadError> {
    let timeout = args.timeout.as_deref();
    let messages = args.messages.as_deref();
    let messages = messages.map(|text| count("--messages", text)).transpose()?;
    let turns = args.turns.parse();
    let order = Order {
        method: args.method.clone().unwrap_or_default(),
        data: args.data.clone(),
        folder: args.folder.clone().unwrap_or_default(),
        metadata: metadata::read(&args.metadata, args.token.as_deref())?,
        timeout: timeout
            .map(|text| span("--timeout", text, false))
            .transpose()?,
        messages: messages.map(|messages| messages as u32),
        turns: turns
            .map_err(|()| LoadError::flag("--turns", &args.turns, "expected ping-pong or free"))?,
        weight: 1,
    };
    match (&args.method, &args.scenario) {
        (Some(_), None) => Ok(vec![order]),
        (None, Some(path)) => {
            let mut orders = read_scenario(path, &order)?;
            if let Some(folder) = &args.folder {
                orders
                    .iter_mut()
                    .for_each(|order| order.folder.clone_from(folder));
            }
            Ok(orders)
        }
        (None, None) => {
            let cause = "a run needs this, or a --scenario";
            Err(LoadError::flag("--method", "", cause))
        }
        (Some(method), Some(_)) => {
            let cause = "the --scenario names the methods";
            Err(LoadError::flag("--method", method, cause))
        }
    }
}

fn schema(
    args: &SchemaArgs,
    target: &Endpoint,
    (engine, encoding): (Engine, Encoding),
    asked: &[(&str, &MetadataMap)],
) -> Result<Schema, LoadError> {
    match (args.proto.as_slice(), &args.descriptor_set) {
        ([], Some(file)) => Schema::read_set(file),
        ([], None) => {
            let wanted = asked
                .iter()
                .map(|(method, metadata)| Wanted { method, metadata });
            reflect(target, engine, encoding, &wanted.collect::<Vec<_>>())
        }
        (files, _) => Schema::compile(files, &args.includes),
    }
}

#[cfg(test)]
pub(crate) mod tests;
