//! HTTP/1.1 connection: answers one request after the other.

use std::time::Duration;

use corespun_http2::{ErrorCode, Limits, StreamKey};
use corespun_runtime::{Flow, Input, Protocol, SocketHandle, give_buffer, take_buffer};

use super::Refusal;
use super::answer::{self, Ask, Framing};
use super::body::Body;
use super::head::{self, Head, Scan};
use super::link::{Fact, Link};
use crate::connection::Connection;

/// Bytes of pipelined requests after the current one at which receiving pauses.
const PIPELINED_BYTES_HIGH: usize = 64 << 10;

/// Bytes of a body that wait for their handler at which receiving pauses.
const QUEUED_BYTES_HIGH: usize = 256 << 10;

/// Limits on a peer.
#[derive(Clone, Copy, Debug)]
struct Bounds {
    head_bytes_max: usize,
    /// Largest head in bytes as HTTP/2 counts it, with an overhead for each field.
    list_bytes_max: usize,
    /// Longest time from the start of the connection to the first byte of a head, and from there to
    /// the end of the head.
    head_time_max: Duration,
    /// Longest time from one response to the first byte of the next request.
    idle_time_max: Duration,
    /// Unsent output in bytes at which no further request is processed.
    output_bytes_high: usize,
}

/// HTTP/1.1 connection of one client; a [`Protocol`] that any socket driver can run.
pub(crate) struct Http1 {
    link: Link,
    scheme: &'static str,
    bounds: Bounds,
    socket: SocketHandle,
    /// Unprocessed input, in a buffer of the shard's pool that is returned when empty.
    input: Vec<u8>,
    /// Number of bytes at the front of `input` that are processed.
    taken: usize,
    scan: Scan,
    exchange: Option<Exchange>,
    /// Unsent output, in a buffer of the shard's pool that is returned when empty.
    output: Vec<u8>,
    /// Moment at which the wait for the next head ends.
    head_due: Option<Duration>,
    /// True once the first byte of the next head has been received.
    head_begun: bool,
    draining: bool,
    closing: bool,
}

/// Request and the state of its response.
struct Exchange {
    stream: StreamKey,
    ask: Ask,
    /// Rest of the request body; `None` if it is complete.
    body: Option<Body>,
    /// True if the client sends its body only after `100 Continue`.
    awaits_leave: bool,
    answer: Progress,
    /// Bytes of the response in the output, and bytes sent; both not released yet.
    unsent: usize,
    sent: usize,
}

/// Progress of a response.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Progress {
    Awaited,
    Body(Framing),
    Done,
    /// No response from the server; this refusal is sent instead.
    Refused(Refusal),
    /// The response was broken off.
    Broken,
}

impl Exchange {
    fn on_fact(&mut self, fact: Fact<'_>, draining: bool, out: &mut Vec<u8>) {
        match (&self.answer, fact) {
            (Progress::Awaited, Fact::Head { head, ends }) => {
                // The rest of the request has to be read and discarded, if it arrives at all.
                let comes_soon = |body: &Body| body.is_short() && !self.awaits_leave;
                self.ask.keeps_alive &= !draining && self.body.as_ref().is_none_or(comes_soon);
                let framing = head.write(self.ask, ends, out);
                self.ask.keeps_alive &= framing != Framing::Close;
                self.answer = match ends {
                    true => Progress::Done,
                    false => Progress::Body(framing),
                };
            }
            (Progress::Body(framing), Fact::Data(bytes)) => {
                framing.write(bytes, out);
                self.unsent += bytes.len();
            }
            (Progress::Body(framing), Fact::End) => {
                framing.finish(out);
                self.answer = Progress::Done;
            }
            (Progress::Body(_), Fact::Reset(_)) => self.answer = Progress::Broken,
            (Progress::Awaited, Fact::Reset(code)) => {
                self.answer = Progress::Refused(refusal(code));
            }
            (Progress::Awaited | Progress::Body(_), _) => {}
            (Progress::Done | Progress::Refused(_) | Progress::Broken, _) => {}
        }
    }
}

/// Returns the refusal for a client whose stream was reset before its response.
fn refusal(code: ErrorCode) -> Refusal {
    match code {
        ErrorCode::REFUSED_STREAM | ErrorCode::ENHANCE_YOUR_CALM => {
            Refusal::new(503, "the server is overloaded")
        }
        ErrorCode::PROTOCOL_ERROR => Refusal::malformed("the request is malformed"),
        code => Refusal::new(500, format!("the request was reset: {code:?}")),
    }
}

