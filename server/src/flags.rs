//! The flags that every server binary shares.

mod lifetime;
mod limits;
mod overload;

use std::path::PathBuf;
use std::time::Duration;

use corespun_runtime::{CpuList, Engine};
use corespun_tls::TlsConfig;

use crate::server::ServerBuilder;
use crate::web::GrpcWeb;
pub use lifetime::LifetimeFlags;
pub use limits::{LimitFlag, LimitFlagError, LimitFlags};
pub use overload::{AdmissionFlag, AdmissionFlagError, OverloadFlags};

/// Where and how to serve; flatten it into a `clap` parser.
#[derive(Clone, Debug, clap::Args)]
pub struct Flags {
    /// Addresses to listen on.
    #[arg(
        help = "Address to listen on: 127.0.0.1:50051, [::1]:0 or unix:/path; repeatable",
        long = "listen",
        value_name = "ADDR",
        default_value = "127.0.0.1:50051"
    )]
    pub listen: Vec<String>,

    /// Address to listen on without TLS, whatever the other flags say; repeatable
    #[arg(long, value_name = "ADDR")]
    pub listen_plaintext: Vec<String>,

    /// Address to listen on for trusted proxies alone, whose connections do not end for a flood of
    /// wasted calls or frames; repeatable
    #[arg(long = "listen-proxy", value_name = "ADDR")]
    pub listen_proxy: Vec<String>,

    /// PEM file with the server's certificate chain, its own certificate first
    #[arg(long, value_name = "FILE", requires = "tls_key")]
    pub tls_cert: Option<PathBuf>,

    /// PEM file with the private key of that certificate
    #[arg(long, value_name = "FILE", requires = "tls_cert")]
    pub tls_key: Option<PathBuf>,

    /// PEM file with the authorities of client certificates, which are required then
    #[arg(long, value_name = "FILE", requires = "tls_cert")]
    pub tls_client_ca: Option<PathBuf>,

    /// Lets clients in that show no certificate
    #[arg(long, requires = "tls_client_ca")]
    pub tls_client_optional: bool,

    /// Number of shards, one thread each [default: what affinity and CPU quota allow]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=1024))]
    pub shards: Option<u32>,

    /// CPUs to pin the shards to, such as 0,2-3
    #[arg(long, value_name = "LIST")]
    pub cpus: Option<CpuList>,

    /// How sockets are driven: auto, uring or epoll
    #[arg(long, value_name = "ENGINE", default_value = "auto")]
    pub engine: Engine,

    /// Microseconds that a busy shard may wait for more calls: less CPU time, more latency
    #[arg(long, value_name = "MICROS", default_value_t = 0)]
    #[arg(value_parser = clap::value_parser!(u32).range(..=1_000_000))]
    pub coalesce_us: u32,

    /// Bounds on peers other than the default ones
    #[command(flatten)]
    pub limits: LimitFlags,

    /// How long connections live
    #[command(flatten)]
    pub lifetime: LifetimeFlags,

    /// What happens to calls that are too many
    #[command(flatten)]
    pub overload: OverloadFlags,

    /// Origins whose pages may call by gRPC-Web; none turns it off.
    #[arg(
        help = "Origin whose pages may call: https://app.example, or * for all; repeatable",
        long,
        value_name = "ORIGIN"
    )]
    pub web_origin: Vec<String>,

    /// Seconds to go on after SIGTERM before draining, while health says NOT_SERVING
    #[arg(long, value_name = "SECONDS", default_value_t = 0)]
    pub drain_delay: u32,

    /// Seconds that a drain may take before what is left is cut off
    #[arg(long, value_name = "SECONDS", default_value_t = 30)]
    pub grace: u32,

    /// What to log, such as info or corespun_runtime=debug
    #[arg(long, value_name = "FILTER", default_value = "info")]
    pub log: String,
}

impl Flags {
    /// Applies the flags to a server.
    pub fn apply(&self, mut server: ServerBuilder) -> ServerBuilder {
        self.limits.apply(&mut server.config.http2);
        self.lifetime.apply(&mut server.config.lifetime);
        self.overload.apply(&mut server.config);
        for address in &self.listen {
            server = server.listen(address);
        }
        for address in &self.listen_plaintext {
            server = server.listen_plaintext(address);
        }
        for address in &self.listen_proxy {
            server = server.listen_trusted_proxy(address);
        }
        if let Some(web) = self.web() {
            server = server.grpc_web(web);
        }
        if let Some(tls) = self.tls() {
            server = server.tls(tls);
        }
        if let Some(cpus) = &self.cpus {
            let cpus = cpus.as_slice();
            server = server.cpus(cpus.to_vec()).shards(cpus.len());
        }
        if let Some(shards) = self.shards {
            server = server.shards(shards as usize);
        }
        let seconds = |count: u32| Duration::from_secs(count.into());
        server
            .engine(self.engine)
            .coalesce_time(Duration::from_micros(self.coalesce_us.into()))
            .drain_delay(seconds(self.drain_delay))
            .grace(seconds(self.grace))
    }

    fn web(&self) -> Option<GrpcWeb> {
        let allow = |web: GrpcWeb, origin: &String| match &**origin {
            "*" => web.allow_any_origin(),
            origin => web.allow_origin(origin),
        };
        let origins = self.web_origin.iter();
        (origins.len() > 0).then(|| origins.fold(GrpcWeb::new(), allow))
    }

    fn tls(&self) -> Option<TlsConfig> {
        let (chain, key) = self.tls_cert.as_ref().zip(self.tls_key.as_ref())?;
        let mut tls = TlsConfig::from_pem_files(chain, key);
        if let Some(roots) = &self.tls_client_ca {
            tls = tls.client_ca(roots);
        }
        if self.tls_client_optional {
            tls = tls.client_auth_optional();
        }
        Some(tls)
    }
}
