//! The server as a whole: its start, its shards, and its end.

mod builder;

use std::time::Duration;

use corespun_runtime::{Accept, Address, Engine, Notice, spawn};
use corespun_tls::TlsConfig;

use crate::acceptor::{Acceptor, Door};
use crate::builtin::Builtin;
use crate::error::Error;
use crate::limit_stats::LimitStats;
use crate::routes::Routes;
use crate::tally::Tallies;
use builder::Listen;
pub use builder::ServerBuilder;

/// Why a service could not be made: whatever its factory says.
pub type BoxError = Box<dyn std::error::Error + Send + Sync>;

/// How often the files of certificates are looked at for a change.
const RELOAD_PAUSE: Duration = Duration::from_secs(5);

/// A gRPC server; see [`Server::builder`].
pub struct Server(());

impl Server {
    /// Starts to describe a server.
    pub fn builder() -> ServerBuilder {
        ServerBuilder::new()
    }
}

impl ServerBuilder {
    /// Starts the shards and returns once all listen.
    ///
    /// # Errors
    /// An address makes no sense or is taken, a key or certificate is of no use, the engine is
    /// refused, or a factory failed.
    pub fn start(self) -> Result<Running, Error> {
        let Self {
            listen,
            tls,
            mut runtime,
            config,
            factories,
            interceptors,
            limit_stats,
            builtin,
        } = self;
        if listen.is_empty() {
            return Err(Error::NoAddress);
        }
        let tls = tls.map(TlsConfig::load).transpose()?;
        let mut doors = Vec::new();
        for Listen { address, plaintext } in listen {
            let address: Address = address
                .parse()
                .map_err(|e| Error::Address(format!("{e}")))?;
            runtime = runtime.listen(address);
            doors.push(match &tls {
                Some(tls) if !plaintext => Door::Tls(tls.clone()),
                _ => Door::Plain,
            });
        }
        let watched = tls.clone();
        let stats = limit_stats.clone();
        let offered = builtin.clone();
        let running = runtime.start(move |shard| {
            let made = interceptors.iter().map(|factory| factory(shard));
            let mut routes = Routes::intercepted(made.collect::<Result<_, _>>()?);
            for factory in &factories {
                factory(shard, &mut routes)?;
            }
            offered.add_to(&mut routes)?;
            // One shard looks after the files for all.
            if let Some(tls) = watched.clone().filter(|_| shard.index() == 0) {
                spawn(tls.watch(RELOAD_PAUSE));
            }
            let (config, doors) = (config.clone(), doors.clone());
            let mut acceptor = Acceptor::new(routes, config, doors, stats.add_shard());
            if offered.channelz.is_some() {
                acceptor.count_in(Tallies::begin());
            }
            Ok(Box::new(acceptor) as Box<dyn Accept>)
        })?;
        if let Some(channelz) = &builtin.channelz {
            channelz.set_listeners(running.addresses());
        }
        Ok(Running {
            runtime: running,
            limit_stats,
            builtin,
            tls,
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
        if self.tls.is_some() {
            self.runtime = self.runtime.catch_hangup();
        }
        let running = self.start()?;
        for address in running.addresses() {
            let (engine, shards) = (running.engine(), running.shards());
            eprintln!("listening on {address} engine={engine} shards={shards}");
        }
        let Running {
            runtime,
            builtin,
            tls,
            ..
        } = running;
        Ok(runtime.wait_for_signal(|notice| match notice {
            Notice::Draining => builtin.close(),
            Notice::Hangup => tls.iter().for_each(corespun_tls::Acceptor::refresh),
        })?)
    }
}

/// A server that runs on threads of its own.
pub struct Running {
    runtime: corespun_runtime::Running,
    limit_stats: LimitStats,
    builtin: Builtin,
    tls: Option<corespun_tls::Acceptor>,
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

    /// Reads the files of keys and certificates again; answers whether they had changed. Without
    /// TLS there is nothing to read.
    ///
    /// # Errors
    /// The files are of no use; what was served before goes on being served.
    pub fn reload_tls(&self) -> Result<bool, Error> {
        match &self.tls {
            Some(tls) => Ok(tls.reload()?),
            None => Ok(false),
        }
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
