//! What can be said of a server before it starts.

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

/// An address to listen on.
pub(super) struct Listen {
    pub(super) address: String,
    /// TLS is left out there.
    pub(super) plaintext: bool,
    /// A trusted proxy is on the other side.
    pub(super) is_proxy: bool,
}

/// Where a server listens, on how many shards, and what it serves.
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

    /// Adds an address: `127.0.0.1:50051`, `[::1]:0` (any free port, which
    /// [`bind`](Self::bind) tells), `[::]:50051` (IPv6 and IPv4), `unix:/path`, or `unix:@name` for
    /// a name without a file.
    pub fn listen(mut self, address: impl Into<String>) -> Self {
        self.listen.push(Listen {
            address: address.into(),
            plaintext: false,
            is_proxy: false,
        });
        self
    }

    /// Adds an address whose only callers are trusted proxies, such as Envoy or HAProxy in front of
    /// this server. A connection of theirs carries the calls of many, so it does not end for what
    /// some of them do: the budgets against floods are those of
    /// [`Limits::behind_proxy`](corespun_http2::Limits::behind_proxy). Bounds on memory and on
    /// single calls stay. TLS is spoken as on the addresses of [`listen`](Self::listen).
    pub fn listen_trusted_proxy(mut self, address: impl Into<String>) -> Self {
        self.listen.push(Listen {
            address: address.into(),
            plaintext: false,
            is_proxy: true,
        });
        self
    }

    /// Adds an address that is served without TLS whatever [`tls`](Self::tls) says: for probes, or
    /// for a Unix socket whose peers the kernel vouches for.
    pub fn listen_plaintext(mut self, address: impl Into<String>) -> Self {
        self.listen.push(Listen {
            address: address.into(),
            plaintext: true,
            is_proxy: false,
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

    /// Number of shards, one thread each; by default what the affinity mask, the CPU quota and the
    /// memory limit of the process allow, at 64 MiB for each.
    pub fn shards(mut self, shards: usize) -> Self {
        self.runtime = self.runtime.shards(shards);
        self
    }

    /// CPUs to pin the shards to, in order. By default they are pinned only if the affinity mask is
    /// smaller than the machine.
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

    /// How long a drain may take before what is left is cut off: those calls end with UNAVAILABLE.
    pub fn grace(mut self, grace: Duration) -> Self {
        self.runtime = self.runtime.grace(grace);
        self
    }

    /// How long a caller may take to read one send, of some 512 KiB at most, before its connection
    /// is closed; 60 seconds by default.
    pub fn send_time_max(mut self, bound: Duration) -> Self {
        self.runtime = self.runtime.send_time_max(bound);
        self
    }

    /// How long a busy shard may wait for more calls before it deals with those that came, at most
    /// a second: it saves CPU time, and every call is later by up to this. A shard is busy if its
    /// last turn dealt with eight connections or more; others wait for nothing. Admission control
    /// does not count this wait. Default: no time at all.
    pub fn coalesce_time(mut self, time: Duration) -> Self {
        self.runtime = self.runtime.coalesce_time(time);
        self
    }

    /// How long the server goes on after SIGTERM before it drains, while its health already says
    /// that it does not serve: time for balancers to send new callers elsewhere. Default: none.
    pub fn drain_delay(mut self, delay: Duration) -> Self {
        self.runtime = self.runtime.drain_delay(delay);
        self
    }

    /// Offers `grpc.health.v1.Health`, which answers what `health` says.
    pub fn health(mut self, health: &Health) -> Self {
        self.builtin.health = Some(health.clone());
        self
    }

    /// Offers `grpc.health.v1.Health` as [`health`](Self::health) does, and answers plain probes
    /// with the same statuses, over HTTP/1.1 and HTTP/2 on every address:
    ///
    /// - `/healthz` and `/readyz`: 200 while the server as a whole serves, else 503; with
    ///   `?service=NAME` that of one service. Both are 503 from SIGTERM on, also during
    ///   [`drain_delay`](Self::drain_delay). For readiness probes and balancers.
    /// - `/livez`: 200 as long as the process answers. For liveness probes, which should not
    ///   restart a server that drains or waits for something else.
    /// - `OPTIONS /`, HAProxy's default check, as `/healthz`, unless there is a
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

    /// Offers `grpc.channelz.v1.Channelz`: connections, their addresses and what they have counted,
    /// for tools such as `grpcdebug`. Without it nothing is counted.
    pub fn channelz(mut self) -> Self {
        self.builtin.channelz = Some(Channelz::new());
        self
    }

    /// Limits of connections and calls.
    pub fn config(mut self, config: Config) -> Self {
        self.config = config;
        self
    }

    /// Serves browsers too: calls by gRPC-Web, over HTTP/2 and over HTTP/1.1 on every address.
    /// `web` says whose pages may call. Native calls do not pay for it.
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

    /// How often callers exceed each limit; take it before [`ServerBuilder::run`] and read it from
    /// any thread.
    pub fn limit_stats(&self) -> LimitStats {
        self.limit_stats.clone()
    }

    /// Refuses calls that would wait too long for their shard; without it none is. Which shard
    /// a connection is on decides, not what the others have to do.
    pub fn admission(mut self, admission: Admission) -> Self {
        self.config.admission = Some(admission);
        self
    }

    /// How many calls are turned away to stay on time and within memory; take it before
    /// [`ServerBuilder::run`] and read it from any thread.
    pub fn overload_stats(&self) -> OverloadStats {
        self.overload_stats.clone()
    }

    /// Compresses messages as `encoding` for callers that accept it. Services, responses and
    /// senders may choose otherwise. What callers send compressed is read in any case.
    pub fn compress(mut self, encoding: Encoding) -> Self {
        self.config.encoding = encoding;
        self
    }

    /// Adds an interceptor around the calls of all services, behind those that were added before.
    /// The factory is called once on each shard, as those of services are. Health and reflection
    /// are services, so their calls are asked about too; requests that are no calls are not: see
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
    /// or 415 that they get otherwise: `/metrics`, for example. HTTP/1.1 is then answered beside
    /// HTTP/2 on every address, with TLS also for clients without ALPN: the first bytes of a
    /// connection tell. For health see [`probes`](Self::probes). The factory is called once on
    /// each shard, as that of a service. A handler set before is replaced. Calls do not pay for
    /// it. No interceptor sees such a request: what it may learn is for the handler to decide.
    ///
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
