//! Authentication between coordinator and agents.

use corespun::Status;
use corespun::client::{Calling, Channel, ClientTlsConfig, Config, Connector, Roots};
use corespun::runtime::Address;

use super::door::is_of_this_machine;
use crate::args::AgentsArgs;
use crate::error::LoadError;
use crate::metadata::{concealed, read_token};

/// TLS settings and token of a coordinator.
#[derive(Debug)]
pub(super) struct Access {
    tls: Option<Connector>,
    token: Option<String>,
}

impl Access {
    /// Reads the files and the token of the flags.
    ///
    /// # Errors
    /// Names the flag that conflicts with others, or the file that cannot be used.
    pub(super) fn read(args: &AgentsArgs) -> Result<Self, LoadError> {
        let tls = connector(args)?;
        let Some(given) = &args.token else {
            return Ok(Self { tls, token: None });
        };
        let refused = |cause: String| LoadError::flag("--agents-token", concealed(given), cause);
        let far = args.addresses.iter().find(|address| !is_near(address));
        match far {
            Some(far) if tls.is_none() => Err(refused(format!(
                "it would go to {far} unencrypted; give --agents-cacert"
            ))),
            _ => Ok(Self {
                tls,
                token: Some(read_token(given).map_err(refused)?),
            }),
        }
    }

    /// Connects to the agent at `address`.
    ///
    /// # Errors
    /// The reason that the connection failed.
    pub(super) async fn connect(&self, address: &str) -> Result<Channel, Status> {
        let config = Config {
            tls: self.tls.clone(),
            ..Config::default()
        };
        let channel = Channel::lazy_with(address, config)?;
        channel.ready().await.map_err(|status| self.hint(status))?;
        let Some(token) = self.token.clone() else {
            return Ok(channel);
        };
        Ok(channel.intercept(move |call: &mut Calling| {
            let bearer = format!("Bearer {token}");
            call.metadata_mut().insert("authorization", &bearer)?;
            Ok::<_, Status>(())
        }))
    }

    /// Adds a hint about TLS, because an agent with TLS closes plaintext connections without a
    /// message.
    fn hint(&self, status: Status) -> Status {
        let connected = !status.message().starts_with("failed to connect");
        match self.tls {
            None if connected => Status::new(
                status.code(),
                format!(
                    "{}; if it speaks TLS, give --agents-cacert",
                    status.message()
                ),
            ),
            _ => status,
        }
    }
}

/// Returns true if no other machine can read the traffic to the agent.
fn is_near(address: &str) -> bool {
    let address = address.parse::<Address>();
    address.is_ok_and(|address| is_of_this_machine(&address))
}

fn connector(args: &AgentsArgs) -> Result<Option<Connector>, LoadError> {
    let Some(cacert) = &args.cacert else {
        let flags = [("--agents-cert", &args.cert), ("--agents-key", &args.key)];
        for (flag, file) in flags {
            if let Some(file) = file {
                let cause = "it needs --agents-cacert, which switches TLS on";
                return Err(LoadError::flag(flag, file.to_string_lossy(), cause));
            }
        }
        return match &args.servername {
            None => Ok(None),
            Some(name) => {
                let cause = "it needs --agents-cacert";
                Err(LoadError::flag("--agents-servername", name, cause))
            }
        };
    };
    let mut config = ClientTlsConfig::new(Roots::from_pem_file(cacert));
    if let Some(name) = &args.servername {
        config = config.server_name(name);
    }
    if let (Some(cert), Some(key)) = (&args.cert, &args.key) {
        config = config.identity_files(cert, key);
    }
    config.load().map(Some).map_err(LoadError::Tls)
}
