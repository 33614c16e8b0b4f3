//! What can be wrong with keys and certificates, and how a connection fails.

use std::fmt;
use std::io;
use std::path::PathBuf;
use std::time::Duration;

/// Why keys and certificates cannot be used.
#[derive(Debug)]
#[non_exhaustive]
pub enum ConfigError {
    /// A file cannot be read.
    Read {
        /// The file.
        path: PathBuf,
        /// What the system answered.
        source: io::Error,
    },
    /// A file, or text given in its place, does not hold what it should.
    Content {
        /// The file, or what the text was given as.
        name: String,
        /// What is wrong with it.
        reason: String,
    },
    /// A private key belongs to another certificate.
    Mismatch {
        /// Where the certificate came from.
        certificate: String,
        /// Where the key came from.
        key: String,
    },
    /// The name is neither a host name nor an IP address, so no certificate can be checked for it.
    ServerName(String),
    /// The TLS library refused the settings.
    Settings(rustls::Error),
}

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Read { path, source } => {
                write!(f, "failed to read {}: {source}", path.display())
            }
            Self::Content { name, reason } => write!(f, "failed to use {name}: {reason}"),
            Self::Mismatch { certificate, key } => write!(
                f,
                "failed to use {key}: it is not the private key of the certificate in {certificate}"
            ),
            Self::ServerName(name) => write!(
                f,
                "failed to use server name {name:?}: neither a host name nor an IP address"
            ),
            Self::Settings(error) => write!(f, "failed to set TLS up: {error}"),
        }
    }
}

impl std::error::Error for ConfigError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Read { source, .. } => Some(source),
            Self::Settings(error) => Some(error),
            Self::Content { .. } | Self::Mismatch { .. } | Self::ServerName(_) => None,
        }
    }
}

/// How a connection failed, before or after its handshake.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub enum Error {
    /// TLS itself: a certificate that does not hold, an alert of the peer, a broken record.
    Tls(rustls::Error),
    /// The first bytes are no TLS record: the peer speaks something else.
    Plaintext,
    /// The peer did not take part in the choice of a protocol (RFC 7301), or chose none of ours.
    Alpn,
    /// The handshake took longer than this.
    Slow(Duration),
    /// The socket ended during the handshake.
    Ended,
    /// The socket ended without `close_notify` (RFC 8446, section 6.1): something may be missing.
    Truncated,
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Tls(error) => error.fmt(f),
            Self::Plaintext => f.write_str("the peer does not speak TLS"),
            Self::Alpn => f.write_str("the peer agreed to no application protocol (ALPN)"),
            Self::Slow(limit) => write!(f, "the handshake took longer than {limit:?}"),
            Self::Ended => f.write_str("the connection ended during the handshake"),
            Self::Truncated => f.write_str("the connection ended without close_notify"),
        }
    }
}

impl std::error::Error for Error {}

impl From<rustls::Error> for Error {
    fn from(error: rustls::Error) -> Self {
        Self::Tls(error)
    }
}
