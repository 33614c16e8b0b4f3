//! Service and client for valid but heavy calls: large messages, many concurrent calls, and readers
//! that are slow or late.

use std::rc::Rc;
use std::time::Duration;

use corespun::server::Routes;
use corespun::{
    Channel, Kind, Method, Request, Response, Sender, Service, Status, Streaming, sleep, spawn,
};

/// Returns as many bytes as the first word of the text says.
pub const SAY: Method<String, String> = Method::new("/heavy.Peer/Say", Kind::Unary);
/// Sends messages; the text has their number and their size.
pub const FEED: Method<String, String> = Method::new("/heavy.Peer/Feed", Kind::ServerStreaming);
/// Counts messages. The first message has the number of milliseconds to wait before the others are
/// read, and before each of them.
pub const JOIN: Method<String, String> = Method::new("/heavy.Peer/Join", Kind::ClientStreaming);

/// Service of heavy calls.
pub struct Peer;

/// Returns the numbers that a text begins with, and 0 for each missing one.
fn numbers<const N: usize>(text: &str) -> [usize; N] {
    let mut words = text.split(' ');
    [(); N].map(|()| words.next().and_then(|word| word.parse().ok()).unwrap_or(0))
}

fn milliseconds(count: usize) -> Duration {
    Duration::from_millis(count as u64)
}

async fn say(request: Request<String>) -> Result<Response<String>, Status> {
    let [size] = numbers(request.get_ref());
    Ok(Response::new("x".repeat(size)))
}

async fn feed(request: Request<String>, mut out: Sender<String>) -> Result<(), Status> {
    let [count, size] = numbers(request.get_ref());
    for _ in 0..count {
        out.send("x".repeat(size)).await?;
    }
    Ok(())
}

async fn join(mut requests: Streaming<String>) -> Result<Response<String>, Status> {
    let first = requests.message().await?.unwrap_or_default();
    let [late, pause] = numbers(&first);
    sleep(milliseconds(late)).await;
    let mut bytes = 0;
    while let Some(message) = requests.message().await? {
        bytes += message.len();
        sleep(milliseconds(pause)).await;
    }
    Ok(Response::new(bytes.to_string()))
}

impl Service for Peer {
    const NAME: &'static str = "heavy.Peer";

    fn register(self, routes: &mut Routes) {
        let peer = Rc::new(self);
        routes.unary(SAY, &peer, |_, request| say(request));
        routes.server_streaming(FEED, &peer, |_, request: Request<String>, out| {
            feed(request, out)
        });
        routes.client_streaming(JOIN, &peer, |_, requests| join(requests));
    }
}

/// Kind of the concurrent calls.
#[derive(Clone, Copy, Debug)]
pub enum Load {
    /// Requests of this many bytes, with small responses.
    Requests(usize),
    /// Small requests, with responses of this many bytes.
    Responses(usize),
    /// Request streams of messages of 100,000 bytes, read late and slowly.
    Uploads {
        /// Number of messages in each stream.
        count: usize,
        /// Milliseconds before the second message is read.
        late_ms: usize,
        /// Milliseconds before each further message is read.
        pause_ms: usize,
    },
    /// Response streams of messages of 100,000 bytes, read late and slowly, the last stream first.
    Downloads {
        /// Number of messages in each stream.
        count: usize,
        /// Milliseconds before the first message is read.
        late_ms: usize,
        /// Milliseconds before each further message is read.
        pause_ms: usize,
    },
}

/// Size of the messages of streams, in bytes.
const PIECE_BYTES: usize = 100_000;

impl Load {
    /// Makes one call, and checks its response.
    ///
    /// # Errors
    ///
    /// The status that the call ended with, or DATA_LOSS for a wrong response.
    async fn call(self, channel: &Channel) -> Result<(), Status> {
        match self {
            Self::Requests(size) => {
                let text = format!("1 {}", "z".repeat(size));
                let answer = channel.unary(SAY, Request::new(text)).await?;
                expect(1, answer.get_ref().len())
            }
            Self::Responses(size) => {
                let answer = channel.unary(SAY, Request::new(size.to_string())).await?;
                expect(size, answer.get_ref().len())
            }
            Self::Uploads {
                count,
                late_ms,
                pause_ms,
            } => {
                let mut call = channel.client_streaming(JOIN, Request::default()).await?;
                call.send(format!("{late_ms} {pause_ms}")).await?;
                for _ in 0..count {
                    call.send("z".repeat(PIECE_BYTES)).await?;
                }
                let answer = call.finish().await?;
                let [bytes] = numbers(answer.get_ref());
                expect(count * PIECE_BYTES, bytes)
            }
            Self::Downloads {
                count,
                late_ms,
                pause_ms,
            } => {
                let request = Request::new(format!("{count} {PIECE_BYTES}"));
                let mut stream = channel.server_streaming(FEED, request).await?.into_inner();
                sleep(milliseconds(late_ms)).await;
                let mut bytes = 0;
                while let Some(message) = stream.message().await? {
                    bytes += message.len();
                    sleep(milliseconds(pause_ms)).await;
                }
                expect(count * PIECE_BYTES, bytes)
            }
        }
    }

    /// Makes `calls` concurrent calls on one channel, and returns their outcomes.
    pub async fn run(self, channel: &Channel, calls: usize) -> Vec<Result<(), Status>> {
        let tasks = (0..calls).map(|_| {
            let channel = channel.clone();
            spawn(async move { self.call(&channel).await })
        });
        let tasks: Vec<_> = tasks.collect();
        let mut ends = Vec::new();
        for task in tasks {
            let end = task.await;
            ends.push(end.unwrap_or_else(|error| Err(Status::internal(error.to_string()))));
        }
        ends
    }
}

fn expect(wanted: usize, got: usize) -> Result<(), Status> {
    match wanted == got {
        true => Ok(()),
        false => Err(Status::data_loss(format!(
            "{got} bytes in place of {wanted}"
        ))),
    }
}
