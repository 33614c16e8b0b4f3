//! Coordinator: sends the order to all agents, and merges their reports.

use std::time::Duration;

use corespun::runtime::{Engine, JoinHandle, LocalConfig, LocalShard};
use corespun::{Request, Sender, Status, Streaming};

use super::super::tell;
use super::VERSION;
use super::access::Access;
use super::files::{Part, gather};
use super::wire::{AgentClient, News, Order, Prepare, news, order};
use crate::args::RunArgs;
use crate::error::LoadError;
use crate::interrupt::Interrupt;
use crate::plan::Plan;
use crate::report::{AgentShare, Report, Second};
use crate::units::{count, time_or_none};

/// Longest time for an agent to answer the first message.
const CONNECT_MAX: Duration = Duration::from_secs(10);

/// Longest time for agents to open their connections.
const READY_MAX: Duration = Duration::from_secs(60);

/// Difference between the seeds of two agents, large enough for unrelated random numbers.
const SEED_STEP: u64 = 0x9e37_79b9_7f4a_7c15;

/// Interval at which the coordinator checks for an interrupt.
const LOOK: Duration = Duration::from_millis(50);

/// Agent during a run.
struct Agent {
    address: String,
    orders: Sender<Order>,
    news: Streaming<News>,
}

/// Makes the run on all agents and merges their reports.
///
/// # Errors
/// An agent cannot be reached or fails, because the load would be incomplete.
pub(in crate::command) fn run(
    args: &RunArgs,
    plan: &Plan,
    interrupt: &Interrupt,
) -> Result<Report, LoadError> {
    let access = Access::read(&args.agents)?;
    let of = args.agents.addresses.len();
    let prepare = |index| {
        let part = Part { index, of };
        Ok(Prepare {
            version: VERSION,
            words: share(args, plan, part)?,
            files: gather(args, plan, part)?,
        })
    };
    let prepared = (0..of).map(prepare).collect::<Result<_, LoadError>>()?;
    let config = LocalConfig {
        engine: Engine::Auto,
        cpu: None,
    };
    let mut shard = LocalShard::new(config).map_err(LoadError::Start)?;
    let addresses = &args.agents.addresses;
    let work = conduct(addresses, &access, prepared, interrupt);
    let mut report = shard.block_on(work)?;
    // What agents were started with makes nothing again.
    report.setup.command.clone_from(&plan.command);
    Ok(report)
}

/// Returns the command line for one agent: its share of the rate, its seed, and no agents.
fn share(args: &RunArgs, plan: &Plan, part: Part) -> Result<Vec<String>, LoadError> {
    // Agents need not know of each other, nor how to order runs; files come beside the words.
    let replaced = [
        "rate", "seed", "duration", "warmup", "calls", "proto", "includes",
    ];
    let mut share = args
        .words
        .without(|id| id.starts_with("agents") || replaced.contains(&id));
    let duration = format!("{}ns", plan.pace.duration.as_nanos());
    if let Some(calls) = plan.pace.calls {
        let (each, left) = (calls / part.of as u64, calls % part.of as u64);
        let calls = each + u64::from((part.index as u64) < left);
        if calls == 0 {
            let cause = "each agent needs at least one";
            return Err(LoadError::flag(
                "--calls",
                args.pace.calls.clone().unwrap_or_default(),
                cause,
            ));
        }
        share.push(format!("--calls={calls}"));
    }
    // Agents that drew the same numbers would call at the same moments.
    let seed = plan
        .seed
        .wrapping_add(SEED_STEP.wrapping_mul(part.index as u64));
    let warmup = format!("{}ns", plan.pace.warmup.as_nanos());
    share.extend([
        format!("--duration={duration}"),
        format!("--warmup={warmup}"),
        format!("--seed={seed}"),
    ]);
    if let Some(rate) = &args.pace.rate {
        let number = rate.parse::<f64>().ok().filter(|rate| *rate > 0.0);
        let expected = "expected a number of calls per second, to be shared by the agents";
        let rate = number.ok_or_else(|| LoadError::flag("--rate", rate, expected))?;
        let rate = rate / part.of as f64;
        share.extend(["--rate".to_owned(), rate.to_string()]);
    }
    Ok(share)
}

