//! Streaming call that is made before the run, one request and response at a time.

use std::cell::RefCell;
use std::future::poll_fn;
use std::rc::Rc;
use std::task::{Poll, Waker};
use std::time::Duration;

use corespun_codec::{Encoding, MetadataMap, Status, head};
use corespun_http2::hpack::{Field, Indexing};
use corespun_http2::{Config, Connection, Event, HeaderList, StreamKey};
use corespun_runtime::{Flow, Input, Protocol, SocketHandle};

use crate::compression;
use crate::endpoint::Endpoint;
use crate::response::{Body, Head, Piece};

/// Longest time to wait for an answer.
const ANSWER_MAX: Duration = Duration::from_secs(5);

/// Largest answer in bytes, 64 MiB.
const ANSWER_BYTES_MAX: usize = 64 << 20;

/// Call in progress, on a connection of its own.
pub(super) struct Inquiry {
    socket: SocketHandle,
    desk: Rc<RefCell<Desk>>,
    /// Compression of requests.
    encoding: Encoding,
}

/// State that the call and its connection share.
struct Desk {
    http2: Connection,
    fields: Vec<(Vec<u8>, Vec<u8>)>,
    stream: Option<StreamKey>,
    question: Option<Vec<u8>>,
    body: Body,
    /// Compression of responses.
    encoding: Encoding,
    answer: Vec<u8>,
    complete: bool,
    end: Option<Status>,
    waiting: Option<Waker>,
}

impl Inquiry {
    /// Connects and opens a call of the method at `path` with this metadata and compression.
    ///
    /// # Errors
    /// The reason that the connection failed.
    pub(super) async fn open(
        endpoint: &Endpoint,
        path: &str,
        metadata: &MetadataMap,
        encoding: Encoding,
    ) -> std::io::Result<Self> {
        let target = head::Target {
            scheme: endpoint.scheme(),
            authority: endpoint.authority(),
            path,
        };
        let fields = head::request_fields(target, None, metadata)
            .chain(compression::fields(encoding))
            .map(|(name, value)| (name.to_vec(), value.to_vec()));
        let desk = Rc::new(RefCell::new(Desk {
            http2: Connection::new(Config::client()),
            fields: fields.collect(),
            stream: None,
            question: None,
            body: Body::default(),
            encoding: Encoding::Identity,
            answer: Vec::new(),
            complete: false,
            end: None,
            waiting: None,
        }));
        let wire = Box::new(Wire(desk.clone()));
        let lost = desk.clone();
        let failed = move |cause| lost.borrow_mut().end(Status::unavailable(cause));
        let socket = endpoint.connect(wire, failed).await?;
        Ok(Self {
            socket,
            desk,
            encoding,
        })
    }

    /// Sends a message, and waits for its response.
    ///
    /// # Errors
    /// The status, if the call has ended instead.
    pub(super) async fn ask(&self, question: &[u8]) -> Result<Vec<u8>, Status> {
        let frame = compression::frame(self.encoding, question);
        self.desk.borrow_mut().question = Some(frame);
        self.socket.touch();
        let answered = poll_fn(|cx| {
            let mut desk = self.desk.borrow_mut();
            if std::mem::take(&mut desk.complete) {
                return Poll::Ready(Ok(std::mem::take(&mut desk.answer)));
            }
            if let Some(status) = &desk.end {
                return Poll::Ready(Err(status.clone()));
            }
            desk.waiting = Some(cx.waker().clone());
            Poll::Pending
        });
        match corespun_runtime::timeout(ANSWER_MAX, answered).await {
            Ok(result) => result,
            Err(_) => Err(Status::deadline_exceeded("no answer within 5 s")),
        }
    }
}

impl Drop for Inquiry {
    fn drop(&mut self) {
        self.socket.close();
    }
}

