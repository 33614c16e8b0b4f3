//! Why a server did not start or did not end well.

use std::fmt;

use corespun_runtime::{RunError, StartError};
use corespun_tls::ConfigError;

/// A failure of the server as a whole; calls report theirs to their callers.
pub enum Error {
    /// The address to listen on makes no sense; the text names it.
    Address(String),
    /// No address to listen on was given.
    NoAddress,
    /// A method that is to be exempt from admission is not served; the text names it.
    Exempt(String),
    /// An origin of pages that no browser would send: this one.
    Origin(String),
    /// The schemas of the services do not go together; the text names the file.
    Reflection(String),
    /// A key or a certificate is of no use.
    Tls(ConfigError),
    /// The runtime did not start, or a service's factory failed.
    Start(StartError),
    /// The server ran and did not end well.
    Run(RunError),
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Address(text) => f.write_str(text),
            Self::NoAddress => f.write_str("failed to start: no address to listen on was given"),
            Self::Exempt(method) => write!(
                f,
                "failed to exempt {method} from admission: no such method is served"
            ),
            Self::Origin(text) => write!(
                f,
                "failed to allow pages of {text:?}: an origin is a scheme and a host, such as \
                 https://app.example, with a port unless it is the scheme's own"
            ),
            Self::Reflection(text) => write!(f, "failed to offer reflection: {text}"),
            Self::Tls(error) => error.fmt(f),
            Self::Start(error) => error.fmt(f),
            Self::Run(error) => error.fmt(f),
        }
    }
}

/// The same as `Display`, for `main` prints an error that it returns in this form.
impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl std::error::Error for Error {}

impl From<ConfigError> for Error {
    fn from(error: ConfigError) -> Self {
        Self::Tls(error)
    }
}

impl From<StartError> for Error {
    fn from(error: StartError) -> Self {
        Self::Start(error)
    }
}

impl From<RunError> for Error {
    fn from(error: RunError) -> Self {
        Self::Run(error)
    }
}
