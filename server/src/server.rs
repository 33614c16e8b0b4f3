//! The server as a whole: its start, its shards, and its end.

mod builder;
mod lifetime;

use std::time::Duration;

use corespun_runtime::{Accept, Address, Engine, Notice, RuntimeBuilder, spawn};
use corespun_tls::TlsConfig;

use crate::acceptor::{Acceptor, Door, HTTP1, Shared};
use crate::builtin::Builtin;
use crate::cut_off::{CutCounts, CutOff};
use crate::error::Error;
use crate::limit_stats::LimitStats;
use crate::occupancy::Occupancy;
use crate::overload_stats::OverloadStats;
use crate::routes::Routes;
use crate::tally::Tallies;
use crate::valve::Valve;
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
            runtime,
            config,
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
        let tls = tls.map(|tls| match &config.grpc_web {
            Some(_) => tls.alpn_too(HTTP1),
            None => tls,
        });
        let tls = tls.map(TlsConfig::load).transpose()?;
        let (runtime, doors, proxies) = open_doors(runtime, listen, tls.as_ref())?;
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
            // One shard looks after the files for all.
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

    /// As [`serve`](Self::serve), with a line in the log about what was cut off.
    ///
    /// # Errors
    /// As [`ServerBuilder::start`], or a shard failed.
    pub fn run(self) -> Result<(), Error> {
        let cut_off = self.serve()?;
        tracing::info!("{cut_off}");
        Ok(())
    }

    /// Starts, says so on stderr, serves until SIGTERM or SIGINT, then drains: health says that
    /// nothing serves, the delay of [`drain_delay`](Self::drain_delay) passes, every connection
    /// gets GOAWAY and every call is told (see [`Draining`](corespun_codec::Draining)), and the
    /// calls under way finish within the [`grace`](Self::grace). Those left then end with
    /// UNAVAILABLE. A second signal ends at once, without a word to them. All of these are the end
    /// that was asked for, no failure; what was cut off is told.
    ///
    /// A thread that was started before this must block SIGTERM and SIGINT: one that does not
    /// lets the kernel end the process there, without a drain.
    ///
    /// # Errors
    /// As [`ServerBuilder::start`], or a shard failed.
    pub fn serve(mut self) -> Result<CutOff, Error> {
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

/// Has the runtime listen on every address. Returns what stands behind each, and whether its peers
/// are trusted proxies.
fn open_doors(
    mut runtime: RuntimeBuilder,
    listen: Vec<Listen>,
    tls: Option<&corespun_tls::Acceptor>,
) -> Result<(RuntimeBuilder, Vec<Door>, Vec<bool>), Error> {
    let (mut doors, mut proxies) = (Vec::new(), Vec::new());
    for listen in listen {
        let address: Address = listen
            .address
            .parse()
            .map_err(|error| Error::Address(format!("{error}")))?;
        runtime = runtime.listen(address);
        proxies.push(listen.is_proxy);
        doors.push(match tls {
            Some(tls) if !listen.plaintext => Door::Tls(tls.clone()),
            _ => Door::Plain,
        });
    }
    Ok((runtime, doors, proxies))
}

/// A server that runs on threads of its own.
pub struct Running {
    runtime: corespun_runtime::Running,
    limit_stats: LimitStats,
    cut_counts: CutCounts,
    overload_stats: OverloadStats,
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

    /// How many calls were turned away to stay on time and within memory.
    pub fn overload_stats(&self) -> &OverloadStats {
        &self.overload_stats
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

    /// Drains, without delay, and waits for the end; what was cut off.
    ///
    /// # Errors
    /// A shard failed.
    pub fn stop(self) -> Result<CutOff, Error> {
        self.builtin.close();
        self.runtime.stop();
        self.runtime.join()?;
        Ok(self.cut_counts.total())
    }
}
