//! HTTP/2 connection in memory, with a client at this end and a server's [`Connection`] at the
//! other.

use std::rc::Rc;
use std::time::Duration;

use corespun_http2::hpack::{Field, Indexing};
use corespun_http2::{
    Block, Config, ErrorCode, Event, HeaderList, Limits, MEMO_SLOTS, OpenError, Role, StreamKey,
};
use corespun_runtime::{Flow, Input, Protocol, give_buffer, take_buffer};

use super::answer::AnswerHead;
use crate::connection::Connection;

/// Bytes of a response that may wait for the client to read; the rest stays with its handler.
const WINDOW_BYTES: u32 = 256 << 10;

/// Largest response head in bytes. Response heads come from our own handlers, and browsers accept
/// as much.
const HEAD_BYTES_MAX: usize = 256 << 10;

/// Event of a stream.
pub(super) enum Fact<'a> {
    /// Head of the response; `ends` is true if nothing follows.
    Head { head: &'a AnswerHead, ends: bool },
    /// Part of the response body.
    Data(&'a [u8]),
    /// End of a complete response.
    End,
    /// Reset of the stream before or within its response.
    Reset(ErrorCode),
}

/// Both ends of the connection, and the buffers between them.
pub(super) struct Link {
    client: corespun_http2::Connection,
    server: Connection,
    /// Response heads, by memo slot.
    known: Vec<Option<Rc<AnswerHead>>>,
    /// True if the server accepts no more requests after those in progress.
    leaving: bool,
    /// True if the server has sent its last byte.
    ended: bool,
}

impl Link {
    pub(super) fn new(server: Connection) -> Self {
        let limits = Limits {
            stream_window_bytes: WINDOW_BYTES,
            connection_window_bytes: WINDOW_BYTES,
            header_list_bytes_soft: HEAD_BYTES_MAX,
            header_list_bytes_hard: HEAD_BYTES_MAX,
            header_block_bytes_max: 2 * HEAD_BYTES_MAX,
            continuation_frames_max: 64,
            ..Limits::default()
        };
        let role = Role::Client;
        Self {
            client: corespun_http2::Connection::new(Config { role, limits }),
            server,
            known: Vec::new(),
            leaving: false,
            ended: false,
        }
    }

    /// Returns true if the server accepts no more requests and answers none.
    pub(super) fn has_ended(&self) -> bool {
        self.ended
    }

    /// Returns true if the server drains, for its own end or for the age of the connection.
    pub(super) fn is_leaving(&self) -> bool {
        self.leaving
    }

    /// Opens a stream for a request.
    pub(super) fn open(&mut self, fields: &HeaderList, ends: bool) -> Result<StreamKey, OpenError> {
        self.lend();
        let fields = fields.iter().map(|field| Field {
            name: field.name,
            value: field.value,
            indexing: Indexing::Index,
        });
        self.client.open(fields, None, ends)
    }

    /// Sends a part of a request body.
    pub(super) fn send(&mut self, stream: StreamKey, bytes: &[u8], ends: bool) {
        self.lend();
        self.client.send_data(stream, bytes, ends);
    }

    /// Returns the number of bytes of a request body that wait for their handler.
    pub(super) fn queued(&self, stream: StreamKey) -> usize {
        self.client.queued(stream)
    }

    /// Grants credit for `bytes` of the response, because the client has been sent that many.
    pub(super) fn release(&mut self, stream: StreamKey, bytes: usize) {
        self.lend();
        self.client.release(stream, bytes);
    }

    /// Cancels a request.
    pub(super) fn cancel(&mut self, stream: StreamKey) {
        self.lend();
        self.client.reset(stream, ErrorCode::CANCEL);
    }

    pub(super) fn advance(&mut self, now: Duration) {
        self.lend();
        // The client's timers wait for the other end, which is in memory and never late.
        if self.client.advance(now).is_err() {
            self.ended = true;
        }
        if !self.ended {
            self.server.advance(now);
        }
    }

    pub(super) fn drain(&mut self, now: Duration) {
        if !self.ended {
            self.server.drain(now);
        }
    }

    pub(super) fn cut(&mut self, now: Duration) {
        if !self.ended {
            self.server.cut(now);
        }
    }

    /// Closes the connection, because the client is gone.
    pub(super) fn end(&mut self, now: Duration) {
        if !std::mem::replace(&mut self.ended, true) {
            self.server.receive(now, Input::End);
        }
    }

    pub(super) fn deadline(&self) -> Option<Duration> {
        let dues = [self.client.deadline(), self.server.deadline()];
        let dues = dues.into_iter().flatten();
        dues.min().filter(|_| !self.ended)
    }

    pub(super) fn wants_input(&self) -> bool {
        self.server.wants_input()
    }

    pub(super) fn has_backlog(&self) -> bool {
        !self.ended && self.server.has_backlog()
    }

    /// Exchanges bytes between both ends until neither has output, and reports the events to
    /// `tell`.
    pub(super) fn exchange(&mut self, now: Duration, tell: &mut dyn FnMut(StreamKey, Fact<'_>)) {
        let mut wire = take_buffer();
        while !self.ended {
            self.lend();
            self.client.transmit(&mut wire);
            let asked = !wire.is_empty();
            if asked {
                self.server.receive(now, Input::Bytes(&wire));
                wire.clear();
            }
            self.ended = self.server.transmit(&mut wire) == Flow::Close;
            let answered = !wire.is_empty();
            if answered {
                self.read(now, &wire, tell);
                wire.clear();
            }
            if !asked && !answered {
                break;
            }
        }
        give_buffer(wire);
        if let Some(spare) = self.client.take_spare_output() {
            give_buffer(spare);
        }
    }

    fn read(&mut self, now: Duration, mut wire: &[u8], tell: &mut dyn FnMut(StreamKey, Fact<'_>)) {
        loop {
            let event = match self.client.receive(now, &mut wire) {
                Ok(Some(event)) => event,
                Ok(None) => return,
                Err(error) => {
                    tracing::error!(%error, "a response cannot be sent over HTTP/1.1");
                    self.ended = true;
                    return;
                }
            };
            match event {
                Event::Headers {
                    stream,
                    block,
                    end_stream: ends,
                } => {
                    let head = self.head(block);
                    tell(stream, Fact::Head { head: &head, ends });
                }
                Event::Data {
                    stream,
                    bytes,
                    end_stream,
                } => {
                    tell(stream, Fact::Data(bytes));
                    if end_stream {
                        tell(stream, Fact::End);
                    }
                }
                // Trailers are not needed here: gRPC-Web calls have theirs in the body.
                Event::Trailers { stream, .. } => tell(stream, Fact::End),
                Event::Reset {
                    stream,
                    code,
                    local,
                } => {
                    // This end finds only responses malformed, which is not the client's fault.
                    let code = if local {
                        ErrorCode::INTERNAL_ERROR
                    } else {
                        code
                    };
                    tell(stream, Fact::Reset(code));
                }
                Event::GoAway { .. } => self.leaving = true,
                Event::SettingsChanged | Event::PingAck(_) => {}
            }
        }
    }

    fn head(&mut self, block: Block) -> Rc<AnswerHead> {
        if self.known.is_empty() {
            self.known.resize_with(MEMO_SLOTS, || None);
        }
        if let Block::Seen { memo } = block
            && let Some(known) = &self.known[usize::from(memo)]
        {
            return Rc::clone(known);
        }
        let head = Rc::new(AnswerHead::read(self.client.headers()));
        if let Block::New { memo: Some(memo) } = block {
            self.known[usize::from(memo)] = Some(Rc::clone(&head));
        }
        head
    }

    /// Lends the client end a buffer to write into; while idle it owns none.
    fn lend(&mut self) {
        if self.client.wants_output() {
            self.client.lend_output(take_buffer());
        }
    }
}
