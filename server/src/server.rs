//! The server as a whole: addresses, shards, services, and its end.

use std::rc::Rc;
use std::sync::Arc;

use corespun_runtime::{
    Accept, Address, Balance, Engine, Peer, Protocol, Runtime, RuntimeBuilder, ShardId,
    SocketHandle, turn_time,
};

use crate::builtin::health::Health;
use crate::builtin::{Builtin, Offer};
use crate::config::Config;
use crate::connection::Connection;
use crate::error::Error;
use crate::limit_stats::{LimitCounts, LimitStats};
use crate::plain::{PlainRequest, PlainResponse};
use crate::routes::{Routes, Service};

/// Why a service could not be made: whatever its factory says.
pub type BoxError = Box<dyn std::error::Error + Send + Sync>;

type Factory = Box<dyn Fn(ShardId, &mut Routes) -> Result<(), BoxError> + Send + Sync>;

/// A gRPC server; see [`Server::builder`].
pub struct Server(());

impl Server {
    /// Starts to describe a server.
    pub fn builder() -> ServerBuilder {
        ServerBuilder {
            listen: Vec::new(),
            runtime: Runtime::builder(),
            config: Config::default(),
            factories: Vec::new(),
            limit_stats: LimitStats::default(),
            builtin: Builtin::default(),
        }
    }
}

/// Where a server listens, on how many shards, and what it serves.
pub struct ServerBuilder {
    listen: Vec<String>,
    runtime: RuntimeBuilder,
    pub(crate) config: Config,
    factories: Vec<Factory>,
    limit_stats: LimitStats,
    builtin: Builtin,
}

impl ServerBuilder {
    /// Adds an address: `127.0.0.1:50051`, `[::1]:0` (any free port) or `unix:/path`.
    pub fn listen(mut self, address: impl Into<String>) -> Self {
        self.listen.push(address.into());
        self
    }

    /// Number of shards, one thread each; by default what the affinity mask and the CPU quota of
    /// the process allow.
    pub fn shards(mut self, shards: usize) -> Self {
        self.runtime = self.runtime.shards(shards);
        self
    }

    /// CPUs to pin the shards to, in order.
    pub fn cpus(mut self, cpus: Vec<usize>) -> Self {
        self.runtime = self.runtime.cpus(cpus);
        self
    }

    /// How sockets are driven; by default io_uring where the kernel lets us, else epoll.
    pub fn engine(mut self, engine: Engine) -> Self {
        self.runtime = self.runtime.engine(engine);
        self
    }

    /// How accepted connections are spread over the shards.
    pub fn balance(mut self, balance: Balance) -> Self {
        self.runtime = self.runtime.balance(balance);
        self
    }

    /// How long a drain may take before what is left is cut off.
    pub fn grace(mut self, grace: std::time::Duration) -> Self {
        self.runtime = self.runtime.grace(grace);
        self
    }

    /// How long a caller may take to read one send, of some 512 KiB at most, before its connection
    /// is closed; 60 seconds by default.
    pub fn send_time_max(mut self, bound: std::time::Duration) -> Self {
        self.runtime = self.runtime.send_time_max(bound);
        self
    }

    /// How long the server goes on after SIGTERM before it drains, while its health already says
    /// that it does not serve: time for balancers to send new callers elsewhere. Default: none.
    pub fn drain_delay(mut self, delay: std::time::Duration) -> Self {
        self.runtime = self.runtime.drain_delay(delay);
        self
    }

    /// Offers `grpc.health.v1.Health`, which answers what `health` says.
    pub fn health(mut self, health: &Health) -> Self {
        self.builtin.health = Some(health.clone());
        self
    }

    /// Offers reflection, `v1` and `v1alpha`, from the schemas that the services bring along.
    pub fn reflection(self) -> Self {
        self.reflection_with(&[])
    }

