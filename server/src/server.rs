//! The server as a whole: its start, its shards, and its end.

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
    /// Listens, makes the services, and returns once all shards serve.
    ///
    /// # Errors
    /// An address makes no sense or is taken, a key or certificate is of no use, the engine that
    /// was asked for by name is refused, or a factory failed.
    pub fn start(self) -> Result<Running, Error> {
        self.bind()?.start()
    }

    /// As [`serve`](Self::serve), with a line in the log about what was cut off.
    ///
    /// # Errors
    /// As [`ServerBuilder::start`], or a shard failed.
    pub fn run(self) -> Result<(), Error> {
        self.bind()?.run()
    }

    /// Starts, says so on stderr, serves until SIGTERM or SIGINT, then drains: health says that
    /// nothing serves, the delay of [`drain_delay`](Self::drain_delay) passes, every connection
    /// gets GOAWAY and every call is told (see [`Draining`](corespun_codec::Draining)), and the
    /// calls under way finish within the [`grace`](Self::grace). Those left then end with
    /// UNAVAILABLE. A second signal ends at once, without a word to them. All of these are the end
    /// that was asked for, no failure; what was cut off is told. SIGHUP reads keys and certificates
    /// again; without TLS it does nothing, nor do other signals that have no use here.
    ///
    /// A thread that was started before this must block SIGTERM and SIGINT: one that does not
    /// lets the kernel end the process there, without a drain.
    ///
    /// # Errors
    /// As [`ServerBuilder::start`], or a shard failed.
    pub fn serve(self) -> Result<CutOff, Error> {
        self.bind()?.serve()
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
