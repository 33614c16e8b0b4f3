//! Errors of starting and running a server.

use std::fmt;

use corespun_runtime::{RunError, StartError};
use corespun_tls::ConfigError;

/// Failure of the server as a whole; a failed call is reported to its client instead.
pub enum Error {
    /// The address to listen on is invalid; the text names it.
    Address(String),
    /// No address to listen on was given.
    NoAddress,
    /// A method that is exempt from admission is not served; the text names it.
    Exempt(String),
    /// An allowed origin that no browser would send; the text names it.
    Origin(String),
    /// The schemas of the services contradict each other; the text names the file.
    Reflection(String),
    /// A key or a certificate is unusable.
    Tls(ConfigError),
    /// The runtime did not start, or the factory of a service failed.
    Start(StartError),
    /// The server ran and ended with an error.
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

/// Formats like `Display`, because `main` prints the error that it returns with `Debug`.
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
