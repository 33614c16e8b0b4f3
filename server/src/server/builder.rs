//! Settings of a server before it starts.

use std::rc::Rc;
use std::time::Duration;

use corespun_codec::Encoding;
use corespun_runtime::{Balance, Engine, Runtime, RuntimeBuilder, ShardId};
use corespun_tls::TlsConfig;

use super::BoxError;
use crate::admission::Admission;
use crate::builtin::channelz::Channelz;
use crate::builtin::health::Health;
use crate::builtin::{Builtin, Offer};
use crate::config::Config;
use crate::interceptor::Interceptor;
use crate::limit_stats::LimitStats;
use crate::overload_stats::OverloadStats;
use crate::plain::{PlainRequest, PlainResponse};
use crate::routes::Routes;
use crate::service::Service;
use crate::web::GrpcWeb;

pub(super) type InterceptorFactory =
    Box<dyn Fn(ShardId) -> Result<Rc<dyn Interceptor>, BoxError> + Send + Sync>;

pub(super) type Factory = Box<dyn Fn(ShardId, &mut Routes) -> Result<(), BoxError> + Send + Sync>;

/// Address to listen on.
pub(super) struct Listen {
    pub(super) address: String,
    /// True if TLS is not used on this address.
    pub(super) plaintext: bool,
    /// True if the peers are trusted proxies.
    pub(super) is_proxy: bool,
}

/// Builder of a server: addresses, shards, settings and services.
pub struct ServerBuilder {
    pub(super) listen: Vec<Listen>,
    pub(super) tls: Option<TlsConfig>,
    pub(super) runtime: RuntimeBuilder,
    pub(crate) config: Config,
    pub(super) factories: Vec<Factory>,
    pub(super) interceptors: Vec<InterceptorFactory>,
    pub(super) limit_stats: LimitStats,
    pub(super) overload_stats: OverloadStats,
    pub(super) builtin: Builtin,
}

impl ServerBuilder {
    pub(super) fn new() -> Self {
        Self {
            listen: Vec::new(),
            tls: None,
            runtime: Runtime::builder(),
            config: Config::default(),
            factories: Vec::new(),
            interceptors: Vec::new(),
            limit_stats: LimitStats::default(),
            overload_stats: OverloadStats::default(),
            builtin: Builtin::default(),
        }
    }

    /// Adds an address: `127.0.0.1:50051`, `[::1]:0` (any free port, which [`bind`](Self::bind)
    /// reports), `[::]:50051` (IPv6 and IPv4), `unix:/path`, or `unix:@name` for an abstract Unix
    /// socket.
    pub fn listen(mut self, address: impl Into<String>) -> Self {
        self.listen.push(Listen {
            address: address.into(),
            plaintext: false,
            is_proxy: false,
        });
        self
    }

    /// Adds an address whose only clients are trusted proxies, such as Envoy or HAProxy in front of
    /// this server. A connection of a proxy carries the calls of many clients, so the behaviour of
    /// some of them must not close it. The budgets against floods are therefore those of
    /// [`Limits::behind_proxy`](corespun_http2::Limits::behind_proxy). Limits on memory and on
    /// single calls are unchanged. TLS is used as on the addresses of [`listen`](Self::listen).
    pub fn listen_trusted_proxy(mut self, address: impl Into<String>) -> Self {
        self.listen.push(Listen {
            address: address.into(),
            plaintext: false,
            is_proxy: true,
        });
        self
    }

    /// Adds an address that is served without TLS, whatever [`tls`](Self::tls) sets: for probes, or
    /// for a Unix socket, whose peers the kernel identifies.
    pub fn listen_plaintext(mut self, address: impl Into<String>) -> Self {
        self.listen.push(Listen {
            address: address.into(),
            plaintext: true,
            is_proxy: false,
        });
        self
    }

