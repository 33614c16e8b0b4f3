//! Access control of agents: without it, a stranger could use the agent's machine to attack others.

use std::path::PathBuf;

use clap::Args;
use corespun::runtime::Address;
use corespun::server::ServerBuilder;
use corespun::{Incoming, Status, TlsConfig};
use subtle::ConstantTimeEq;

use crate::error::LoadError;
use crate::metadata::{concealed, read_token};

/// Flags about access to an agent.
#[derive(Args, Clone, Debug, Default)]
pub struct DoorArgs {
    /// PEM file with the agent's certificate chain, its own certificate first; switches TLS on
    #[arg(long, value_name = "FILE", requires = "tls_key")]
    pub tls_cert: Option<PathBuf>,
    /// PEM file with the private key of that certificate
    #[arg(long, value_name = "FILE", requires = "tls_cert")]
    pub tls_key: Option<PathBuf>,
    /// PEM file with the authorities of coordinators' certificates; requires client certificates
    #[arg(long, value_name = "FILE", requires = "tls_cert")]
    pub tls_client_ca: Option<PathBuf>,
    /// Token that coordinators must send: @FILE, env:NAME or the token itself, which all users of
    /// this machine can see
    #[arg(long, value_name = "TOKEN")]
    pub token: Option<String>,
    /// Accept other machines without TLS or without authentication (insecure)
    #[arg(long)]
    pub insecure: bool,
}

impl DoorArgs {
    /// Applies the flags to a server at `address`.
    ///
    /// # Errors
    /// Strangers could reach the server and start runs, or the token is invalid.
    pub(super) fn apply(
        &self,
        server: ServerBuilder,
        address: &Address,
    ) -> Result<ServerBuilder, LoadError> {
        let asks = self.token.is_some() || self.tls_client_ca.is_some();
        let guarded = self.tls_cert.is_some() && asks;
        if !guarded && !self.insecure && !is_of_this_machine(address) {
            let cause = "anyone could use it: give --tls-cert and --tls-key, and --token or \
                         --tls-client-ca, or else --insecure";
            return Err(LoadError::flag("--listen", address.to_string(), cause));
        }
        let server = match self.tls() {
            Some(tls) => server.tls(tls),
            None => server,
        };
        let Some(given) = &self.token else {
            return Ok(server);
        };
        let token = read_token(given);
        let token = token.map_err(|cause| LoadError::flag("--token", concealed(given), cause))?;
        Ok(server.intercept(move |_| Ok(asking_for(token.clone()))))
    }

    fn tls(&self) -> Option<TlsConfig> {
        let (chain, key) = self.tls_cert.as_ref().zip(self.tls_key.as_ref())?;
        let tls = TlsConfig::from_pem_files(chain, key);
        Some(match &self.tls_client_ca {
            Some(roots) => tls.client_ca(roots),
            None => tls,
        })
    }
}

/// Returns true if only processes on this machine can connect to the address.
pub(super) fn is_of_this_machine(address: &Address) -> bool {
    match address {
        Address::Tcp(address) => address.ip().is_loopback(),
        Address::Unix(_) | Address::Abstract(_) => true,
    }
}

/// Returns an interceptor that accepts only calls with the token.
fn asking_for(token: String) -> impl Fn(&mut Incoming) -> Result<(), Status> {
    move |call| {
        let brought = call.metadata().get("authorization");
        match brought.and_then(|value| value.strip_prefix("Bearer ")) {
            None => Err(Status::unauthenticated(
                "this agent requires a token: give it with --agents-token",
            )),
            // How long it takes must not tell how much of a guess is right.
            Some(brought) if bool::from(brought.as_bytes().ct_eq(token.as_bytes())) => Ok(()),
            Some(_) => Err(Status::unauthenticated(
                "the token of --agents-token is wrong",
            )),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use corespun::Server;

    fn refusal(door: &DoorArgs, address: &str) -> Option<String> {
        let fitted = door.apply(Server::builder(), &address.parse().unwrap());
        fitted.err().map(|error| error.to_string())
    }

    #[test]
    fn a_door_to_strangers_has_a_lock() {
        let file = || Some(PathBuf::from("x.pem"));
        let open = DoorArgs::default();
        let tls = DoorArgs {
            tls_cert: file(),
            tls_key: file(),
            ..open.clone()
        };
        let token = DoorArgs {
            token: Some("sesame".to_owned()),
            ..open.clone()
        };
        let known = DoorArgs {
            tls_client_ca: file(),
            ..tls.clone()
        };
        let both = DoorArgs {
            token: token.token.clone(),
            ..tls.clone()
        };
        for local in ["127.0.0.1:1", "[::1]:1", "unix:/run/agent.sock"] {
            assert_eq!(refusal(&open, local), None, "{local}");
        }
        for (door, passes) in [
            (&open, false),
            (&tls, false),
            (&token, false),
            (&known, true),
            (&both, true),
        ] {
            let refused = refusal(door, "0.0.0.0:50061");
            assert_eq!(refused.is_none(), passes, "{door:?}: {refused:?}");
            let insecure = DoorArgs {
                insecure: true,
                ..door.clone()
            };
            assert_eq!(refusal(&insecure, "0.0.0.0:50061"), None);
        }
        let refused = refusal(&open, "0.0.0.0:50061").unwrap();
        assert!(refused.contains("--listen \"0.0.0.0:50061\""), "{refused}");
    }

    #[test]
    fn a_token_is_not_told_by_the_error_about_it() {
        let empty = DoorArgs {
            token: Some("@/nowhere/token".to_owned()),
            ..DoorArgs::default()
        };
        let refused = refusal(&empty, "127.0.0.1:1").unwrap();
        assert!(refused.contains("--token \"@/nowhere/token\""), "{refused}");
        assert_eq!(concealed("sesame"), "…");
    }
}
