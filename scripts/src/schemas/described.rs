//! Custom options of a method, read by grpcurl through reflection and from protoc's own set.

use std::path::Path;
use std::process::Command;
use std::time::Duration;

use super::Verdict;
use crate::failure::Failure;
use crate::probes;
use crate::process::Server;
use crate::python::Python;
use crate::suites::tool;
use crate::test::Context;

/// Longest time of one description.
const PATIENCE: Duration = Duration::from_secs(60);

/// Option that is looked for.
const OPTION: &str = "option (.google.api.http)";

/// Compares what grpcurl says of `method` by reflection with what it says of protoc's set.
///
/// # Errors
/// The descriptions differ, or one lacks the option.
pub fn check(
    context: &Context,
    server: &Path,
    include: &Path,
    (file, method): (&str, &str),
) -> Result<Verdict, Failure> {
    let (grpcurl, python) = match (probes::grpcurl(context), Python::install(context)) {
        (Ok(grpcurl), Ok(python)) => (grpcurl, python),
        (Err(reason), _) => return Ok(Verdict::Skipped(reason.to_string())),
        (_, Err(reason)) => return Ok(Verdict::Skipped(reason.to_string())),
    };
    let set = include.with_file_name("protoc.bin");
    python.describe(include, &[file], &set)?;
    let log = |name: &str| context.logs.join(format!("described-{name}.log"));
    let served = Server::start(&mut Command::new(server), None, &log("server"))?;
    let describe = |command: &mut Command, name: &str| {
        let text = tool::output(command, &log(name), PATIENCE)?;
        match text.contains(OPTION) {
            true => Ok(text),
            false => Err(Failure::new(format!("find {OPTION} by {name}"), text)),
        }
    };
    let by_server = describe(
        Command::new(&grpcurl).args(["-plaintext", &served.address, "describe", method]),
        "reflection",
    )?;
    let by_protoc = describe(
        Command::new(&grpcurl)
            .arg("-protoset")
            .arg(&set)
            .args(["describe", method]),
        "protoset",
    )?;
    served.stop()?;
    if by_server == by_protoc {
        return Ok(Verdict::Held(String::new()));
    }
    let why = format!("by reflection {by_server:?}, by protoc {by_protoc:?}");
    Err(Failure::new(
        format!("describe {method} as protoc does"),
        why,
    ))
}
