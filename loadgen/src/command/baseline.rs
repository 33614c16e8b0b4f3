//! `baseline`: measures the bundled tonic server as a reference, without any set-up.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::Args;

use super::bundled::{self, SchemaFile};
use super::child::Server;
use super::{CompareArgs, tell};
use crate::error::LoadError;
use crate::interrupt::Interrupt;

/// Arguments of `baseline`: those of `run`, or with `--against` those of `compare`.
#[derive(Args, Clone, Debug)]
#[command(mut_arg("a", |arg| arg.required(false).default_value("A").hide(true)))]
#[command(mut_arg("b", |arg| arg.required(false).default_value("B").hide(true)))]
#[command(mut_arg("method", |arg| {
    arg.help("The method, as package.Service/Name (default: user.UserService/GetUser)")
}))]
#[command(mut_arg("proto", |arg| {
    arg.help("The .proto file that defines the methods (default: that of user.UserService)")
}))]
#[command(mut_arg("data", |arg| arg.default_value(bundled::DATA)))]
#[command(mut_arg("b_name", |arg| arg.default_value("tonic")))]
pub struct BaselineArgs {
    /// Flags of each turn
    #[command(flatten)]
    pub compare: CompareArgs,
    /// Server of user.UserService to compare with tonic (default: measure tonic alone)
    #[arg(long, value_name = "ADDR", help_heading = "Baseline")]
    pub against: Option<String>,
    /// Path of the tonic server (default: bench-tonic in the folder of this program)
    #[arg(long, value_name = "FILE", help_heading = "Baseline")]
    pub server: Option<PathBuf>,
    /// CPUs to pin the tonic server to, as in 0 or 0,2-3
    #[arg(long, value_name = "LIST", help_heading = "Baseline")]
    pub server_cpus: Option<String>,
}

/// Starts the tonic server and measures it.
pub(super) fn execute(args: &BaselineArgs, interrupt: &Interrupt) -> Result<ExitCode, LoadError> {
    let program = args.server.clone().map_or_else(beside_this_program, Ok)?;
    let schema = SchemaFile::write()?;
    let mut arguments = vec!["--listen".to_owned(), "127.0.0.1:0".to_owned()];
    if let Some(cpus) = &args.server_cpus {
        arguments.extend(["--cpus".to_owned(), cpus.clone()]);
    }
    let server = Server::start(&program, &arguments)?;
    tell(format_args!(
        "{} listens on {}",
        program.display(),
        server.address
    ));
    let mut compare = args.compare.clone();
    bundled::fill_in(&mut compare.run.call, &schema);
    let Some(against) = &args.against else {
        compare.run.target = server.address.clone();
        compare.run.target_pid = Some(server.pid());
        return super::run::execute(&compare.run, interrupt);
    };
    compare.a = against.clone();
    compare.b = server.address.clone();
    compare.b_pid = Some(server.pid());
    super::compare::execute(&compare, interrupt)
}

fn beside_this_program() -> Result<PathBuf, LoadError> {
    let failed = |cause: String| LoadError::Server {
        program: "bench-tonic".into(),
        cause,
    };
    let own = std::env::current_exe().map_err(|error| failed(error.to_string()))?;
    let program = own.with_file_name("bench-tonic");
    match program.is_file() {
        true => Ok(program),
        false => Err(failed(format!(
            "it is not at {}: build it (cargo build --release -p corespun-benches --bin \
             bench-tonic), and say where it is with --server",
            program.display()
        ))),
    }
}