impl Http1 {
    /// Creates a connection whose requests `server` answers; `scheme` is the scheme of its origin.
    pub(crate) fn new(
        server: Connection,
        scheme: &'static str,
        limits: &Limits,
        idle_time_max: Duration,
        socket: SocketHandle,
        now: Duration,
    ) -> Self {
        let bounds = Bounds {
            head_bytes_max: limits.header_list_bytes_soft.saturating_mul(2),
            list_bytes_max: limits.header_list_bytes_soft.saturating_mul(4),
            head_time_max: limits.header_block_time_max,
            idle_time_max,
            output_bytes_high: limits.output_bytes_high.max(1),
        };
        let mut http1 = Self {
            link: Link::new(server),
            scheme,
            bounds,
            socket,
            input: Vec::new(),
            taken: 0,
            scan: Scan::default(),
            exchange: None,
            output: Vec::new(),
            head_due: now.checked_add(bounds.head_time_max),
            head_begun: false,
            draining: false,
            closing: false,
        };
        http1.run(now);
        http1
    }

    /// Makes all progress that the received input permits.
    fn proceed(&mut self, now: Duration) {
        while !self.closing && self.step(now) {}
        if self.closing {
            self.input.clear();
            // The connection has ended in order, so a shutdown does not count it as cut off.
            self.link.end(now);
        }
        // Once for all processed bytes, because a read can hold a thousand requests.
        let taken = std::mem::take(&mut self.taken).min(self.input.len());
        self.input.drain(..taken);
        if self.input.is_empty() {
            give_buffer(std::mem::take(&mut self.input));
        }
    }

    /// Performs the next step; returns false if it has to wait.
    fn step(&mut self, now: Duration) -> bool {
        let Some(exchange) = &mut self.exchange else {
            return self.take_head(now);
        };
        match &exchange.answer {
            Progress::Awaited | Progress::Body(_) => exchange.body.is_some() && self.take_body(now),
            Progress::Refused(refusal) => {
                let refusal = refusal.clone();
                self.refuse(&refusal);
                false
            }
            Progress::Broken => {
                self.closing = true;
                false
            }
            Progress::Done if exchange.ask.keeps_alive && exchange.body.is_some() => {
                if self.head_due.is_none() {
                    self.head_due = now.checked_add(self.bounds.head_time_max);
                }
                self.take_body(now)
            }
            Progress::Done => {
                let is_last = !exchange.ask.keeps_alive || exchange.body.is_some();
                self.exchange = None;
                self.closing = is_last || self.draining || self.link.has_ended();
                self.head_due = now.checked_add(self.bounds.idle_time_max);
                true
            }
        }
    }

    fn take_head(&mut self, now: Duration) -> bool {
        // Limits the memory for the responses to a hundred requests in one read.
        let input = &self.input[self.taken..];
        if input.is_empty() || self.output.len() >= self.bounds.output_bytes_high {
            return false;
        }
        if !std::mem::replace(&mut self.head_begun, true) {
            self.head_due = now.checked_add(self.bounds.head_time_max);
        }
        let end = self.scan.end(input, self.bounds.head_bytes_max);
        let parsed = end.and_then(|end| match end {
            None => Ok(None),
            Some(end) => {
                let head = head::parse(&input[..end], self.scheme)?;
                Ok(Some((head, end)))
            }
        });
        match parsed {
            Ok(None) => false,
            Ok(Some((head, end))) => {
                self.taken += end;
                self.scan = Scan::default();
                self.head_begun = false;
                self.head_due = None;
                self.begin(now, &head);
                true
            }
            Err(refusal) => {
                self.refuse(&refusal);
                false
            }
        }
    }

    /// Passes a request to the server.
    fn begin(&mut self, now: Duration, head: &Head) {
        let max = self.bounds.list_bytes_max;
        if head.fields.size() > max {
            let why = format!("the fields of the request take more than {max} bytes");
            return self.refuse(&Refusal::new(431, why));
        }
        let body = Body::begin(head.body);
        let Ok(stream) = self.link.open(&head.fields, body.is_none()) else {
            return self.refuse(&Refusal::new(503, "the server is shutting down"));
        };
        let ask = Ask {
            version: head.version,
            is_head: head.is_head,
            keeps_alive: head.keeps_alive,
        };
        self.exchange = Some(Exchange {
            stream,
            ask,
            body,
            awaits_leave: head.expects_continue,
            answer: Progress::Awaited,
            unsent: 0,
            sent: 0,
        });
        if self.draining {
            self.link.drain(now);
        }
        self.run(now);
        if let Some(exchange) = &mut self.exchange
            && exchange.awaits_leave
            && exchange.answer == Progress::Awaited
            && exchange.body.is_some()
        {
            exchange.awaits_leave = false;
            answer::write_continue(lent(&mut self.output));
        }
    }

    fn take_body(&mut self, now: Duration) -> bool {
        let Some(exchange) = &mut self.exchange else {
            return false;
        };
        let is_full = self.link.queued(exchange.stream) >= QUEUED_BYTES_HIGH;
        let Some(body) = exchange.body.as_mut().filter(|_| !is_full) else {
            return false;
        };
        let (mut rest, mut bytes) = (&self.input[self.taken..], take_buffer());
        let taken = body.take(&mut rest, &mut bytes);
        let used = self.input.len() - self.taken - rest.len();
        self.taken += used;
        match &taken {
            Ok(is_whole) => {
                self.link.send(exchange.stream, &bytes, *is_whole);
                exchange.body.take_if(|_| *is_whole);
            }
            Err(_) => self.link.cancel(exchange.stream),
        }
        if let Err(refusal) = taken {
            exchange.answer = match exchange.answer {
                Progress::Awaited => Progress::Refused(refusal),
                _ => Progress::Broken,
            };
        }
        give_buffer(bytes);
        self.run(now);
        used > 0
    }

