//! The program: the command line in, a summary out, an exit code that tells how it went.

#![forbid(unsafe_code)]

use std::io::{self, Write};
use std::process::ExitCode;

use clap::Parser;
use corespun_load::{
    Command, CommandLine, Interrupt, JsonFile, LoadError, Plan, RunArgs, run, summary,
};

fn main() -> ExitCode {
    let result = match CommandLine::parse().command {
        Command::Run(args) => execute(&args),
        Command::Replay(args) => execute(&args.into_run()),
    };
    match result {
        Ok(code) => code,
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}

/// Exits 0 after a whole run, 128 and the signal's number after an interrupted one.
fn execute(args: &RunArgs) -> Result<ExitCode, LoadError> {
    let plan = Plan::new(args)?;
    let json = plan.json.as_deref().map(JsonFile::open).transpose()?;
    let interrupt = Interrupt::on_signals()?;
    let code = || match interrupt.signal() {
        None => ExitCode::SUCCESS,
        Some(signal) => ExitCode::from(128 | signal as u8),
    };
    let report = match run(plan, &mut io::stderr(), &interrupt) {
        Err(error @ LoadError::Interrupted) => {
            eprintln!("{error}");
            return Ok(code());
        }
        result => result?,
    };
    // Whoever closed standard output still gets the JSON.
    let _ = io::stdout().write_all(summary(&report).as_bytes());
    if let Some(file) = json {
        file.write(&report)?;
    }
    Ok(code())
}
