//! Client of the raw echo: fixed messages over plain sockets, as many in flight as calls.

use std::cell::Cell;
use std::rc::Rc;
use std::time::Duration;

use corespun_runtime::{Address, Flow, Input, LocalConfig, LocalShard, Protocol};

use super::super::child::Server;
use super::Echo;
use crate::error::LoadError;
use crate::plan::Plan;
use crate::process::{CpuClock, Target};

/// Size of a message in bytes.
const MESSAGE: usize = 64;

/// Time of messages before they are counted.
const WARMUP: Duration = Duration::from_millis(300);

/// Connection that sends every message again when it has come back.
struct Bouncer {
    /// Number of bytes to send.
    due: usize,
    /// Number of bytes received of an incomplete message.
    partial: usize,
    messages: Rc<Cell<u64>>,
    over: bool,
}

impl Protocol for Bouncer {
    fn receive(&mut self, _now: Duration, input: Input<'_>) {
        let Input::Bytes(bytes) = input else {
            self.over = true;
            return;
        };
        self.partial += bytes.len();
        let whole = self.partial / MESSAGE;
        self.partial -= whole * MESSAGE;
        self.due += whole * MESSAGE;
        self.messages.set(self.messages.get() + whole as u64);
    }

    fn advance(&mut self, _now: Duration) {}

    fn transmit(&mut self, out: &mut Vec<u8>) -> Flow {
        out.resize(out.len() + self.due, b'x');
        self.due = 0;
        if self.over { Flow::Close } else { Flow::Open }
    }

    fn deadline(&self) -> Option<Duration> {
        None
    }
}

/// Measures the echo on one core for the plan's duration.
pub(super) fn measure(plan: &Plan, server: &Server) -> Result<Echo, LoadError> {
    let target: Address = server.address.parse().map_err(LoadError::Target)?;
    let config = LocalConfig {
        engine: plan.engine,
        cpu: plan.shape.cpus[0],
    };
    let mut shard = LocalShard::new(config).map_err(LoadError::Start)?;
    let messages = Rc::new(Cell::new(0));
    let pid = server.pid().parse().unwrap_or_default();
    let work = bounce(plan, target, messages.clone(), Target::Process(pid));
    shard.block_on(work)
}

async fn bounce(
    plan: &Plan,
    target: Address,
    messages: Rc<Cell<u64>>,
    server: Target,
) -> Result<Echo, LoadError> {
    for _ in 0..plan.shape.connections {
        let (messages, due) = (messages.clone(), plan.shape.streams * MESSAGE);
        let connecting = corespun_runtime::connect(&target, |_| {
            Box::new(Bouncer {
                due,
                partial: 0,
                messages,
                over: false,
            })
        });
        let socket = connecting.await.map_err(LoadError::Connect)?;
        socket.touch();
    }
    corespun_runtime::sleep(WARMUP).await;
    let own = || CpuClock::own().read().unwrap_or_default();
    let before = (
        messages.get(),
        own(),
        server.read()?,
        corespun_runtime::now(),
    );
    corespun_runtime::sleep(plan.pace.duration).await;
    let seconds = (corespun_runtime::now() - before.3).as_secs_f64();
    let bounced = (messages.get() - before.0).max(1) as f64;
    Ok(Echo {
        rps: bounced / seconds,
        generator_cpu_us: (own() - before.1).as_secs_f64() * 1e6 / bounced,
        server_cpu_us: server.read()?.since(&before.2).cpu_s * 1e6 / bounced,
    })
}
