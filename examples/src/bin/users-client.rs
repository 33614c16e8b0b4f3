//! `users-client`: calls the user service with all four kinds of calls and checks the responses.

use std::error::Error;
use std::fmt::Display;
use std::hash::{BuildHasher, RandomState};
use std::io::{Write as _, stdout};
use std::process::ExitCode;
use std::time::Duration;

use clap::Parser;
use corespun::runtime::{Engine, LocalConfig, LocalShard, timeout};
use corespun::server::conclude;
use corespun_examples::tour;
use corespun_examples::user::user_service_client::UserServiceClient;

/// Longest time to reach the server.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);

/// Calls each method of a user service and checks its responses.
#[derive(Parser)]
#[command(version)]
struct Arguments {
    /// Address of the server.
    #[arg(
        help = "Address of the server: 127.0.0.1:50051, [::1]:50051 or unix:/path",
        long,
        value_name = "ADDR",
        default_value = "127.0.0.1:50051"
    )]
    target: String,

    /// Kernel interface: auto, uring or epoll
    #[arg(long, value_name = "ENGINE", default_value = "auto")]
    engine: Engine,
}

fn main() -> ExitCode {
    conclude("users-client", call(&Arguments::parse()))
}

fn call(Arguments { target, engine }: &Arguments) -> Result<(), Box<dyn Error>> {
    let config = LocalConfig {
        engine: *engine,
        cpu: None,
    };
    let mut shard = LocalShard::new(config)?;
    shard.block_on(async {
        let connecting = timeout(CONNECT_TIMEOUT, UserServiceClient::connect(target));
        let client = connecting
            .await
            .map_err(|_| format!("failed to connect to {target} in {CONNECT_TIMEOUT:?}"))??;
        tour::run(&client, fresh_id(), |line| say(&line)).await?;
        say(&"ok: all answers are as they must be");
        Ok(())
    })
}

/// Prints a line; ignores a closed stdout.
fn say(line: &dyn Display) {
    let _ = writeln!(stdout(), "{line}");
}

/// Returns an id from which three ids are free in all likelihood, however often the program ran.
fn fresh_id() -> i32 {
    let random = RandomState::new().hash_one(std::process::id());
    1_000_000 + (random % 500_000_000) as i32
}
