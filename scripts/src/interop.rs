//! Interoperability stage: gRPC's own test cases against our server, with the official client of
//! grpc-go, and our clients on Python's grpcio and on grpc-js.
//!
//! Each case is one line, `ok interop.go.tls.large_unary`. Without Python there are no
//! certificates, and the part over TLS is skipped. Before the cases, common tools are run: see
//! `probes.rs`.

use std::path::{Path, PathBuf};
use std::process::Command;

use crate::failure::Failure;
use crate::peers;
use crate::probes;
use crate::process::Server;
use crate::python::{self, Python};
use crate::suites::tool::{self, Tool};
use crate::test::{Context, Stage};
use crate::workspace;

/// Module of the official client. `scripts/go` uses the same release, so that its modules are
/// fetched once.
const MODULE: &str = "google.golang.org/grpc/interop/client@v1.85.0";

const TOOL: Tool = Tool {
    folder: "grpc-interop-1.85.0",
    programs: &["client"],
};

/// Cases of the official client.
const GO_CASES: &[&str] = &[
    "empty_unary",
    "large_unary",
    "client_streaming",
    "server_streaming",
    "ping_pong",
    "empty_stream",
    "timeout_on_sleeping_server",
    "cancel_after_begin",
    "cancel_after_first_response",
    "status_code_and_message",
    "special_status_message",
    "custom_metadata",
    "unimplemented_method",
    "unimplemented_service",
    "pick_first_unary",
    "rpc_soak",
    "channel_soak",
    "orca_per_rpc",
    "orca_oob",
];

/// Cases that can run in Google's cloud only.
const GO_CLOUD_CASES: &str = "compute_engine_creds, service_account_creds, jwt_token_creds, \
    per_rpc_creds, oauth2_auth_token, google_default_credentials and \
    compute_engine_channel_credentials take accounts of Google's cloud";

/// Policy that makes the official client read load reports.
const GO_LOAD_POLICY: &str =
    r#"{"loadBalancingConfig":[{"test_backend_metrics_load_balancer":{}}]}"#;

/// Schemas that our clients load.
const SCHEMAS: &[&str] = &["grpc/testing/test.proto", "xds/service/orca/v3/orca.proto"];

/// Connection settings of one server address.
struct Way<'a> {
    /// Name of the settings: `plain` or `tls`.
    name: &'static str,
    server: &'a Server,
    /// File of the certificate authority, over TLS.
    authority: Option<&'a Path>,
}

impl Way<'_> {
    fn prefix(&self, peer: &str) -> String {
        format!("interop.{peer}.{}.", self.name)
    }
}

/// Runs every case on one engine.
pub fn run(context: &Context, stage: &mut Stage, engine: &str) {
    let name = format!("interop-{engine}");
    if let Some(reason) = context.no_uring.as_ref().filter(|_| engine == "uring") {
        return stage.skip(&name, reason);
    }
    probes::run(context, stage, engine);
    let peers = Peers::install(context, stage);
    let folder = match workspace::scratch(&context.root, &format!("test-{name}")) {
        Ok(folder) => folder,
        Err(failure) => return stage.fault(failure),
    };
    if let Err(failure) = play(context, stage, engine, &peers, None) {
        stage.fault(failure);
    }
    let Some(python) = &peers.python else {
        return stage.skip("interop.tls", "there is no Python to make certificates");
    };
    if stage.command(python.script("certificates.py", "").arg(&folder))
        && let Err(failure) = play(context, stage, engine, &peers, Some(&folder))
    {
        stage.fault(failure);
    }
}

/// Clients that this machine can run.
struct Peers {
    go: Option<PathBuf>,
    python: Option<Python>,
    node: Option<PathBuf>,
}

impl Peers {
    fn install(context: &Context, stage: &mut Stage) -> Self {
        let go = TOOL.install(context, |folder| {
            tool::go_install(context, folder, &[MODULE.to_owned()])
        });
        let python = Python::install(context);
        let node = peers::node_folder(context);
        stage.skip("interop.go.credentials", GO_CLOUD_CASES);
        Self {
            go: or_skip(stage, "go", go),
            python: or_skip(stage, "python", python),
            node: or_skip(stage, "node", node),
        }
    }
}

