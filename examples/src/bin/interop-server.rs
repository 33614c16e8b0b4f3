//! `interop-server`: the server of gRPC's interoperability tests.

use std::error::Error;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::{ArgAction, Parser};
use corespun::Server;
use corespun::server::{Flags, Log, conclude};
use corespun_examples::interop::proto::grpc::testing::test_service_server::TestServiceServer;
use corespun_examples::interop::proto::xds::service::orca::v3::open_rca_service_server as orca;
use corespun_examples::interop::{Interop, Load, LoadReports};

/// Serves the interoperability tests of gRPC clients in all languages.
#[derive(Parser)]
#[command(version)]
struct Arguments {
    /// Port to listen on at all addresses, IPv6 and IPv4, in place of --listen
    #[arg(long, value_name = "PORT")]
    port: Option<u16>,

    /// Use of TLS, true or false [default: true if there is a certificate]
    #[arg(long = "use_tls", value_name = "BOOL", action = ArgAction::Set,
          num_args = 0..=1, default_missing_value = "true")]
    use_tls: Option<bool>,

    /// Alias of --tls-cert
    #[arg(
        long = "tls_cert_file",
        value_name = "FILE",
        conflicts_with = "tls_cert"
    )]
    tls_cert_file: Option<PathBuf>,

    /// Alias of --tls-key
    #[arg(long = "tls_key_file", value_name = "FILE", conflicts_with = "tls_key")]
    tls_key_file: Option<PathBuf>,

    #[command(flatten)]
    flags: Flags,
}

impl Arguments {
    /// Returns the flags of all servers, with those of the official test server converted to them.
    fn into_flags(self) -> Result<Flags, String> {
        let mut flags = self.flags;
        if let Some(port) = self.port {
            flags.listen = vec![format!("[::]:{port}")];
        }
        flags.tls_cert = self.tls_cert_file.or(flags.tls_cert);
        flags.tls_key = self.tls_key_file.or(flags.tls_key);
        match (self.use_tls, &flags.tls_cert, &flags.tls_key) {
            (Some(false), ..) => (flags.tls_cert, flags.tls_key) = (None, None),
            (_, Some(_), Some(_)) | (None, None, None) => {}
            _ => return Err("TLS takes both --tls_cert_file and --tls_key_file".to_owned()),
        }
        Ok(flags)
    }
}

fn main() -> ExitCode {
    conclude("interop-server", serve(Arguments::parse()))
}

fn serve(arguments: Arguments) -> Result<(), Box<dyn Error>> {
    let flags = arguments.into_flags()?;
    let _log = Log::start(&flags.log)?;
    let load = Load::default();
    let told = load.clone();
    flags
        .apply(Server::builder())
        .service(move |_shard| Ok(TestServiceServer::new(Interop::new(told.clone()))))
        .service(move |_shard| Ok(orca::OpenRcaServiceServer::new(LoadReports(load.clone()))))
        .reflection()
        .run()?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn flags(line: &str) -> Result<Flags, String> {
        let parsed = Arguments::try_parse_from(line.split(' '));
        parsed.map_err(|error| error.to_string())?.into_flags()
    }

    #[test]
    fn the_flags_of_official_servers_are_understood() {
        let plain = flags("x --port 8080 --use_tls=false").unwrap();
        assert_eq!(
            (plain.listen, plain.tls_cert),
            (vec!["[::]:8080".into()], None)
        );
        for line in [
            "x --use_tls=true --tls_cert_file c --tls_key_file k",
            "x --use_tls --tls-cert c --tls-key k",
            "x --tls_cert_file c --tls_key_file k",
        ] {
            let tls = flags(line).unwrap();
            assert_eq!(
                (tls.tls_cert, tls.tls_key),
                (Some("c".into()), Some("k".into())),
                "{line}"
            );
        }
        let off = flags("x --use_tls false --tls-cert c --tls-key k").unwrap();
        assert_eq!((off.tls_cert, off.tls_key), (None, None));
        for line in ["x --use_tls true", "x --use_tls true --tls_key_file k"] {
            assert!(flags(line).is_err(), "{line}");
        }
    }
}