impl Desk {
    fn send(&mut self) {
        if !self.http2.is_established() {
            return;
        }
        let Some(question) = self.question.take() else {
            return;
        };
        let stream = match self.stream {
            Some(stream) => stream,
            None => {
                let fields = self.fields.iter().map(|(name, value)| Field {
                    name,
                    value,
                    indexing: Indexing::Index,
                });
                let Ok(stream) = self.http2.open(fields, None, false) else {
                    return self.end(Status::unavailable("the server takes no call"));
                };
                *self.stream.insert(stream)
            }
        };
        self.http2.send_data(stream, &question, false);
    }

    fn on_event(&mut self, event: Event<'_>) {
        match event {
            Event::Headers { end_stream, .. } => {
                let fields = pairs(self.http2.headers());
                let start = head::parse_response(fields, end_stream, &mut MetadataMap::new());
                match start {
                    Ok(head::ResponseStart::Open(_)) => {
                        self.encoding = Head::read(self.http2.headers()).encoding();
                    }
                    Ok(head::ResponseStart::Foreign(foreign)) => {
                        self.end(foreign.into_status(None));
                    }
                    Ok(head::ResponseStart::Ended(status)) | Err(status) => self.end(status),
                }
            }
            Event::Data {
                stream,
                bytes,
                end_stream,
            } => {
                self.on_data(bytes);
                self.http2.release(stream, bytes.len());
                if end_stream {
                    self.end(Status::unknown("the response ended without a status"));
                }
            }
            Event::Trailers { .. } => {
                let status = Status::from_trailers(pairs(self.http2.headers()));
                self.end(status);
            }
            Event::Reset { code, .. } => self.end(Status::from_reset(code.0)),
            Event::GoAway { .. } | Event::SettingsChanged | Event::PingAck(_) => {}
        }
    }

    fn on_data(&mut self, bytes: &[u8]) {
        let Self {
            body,
            encoding,
            answer,
            complete,
            ..
        } = self;
        let mut unpacked = Ok(());
        body.push(
            bytes,
            *encoding != Encoding::Identity,
            |piece| match piece {
                Piece::Bytes(bytes) => answer.extend_from_slice(bytes),
                Piece::End { encoded } => {
                    *complete = true;
                    if encoded {
                        unpacked =
                            compression::decompress(*encoding, answer).map(|plain| *answer = plain);
                    }
                }
            },
        );
        if let Err(error) = unpacked {
            self.complete = false;
            self.end(Status::internal(format!(
                "the answer is not a message: {error}"
            )));
        }
        if self.body.is_broken() || self.answer.len() > ANSWER_BYTES_MAX {
            self.end(Status::internal("the answer is not a message"));
        }
        self.wake();
    }

    fn end(&mut self, status: Status) {
        self.end.get_or_insert(status);
        self.wake();
    }

    fn wake(&mut self) {
        if let Some(waker) = self.waiting.take() {
            waker.wake();
        }
    }
}

fn pairs(fields: &HeaderList) -> impl Iterator<Item = (&[u8], &[u8])> + Clone {
    fields.iter().map(|field| (field.name, field.value))
}

/// Connection of the call.
struct Wire(Rc<RefCell<Desk>>);

impl Protocol for Wire {
    fn receive(&mut self, now: Duration, input: Input<'_>) {
        let mut desk = self.0.borrow_mut();
        let Input::Bytes(mut bytes) = input else {
            return desk.end(Status::unavailable("the server closed the connection"));
        };
        loop {
            match desk.http2.receive(now, &mut bytes) {
                Ok(Some(event)) => desk.on_event(event),
                Ok(None) => break,
                Err(error) => return desk.end(Status::unavailable(error.to_string())),
            }
        }
        desk.send();
    }

    fn advance(&mut self, _now: Duration) {
        self.0.borrow_mut().send();
    }

    fn transmit(&mut self, out: &mut Vec<u8>) -> Flow {
        let mut desk = self.0.borrow_mut();
        desk.http2.transmit(out);
        match desk.end {
            Some(_) => Flow::Close,
            None => Flow::Open,
        }
    }

    fn deadline(&self) -> Option<Duration> {
        None
    }
}

impl Drop for Wire {
    fn drop(&mut self) {
        let closed = Status::unavailable("the connection was closed");
        self.0.borrow_mut().end(closed);
    }
}