async fn conduct(
    addresses: &[String],
    access: &Access,
    prepared: Vec<Prepare>,
    interrupt: &Interrupt,
) -> Result<Report, LoadError> {
    let mut agents = Vec::new();
    for (address, prepare) in addresses.iter().zip(prepared) {
        agents.push(Agent::prepare(address, access, prepare).await?);
    }
    for agent in &mut agents {
        agent.wait_until_ready().await?;
    }
    for agent in &mut agents {
        agent.order(order::Order::Begin(true)).await?;
    }
    let mut at_work: Vec<_> = agents.into_iter().map(Agent::follow).collect();
    let mut stopped = false;
    while at_work.iter().any(|(_, work)| !work.is_finished()) {
        corespun::sleep(LOOK).await;
        if interrupt.signal().is_some() && !stopped {
            stopped = true;
            for (orders, _) in &mut at_work {
                // An agent that is done already needs no order.
                let _ = orders.send(order_of(order::Order::Stop(true))).await;
            }
        }
    }
    let mut reports = Vec::new();
    for (_, work) in at_work {
        reports.push(work.await.map_err(|_| LoadError::Panicked { core: 0 })??);
    }
    merge(addresses, &reports)
}

fn merge(addresses: &[String], reports: &[Report]) -> Result<Report, LoadError> {
    let merged = Report::merge_together(reports).map_err(|cause| LoadError::Merge { cause });
    let mut merged = merged?;
    let shares = addresses
        .iter()
        .zip(reports)
        .map(|(address, report)| AgentShare {
            agent: address.clone(),
            rps: report.counts.rps,
            p99_us: report.latency_us.p99,
        });
    merged.agents = shares.collect();
    Ok(merged)
}

fn order_of(order: order::Order) -> Order {
    Order { order: Some(order) }
}

fn failure(address: &str, status: &Status) -> LoadError {
    LoadError::Agent {
        address: address.to_owned(),
        cause: format!("{}: {}", status.code().name(), status.message()),
    }
}

impl Agent {
    async fn prepare(address: &str, access: &Access, prepare: Prepare) -> Result<Self, LoadError> {
        let failed = |status: Status| failure(address, &status);
        let connecting = corespun::timeout(CONNECT_MAX, access.connect(address)).await;
        let channel = connecting
            .map_err(|_| failed(Status::unavailable("no answer within 10 s")))?
            .map_err(failed)?;
        let client = AgentClient::new(channel);
        let (orders, news) = client.run(Request::new(())).await.map_err(failed)?;
        let mut agent = Self {
            address: address.to_owned(),
            orders,
            news,
        };
        agent.order(order::Order::Prepare(prepare)).await?;
        Ok(agent)
    }

    async fn order(&mut self, order: order::Order) -> Result<(), LoadError> {
        let sent = self.orders.send(order_of(order)).await;
        match sent {
            Ok(()) => Ok(()),
            // The reason why it listens no more is what it had to tell.
            Err(status) => Err(match self.news.message().await {
                Err(reason) => failure(&self.address, &reason),
                Ok(_) => failure(&self.address, &status),
            }),
        }
    }

    async fn wait_until_ready(&mut self) -> Result<(), LoadError> {
        let failed = |status: Status| failure(&self.address, &status);
        let news = corespun::timeout(READY_MAX, self.news.message()).await;
        let news = news.map_err(|_| failed(Status::unavailable("not ready within 60 s")))?;
        match news.map_err(failed)?.and_then(|news| news.news) {
            Some(news::News::Ready(_)) => Ok(()),
            _ => Err(failed(Status::internal("it ended before it was ready"))),
        }
    }

    /// Starts the receiver of the agent's messages, which runs until the agent ends.
    fn follow(self) -> (Sender<Order>, JoinHandle<Result<Report, LoadError>>) {
        let Self {
            address,
            orders,
            news,
        } = self;
        (orders, corespun::spawn(hear(address, news)))
    }
}

async fn hear(address: String, mut news: Streaming<News>) -> Result<Report, LoadError> {
    let failed = |status: Status| failure(&address, &status);
    let malformed = |error: serde_json::Error| LoadError::Agent {
        address: address.clone(),
        cause: format!("its message is malformed: {error}"),
    };
    let mut seconds: Vec<Second> = Vec::new();
    loop {
        match news
            .message()
            .await
            .map_err(failed)?
            .and_then(|news| news.news)
        {
            Some(news::News::Second(bytes)) => {
                let second: Second = serde_json::from_slice(&bytes).map_err(malformed)?;
                tell(format_args!(
                    "{address} {:>4.0} s: {} calls/s, p99 {}, {} failed",
                    second.at_s + second.length_s,
                    count((second.calls as f64 / second.length_s).round()),
                    time_or_none(second.latency_us.p99),
                    second.failed
                ));
                seconds.push(second);
            }
            Some(news::News::Report(bytes)) => {
                let report: Report = serde_json::from_slice(&bytes).map_err(malformed)?;
                return Ok(Report { seconds, ..report });
            }
            Some(news::News::Ready(_)) => {}
            None => return Err(failed(Status::internal("it ended without a report"))),
        }
    }
}
