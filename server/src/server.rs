//! The server as a whole: addresses, shards, services, and its end.

use std::rc::Rc;

use corespun_codec::Encoding;
use corespun_runtime::{
    Accept, Address, Balance, Engine, Peer, Protocol, Runtime, RuntimeBuilder, ShardId,
    SocketHandle, turn_time,
};

use crate::config::Config;
use crate::connection::Connection;
use crate::error::Error;
use crate::interceptor::Interceptor;
use crate::routes::Routes;
use crate::service::Service;

/// Why a service could not be made: whatever its factory says.
pub type BoxError = Box<dyn std::error::Error + Send + Sync>;

type InterceptorFactory =
    Box<dyn Fn(ShardId) -> Result<Rc<dyn Interceptor>, BoxError> + Send + Sync>;

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
            interceptors: Vec::new(),
        }
    }
}

/// Where a server listens, on how many shards, and what it serves.
pub struct ServerBuilder {
    listen: Vec<String>,
    runtime: RuntimeBuilder,
    config: Config,
    factories: Vec<Factory>,
    interceptors: Vec<InterceptorFactory>,
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

    /// Limits of connections and calls.
    pub fn config(mut self, config: Config) -> Self {
        self.config = config;
        self
    }

    /// Compresses messages as `encoding` for callers that accept it. Services, responses and
    /// senders may choose otherwise. What callers send compressed is read in any case.
    pub fn compress(mut self, encoding: Encoding) -> Self {
        self.config.encoding = encoding;
        self
    }

    /// Adds an interceptor around the calls of all services, behind those that were added before.
    /// The factory is called once on each shard, as those of services are.
    pub fn intercept<I, F>(mut self, factory: F) -> Self
    where
        I: Interceptor,
        F: Fn(ShardId) -> Result<I, BoxError> + Send + Sync + 'static,
    {
        self.interceptors.push(Box::new(move |shard| {
            let interceptor: Rc<dyn Interceptor> = Rc::new(factory(shard)?);
            Ok(interceptor)
        }));
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
    /// An address makes no sense or is taken, the engine is refused, or a factory failed.
    pub fn start(self) -> Result<Running, Error> {
        let Self {
            listen,
            mut runtime,
            config,
            factories,
            interceptors,
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
        let running = runtime.start(move |shard| {
            let made = interceptors.iter().map(|factory| factory(shard));
            let mut routes = Routes::intercepted(made.collect::<Result<_, _>>()?);
            for factory in &factories {
                factory(shard, &mut routes)?;
            }
            let acceptor = Acceptor {
                routes: Rc::new(routes),
                config: config.clone(),
            };
            Ok(Box::new(acceptor) as Box<dyn Accept>)
        })?;
        Ok(Running { runtime: running })
    }

    /// Starts, says so on stderr, serves until SIGTERM or SIGINT, then drains: the calls under
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
        Ok(running.runtime.wait_for_signal()?)
    }
}

/// A server that runs on threads of its own.
pub struct Running {
    runtime: corespun_runtime::Running,
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

    /// Drains and waits for the end.
    ///
    /// # Errors
    /// A shard failed.
    pub fn stop(self) -> Result<(), Error> {
        self.runtime.stop();
        Ok(self.runtime.join()?)
    }
}

struct Acceptor {
    routes: Rc<Routes>,
    config: Config,
}

impl Accept for Acceptor {
    fn accept(&mut self, peer: Peer, socket: SocketHandle) -> Box<dyn Protocol> {
        let peer = peer.address.map(|address| Rc::from(address.to_string()));
        let routes = Rc::clone(&self.routes);
        Box::new(Connection::new(
            routes,
            &self.config,
            peer,
            socket,
            turn_time(),
        ))
    }
}