fn or_skip<T>(stage: &Stage, peer: &str, found: Result<T, Failure>) -> Option<T> {
    let lacks = |reason| stage.skip(&format!("interop.{peer}"), reason);
    found.map_err(lacks).ok()
}

/// Runs the cases of all clients against one server, over TLS if there is a folder of certificates.
fn play(
    context: &Context,
    stage: &mut Stage,
    engine: &str,
    peers: &Peers,
    certificates: Option<&Path>,
) -> Result<(), Failure> {
    let name = certificates.map_or("plain", |_| "tls");
    let server = serve(context, engine, name, certificates)?;
    let authority = certificates.map(|folder| folder.join("authority.pem"));
    let way = Way {
        name,
        server: &server,
        authority: authority.as_deref(),
    };
    if let Some(programs) = &peers.go {
        play_go(stage, programs, &way);
    }
    if let Some(python) = &peers.python {
        play_python(context, stage, python, &way)?;
    }
    if let Some(folder) = &peers.node {
        play_node(context, stage, folder, &way);
    }
    python::finish(server, stage, &format!("interop.{name}.then_drain"));
    Ok(())
}

/// Starts the server with the flags of the official test servers.
fn serve(
    context: &Context,
    engine: &str,
    name: &str,
    certificates: Option<&Path>,
) -> Result<Server, Failure> {
    let mut command = python::program(context, "interop-server");
    command.args(["--port", "0", "--shards", "2", "--engine", engine]);
    match certificates {
        None => drop(command.arg("--use_tls=false")),
        Some(folder) => {
            command.args(["--use_tls=true", "--tls_cert_file"]);
            command.arg(folder.join("interop.pem"));
            command
                .arg("--tls_key_file")
                .arg(folder.join("interop.key"));
        }
    }
    let log = context.logs.join(format!("interop-{engine}-{name}.log"));
    let mut server = Server::start(&mut command, None, &log)?;
    server.check_engine(engine)?;
    // The server listens on every address; the tests call it on one.
    server.address = server.address.replace("[::]", "127.0.0.1");
    Ok(server)
}

fn play_go(stage: &mut Stage, programs: &Path, way: &Way<'_>) {
    let (host, port) = way.server.address.rsplit_once(':').unwrap_or_default();
    for case in GO_CASES {
        let mut client = Command::new(programs.join("client"));
        client.args(["--server_host", host, "--server_port", port]);
        client.args(["--test_case", case]);
        // A case takes a fraction of this time, but the machine may have other work.
        client.args(["--soak_per_iteration_max_acceptable_latency_ms", "10000"]);
        client.args(["--soak_overall_timeout_seconds", "60"]);
        if case.starts_with("orca") {
            client.args(["--service_config_json", GO_LOAD_POLICY]);
        }
        if let Some(authority) = way.authority {
            client.args(["--use_tls", "--use_test_ca", "--ca_file"]);
            client.arg(authority);
            client.args(["--server_host_override", "foo.test.google.fr"]);
        }
        let verdict = match stage.command(&mut client) {
            true => "ok",
            false => "FAILED",
        };
        stage.note(format!("{verdict} {}{case}", way.prefix("go")));
    }
}

fn play_python(
    context: &Context,
    stage: &mut Stage,
    python: &Python,
    way: &Way<'_>,
) -> Result<(), Failure> {
    let descriptors = context.target.join("python/interop.bin");
    python.describe(context, SCHEMAS, &descriptors)?;
    let mut client = python.script("interop_client.py", "");
    client.arg(&way.server.address).arg(&descriptors);
    client.arg(way.prefix("python")).args(way.authority);
    stage.command(&mut client);
    Ok(())
}

fn play_node(context: &Context, stage: &mut Stage, folder: &Path, way: &Way<'_>) {
    let mut client = Command::new("node");
    client.arg(folder.join("interop.js"));
    client
        .arg(&way.server.address)
        .arg(context.root.join("proto"));
    client.arg(way.prefix("node")).args(way.authority);
    stage.command(&mut client);
}
