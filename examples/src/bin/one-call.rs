//! `one-call`: client that makes one unary call and stays until its connection ends.
//!
//! h2specd is the server: it violates HTTP/2 and examines the reaction of the client on the
//! connection. The outcome of the call is only printed.

use std::cell::{Cell, RefCell};
use std::error::Error;
use std::fmt::Display;
use std::future::poll_fn;
use std::io::{Write as _, stdout};
use std::process::ExitCode;
use std::rc::Rc;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use clap::Parser;
use corespun::client::{Config, Connection};
use corespun::runtime::{Engine, Flow, Input, LocalConfig, LocalShard, Protocol, connect, timeout};
use corespun::server::conclude;
use corespun::{Channel, Request};
use corespun_examples::user::{UserRequest, user_service_methods};

/// Longest time that a server may keep the client.
const STAY_MAX: Duration = Duration::from_secs(2);

/// Calls a server once.
#[derive(Parser)]
#[command(version)]
struct Arguments {
    /// Address of the server, such as http://127.0.0.1:50051/
    url: String,

    /// Kernel interface: auto, uring or epoll
    #[arg(long, value_name = "ENGINE", default_value = "auto")]
    engine: Engine,
}

fn main() -> ExitCode {
    conclude("one-call", run(&Arguments::parse()))
}

fn run(Arguments { url, engine }: &Arguments) -> Result<(), Box<dyn Error>> {
    let config = LocalConfig {
        engine: *engine,
        cpu: None,
    };
    LocalShard::new(config)?.block_on(async {
        let staying = timeout(STAY_MAX, call(url));
        staying.await.unwrap_or_else(|_| Ok(()))
    })
}

async fn call(url: &str) -> Result<(), Box<dyn Error>> {
    let authority = url.trim_start_matches("http://").trim_end_matches('/');
    let address = authority.parse()?;
    let end = Rc::new(End::default());
    let mut made: Option<Channel> = None;
    connect(&address, |socket| {
        let (connection, channel) = Connection::pair(authority, &Config::default(), socket);
        made = Some(channel);
        let end = Rc::clone(&end);
        Box::new(Watched { connection, end })
    })
    .await?;
    if let Some(channel) = &made {
        let request = Request::new(UserRequest { id: 1 });
        match channel.unary(user_service_methods::GET_USER, request).await {
            Ok(response) => say(&format_args!("{:?}", response.get_ref())),
            Err(status) => say(&status),
        }
    }
    // The channel must live until then, otherwise it would close the connection itself.
    poll_fn(|context| end.poll(context)).await;
    Ok(())
}

/// Prints a line; ignores a closed stdout.
fn say(line: &dyn Display) {
    let _ = writeln!(stdout(), "{line}");
}

/// Notification of the connection's end.
#[derive(Default)]
struct End {
    ended: Cell<bool>,
    waiting: RefCell<Option<Waker>>,
}

impl End {
    fn poll(&self, context: &mut Context<'_>) -> Poll<()> {
        if self.ended.get() {
            return Poll::Ready(());
        }
        *self.waiting.borrow_mut() = Some(context.waker().clone());
        Poll::Pending
    }
}

/// Connection that reports its end when its socket drops it.
struct Watched {
    connection: Connection,
    end: Rc<End>,
}

impl Drop for Watched {
    fn drop(&mut self) {
        self.end.ended.set(true);
        if let Some(waker) = self.end.waiting.take() {
            waker.wake();
        }
    }
}

impl Protocol for Watched {
    fn receive(&mut self, now: Duration, input: Input<'_>) {
        self.connection.receive(now, input);
    }

    fn advance(&mut self, now: Duration) {
        self.connection.advance(now);
    }

    fn transmit(&mut self, out: &mut Vec<u8>) -> Flow {
        self.connection.transmit(out)
    }

    fn deadline(&self) -> Option<Duration> {
        self.connection.deadline()
    }

    fn drain(&mut self, now: Duration) {
        self.connection.drain(now);
    }
}
