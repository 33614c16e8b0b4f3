//! TLS between a session and its socket, if the channel uses it.

use std::rc::Rc;

use corespun_codec::Status;
use corespun_runtime::{Protocol, turn_time};
use corespun_tls::{ClientTlsConfig, Error, Handshake, Inside, Roots};

use crate::config::Config;
use crate::connection::Connection;
use crate::link::Link;
use crate::target::{Scheme, Target};

/// Decides from target and settings whether a channel uses TLS, and with which configuration.
///
/// # Errors
///
/// INVALID_ARGUMENT when target and settings contradict each other, or no certificate could be
/// valid for the target's host.
pub(crate) fn settle(target: &Target, mut config: Config) -> Result<Config, Status> {
    let refused = |why: String| {
        let text = format!("failed to set up a channel to {}: {why}", target.text());
        Status::invalid_argument(text)
    };
    match target.scheme() {
        Some(Scheme::Http) if config.tls.is_some() => {
            return Err(refused(
                "http:// is without TLS, but the settings have it".into(),
            ));
        }
        Some(Scheme::Https) if config.tls.is_none() => {
            let mozilla = ClientTlsConfig::new(Roots::mozilla());
            config.tls = Some(mozilla.load().map_err(|error| refused(error.to_string()))?);
        }
        _ => {}
    }
    if let Some(tls) = &config.tls {
        let checked = tls.check_host(target.host());
        checked.map_err(|error| refused(error.to_string()))?;
    }
    Ok(config)
}

/// Returns the protocol of a connected socket.
pub(crate) fn protocol(link: Rc<Link>, target: &Target, config: &Config) -> Box<dyn Protocol> {
    let Some(tls) = &config.tls else {
        return Box::new(Connection::new(link));
    };
    let peer = Rc::clone(link.session().peer());
    let inside = Box::new(Opening(Rc::clone(&link)));
    match tls.connect(target.host(), peer, turn_time(), inside) {
        Ok(protocol) => protocol,
        Err(error) => {
            let status = Status::unavailable(error.to_string());
            link.session().end(status);
            Box::new(Connection::new(link))
        }
    }
}

/// Session that waits for its TLS handshake.
struct Opening(Rc<Link>);

impl Inside for Opening {
    fn open(&mut self, _handshake: Handshake) -> Box<dyn Protocol> {
        Box::new(Connection::new(Rc::clone(&self.0)))
    }

    /// Ends the calls with the TLS error, so that they report the fault of a certificate and not
    /// just a lost connection.
    fn fail(&mut self, error: &Error) {
        let mut session = self.0.session();
        let text = format!("the TLS connection to {} failed: {error}", session.peer());
        session.end(Status::unavailable(text));
    }
}