    /// Runs the server's connection, and writes its responses.
    fn run(&mut self, now: Duration) {
        let Self {
            link,
            exchange,
            output,
            draining,
            ..
        } = self;
        link.exchange(now, &mut |stream, fact| {
            if let Some(exchange) = exchange.as_mut().filter(|one| one.stream == stream) {
                exchange.on_fact(fact, *draining, lent(output));
            }
        });
        *draining |= link.is_leaving();
        if !link.has_ended() {
            return;
        }
        match exchange {
            Some(exchange) => match exchange.answer {
                Progress::Awaited => {
                    let refusal = Refusal::new(503, "the server ends");
                    exchange.answer = Progress::Refused(refusal);
                }
                Progress::Body(_) => exchange.answer = Progress::Broken,
                Progress::Done | Progress::Refused(_) | Progress::Broken => {}
            },
            None => self.closing = true,
        }
    }

    /// Sends a refusal as the last response of the connection.
    fn refuse(&mut self, refusal: &Refusal) {
        tracing::debug!(
            status = refusal.status,
            why = &*refusal.why,
            "a request is refused"
        );
        if !refusal.is_silent {
            answer::write_refusal(refusal, lent(&mut self.output));
        }
        self.closing = true;
    }

    /// Ends the connection because no head was received in time.
    fn expire(&mut self) {
        self.head_due = None;
        if self.head_begun {
            let bound = self.bounds.head_time_max.as_secs_f32();
            let why = format!("the head of the request took more than {bound} s");
            self.refuse(&Refusal::new(408, why));
        } else {
            self.closing = true;
        }
    }
}

/// Returns a buffer to write into; takes one from the shard's pool if it has none.
fn lent(buffer: &mut Vec<u8>) -> &mut Vec<u8> {
    if buffer.capacity() == 0 {
        *buffer = take_buffer();
    }
    buffer
}

impl Protocol for Http1 {
    fn receive(&mut self, now: Duration, input: Input<'_>) {
        match input {
            Input::Bytes(_) if self.closing => {}
            Input::Bytes(bytes) => {
                lent(&mut self.input).extend_from_slice(bytes);
                self.proceed(now);
            }
            Input::End => {
                self.closing = true;
                self.proceed(now);
            }
        }
    }

    fn advance(&mut self, now: Duration) {
        if self.closing {
            return;
        }
        if self.head_due.is_some_and(|due| due <= now) {
            self.expire();
            return self.proceed(now);
        }
        if let Some(exchange) = &mut self.exchange {
            let sent = std::mem::take(&mut exchange.sent);
            self.link.release(exchange.stream, sent);
        }
        self.link.advance(now);
        self.run(now);
        self.proceed(now);
    }

    fn transmit(&mut self, out: &mut Vec<u8>) -> Flow {
        if out.is_empty() {
            std::mem::swap(out, &mut self.output);
        } else {
            out.append(&mut self.output);
        }
        give_buffer(std::mem::take(&mut self.output));
        if self.closing {
            return Flow::Close;
        }
        // There is space now for more of the response, or for requests that were held back.
        let goes_on = match &mut self.exchange {
            Some(exchange) => {
                exchange.sent += std::mem::take(&mut exchange.unsent);
                exchange.sent > 0
            }
            None => !out.is_empty() && !self.input.is_empty(),
        };
        if goes_on {
            self.socket.touch();
        }
        Flow::Open
    }

    fn deadline(&self) -> Option<Duration> {
        let dues = [self.head_due, self.link.deadline()];
        dues.into_iter().flatten().min()
    }

    fn wants_input(&self) -> bool {
        self.output.len() < self.bounds.output_bytes_high && self.link.wants_input()
    }

    fn has_backlog(&self) -> bool {
        let is_held_back = match &self.exchange {
            None => self.output.len() >= self.bounds.output_bytes_high,
            Some(exchange) if exchange.body.is_some() => {
                self.link.queued(exchange.stream) >= QUEUED_BYTES_HIGH
            }
            Some(_) => self.input.len() >= PIPELINED_BYTES_HIGH,
        };
        is_held_back || self.link.has_backlog()
    }

    fn drain(&mut self, now: Duration) {
        self.draining = true;
        // A request whose head is arriving is answered too; the limit on its head bounds the wait.
        if self.exchange.is_none() && self.head_begun {
            return;
        }
        self.link.drain(now);
        self.run(now);
        self.closing |= self.exchange.is_none();
        self.proceed(now);
    }

    fn cut(&mut self, now: Duration) {
        self.link.cut(now);
        self.run(now);
        self.proceed(now);
    }
}

#[cfg(test)]
mod tests;
