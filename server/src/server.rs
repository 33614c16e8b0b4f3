//! The server as a whole: addresses, shards, services, and its end.

use std::time::Duration;

use corespun_runtime::{Accept, Address, Balance, Engine, Runtime, RuntimeBuilder, ShardId, spawn};
use corespun_tls::TlsConfig;

use crate::acceptor::{Acceptor, Door};
use crate::config::Config;
use crate::error::Error;
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
            tls: None,
            runtime: Runtime::builder(),
            config: Config::default(),
            factories: Vec::new(),
        }
    }
}

/// An address, and whether TLS is left out there.
struct Listen {
    address: String,
    plaintext: bool,
}

/// How often the files of certificates are looked at for a change.
const RELOAD_PAUSE: Duration = Duration::from_secs(5);

/// Where a server listens, on how many shards, and what it serves.
pub struct ServerBuilder {
    listen: Vec<Listen>,
    tls: Option<TlsConfig>,
    runtime: RuntimeBuilder,
    config: Config,
    factories: Vec<Factory>,
}

impl ServerBuilder {
    /// Adds an address: `127.0.0.1:50051`, `[::1]:0` (any free port) or `unix:/path`.
    pub fn listen(mut self, address: impl Into<String>) -> Self {
        self.listen.push(Listen {
            address: address.into(),
            plaintext: false,
        });
        self
    }

    /// Adds an address that is served without TLS whatever [`tls`](Self::tls) says: for probes, or
    /// for a Unix socket whose peers the kernel vouches for.
    pub fn listen_plaintext(mut self, address: impl Into<String>) -> Self {
        self.listen.push(Listen {
            address: address.into(),
            plaintext: true,
        });
        self
    }

    /// Speaks TLS on every address of [`listen`](Self::listen). Files are read at the start, which
    /// fails when they are of no use. When they change they are read again, within seconds, or at
    /// once on SIGHUP if the server is [`run`](Self::run): new connections get the new certificate,
    /// and a broken one leaves the old one in place, with a warning in the log.
    pub fn tls(mut self, config: TlsConfig) -> Self {
        self.tls = Some(config);
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
    pub fn grace(mut self, grace: Duration) -> Self {
        self.runtime = self.runtime.grace(grace);
        self
    }

    /// Limits of connections and calls.
    pub fn config(mut self, config: Config) -> Self {
        self.config = config;
        self
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
        let running = runtime.start(move |shard| {
            let mut routes = Routes::new();
            for factory in &factories {
                factory(shard, &mut routes)?;
            }
            // One shard looks after the files for all.
            if let Some(tls) = watched.clone().filter(|_| shard.index() == 0) {
                spawn(tls.watch(RELOAD_PAUSE));
            }
            let acceptor = Acceptor::new(routes, config.clone(), doors.clone());
            Ok(Box::new(acceptor) as Box<dyn Accept>)
        })?;
        Ok(Running {
            runtime: running,
            tls,
        })
    }

    /// Starts, says so on stderr, serves until SIGTERM or SIGINT, then drains: the calls under
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
        let tls = running.tls;
        Ok(running.runtime.wait_for_signals(|| {
            if let Some(tls) = &tls {
                tls.refresh();
            }
        })?)
    }
}

/// A server that runs on threads of its own.
pub struct Running {
    runtime: corespun_runtime::Running,
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

    /// Drains and waits for the end.
    ///
    /// # Errors
    /// A shard failed.
    pub fn stop(self) -> Result<(), Error> {
        self.runtime.stop();
        Ok(self.runtime.join()?)
    }
}
