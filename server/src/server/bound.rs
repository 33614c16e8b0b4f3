//! Server that listens and does not serve yet.

use std::fmt;

use corespun_runtime::{Accept, Address, Notice, log_line, memory_limit, spawn};

use super::builder::{Factory, InterceptorFactory};
use super::{RELOAD_PAUSE, Running, ServerBuilder, open_doors};
use crate::acceptor::{Acceptor, Door, Shared};
use crate::builtin::Builtin;
use crate::config::Config;
use crate::cut_off::{CutCounts, CutOff};
use crate::error::Error;
use crate::limit_stats::LimitStats;
use crate::occupancy::Occupancy;
use crate::overload_stats::OverloadStats;
use crate::routes::Routes;
use crate::tally::Tallies;
use crate::valve::Valve;
use corespun_tls::TlsConfig;

/// Server whose addresses are bound, created by [`ServerBuilder::bind`].
///
/// Clients that connect wait in the kernel's backlog until it serves. Dropping it closes its
/// sockets.
///
/// ```no_run
/// # use corespun_server::{Error, Server};
/// # fn open_database() {}
/// # fn main() -> Result<(), Error> {
/// let server = Server::builder().listen("127.0.0.1:0").bind()?;
/// println!("port: {}", server.addresses()[0]);
/// // A port that is taken has been reported by now, before work is done in vain.
/// open_database();
/// server.run()
/// # }
/// ```
#[must_use = "nothing is served before `run`, `serve` or `start`"]
pub struct Bound {
    runtime: corespun_runtime::Bound,
    doors: Vec<Door>,
    /// True for each listener, by index, whose peers are trusted proxies.
    proxies: Vec<bool>,
    tls: Option<corespun_tls::Acceptor>,
    config: Config,
    factories: Vec<Factory>,
    interceptors: Vec<InterceptorFactory>,
    limit_stats: LimitStats,
    overload_stats: OverloadStats,
    builtin: Builtin,
}

impl ServerBuilder {
    /// Checks the settings, reads keys and certificates, and listens on all addresses. Services are
    /// not created yet.
    ///
    /// Without a [`Config::shard_bytes_max`], the shards share a quarter of the memory that the
    /// container or the machine has, with at most 256 MiB each.
    ///
    /// # Errors
    ///
    /// An address is invalid or in use, or a key or certificate is unusable.
    pub fn bind(self) -> Result<Bound, Error> {
        let Self {
            listen,
            tls,
            runtime,
            mut config,
            factories,
            interceptors,
            limit_stats,
            overload_stats,
            builtin,
        } = self;
        if listen.is_empty() {
            return Err(Error::NoAddress);
        }
        if let Some(web) = &config.grpc_web {
            web.check()?;
        }
        let tls = tls.map(TlsConfig::load).transpose()?;
        let (runtime, doors, proxies) = open_doors(runtime, listen, tls.as_ref())?;
        let runtime = runtime.bind()?;
        config.fit_memory(memory_limit(), runtime.shards());
        Ok(Bound {
            runtime,
            doors,
            proxies,
            tls,
            config,
            factories,
            interceptors,
            limit_stats,
            overload_stats,
            builtin,
        })
    }
}

impl Bound {
    /// Returns the bound addresses, with the real port in place of port 0.
    pub fn addresses(&self) -> &[Address] {
        self.runtime.addresses()
    }

    /// Returns the number of shards that will serve.
    pub fn shards(&self) -> usize {
        self.runtime.shards()
    }

    /// Creates the services, starts the shards, and returns once all serve.
    ///
    /// # Errors
    ///
    /// The engine selected by name is unavailable, or a factory failed.
    pub fn start(self) -> Result<Running, Error> {
        let Self {
            runtime,
            doors,
            proxies,
            tls,
            config,
            factories,
            interceptors,
            limit_stats,
            overload_stats,
            builtin,
        } = self;
        let watched = tls.clone();
        let (stats, overloads) = (limit_stats.clone(), overload_stats.clone());
        let offered = builtin.clone();
        let cut_counts = CutCounts::default();
        let shared = Shared {
            occupancy: Occupancy::new(config.lifetime.max_connections),
            cut_counts: cut_counts.clone(),
        };
        let running = runtime.start(move |shard| {
            let made = interceptors.iter().map(|factory| factory(shard));
            let mut routes = Routes::intercepted(made.collect::<Result<_, _>>()?);
            for factory in &factories {
                factory(shard, &mut routes)?;
            }
            offered.add_to(&mut routes)?;
            for method in config.admission.iter().flat_map(|a| &a.exempt) {
                if !routes.exempt(method) {
                    return Err(Error::Exempt(method.clone()).into());
                }
            }
            // One shard watches the files for all shards.
            if let Some(tls) = watched.clone().filter(|_| shard.index() == 0) {
                spawn(tls.watch(RELOAD_PAUSE));
            }
            let (config, doors) = (config.clone(), doors.clone());
            let valve = Valve::counting_in(&config, overloads.add_shard());
            let limits = stats.add_shard();
            let mut acceptor = Acceptor::new(routes, config, doors, limits, shared.clone(), valve);
            acceptor.trust(proxies.clone());
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
            cut_counts,
            overload_stats,
            builtin,
            tls,
        })
    }

    /// Runs the server as [`ServerBuilder::run`] does.
    ///
    /// # Errors
    ///
    /// As [`start`](Self::start), or a shard failed.
    pub fn run(self) -> Result<(), Error> {
        let cut_off = self.serve()?;
        tracing::info!("{cut_off}");
        Ok(())
    }

    /// Runs the server as [`ServerBuilder::serve`] does.
    ///
    /// # Errors
    ///
    /// As [`start`](Self::start), or a shard failed.
    pub fn serve(mut self) -> Result<CutOff, Error> {
        self.runtime = self.runtime.catch_signals();
        if self.tls.is_some() {
            self.runtime = self.runtime.catch_hangup();
        }
        let running = self.start()?;
        for address in running.addresses() {
            let (engine, shards) = (running.engine(), running.shards());
            log_line(format_args!(
                "listening on {address} engine={engine} shards={shards}"
            ));
        }
        let Running {
            runtime,
            builtin,
            tls,
            cut_counts,
            ..
        } = running;
        runtime.wait_for_signal(|notice| match notice {
            Notice::Draining => builtin.close(),
            Notice::Hangup => tls.iter().for_each(corespun_tls::Acceptor::refresh),
        })?;
        Ok(cut_counts.total())
    }
}

impl fmt::Debug for Bound {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Bound")
            .field("addresses", &self.addresses())
            .field("shards", &self.shards())
            .finish_non_exhaustive()
    }
}
