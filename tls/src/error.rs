//! Errors of keys and certificates, and of TLS connections.

use std::fmt;
use std::io;
use std::path::PathBuf;
use std::time::Duration;

/// Reason why keys and certificates cannot be used.
#[derive(Debug)]
#[non_exhaustive]
pub enum ConfigError {
    /// A file cannot be read.
    Read {
        /// Path of the file.
        path: PathBuf,
        /// Error of the operating system.
        source: io::Error,
    },
    /// A file, or text given in its place, has invalid content.
    Content {
        /// Path of the file, or description of the text.
        name: String,
        /// Reason why the content is invalid.
        reason: String,
    },
    /// A private key belongs to another certificate.
    Mismatch {
        /// Path of the certificate file, or description of the text.
        certificate: String,
        /// Path of the key file, or description of the text.
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

/// Failure of a connection, before or after its handshake.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub enum Error {
    /// Failure of TLS itself: an invalid certificate, an alert of the peer, or a broken record.
    Tls(rustls::Error),
    /// The first bytes are not a TLS record: the peer speaks another protocol.
    Plaintext,
    /// The peer did not negotiate a protocol (RFC 7301), or chose none of ours.
    Alpn,
    /// The handshake took longer than this limit.
    Slow(Duration),
    /// The socket was closed during the handshake.
    Ended,
    /// The socket was closed without `close_notify` (RFC 8446, section 6.1), so data may be
    /// missing.
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
