//! Entry point of the program: parses the command line, runs the command, returns the exit code.

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
