//! Engine that drives the sockets, and its selection, once for all shards.

use std::fmt;
use std::io;
use std::str::FromStr;
use std::sync::{Once, OnceLock};

use crate::error::StartError;
use crate::ring::{self, RingOptions};
use crate::rlimit;

/// Environment variable that overrides [`Engine::Auto`]: `auto`, `uring` or `epoll`.
pub(crate) const ENGINE_VARIABLE: &str = "CORESPUN_ENGINE";
/// Environment variable that, set to `1`, makes ring set-up fail with `EPERM`, as a container's
/// seccomp profile does.
const DENY_VARIABLE: &str = "CORESPUN_DENY_URING";

/// I/O engine that drives the sockets of a shard.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Engine {
    /// io_uring if every shard can have a ring, else epoll for all shards with one log line that
    /// gives the reason. The environment variable `CORESPUN_ENGINE` takes precedence.
    #[default]
    Auto,
    /// io_uring; an error if it is not available.
    Uring,
    /// epoll.
    Epoll,
}

impl Engine {
    /// Returns the engines for tests that must pass on every engine: both, or the one that the
    /// environment variable `CORESPUN_ENGINE` names. Each comes with the reason that it cannot be
    /// used here, if any.
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
            .map(|engine| (engine, choose(engine, 1, &RingOptions::default()).map(drop)))
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

/// Error of a text that does not name an [`Engine`].
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

/// Returns `true` if the runtime must behave as if the kernel refused rings.
pub(crate) fn ring_denied() -> bool {
    std::env::var_os(DENY_VARIABLE).is_some_and(|value| value == "1")
}

/// Engine to set up, and whether epoll may replace it if that fails.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Choice {
    /// Engine to set up; never [`Engine::Auto`].
    pub(crate) engine: Engine,
    /// True if the engine was not requested by name, so that epoll may replace it.
    pub(crate) can_fall_back: bool,
}

/// Resolves `wanted` on this machine for `shards` rings of the size `ring`.
pub(crate) fn choose(
    wanted: Engine,
    shards: usize,
    ring: &RingOptions,
) -> Result<Choice, StartError> {
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
    let epoll = Choice {
        engine: Engine::Epoll,
        can_fall_back: false,
    };
    if wanted == Engine::Epoll {
        return Ok(epoll);
    }
    match probe_once() {
        Ok(()) => Ok(Choice {
            engine: Engine::Uring,
            can_fall_back: wanted == Engine::Auto,
        }),
        Err(error) if wanted == Engine::Auto => {
            warn_of_epoll(&error, shards, ring);
            Ok(epoll)
        }
        Err(source) => Err(StartError::Engine {
            engine: Engine::Uring,
            source: explain(source, shards, ring),
        }),
    }
}

/// Warns, once per process, that epoll is used because rings cannot be set up.
pub(crate) fn warn_of_epoll(error: &io::Error, shards: usize, ring: &RingOptions) {
    static WARNED: Once = Once::new();
    WARNED.call_once(|| {
        tracing::warn!(
            engine = "epoll",
            errno = error.raw_os_error(),
            %error,
            reason = reason(error, shards, ring),
            "io_uring cannot be set up: all shards use epoll"
        );
    });
}

/// Returns the error of a ring that was requested by name, with the limit that caused it.
pub(crate) fn explain(error: io::Error, shards: usize, ring: &RingOptions) -> io::Error {
    if error.raw_os_error() != Some(libc::ENOMEM) {
        return error;
    }
    let text = format!("{error}: {}", reason(&error, shards, ring));
    io::Error::new(error.kind(), text)
}

/// Returns the bytes of locked memory for the rings of all shards and for the probe ring, which may
/// not be fully released when the others are created.
fn locked_bytes(shards: usize, ring: &RingOptions) -> u64 {
    let rings = ring.locked_bytes().saturating_mul(shards as u64);
    rings.saturating_add(ring::PROBE_OPTIONS.locked_bytes())
}

/// Returns the limit or the policy that an error of ring set-up points to.
fn reason(error: &io::Error, shards: usize, ring: &RingOptions) -> String {
    match (error.raw_os_error(), rlimit::locked_bytes_max()) {
        (Some(libc::ENOMEM), Some(limit)) => {
            let needed = locked_bytes(shards, ring);
            format!(
                "RLIMIT_MEMLOCK is {limit} bytes; rings of {shards} shards need {needed} bytes, \
                 beside what other processes of this user hold"
            )
        }
        (Some(libc::ENOMEM), None) => "the system is out of memory".to_owned(),
        (Some(libc::ENOSYS), _) => "this kernel has no io_uring".to_owned(),
        (Some(libc::EPERM | libc::EACCES), _) => {
            "a seccomp profile or kernel.io_uring_disabled forbids it".to_owned()
        }
        (Some(libc::EMFILE | libc::ENFILE), _) => "descriptors are used up".to_owned(),
        _ => "this kernel lacks features that are needed".to_owned(),
    }
}

/// Probes the kernel. A success is remembered, because it cannot turn into a refusal.
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

#[cfg(test)]
mod tests {
    use std::io;

    use super::{Engine, explain, locked_bytes};
    use crate::ring::RingOptions;
    use crate::rlimit;

    #[test]
    fn reads_what_it_writes() {
        for engine in [Engine::Auto, Engine::Uring, Engine::Epoll] {
            assert_eq!(engine.to_string().parse(), Ok(engine));
        }
        let error = "iocp".parse::<Engine>().expect_err("not ours").to_string();
        assert!(error.contains("\"iocp\""), "{error}");
    }

    #[test]
    fn a_shortage_is_named_with_what_is_needed() {
        let ring = RingOptions::default();
        let error = |errno| io::Error::from_raw_os_error(errno);
        let text = explain(error(libc::ENOMEM), 3, &ring).to_string();
        assert!(
            text.starts_with("Cannot allocate memory (os error 12): "),
            "{text}"
        );
        if let Some(limit) = rlimit::locked_bytes_max() {
            let needed = locked_bytes(3, &ring);
            let expected =
                format!("RLIMIT_MEMLOCK is {limit} bytes; rings of 3 shards need {needed} bytes");
            assert!(text.contains(&expected), "{text}");
        }
        let text = explain(error(libc::EPERM), 3, &ring).to_string();
        assert_eq!(text, "Operation not permitted (os error 1)");
    }
}
