//! Server in a control group with little memory, under a load that keeps all limits.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::rc::Rc;

use corespun::client::Config;
use corespun::runtime::{LocalConfig, LocalShard, timeout};
use corespun::{Channel, Code, Request, spawn};
use corespun_examples::interop::proto::grpc::testing::test_service_client::TestServiceClient;
use corespun_examples::interop::proto::grpc::testing::{Payload, SimpleRequest};
use nix::sys::signal::Signal;

use super::program::{Program, TIMEOUT};

/// Memory limit of the group, in bytes.
const LIMIT: u64 = 64 << 20;
const CONNECTIONS: usize = 8;
const CALLS: usize = 4;
const REQUEST_BYTES: usize = 3 << 20;
const REPLY_BYTES: i32 = 8 << 20;

/// Control group of the test; removed at its end.
struct Group(PathBuf);

impl Group {
    /// Creates a group with the limit, in the version of control groups that controls memory here.
    fn new(name: &str) -> Result<Self, String> {
        let name = format!("corespun-{name}-{}", std::process::id());
        let candidates = [
            ("/sys/fs/cgroup/memory", "memory.limit_in_bytes"),
            ("/sys/fs/cgroup", "memory.max"),
        ];
        for (top, file) in candidates {
            let group = Self(Path::new(top).join(&name));
            // Fails in a folder that is not a control group.
            if fs::create_dir(&group.0).is_ok()
                && group.0.join(file).exists()
                && fs::write(group.0.join(file), LIMIT.to_string()).is_ok()
            {
                // Disables swap for the group, if swap is accounted.
                let _ = fs::write(group.0.join("memory.swap.max"), "0");
                return Ok(group);
            }
        }
        Err("no control group with a memory limit can be made here".to_owned())
    }

    /// Returns a command that enters the group and becomes `command`.
    fn enter(&self, command: &Command) -> Command {
        let mut shell = Command::new("sh");
        let script = "echo $$ > \"$0\" && exec \"$@\"";
        shell.args(["-c", script]).arg(self.0.join("cgroup.procs"));
        shell.arg(command.get_program()).args(command.get_args());
        shell.env_remove("RUST_LOG");
        shell
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        let _ = fs::remove_dir(&self.0);
    }
}

#[test]
fn bounds_follow_the_memory_of_the_container() {
    let group = match Group::new("bounds") {
        Ok(group) => group,
        Err(reason) => return println!("SKIPPED bounds_follow_the_memory: {reason}"),
    };
    for (flags, expected) in [
        (&["--shards", "1"][..], Some("shard_bytes_max=16777216")),
        (&["--shards", "2"], Some("shard_bytes_max=8388608")),
        // One shard, because the server plans 64 MiB for each.
        (&[], Some("shard_bytes_max=16777216")),
        (&["--shards", "1", "--shard-bytes-max", "32M"], None),
    ] {
        let flags = [&["--listen", "127.0.0.1:0"][..], flags].concat();
        let command = Program::command("interop-server", &flags);
        let mut program = Program::spawn(group.enter(&command), None);
        let told = program.start.contains("the memory limit lowers");
        assert_eq!(told, expected.is_some(), "{}", program.start);
        if let Some(expected) = expected {
            assert!(program.start.contains(expected), "{}", program.start);
            assert!(
                program.start.contains("memory_limit=67108864"),
                "{}",
                program.start
            );
        }
        program.signal(Signal::SIGTERM);
        assert_eq!(program.wait().code(), Some(0));
    }
}

#[test]
fn lawful_calls_do_not_end_a_server_with_little_memory() {
    let group = match Group::new("load") {
        Ok(group) => group,
        Err(reason) => return println!("SKIPPED lawful_calls_with_little_memory: {reason}"),
    };
    let command = Program::command("interop-server", &["--listen", "127.0.0.1:0"]);
    for run in 1..=3 {
        let mut program = Program::spawn(group.enter(&command), None);
        let (served, refused) = load(&program.address);
        println!("run {run}: {served} calls served, {refused} refused for want of memory");
        program.signal(Signal::SIGTERM);
        assert_eq!(
            program.wait().code(),
            Some(0),
            "run {run}: the server was killed"
        );
        assert_eq!(served + refused, CONNECTIONS * CALLS);
        assert!(served > 0);
    }
}

/// Makes all calls at once; returns the number served, and the number refused for lack of memory.
fn load(address: &str) -> (usize, usize) {
    let mut shard = LocalShard::new(LocalConfig::default()).expect("a shard");
    shard.block_on(async {
        let mut calls = Vec::new();
        for _ in 0..CONNECTIONS {
            let config = Config {
                message_bytes_max: 16 << 20,
                ..Config::default()
            };
            let channel = Channel::lazy_with(address, config).expect("an address");
            let client = Rc::new(TestServiceClient::new(channel));
            for _ in 0..CALLS {
                let client = Rc::clone(&client);
                calls.push(spawn(async move {
                    let body = vec![0; REQUEST_BYTES];
                    let payload = Some(Payload {
                        body,
                        ..Payload::default()
                    });
                    let request = SimpleRequest {
                        response_size: REPLY_BYTES,
                        payload,
                        ..SimpleRequest::default()
                    };
                    client.unary_call(Request::new(request)).await.map(drop)
                }));
            }
        }
        let (mut served, mut refused) = (0, 0);
        for call in calls {
            let ended = timeout(TIMEOUT, call).await.expect("in time");
            match ended.expect("no panic") {
                Ok(()) => served += 1,
                Err(status) if status.code() == Code::ResourceExhausted => refused += 1,
                Err(status) => panic!("{status}"),
            }
        }
        (served, refused)
    })
}
