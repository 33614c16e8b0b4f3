//! Command-line flags common to all server programs.

mod lifetime;
mod limits;
mod log;
mod overload;
mod sizes;

use std::path::PathBuf;
use std::time::Duration;

use corespun_runtime::{CpuList, Engine};
use corespun_tls::TlsConfig;

use crate::server::ServerBuilder;
use crate::web::GrpcWeb;
pub use lifetime::LifetimeFlags;
pub use limits::{LimitFlag, LimitFlagError, LimitFlags};
pub use log::{Log, LogError, conclude};
pub use overload::{AdmissionFlag, AdmissionFlagError, OverloadFlags};
pub use sizes::SizeFlags;
use sizes::parse_send_time;

/// Addresses and settings of a server; flatten it into a `clap` parser.
#[derive(Clone, Debug, clap::Args)]
pub struct Flags {
    /// Addresses to listen on.
    #[arg(
        help = "Address to listen on: 127.0.0.1:50051, [::]:0, unix:/path, unix:@name; repeatable",
        long = "listen",
        value_name = "ADDR",
        default_value = "127.0.0.1:50051"
    )]
    pub listen: Vec<String>,

    /// Address to listen on without TLS, whatever the TLS flags say; repeatable
    #[arg(long, value_name = "ADDR")]
    pub listen_plaintext: Vec<String>,

    /// Address to listen on for trusted proxies only, whose connections are not closed for floods
    /// of useless calls or frames; repeatable
    #[arg(long = "listen-proxy", value_name = "ADDR")]
    pub listen_proxy: Vec<String>,

    /// PEM file with the server's certificate chain, its own certificate first
    #[arg(long, value_name = "FILE", requires = "tls_key")]
    pub tls_cert: Option<PathBuf>,

    /// PEM file with the private key of the server's certificate
    #[arg(long, value_name = "FILE", requires = "tls_cert")]
    pub tls_key: Option<PathBuf>,

    /// PEM file with the CA certificates that sign client certificates; clients must then present
    /// one
    #[arg(long, value_name = "FILE", requires = "tls_cert")]
    pub tls_client_ca: Option<PathBuf>,

    /// Accept clients that present no certificate
    #[arg(long, requires = "tls_client_ca")]
    pub tls_client_optional: bool,

    /// Number of shards, one thread each [default: what affinity, CPU quota and memory allow]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=1024))]
    pub shards: Option<u32>,

    /// CPUs to pin the shards to, such as 0,2-3 [default: the affinity mask, if it is smaller than
    /// the machine]
    #[arg(long, value_name = "LIST")]
    pub cpus: Option<CpuList>,

    /// Kernel interface: auto, uring or epoll; auto is io_uring if every shard can have it, else
    /// epoll
    #[arg(long, value_name = "ENGINE", default_value = "auto")]
    pub engine: Engine,

    /// Microseconds that a busy shard may wait to collect more calls: saves CPU time, adds latency
    #[arg(long, value_name = "MICROS", default_value_t = 0)]
    #[arg(value_parser = clap::value_parser!(u32).range(..=1_000_000))]
    pub coalesce_us: u32,

    /// Limits on peers that differ from the defaults
    #[command(flatten)]
    pub limits: LimitFlags,

    /// Limits on single messages
    #[command(flatten)]
    pub sizes: SizeFlags,

    /// Lifetime of connections
    #[command(flatten)]
    pub lifetime: LifetimeFlags,

    /// Limits of load and memory for a shard
    #[command(flatten)]
    pub overload: OverloadFlags,

    /// Origins whose pages may call by gRPC-Web; none disables gRPC-Web.
    #[arg(
        help = "Origin whose pages may call: https://app.example, or * for all; repeatable",
        long,
        value_name = "ORIGIN"
    )]
    pub web_origin: Vec<String>,

    /// Time that a client may take to read one send, such as 90s or never [default: 60s]
    #[arg(long, value_name = "TIME", value_parser = parse_send_time)]
    pub send_time_max: Option<Duration>,

    /// Seconds between SIGTERM and the start of the drain, with health already NOT_SERVING
    #[arg(long, value_name = "SECONDS", default_value_t = 0)]
    pub drain_delay: u32,

    /// Seconds that a drain may take before remaining calls are cut off
    #[arg(long, value_name = "SECONDS", default_value_t = 30)]
    pub grace: u32,

    /// Log filter, such as info or corespun_runtime=debug
    #[arg(long, value_name = "FILTER", default_value = "info")]
    pub log: String,
}

impl Flags {
    /// Applies the flags to a server.
    pub fn apply(&self, mut server: ServerBuilder) -> ServerBuilder {
        self.limits.apply(&mut server.config.http2);
        self.sizes.apply(&mut server.config);
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
        if let Some(bound) = self.send_time_max {
            server = server.send_time_max(bound);
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

#[cfg(test)]
mod tests {
    use clap::Parser;
    use corespun_codec::{Encoding, Encodings};

    use super::*;
    use crate::admission::Admission;
    use crate::config::Config;
    use crate::server::Server;

    #[derive(Parser)]
    struct Line {
        #[command(flatten)]
        flags: Flags,
    }

    fn config(line: &str) -> Config {
        let line = Line::try_parse_from(line.split_whitespace()).expect("a line");
        line.flags.apply(Server::builder()).config
    }

    /// Checks at compile time that each setting has a flag: a new field needs a flag, or a reason
    /// to have none.
    #[test]
    fn every_setting_has_its_flag() {
        let Config {
            http2,
            lifetime,
            message_bytes_max,
            plain_body_bytes_max,
            send_bytes_max,
            accept_encodings,
            encoding,
            admission,
            shard_bytes_max,
            grpc_web,
        } = config(
            "server --limit reset_budget=7 --max-connections 7 --message-bytes-max 7 \
             --plain-body-bytes-max 7 --send-bytes-max 7 --admission on --shard-bytes-max 7K \
             --web-origin *",
        );
        assert_eq!(http2.reset_budget, 7);
        assert_eq!(lifetime.max_connections, 7);
        assert_eq!((message_bytes_max, plain_body_bytes_max), (7, 7));
        assert_eq!((send_bytes_max, shard_bytes_max), (7, Some(7 << 10)));
        assert_eq!(admission, Some(Admission::new()));
        assert!(grpc_web.is_some());
        // Not limits, but choices of a program for its own messages.
        assert_eq!(accept_encodings, Encodings::ALL);
        assert_eq!(encoding, Encoding::Identity);
    }

    #[test]
    fn without_flags_the_defaults_hold() {
        let (found, default) = (config("server"), Config::default());
        assert_eq!(found.message_bytes_max, default.message_bytes_max);
        assert_eq!(found.plain_body_bytes_max, default.plain_body_bytes_max);
        assert_eq!(found.send_bytes_max, default.send_bytes_max);
        assert_eq!(
            (found.shard_bytes_max, default.shard_bytes_max),
            (None, None)
        );
        assert!(found.grpc_web.is_none() && found.admission.is_none());
    }

    #[test]
    fn a_send_may_take_a_while_or_for_ever() {
        assert_eq!(parse_send_time("90s"), Ok(Duration::from_secs(90)));
        assert_eq!(parse_send_time("never"), Ok(Duration::MAX));
        assert!(parse_send_time("90").is_err());
    }
}
