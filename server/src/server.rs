//! Start, shards and end of a server.

mod bound;
mod builder;
mod lifetime;

use std::time::Duration;

use corespun_runtime::{Address, Engine, RuntimeBuilder};

use crate::acceptor::Door;
use crate::builtin::Builtin;
use crate::cut_off::{CutCounts, CutOff};
use crate::error::Error;
use crate::limit_stats::LimitStats;
use crate::overload_stats::OverloadStats;
pub use bound::Bound;
use builder::Listen;
pub use builder::ServerBuilder;

/// Error of a service's factory: the reason why the service could not be created.
pub type BoxError = Box<dyn std::error::Error + Send + Sync>;

/// Interval between checks of certificate files for changes.
const RELOAD_PAUSE: Duration = Duration::from_secs(5);

/// Server entry point; see [`Server::builder`].
pub struct Server(());

impl Server {
    /// Creates a builder for a server.
    pub fn builder() -> ServerBuilder {
        ServerBuilder::new()
    }
}

impl ServerBuilder {
    /// Listens, creates the services, and returns once all shards serve.
    ///
    /// # Errors
    ///
    /// An address is invalid or in use, a key or certificate is unusable, the engine selected by
    /// name is unavailable, or a factory failed.
    pub fn start(self) -> Result<Running, Error> {
        self.bind()?.start()
    }

    /// Runs the server like [`serve`](Self::serve), and logs the number of calls that were cut off.
    ///
    /// # Errors
    ///
    /// As [`ServerBuilder::start`], or a shard failed.
    pub fn run(self) -> Result<(), Error> {
        self.bind()?.run()
    }

    /// Runs the server until SIGTERM or SIGINT, drains it, and returns the counts of what was cut
    /// off.
    ///
    /// The start is announced on stderr. A drain has these steps:
    ///
    /// - Health reports NOT_SERVING, and the delay of [`drain_delay`](Self::drain_delay) passes.
    /// - Every connection gets GOAWAY, and every call is notified (see
    ///   [`Draining`](corespun_codec::Draining)).
    /// - Calls in progress may finish within the [`grace`](Self::grace). Calls left then end with
    ///   UNAVAILABLE.
    ///
    /// A second signal ends the server at once, without a status for open calls. All of these are a
    /// requested end, not an error.
    ///
    /// SIGHUP reloads keys and certificates; without TLS it does nothing. Other signals for which
    /// the server has no use are ignored too.
    ///
    /// A thread that was started before this must block SIGTERM and SIGINT. Otherwise the kernel
    /// may deliver the signal to that thread and end the process without a drain.
    ///
    /// # Errors
    ///
    /// As [`ServerBuilder::start`], or a shard failed.
    pub fn serve(self) -> Result<CutOff, Error> {
        self.bind()?.serve()
    }
}

/// Makes the runtime listen on every address. Returns the kind of each listener, and whether its
/// peers are trusted proxies.
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

/// Server that runs on its own threads.
pub struct Running {
    runtime: corespun_runtime::Running,
    limit_stats: LimitStats,
    cut_counts: CutCounts,
    overload_stats: OverloadStats,
    builtin: Builtin,
    tls: Option<corespun_tls::Acceptor>,
}

impl Running {
    /// Returns the bound addresses, with the real port in place of port 0.
    pub fn addresses(&self) -> &[Address] {
        self.runtime.addresses()
    }

    /// Returns the engine that drives the sockets.
    pub fn engine(&self) -> Engine {
        self.runtime.engine()
    }

    /// Returns the number of shards.
    pub fn shards(&self) -> usize {
        self.runtime.shards()
    }

    /// Returns the counts of exceeded limits.
    pub fn limit_stats(&self) -> &LimitStats {
        &self.limit_stats
    }

    /// Returns the counts of calls refused for overload or lack of memory.
    pub fn overload_stats(&self) -> &OverloadStats {
        &self.overload_stats
    }

    /// Reloads keys and certificates from their files; returns true if they had changed. Does
    /// nothing without TLS.
    ///
    /// # Errors
    ///
    /// The files are unusable; the previous keys and certificates stay in use.
    pub fn reload_tls(&self) -> Result<bool, Error> {
        match &self.tls {
            Some(tls) => Ok(tls.reload()?),
            None => Ok(false),
        }
    }

    /// Drains without delay, waits for the end, and returns the counts of what was cut off.
    ///
    /// # Errors
    ///
    /// A shard failed.
    pub fn stop(self) -> Result<CutOff, Error> {
        self.builtin.close();
        self.runtime.stop();
        self.runtime.join()?;
        Ok(self.cut_counts.total())
    }
}
