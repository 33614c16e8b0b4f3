//! Errors of the load generator; each is one line that names the cause and the value.

use std::fmt;
use std::io;
use std::path::PathBuf;

use corespun_runtime::{AddressError, StartError};
use corespun_tls::ConfigError;

/// Reason that a command failed. Each variant displays as one line that starts with "failed to".
#[derive(Debug)]
#[non_exhaustive]
pub enum LoadError {
    /// A flag has an invalid value.
    Flag {
        /// Name of the flag, such as `--rate`.
        flag: &'static str,
        /// Value that was given.
        value: String,
        /// Reason, with the expected form.
        cause: String,
    },
    /// The target is not an address.
    Target(AddressError),
    /// Keys or certificates cannot be used.
    Tls(ConfigError),
    /// The schema could not be read or compiled.
    Schema {
        /// Path of the `.proto` file or the descriptor set.
        path: PathBuf,
        /// Error in the file or in one of its imports.
        cause: String,
    },
    /// The schema lacks the method.
    NoMethod {
        /// Method that was requested.
        method: String,
        /// Methods of the schema, as `package.Service/Name`.
        known: Vec<String>,
    },
    /// The server did not return its schema by reflection.
    Reflection {
        /// Address of the server.
        address: String,
        /// Error of the server.
        cause: String,
    },
    /// The scenario cannot be used.
    Scenario {
        /// Path of the scenario file.
        path: PathBuf,
        /// Error in the file.
        cause: String,
    },
    /// The data does not fit the method's request message.
    Data {
        /// Full name of the message.
        message: String,
        /// Position and reason.
        cause: String,
    },
    /// A report or a trace could not be written.
    Report {
        /// Path of the file.
        path: PathBuf,
        /// Error of the system.
        cause: String,
    },
    /// The reports cannot be merged.
    Merge {
        /// Difference between the reports.
        cause: String,
    },
    /// An agent could not be reached, or it failed.
    Agent {
        /// Address of the agent.
        address: String,
        /// Error of the agent.
        cause: String,
    },
    /// A server that a command needs could not be started.
    Server {
        /// Path of the program.
        program: PathBuf,
        /// Last output of the program, or the error of the system.
        cause: String,
    },
    /// An input file has the wrong content.
    Input {
        /// Path of the input file.
        path: PathBuf,
        /// Error in the input file.
        cause: String,
    },
    /// The CPU clock of the target process cannot be read.
    TargetPid {
        /// Process ID.
        pid: i32,
        /// Error of the system for the process.
        cause: String,
    },
    /// The control group of the target has no usable counters.
    TargetGroup {
        /// Folder of the control group.
        path: PathBuf,
        /// Counter that is missing.
        cause: String,
    },
    /// The target did not accept a connection; the error names the address.
    Connect(io::Error),
    /// A thread of the generator could not be set up.
    Start(StartError),
    /// The peer of a connection does not speak HTTP/2.
    Speak {
        /// Address of the peer.
        address: String,
        /// Observed behaviour.
        cause: String,
    },
    /// A response does not match the schema.
    Response {
        /// Method, as `package.Service/Name`.
        method: String,
        /// Full name of the response message.
        message: String,
        /// Position and reason of the mismatch.
        cause: String,
    },
    /// The system could not start a thread for a core.
    Thread(io::Error),
    /// A core's thread panicked.
    Panicked {
        /// Number of the core, from 0.
        core: usize,
    },
    /// Signal handling could not be set up.
    Signals {
        /// Error of the system for signals.
        cause: String,
    },
    /// The run was interrupted before anything could be measured.
    Interrupted,
}

impl LoadError {
    /// Returns the error for a flag with an invalid value.
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
                write!(
                    f,
                    "failed to get the schema by reflection from {address}: {cause}"
                )
            }
            Self::Scenario { path, cause } => {
                write!(f, "failed to read the scenario {}: {cause}", path.display())
            }
            Self::Data { message, cause } => {
                write!(f, "failed to encode the data as {message}: {cause}")
            }
            Self::Report { path, cause } => {
                write!(f, "failed to write {}: {cause}", path.display())
            }
            Self::Merge { cause } => write!(f, "failed to merge the reports: {cause}"),
            Self::Agent { address, cause } => {
                write!(f, "failed to run on the agent {address}: {cause}")
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
            Self::Signals { cause } => write!(f, "failed to set up signal handling: {cause}"),
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
