//! Which engine drives the sockets, and how that is decided: once, for all shards.

use std::fmt;
use std::io;
use std::str::FromStr;
use std::sync::OnceLock;

use crate::error::StartError;
use crate::ring;

/// Overrides [`Engine::Auto`]: `auto`, `uring` or `epoll`.
pub(crate) const ENGINE_VARIABLE: &str = "CORESPUN_ENGINE";
/// `1` makes ring set-up fail with `EPERM`, as a container's seccomp profile does.
const DENY_VARIABLE: &str = "CORESPUN_DENY_URING";

/// What drives the sockets of a shard.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Engine {
    /// io_uring where the kernel permits it, else epoll with one log line that says why.
    /// The environment variable `CORESPUN_ENGINE` takes precedence.
    #[default]
    Auto,
    /// io_uring, or an error.
    Uring,
    /// epoll.
    Epoll,
}

impl Engine {
    /// The engines that a test should run on which shall hold whatever drives the sockets: both,
    /// or the one that the environment variable `CORESPUN_ENGINE` names. With each comes why it
    /// cannot be used here, if so.
    ///
    /// ```
    /// use corespun_runtime::Engine;
    ///
    /// for (engine, usable) in Engine::candidates() {
    ///     match usable {
    ///         Ok(()) => println!("testing on {engine}"),
    ///         Err(error) => println!("SKIPPED {engine}: {error}"),
    ///     }
    /// }
    /// ```
    pub fn candidates() -> impl Iterator<Item = (Self, Result<(), StartError>)> {
        let named: Option<Self> = std::env::var(ENGINE_VARIABLE)
            .ok()
            .and_then(|text| text.parse().ok());
        let named = named.unwrap_or_default();
        [Self::Uring, Self::Epoll]
            .into_iter()
            .filter(move |engine| named == Self::Auto || named == *engine)
            .map(|engine| (engine, choose(engine).map(drop)))
    }
}

impl fmt::Display for Engine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Auto => "auto",
            Self::Uring => "uring",
            Self::Epoll => "epoll",
        })
    }
}

impl FromStr for Engine {
    type Err = EngineError;

    fn from_str(text: &str) -> Result<Self, EngineError> {
        match text {
            "auto" => Ok(Self::Auto),
            "uring" => Ok(Self::Uring),
            "epoll" => Ok(Self::Epoll),
            _ => Err(EngineError(text.to_owned())),
        }
    }
}

/// Text that names no [`Engine`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EngineError(String);

impl fmt::Display for EngineError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "failed to read engine {:?}: expected auto, uring or epoll",
            self.0
        )
    }
}

impl std::error::Error for EngineError {}

/// Whether the runtime was told to behave as if the kernel refused rings.
pub(crate) fn ring_denied() -> bool {
    std::env::var_os(DENY_VARIABLE).is_some_and(|value| value == "1")
}

/// Settles what `wanted` means on this machine: never answers [`Engine::Auto`].
pub(crate) fn choose(wanted: Engine) -> Result<Engine, StartError> {
    let wanted = match (wanted, std::env::var(ENGINE_VARIABLE)) {
        (Engine::Auto, Ok(text)) => text.parse().map_err(|source: EngineError| {
            let source = io::Error::new(io::ErrorKind::InvalidInput, source);
            StartError::Engine {
                engine: Engine::Auto,
                source,
            }
        })?,
        _ => wanted,
    };
    if wanted == Engine::Epoll {
        return Ok(Engine::Epoll);
    }
    match probe_once() {
        Ok(()) => Ok(Engine::Uring),
        Err(error) if wanted == Engine::Auto && is_refusal(&error) => {
            tracing::warn!(
                engine = "epoll",
                errno = error.raw_os_error(),
                %error,
                "the kernel refuses io_uring: all shards use epoll"
            );
            Ok(Engine::Epoll)
        }
        Err(source) => Err(StartError::Engine {
            engine: Engine::Uring,
            source,
        }),
    }
}

/// Probes the kernel; a success is remembered, as it cannot turn into a refusal.
fn probe_once() -> io::Result<()> {
    static WORKS: OnceLock<()> = OnceLock::new();
    if ring_denied() {
        return Err(io::Error::from_raw_os_error(libc::EPERM));
    }
    if WORKS.get().is_none() {
        ring::probe()?;
        let _ = WORKS.set(());
    }
    Ok(())
}

/// Whether an error of ring set-up means "not on this machine", rather than "not right now".
fn is_refusal(error: &io::Error) -> bool {
    const REFUSALS: [i32; 5] = [
        libc::EPERM,
        libc::ENOSYS,
        libc::EACCES,
        libc::EOPNOTSUPP,
        libc::EINVAL,
    ];
    match error.raw_os_error() {
        Some(errno) => REFUSALS.contains(&errno),
        // The ring was set up but does not do what it says.
        None => error.kind() == io::ErrorKind::Unsupported,
    }
}

#[cfg(test)]
mod tests {
    use std::io;

    use super::{Engine, is_refusal};

    #[test]
    fn reads_what_it_writes() {
        for engine in [Engine::Auto, Engine::Uring, Engine::Epoll] {
            assert_eq!(engine.to_string().parse(), Ok(engine));
        }
        let error = "iocp".parse::<Engine>().expect_err("not ours").to_string();
        assert!(error.contains("\"iocp\""), "{error}");
    }

    #[test]
    fn running_out_of_something_is_no_refusal() {
        for (errno, refusal) in [
            (libc::EPERM, true),
            (libc::ENOSYS, true),
            (libc::EACCES, true),
            (libc::EOPNOTSUPP, true),
            (libc::EINVAL, true),
            (libc::ENOMEM, false),
            (libc::EMFILE, false),
        ] {
            let error = io::Error::from_raw_os_error(errno);
            assert_eq!(is_refusal(&error), refusal, "{error}");
        }
    }
}
