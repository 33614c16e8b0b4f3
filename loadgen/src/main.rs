//! The program: the command line in, findings out, an exit code that tells how it went.

#![forbid(unsafe_code)]

use std::io::{Write as _, stderr};
use std::process::ExitCode;

use clap::Parser;
use corespun_load::{CommandLine, Interrupt, execute};

fn main() -> ExitCode {
    let line = CommandLine::parse();
    let done = Interrupt::on_signals().and_then(|interrupt| execute(&line.command, &interrupt));
    done.unwrap_or_else(|error| {
        let _ = writeln!(stderr(), "{error}");
        ExitCode::FAILURE
    })
}
