//! Plain requests by HTTP clients of others, against the user service on TLS and on a Unix socket.

use crate::failure::Failure;
use crate::process::Server;
use crate::test::{Context, Stage};
use crate::workspace;

use super::{Python, finish, users_on};

/// Runs the cases of `plain_client.py`; the last of them has the server drain.
pub(super) fn run(
    context: &Context,
    python: &Python,
    stage: &mut Stage,
    engine: &str,
) -> Result<(), Failure> {
    let folder = workspace::scratch(&context.root, &format!("test-plain-{engine}"))?;
    if !stage.command(python.script("certificates.py", "whoami").arg(&folder)) {
        return Ok(());
    }
    let socket = folder.join("users.sock");
    let mut command = users_on(context, engine, "test-store-plain")?;
    command.arg("--tls-cert").arg(folder.join("server.pem"));
    command.arg("--tls-key").arg(folder.join("server.key"));
    command.arg("--listen-plaintext");
    command.arg(format!("unix:{}", socket.display()));
    command.args(["--drain-delay", "2"]);
    let log = context.logs.join(format!("users-{engine}-plain.log"));
    let server = Server::start_on(&mut command, engine, &log)?;
    let mut client = python.script("plain_client.py", "full");
    client.arg(&server.address).arg(&socket);
    client.arg(server.id().to_string()).arg(&folder);
    stage.command(&mut client);
    finish(server, stage, "plain_client.py_then_drain");
    Ok(())
}
