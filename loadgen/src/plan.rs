//! What to do, judged and ready: every value of the command line checked before anything starts.

use std::time::Duration;

use corespun_codec::MetadataMap;
use corespun_runtime::{Address, Engine};

use crate::args::RunArgs;
use crate::duration;
use crate::error::LoadError;
use crate::process::Target as Measured;
use crate::schema::UnaryCall;

/// Above this a connection could not even number its streams within a run.
const RATE_MAX: f64 = 1e9;

/// More than any machine could hold; a larger number is a slip.
const COUNT_MAX: usize = 1 << 20;

/// A run, ready to start.
#[derive(Clone, Debug)]
pub struct Plan {
    /// Where the server is.
    pub target: Address,
    /// The `:authority` of each call.
    pub authority: String,
    /// What is called.
    pub call: UnaryCall,
    /// How the load is spread.
    pub shape: Shape,
    /// When calls start.
    pub pace: Pace,
    /// How sockets are driven.
    pub engine: Engine,
    /// Whose CPU time and memory are measured.
    pub measured: Option<Measured>,
    /// What each call carries beside its message.
    pub metadata: MetadataMap,
    /// The time granted to each call.
    pub timeout: Option<Duration>,
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

/// When calls start.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Pace {
    /// Calls per second in all (open loop); `None` calls again when a call has ended.
    pub rate: Option<f64>,
    /// How long is called before anything is measured.
    pub warmup: Duration,
    /// The length of the measured window.
    pub duration: Duration,
}

impl Plan {
    /// Judges the command line and compiles the schema.
    ///
    /// # Errors
    /// One that names the first flag whose value makes no sense, or what the schema lacks.
    pub fn new(args: &RunArgs) -> Result<Self, LoadError> {
        let shape = shape(args)?;
        let pace = pace(args)?;
        let engine = args.engine.parse::<Engine>();
        let engine = engine.map_err(|_| {
            LoadError::flag("--engine", &args.engine, "expected auto, uring or epoll")
        })?;
        let measured = measured(args)?;
        let metadata = metadata(&args.metadata)?;
        let timeout = match &args.timeout {
            Some(text) => Some(span("--timeout", text, false)?),
            None => None,
        };
        let call = UnaryCall::load(&args.proto, &args.includes, &args.method, &args.data)?;
        let target: Address = args.target.parse().map_err(LoadError::Target)?;
        let authority = match target {
            Address::Tcp(_) => args.target.clone(),
            Address::Unix(_) => "localhost".to_owned(),
        };
        Ok(Self {
            target,
            authority,
            call,
            shape,
            pace,
            engine,
            measured,
            metadata,
            timeout,
        })
    }
}

fn shape(args: &RunArgs) -> Result<Shape, LoadError> {
    let connections = count("--connections", &args.connections)?;
    let streams = count("--streams", &args.streams)?;
    let listed = args.cpu.as_deref().map(cpu_list).transpose()?;
    let cores = match &args.cores {
        Some(text) => count("--cores", text)?,
        None => listed.as_ref().map_or(1, Vec::len),
    };
    let cpus = match listed {
        None => vec![None; cores],
        Some(cpus) if cpus.len() == cores => cpus.into_iter().map(Some).collect(),
        Some(cpus) => {
            let cause = format!("it lists {} CPUs for {cores} cores", cpus.len());
            return Err(LoadError::flag(
                "--cpu",
                args.cpu.clone().unwrap_or_default(),
                cause,
            ));
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

fn pace(args: &RunArgs) -> Result<Pace, LoadError> {
    Ok(Pace {
        rate: args.rate.as_deref().map(rate).transpose()?,
        warmup: span("--warmup", &args.warmup, true)?,
        duration: span("--duration", &args.duration, false)?,
    })
}

fn count(flag: &'static str, text: &str) -> Result<usize, LoadError> {
    let number = text
        .parse()
        .ok()
        .filter(|number| (1..=COUNT_MAX).contains(number));
    let expected = || format!("expected a whole number from 1 to {COUNT_MAX}");
    number.ok_or_else(|| LoadError::flag(flag, text, expected()))
}

fn rate(text: &str) -> Result<f64, LoadError> {
    let number = text
        .parse()
        .ok()
        .filter(|rate| *rate > 0.0 && *rate <= RATE_MAX);
    let expected = "expected calls per second, above 0 and up to 1000000000";
    number.ok_or_else(|| LoadError::flag("--rate", text, expected))
}

fn span(flag: &'static str, text: &str, zero: bool) -> Result<Duration, LoadError> {
    let span = duration::parse(text);
    let span = span.ok_or_else(|| LoadError::flag(flag, text, duration::EXPECTED))?;
    if span.is_zero() && !zero {
        return Err(LoadError::flag(
            flag,
            text,
            "expected more than no time at all",
        ));
    }
    Ok(span)
}

fn measured(args: &RunArgs) -> Result<Option<Measured>, LoadError> {
    let process = args.target_pid.as_deref().map(pid).transpose()?;
    let group = args.watch.target_cgroup.clone().map(Measured::Group);
    Ok(process.map(Measured::Process).or(group))
}

fn pid(text: &str) -> Result<i32, LoadError> {
    let number = text.parse().ok().filter(|pid| *pid > 0);
    number.ok_or_else(|| LoadError::flag("--target-pid", text, "expected a process id"))
}

/// Reads `0,2-3`.
fn cpu_list(text: &str) -> Result<Vec<usize>, LoadError> {
    let failed = || LoadError::flag("--cpu", text, "expected CPU numbers, as in 1 or 0,2-3");
    let number = |text: &str| text.parse().ok().filter(|cpu: &usize| *cpu < COUNT_MAX);
    let mut cpus = Vec::new();
    for part in text.split(',') {
        let (first, last) = part.split_once('-').unwrap_or((part, part));
        let (Some(first), Some(last)) = (number(first), number(last)) else {
            return Err(failed());
        };
        if first > last {
            return Err(failed());
        }
        cpus.extend(first..=last);
    }
    Ok(cpus)
}

fn metadata(pairs: &[String]) -> Result<MetadataMap, LoadError> {
    let mut map = MetadataMap::new();
    for pair in pairs {
        let Some((key, value)) = pair.split_once('=') else {
            return Err(LoadError::flag("--metadata", pair, "expected KEY=VALUE"));
        };
        let added = match key.ends_with("-bin") {
            true => map.append_bin(key, value.as_bytes()),
            false => map.append(key, value),
        };
        added.map_err(|error| LoadError::flag("--metadata", pair, error.to_string()))?;
    }
    Ok(map)
}

#[cfg(test)]
pub(crate) mod tests;
