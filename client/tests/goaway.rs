//! Servers that refuse calls or close connections, on real sockets: retries of calls that permit
//! it.

mod engines;

use std::cell::Cell;
use std::time::Duration;

use corespun_client::Channel;
use corespun_codec::{Code, Kind, Method, Request};
use corespun_http2::hpack::{Field, Indexing};
use corespun_http2::{Config, ErrorCode, Event, StreamKey};
use corespun_runtime::{Address, Engine, Flow, Input, Peer, Protocol, Running, Runtime};
use engines::on_each_engine;

const UPPER: Method<String, String> = Method::new("/test.Words/Upper", Kind::Unary);
const SPLIT: Method<String, String> = Method::new("/test.Words/Split", Kind::ServerStreaming);

/// GOAWAY that excludes every stream, which our own server never sends after it has received one.
const GOAWAY: [u8; 17] = [0, 0, 8, 7, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0];

/// GOAWAY that excludes every stream, with ENHANCE_YOUR_CALM and `too_many_pings`.
const TOLD_OFF: &[u8] = b"\0\0\x16\x07\0\0\0\0\0\0\0\0\0\0\0\0\x0btoo_many_pings";

/// Behaviour of a connection on its first call.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Habit {
    /// Answers the call.
    Answer,
    /// Sends GOAWAY as if it had not received the call.
    Leave,
    /// Sends GOAWAY after it has received the call, and answers the call.
    LeaveAfter,
    /// Sends GOAWAY because of too many PINGs, as if it had not received the call.
    TellOff,
    /// Refuses the stream.
    Refuse,
    /// Closes the socket.
    Vanish,
}

struct Scripted {
    http2: corespun_http2::Connection,
    habit: Habit,
    vanished: bool,
}

impl Scripted {
    fn new(habit: Habit) -> Self {
        Self {
            http2: corespun_http2::Connection::new(Config::server()),
            habit,
            vanished: false,
        }
    }

    fn on_call(&mut self, stream: StreamKey) {
        match self.habit {
            Habit::Refuse => self.http2.reset(stream, ErrorCode::REFUSED_STREAM),
            Habit::Vanish | Habit::Leave | Habit::TellOff => self.vanished = true,
            Habit::LeaveAfter => {
                self.http2.go_away(ErrorCode::NO_ERROR);
                self.answer(stream);
            }
            Habit::Answer => self.answer(stream),
        }
    }

    fn answer(&mut self, stream: StreamKey) {
        let field = |name, value| Field {
            name,
            value,
            indexing: Indexing::Index,
        };
        let head = [
            field(b":status", b"200"),
            field(b"content-type", b"application/grpc"),
        ];
        let trailers = [field(b"grpc-status", b"0")];
        self.http2
            .send_headers(stream, head.into_iter(), None, false);
        self.http2
            .send_data(stream, b"\0\0\0\0\x04\x0a\x02hi", false);
        self.http2
            .send_headers(stream, trailers.into_iter(), None, true);
    }
}

impl Protocol for Scripted {
    fn receive(&mut self, now: Duration, input: Input<'_>) {
        let Input::Bytes(mut bytes) = input else {
            self.vanished = true;
            return;
        };
        while let Some(event) = self.http2.receive(now, &mut bytes).unwrap() {
            if let Event::Headers { stream, .. } = event {
                self.on_call(stream);
            }
        }
    }

    fn advance(&mut self, _now: Duration) {}

    fn transmit(&mut self, out: &mut Vec<u8>) -> Flow {
        self.http2.transmit(out);
        if self.vanished && self.habit == Habit::Leave {
            out.extend_from_slice(&GOAWAY);
        }
        if self.vanished && self.habit == Habit::TellOff {
            out.extend_from_slice(TOLD_OFF);
        }
        match self.vanished || self.http2.is_finished() {
            true => Flow::Close,
            false => Flow::Open,
        }
    }

    fn deadline(&self) -> Option<Duration> {
        None
    }
}

/// Starts a server whose connections behave as listed, in order; the last entry repeats.
fn serve(engine: Engine, habits: &'static [Habit]) -> Running {
    let address: Address = "127.0.0.1:0".parse().unwrap();
    let builder = Runtime::builder()
        .listen(address)
        .shards(1)
        .engine(engine)
        .grace(Duration::from_millis(10));
    let started = builder.start(move |_shard| {
        let accepted = Cell::new(0);
        Ok(Box::new(move |_peer: Peer, _socket| {
            let number = accepted.replace(accepted.get() + 1);
            let habit = habits[number.min(habits.len() - 1)];
            Box::new(Scripted::new(habit)) as Box<dyn Protocol>
        }))
    });
    started.unwrap()
}

/// Returns the outcomes of one unary and one server-streaming call, each on its own channel and
/// server.
async fn ends(engine: Engine, habits: &'static [Habit]) -> [Code; 2] {
    let connect = async || {
        let server = serve(engine, habits);
        let channel = Channel::connect(&server.addresses()[0].to_string()).await;
        (channel.unwrap(), server)
    };
    let request = || Request::new("hello".to_owned());
    let (channel, _server) = connect().await;
    let unary = channel.unary(UPPER, request()).await;
    let (channel, _server) = connect().await;
    let streaming = channel.server_streaming(SPLIT, request()).await;
    [unary.map(drop), streaming.map(drop)].map(|outcome| match outcome {
        Ok(()) => Code::Ok,
        Err(status) => status.code(),
    })
}

#[test]
fn unprocessed_calls_go_to_another_connection_once() {
    use Habit::{Answer, Leave, LeaveAfter, Refuse, Vanish};
    on_each_engine(async |engine| {
        let (ok, no) = ([Code::Ok; 2], [Code::Unavailable; 2]);
        assert_eq!(ends(engine, &[Answer]).await, ok);
        assert_eq!(
            ends(engine, &[LeaveAfter, Vanish]).await,
            ok,
            "the call was seen"
        );
        assert_eq!(
            ends(engine, &[Leave, Answer]).await,
            ok,
            "called again elsewhere"
        );
        assert_eq!(
            ends(engine, &[Leave, Leave, Answer]).await,
            no,
            "once, not twice"
        );
        assert_eq!(
            ends(engine, &[Refuse, Answer]).await,
            no,
            "refused twice on one connection"
        );
        assert_eq!(
            ends(engine, &[Vanish, Answer]).await,
            no,
            "it may have been processed"
        );
    });
}

/// gRFC A8: a client that sent too many PINGs halves its rate of PINGs.
#[test]
fn a_channel_that_was_told_off_doubles_its_keepalive_time() {
    on_each_engine(async |engine| {
        for (habits, seconds) in [
            (&[Habit::Answer][..], 15),
            (&[Habit::Leave, Habit::Answer], 15),
            (&[Habit::TellOff, Habit::Answer], 30),
        ] {
            let server = serve(engine, habits);
            let config = corespun_client::Config {
                keepalive_time: Duration::from_secs(15),
                ..corespun_client::Config::default()
            };
            let target = server.addresses()[0].to_string();
            let channel = Channel::lazy_with(&target, config).unwrap();
            let request = Request::new("hello".to_owned());
            channel.unary(UPPER, request).await.unwrap();
            let expected = Duration::from_secs(seconds);
            assert_eq!(channel.keepalive_time(), expected);
        }
    });
}
