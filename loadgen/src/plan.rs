//! What to do, judged and ready: every value of the command line checked before anything starts.

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

/// A run, ready to start.
#[derive(Clone, Debug)]
pub struct Plan {
    /// Where the server is.
    pub target: Endpoint,
    /// What is called.
    pub mix: Mix,
    /// How the load is spread.
    pub shape: Shape,
    /// When calls start; `None` calls again when a call has ended (closed loop).
    pub schedule: Option<Schedule>,
    /// How fast and for how long.
    pub pace: Pace,
    /// What random schedules and data start from.
    pub seed: u64,
    /// How sockets are driven.
    pub engine: Engine,
    /// Responses are always decoded by the schema.
    pub strict: bool,
    /// Whose CPU time and memory are measured.
    pub measured: Option<Measured>,
    /// Where the calls go as a trace.
    pub record: Option<PathBuf>,
    /// Command line as reports show it, without secrets.
    pub command: Vec<String>,
    /// Credentials among the metadata, which servers may repeat and reports must not.
    pub secrets: Vec<String>,
}

/// How the load is spread.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Shape {
    /// Connections in all, at least one for each core.
    pub connections: usize,
    /// Calls in flight at once on each connection, at least 1.
    pub streams: usize,
    /// One entry for each core: the CPU that its thread is pinned to, if any.
    pub cpus: Vec<Option<usize>>,
}

/// How fast and for how long.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Pace {
    /// Calls per second in all, on average over the window; `None` in a closed loop.
    pub rate: Option<f64>,
    /// How long is called before anything is measured.
    pub warmup: Duration,
    /// The length of the measured window, or the most that it takes if `calls` are limited.
    pub duration: Duration,
    /// Calls of the window in a closed loop, if their number is limited.
    pub calls: Option<u64>,
}

impl Plan {
    /// Judges the command line, learns the schema and encodes the requests. If no schema is given
    /// the server is asked for it.
    ///
    /// # Errors
    /// One that names the first flag whose value makes no sense, or what the schema lacks.
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

/// The calls that the flags, or the scenario, ask for.
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
            let cause = "the --scenario says what is called";
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
