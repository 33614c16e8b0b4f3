//! Validation of TLS flags.

use std::path::Path;

use corespun_tls::{ClientTlsConfig, Connector, Roots};

use crate::args::TlsArgs;
use crate::error::LoadError;

/// Returns the TLS settings, if a flag or the scheme of the target asks for TLS.
///
/// # Errors
/// Names the flag that conflicts with others, or the file that cannot be used.
pub(super) fn connector(
    args: &TlsArgs,
    scheme: Option<bool>,
) -> Result<Option<Connector>, LoadError> {
    match (args.tls, scheme) {
        (true, Some(false)) => {
            let cause = "the target is http; give https or no scheme";
            return Err(LoadError::flag("--tls", "", cause));
        }
        (true, _) | (false, Some(true)) => {}
        (false, _) => return unused(args).map(|()| None),
    }
    let roots = match (&args.cacert, args.insecure_skip_verify) {
        (Some(file), true) => {
            let cause = "it has no effect with --insecure-skip-verify";
            return Err(refused("--cacert", file, cause));
        }
        (Some(file), false) => Roots::from_pem_file(file),
        (None, true) => Roots::danger_anybody(),
        (None, false) => Roots::system(),
    };
    let mut config = ClientTlsConfig::new(roots);
    if let Some(name) = &args.servername {
        config = config.server_name(name);
    }
    config = match (&args.cert, &args.key) {
        (Some(cert), Some(key)) => config.identity_files(cert, key),
        (Some(cert), None) => return Err(refused("--cert", cert, "it needs its --key")),
        (None, Some(key)) => return Err(refused("--key", key, "it needs its --cert")),
        (None, None) => config,
    };
    config.load().map(Some).map_err(LoadError::Tls)
}

/// Refuses TLS flags without TLS, because they would have no effect.
fn unused(args: &TlsArgs) -> Result<(), LoadError> {
    const CAUSE: &str = "it needs --tls";
    let files = [
        ("--cacert", &args.cacert),
        ("--cert", &args.cert),
        ("--key", &args.key),
    ];
    for (flag, file) in files {
        if let Some(file) = file {
            return Err(refused(flag, file, CAUSE));
        }
    }
    if let Some(name) = &args.servername {
        return Err(LoadError::flag("--servername", name, CAUSE));
    }
    match args.insecure_skip_verify {
        true => Err(LoadError::flag("--insecure-skip-verify", "", CAUSE)),
        false => Ok(()),
    }
}

fn refused(flag: &'static str, file: &Path, cause: &str) -> LoadError {
    LoadError::flag(flag, file.to_string_lossy(), cause)
}
