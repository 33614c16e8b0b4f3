//! Why a run could not be made: one line that names the cause and the value.

use std::fmt;
use std::io;
use std::path::PathBuf;

use corespun_runtime::{AddressError, StartError};
use corespun_tls::ConfigError;

/// What stopped a run. Each variant displays as one line that starts with "failed to".
#[derive(Debug)]
#[non_exhaustive]
pub enum LoadError {
    /// A flag's value makes no sense.
    Flag {
        /// The flag, as in `--rate`.
        flag: &'static str,
        /// What was given.
        value: String,
        /// What was expected.
        cause: String,
    },
    /// The target is no address.
    Target(AddressError),
    /// Keys or certificates cannot be used.
    Tls(ConfigError),
    /// The schema could not be read or compiled.
    Schema {
        /// The `.proto` file, or the descriptor set.
        path: PathBuf,
        /// What is wrong with it, or with what it imports.
        cause: String,
    },
    /// The schema has no such method.
    NoMethod {
        /// What was asked for.
        method: String,
        /// The schema's own methods, as `package.Service/Name`.
        known: Vec<String>,
    },
    /// The server does not tell its schema.
    Reflection {
        /// Where it is.
        address: String,
        /// What it said instead.
        cause: String,
    },
    /// The scenario cannot be used.
    Scenario {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        cause: String,
    },
    /// The data does not fit the method's request message.
    Data {
        /// The message's full name.
        message: String,
        /// Where it does not fit.
        cause: String,
    },
    /// A report or a trace could not be written.
    Report {
        /// The file.
        path: PathBuf,
        /// The system's reason.
        cause: String,
    },
    /// Reports that do not go together.
    Merge {
        /// What keeps them apart.
        cause: String,
    },
    /// An agent could not be reached, or failed.
    Agent {
        /// Where it is.
        address: String,
        /// What it said.
        cause: String,
    },
    /// A server that a command needs could not be started.
    Server {
        /// The program.
        program: PathBuf,
        /// Its last words, or the system's reason.
        cause: String,
    },
    /// A file that was to be read is not what it should be.
    Input {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        cause: String,
    },
    /// The process to be measured has no readable CPU clock.
    TargetPid {
        /// The process.
        pid: i32,
        /// The system's reason.
        cause: String,
    },
    /// The control group to be measured tells nothing.
    TargetGroup {
        /// Its folder.
        path: PathBuf,
        /// What is missing.
        cause: String,
    },
    /// The target did not accept a connection; the error names the address.
    Connect(io::Error),
    /// A thread of the generator could not be set up.
    Start(StartError),
    /// What accepted the connection does not speak HTTP/2.
    Speak {
        /// Where to.
        address: String,
        /// What happened instead.
        cause: String,
    },
    /// A response is not the message that the schema promises.
    Response {
        /// The method, as `package.Service/Name`.
        method: String,
        /// The promised message's full name.
        message: String,
        /// Where the bytes do not fit.
        cause: String,
    },
    /// The system gave no thread for a core.
    Thread(io::Error),
    /// A core's thread panicked.
    Panicked {
        /// Which core, from 0.
        core: usize,
    },
    /// The signals that end a run could not be taken over.
    Signals {
        /// The system's reason.
        cause: String,
    },
    /// The run was interrupted before anything could be measured.
    Interrupted,
}

impl LoadError {
    /// A flag whose value makes no sense.
    pub fn flag(flag: &'static str, value: impl Into<String>, cause: impl Into<String>) -> Self {
        Self::Flag {
            flag,
            value: value.into(),
            cause: cause.into(),
        }
    }
}

impl fmt::Display for LoadError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Flag { flag, value, cause } => {
                write!(f, "failed to read {flag} {value:?}: {cause}")
            }
            Self::Target(error) => error.fmt(f),
            Self::Tls(error) => error.fmt(f),
            Self::Schema { path, cause } => {
                write!(f, "failed to read the schema {}: {cause}", path.display())
            }
            Self::NoMethod { method, known } => {
                write!(f, "failed to find the method {method:?}: ")?;
                write!(f, "the schema has {}", listed(known))
            }
            Self::Reflection { address, cause } => {
                write!(f, "failed to learn the schema from {address}: {cause}")
            }
            Self::Scenario { path, cause } => {
                write!(f, "failed to read the scenario {}: {cause}", path.display())
            }
            Self::Data { message, cause } => {
                write!(f, "failed to make a {message} of the data: {cause}")
            }
            Self::Report { path, cause } => {
                write!(f, "failed to write {}: {cause}", path.display())
            }
            Self::Merge { cause } => write!(f, "failed to merge the reports: {cause}"),
            Self::Agent { address, cause } => {
                write!(f, "failed to work with the agent {address}: {cause}")
            }
            Self::Server { program, cause } => {
                write!(f, "failed to start {}: {cause}", program.display())
            }
            Self::Input { path, cause } => {
                write!(f, "failed to read {}: {cause}", path.display())
            }
            Self::TargetPid { pid, cause } => {
                write!(f, "failed to read the CPU clock of process {pid}: {cause}")
            }
            Self::TargetGroup { path, cause } => {
                let path = path.display();
                write!(f, "failed to measure the control group {path}: {cause}")
            }
            Self::Connect(error) => error.fmt(f),
            Self::Start(error) => error.fmt(f),
            Self::Speak { address, cause } => {
                write!(f, "failed to speak HTTP/2 with {address}: {cause}")
            }
            Self::Response {
                method,
                message,
                cause,
            } => write!(
                f,
                "failed to read a response of {method} as a {message}: {cause}"
            ),
            Self::Thread(error) => write!(f, "failed to start a thread: {error}"),
            Self::Panicked { core } => write!(f, "failed to run core {core}: it panicked"),
            Self::Signals { cause } => write!(f, "failed to take over signals: {cause}"),
            Self::Interrupted => {
                f.write_str("failed to measure: interrupted before the measured window began")
            }
        }
    }
}

fn listed(methods: &[String]) -> String {
    match methods {
        [] => "no methods".to_owned(),
        known => known.join(", "),
    }
}

impl std::error::Error for LoadError {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_error_is_one_line_with_the_value() {
        let errors = [
            (
                LoadError::flag("--rate", "-5", "a number above 0"),
                "\"-5\"",
            ),
            (
                LoadError::Schema {
                    path: "a.proto".into(),
                    cause: "gone".into(),
                },
                "a.proto",
            ),
            (
                LoadError::NoMethod {
                    method: "a/b".into(),
                    known: vec!["c/d".into()],
                },
                "c/d",
            ),
            (
                LoadError::NoMethod {
                    method: "a/b".into(),
                    known: vec![],
                },
                "a/b",
            ),
            (
                LoadError::Reflection {
                    address: "h:1".into(),
                    cause: "no".into(),
                },
                "h:1",
            ),
            (
                LoadError::Data {
                    message: "a.B".into(),
                    cause: "c".into(),
                },
                "a.B",
            ),
            (
                LoadError::TargetPid {
                    pid: 7,
                    cause: "ESRCH".into(),
                },
                "7",
            ),
        ];
        for (error, value) in errors {
            let text = error.to_string();
            assert!(text.starts_with("failed to "), "{text}");
            assert!(text.contains(value), "{text}");
            assert!(!text.contains('\n'), "{text}");
        }
    }
}