    /// Offers reflection of further schemas too, each a serialized
    /// `google.protobuf.FileDescriptorSet` with all its imports: for services made by hand, and for
    /// files that only extend others.
    pub fn reflection_with(mut self, sets: &[&'static [u8]]) -> Self {
        self.builtin.reflection = Some(Offer::new(sets));
        self
    }

    /// Limits of connections and calls.
    pub fn config(mut self, config: Config) -> Self {
        self.config = config;
        self
    }

    /// How often callers exceed each limit; take it before [`ServerBuilder::run`] and read it from
    /// any thread.
    pub fn limit_stats(&self) -> LimitStats {
        self.limit_stats.clone()
    }

    /// Adds a service. The factory is called once on each shard, on its thread: what it makes is
    /// that shard's own and need be neither `Send` nor `Sync`.
    pub fn service<S, F>(mut self, factory: F) -> Self
    where
        S: Service,
        F: Fn(ShardId) -> Result<S, BoxError> + Send + Sync + 'static,
    {
        self.factories.push(Box::new(move |shard, routes| {
            routes.add(factory(shard)?);
            Ok(())
        }));
        self
    }

    /// Answers requests that are no calls (their content type is not gRPC's), in place of the 405
    /// or 415 that they get otherwise: `/healthz` or `/metrics` over HTTP/2 without TLS. The
    /// factory is called once on each shard, as that of a service. A handler set before is
    /// replaced. Calls do not pay for it.
    ///
    /// ```no_run
    /// # use corespun_server::{Error, PlainRequest, PlainResponse, Server};
    /// fn answer(request: &PlainRequest<'_>) -> PlainResponse {
    ///     match request.path() {
    ///         "/healthz" => PlainResponse::new(200, "ok\n"),
    ///         _ => PlainResponse::new(404, ""),
    ///     }
    /// }
    /// # fn main() -> Result<(), Error> {
    /// Server::builder().listen("127.0.0.1:8080").plain(|_shard| Ok(answer)).run()
    /// # }
    /// ```
    pub fn plain<H, F>(mut self, factory: F) -> Self
    where
        H: Fn(&PlainRequest<'_>) -> PlainResponse + 'static,
        F: Fn(ShardId) -> Result<H, BoxError> + Send + Sync + 'static,
    {
        self.factories.push(Box::new(move |shard, routes| {
            routes.plain(factory(shard)?);
            Ok(())
        }));
        self
    }

    /// Starts the shards and returns once all listen.
    ///
    /// # Errors
    /// An address makes no sense or is taken, the engine is refused, or a factory failed.
    pub fn start(self) -> Result<Running, Error> {
        let Self {
            listen,
            mut runtime,
            config,
            factories,
            limit_stats,
            builtin,
        } = self;
        if listen.is_empty() {
            return Err(Error::NoAddress);
        }
        for address in listen {
            let address: Address = address
                .parse()
                .map_err(|e| Error::Address(format!("{e}")))?;
            runtime = runtime.listen(address);
        }
        let stats = limit_stats.clone();
        let offered = builtin.clone();
        let running = runtime.start(move |shard| {
            let mut routes = Routes::new();
            for factory in &factories {
                factory(shard, &mut routes)?;
            }
            offered.add_to(&mut routes)?;
            let acceptor = Acceptor {
                routes: Rc::new(routes),
                config: config.clone(),
                limit_counts: stats.add_shard(),
            };
            Ok(Box::new(acceptor) as Box<dyn Accept>)
        })?;
        Ok(Running {
            runtime: running,
            limit_stats,
            builtin,
        })
    }

    /// Starts, says so on stderr, serves until SIGTERM or SIGINT, then drains: health says that
    /// nothing serves, the delay of [`drain_delay`](Self::drain_delay) passes, and the calls under
    /// way finish within the grace period. A second signal ends at once.
    ///
    /// # Errors
    /// As [`ServerBuilder::start`], or a shard failed.
    pub fn run(mut self) -> Result<(), Error> {
        self.runtime = self.runtime.catch_signals();
        let running = self.start()?;
        for address in running.addresses() {
            let (engine, shards) = (running.engine(), running.shards());
            eprintln!("listening on {address} engine={engine} shards={shards}");
        }
        let builtin = running.builtin;
        Ok(running.runtime.wait_for_signal(|| builtin.close())?)
    }
}

/// A server that runs on threads of its own.
pub struct Running {
    runtime: corespun_runtime::Running,
    limit_stats: LimitStats,
    builtin: Builtin,
}

impl Running {
    /// The addresses as bound: port 0 has become a real one.
    pub fn addresses(&self) -> &[Address] {
        self.runtime.addresses()
    }

    /// The engine that drives the sockets.
    pub fn engine(&self) -> Engine {
        self.runtime.engine()
    }

    /// How many shards serve.
    pub fn shards(&self) -> usize {
        self.runtime.shards()
    }

    /// How often callers exceeded each limit.
    pub fn limit_stats(&self) -> &LimitStats {
        &self.limit_stats
    }

    /// Drains, without delay, and waits for the end.
    ///
    /// # Errors
    /// A shard failed.
    pub fn stop(self) -> Result<(), Error> {
        self.builtin.close();
        self.runtime.stop();
        Ok(self.runtime.join()?)
    }
}

struct Acceptor {
    routes: Rc<Routes>,
    config: Config,
    limit_counts: Arc<LimitCounts>,
}

impl Accept for Acceptor {
    fn accept(&mut self, peer: Peer, socket: SocketHandle) -> Box<dyn Protocol> {
        let peer = peer.address.map(|address| Rc::from(address.to_string()));
        let routes = Rc::clone(&self.routes);
        let connection = Connection::new(routes, &self.config, peer, socket, turn_time());
        Box::new(connection.counting_in(Arc::clone(&self.limit_counts)))
    }
}