    /// Uses TLS on every address of [`listen`](Self::listen). The files are read at the start,
    /// which fails if they are unusable. They are read again within seconds of a change, and at
    /// once on SIGHUP if the server is [`run`](Self::run). New connections then use the new
    /// certificate. An unusable file leaves the old certificate in place, and logs a warning.
    pub fn tls(mut self, config: TlsConfig) -> Self {
        self.tls = Some(config);
        self
    }

    /// Sets the number of shards, one thread each. Default: what the affinity mask, the CPU quota
    /// and the memory limit of the process allow, at 64 MiB for each.
    pub fn shards(mut self, shards: usize) -> Self {
        self.runtime = self.runtime.shards(shards);
        self
    }

    /// Sets the CPUs to pin the shards to, in order. Default: pinned only if the affinity mask is
    /// smaller than the machine.
    pub fn cpus(mut self, cpus: Vec<usize>) -> Self {
        self.runtime = self.runtime.cpus(cpus);
        self
    }

    /// Sets the engine that drives sockets. Default: io_uring if the kernel permits it, else epoll.
    pub fn engine(mut self, engine: Engine) -> Self {
        self.runtime = self.runtime.engine(engine);
        self
    }

    /// Sets the distribution of accepted connections over the shards.
    pub fn balance(mut self, balance: Balance) -> Self {
        self.runtime = self.runtime.balance(balance);
        self
    }

    /// Sets the longest time of a drain. Calls left then end with UNAVAILABLE.
    pub fn grace(mut self, grace: Duration) -> Self {
        self.runtime = self.runtime.grace(grace);
        self
    }

    /// Sets the longest time that a client may take to read one send of at most about 512 KiB. Its
    /// connection is closed then. Default: 60 seconds.
    pub fn send_time_max(mut self, bound: Duration) -> Self {
        self.runtime = self.runtime.send_time_max(bound);
        self
    }

    /// Sets the time, at most one second, that a busy shard waits to collect more calls before it
    /// processes them. This saves CPU time, and adds up to this much latency to every call. A shard
    /// is busy if its last turn processed eight connections or more; others do not wait. Admission
    /// control does not count this wait. Default: zero.
    pub fn coalesce_time(mut self, time: Duration) -> Self {
        self.runtime = self.runtime.coalesce_time(time);
        self
    }

    /// Sets the time between SIGTERM and the start of the drain, during which health already
    /// reports NOT_SERVING, so that load balancers send new clients elsewhere. Default: zero.
    pub fn drain_delay(mut self, delay: Duration) -> Self {
        self.runtime = self.runtime.drain_delay(delay);
        self
    }

    /// Offers `grpc.health.v1.Health` with the statuses of `health`.
    pub fn health(mut self, health: &Health) -> Self {
        self.builtin.health = Some(health.clone());
        self
    }

    /// Offers `grpc.health.v1.Health` as [`health`](Self::health) does, and answers plain HTTP
    /// probes with the same statuses, over HTTP/1.1 and HTTP/2 on every address:
    ///
    /// - `/healthz` and `/readyz`: 200 while the server as a whole serves, else 503; with
    ///   `?service=NAME` the status of one service. Both return 503 from SIGTERM on, also during
    ///   [`drain_delay`](Self::drain_delay). For readiness probes and load balancers.
    /// - `/livez`: 200 as long as the process responds. For liveness probes, which should not
    ///   restart a server that drains or waits for something else.
    /// - `OPTIONS /`, the default check of HAProxy: as `/healthz`, unless there is a
    ///   [`plain`](Self::plain) handler, which receives all other paths.
    ///   [`plain`](Self::plain) handler: all other paths are its own.
    ///
    /// ```no_run
    /// # use corespun_server::{Error, Health, Server};
    /// # fn main() -> Result<(), Error> {
    /// Server::builder().listen("127.0.0.1:50051").probes(&Health::new()).run()
    /// # }
    /// ```
    pub fn probes(mut self, health: &Health) -> Self {
        self.builtin.probes = true;
        self.health(health)
    }

    /// Offers reflection, `v1` and `v1alpha`, with the schemas of the services.
    pub fn reflection(self) -> Self {
        self.reflection_with(&[])
    }

    /// Offers reflection with additional schemas, each a serialized
    /// `google.protobuf.FileDescriptorSet` with all its imports: for services without generated
    /// code, and for files that only extend others.
    pub fn reflection_with(mut self, sets: &[&'static [u8]]) -> Self {
        self.builtin.reflection = Some(Offer::new(sets));
        self
    }

    /// Offers `grpc.channelz.v1.Channelz` for tools such as `grpcdebug`: connections, their
    /// addresses and their counters. Without it nothing is counted.
    pub fn channelz(mut self) -> Self {
        self.builtin.channelz = Some(Channelz::new());
        self
    }

    /// Sets the limits of connections and calls.
    pub fn config(mut self, config: Config) -> Self {
        self.config = config;
        self
    }

    /// Serves browsers by gRPC-Web, over HTTP/2 and HTTP/1.1 on every address. `web` sets the
    /// origins whose pages may call. Native calls have no extra cost.
    ///
    /// ```no_run
    /// # use corespun_server::{Error, GrpcWeb, Server};
    /// # fn main() -> Result<(), Error> {
    /// let web = GrpcWeb::new().allow_origin("https://app.example");
    /// Server::builder().listen("127.0.0.1:8080").grpc_web(web).run()
    /// # }
    /// ```
    pub fn grpc_web(mut self, web: GrpcWeb) -> Self {
        self.config.grpc_web = Some(web);
        self
    }

    /// Returns the counts of exceeded limits. Take them before [`ServerBuilder::run`] and read them
    /// from any thread.
    pub fn limit_stats(&self) -> LimitStats {
        self.limit_stats.clone()
    }

    /// Enables admission control: refuses calls that would wait too long for their shard. Each
    /// shard decides for its own connections, whatever the load of the others. Default: no call is
    /// refused.
    pub fn admission(mut self, admission: Admission) -> Self {
        self.config.admission = Some(admission);
        self
    }

    /// Returns the counts of calls refused for overload or lack of memory. Take them before
    /// [`ServerBuilder::run`] and read them from any thread.
    pub fn overload_stats(&self) -> OverloadStats {
        self.overload_stats.clone()
    }

    /// Compresses messages with `encoding` if the client accepts it. Services, responses and
    /// senders may override it. Compressed requests are accepted in any case.
    pub fn compress(mut self, encoding: Encoding) -> Self {
        self.config.encoding = encoding;
        self
    }

    /// Adds an interceptor for the calls of all services, after those added before. The factory is
    /// called once on each shard, like those of services. Health and reflection are services, so
    /// the interceptor sees their calls too. It does not see plain requests: see
    /// [`plain`](Self::plain).
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

    /// Adds a service. The factory is called once on each shard, on its thread. The service belongs
    /// to that shard and need be neither `Send` nor `Sync`.
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

    /// Sets the handler of plain requests, whose content type is not gRPC's, such as `/metrics`.
    /// Without a handler they get 405 or 415.
    ///
    /// HTTP/1.1 is then served in addition to HTTP/2 on every address, also to TLS clients without
    /// ALPN: the first bytes of a connection determine its protocol. Calls have no extra cost.
    ///
    /// The factory is called once on each shard, like that of a service. An earlier handler is
    /// replaced. No interceptor sees plain requests, so the handler itself decides about access.
    /// For health see [`probes`](Self::probes).
    /// ```no_run
    /// # use corespun_server::{Error, PlainRequest, PlainResponse, Server};
    /// fn answer(request: &PlainRequest<'_>) -> PlainResponse {
    ///     match request.path() {
    ///         "/version" => PlainResponse::new(200, "1.2.3\n"),
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
}
