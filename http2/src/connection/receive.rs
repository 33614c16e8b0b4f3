//! Input: each call consumes at most one frame and reports its event.

use core::time::Duration;

use super::closed::Ending;
use super::fields::BlockHead;
use super::time::Timer;
use super::{Connection, Role};
use crate::error::{ConnectionError, ErrorCode};
use crate::event::Event;
use crate::frame::payload::{self, Malformed};
use crate::frame::{FrameHead, HEAD_BYTES, Kind, flag, write};
use crate::limits::Limit;
use crate::memo;
use crate::stream::StreamKey;

pub(super) type Report<'a> = Result<Option<Event<'a>>, ConnectionError>;

impl Connection {
    /// Consumes input until it yields an event; `None` once the input is exhausted. Every split of
    /// the input yields the same events, except that pieces of DATA follow the split.
    ///
    /// # Errors
    /// The connection must end: GOAWAY is in the output already, transmit it and close. Further
    /// input is dropped.
    // Each caller turns the event over at once: out of line it would go through memory.
    #[inline(always)]
    pub fn receive<'a>(&mut self, now: Duration, input: &mut &'a [u8]) -> Report<'a> {
        if self.shutdown.failed {
            *input = &[];
            return Ok(None);
        }
        let report = self.next_event(now, input);
        if let Err(error) = &report {
            self.fail(error);
        }
        report
    }

    #[inline(always)]
    fn next_event<'a>(&mut self, now: Duration, input: &mut &'a [u8]) -> Report<'a> {
        self.timers.heard_at = now;
        if !self.reader.is_established {
            self.shake_hands(input)?;
        }
        loop {
            let report = self.next_frame(now, input);
            // A frame takes up input, and what is too short for one is gathered.
            if !matches!(report, Ok(None)) || input.is_empty() {
                return report;
            }
        }
    }

    /// Processes one frame, or one piece of DATA. `None` does not mean that the input is exhausted.
    /// Reports are returned unchanged: taken apart they would go through memory.
    #[inline(always)]
    fn next_frame<'a>(&mut self, now: Duration, input: &mut &'a [u8]) -> Report<'a> {
        if self.reader.data.is_none() {
            let Some((head, rest)) = self.reader.head(input) else {
                return self.gathered_frame(now, input);
            };
            self.admit(&head)?;
            if head.kind != Kind::Data {
                let Some((payload, rest)) = rest.split_at_checked(head.len) else {
                    return self.gathered_frame(now, input);
                };
                *input = rest;
                return self.on_frame(now, &head, payload);
            }
            *input = rest;
            match self.on_data_head(now, &head) {
                Ok(None) => {}
                report => return report,
            }
        }
        // Also of a frame without a body, which may end its stream.
        self.data_piece(now, input)
    }

    /// Gathers a frame that arrives in several pieces of input, and processes it once it is whole.
    #[cold]
    fn gathered_frame<'a>(&mut self, now: Duration, input: &mut &'a [u8]) -> Report<'a> {
        let Some(head) = self.reader.gather_head(input) else {
            if self.reader.is_gathering() {
                self.await_whole();
            }
            return Ok(None);
        };
        self.admit(&head)?;
        let Some(frame) = self.reader.gather_payload(input, &head) else {
            self.await_whole();
            return Ok(None);
        };
        self.on_gathered();
        let report = match head.kind {
            Kind::Data => self.on_data_head(now, &head),
            _ => self.on_frame(now, &head, &frame[HEAD_BYTES..]),
        };
        self.reader.recycle(frame);
        match (head.kind, report) {
            (Kind::Data, Ok(None)) => self.data_piece(now, input),
            (_, report) => report,
        }
    }

    /// Refuses a frame that may not arrive now, by its head alone.
    #[inline(always)]
    fn admit(&mut self, head: &FrameHead) -> Result<(), ConnectionError> {
        let block_open = self
            .fields
            .partial
            .as_ref()
            .map(|partial| partial.head.stream);
        check_head(head, self.limits.frame_bytes_max, block_open)?;
        self.reader.begin(head)
    }

    /// Checks the bytes before the first frame: the preface on a server, the greeting on a client.
    #[cold]
    fn shake_hands(&mut self, input: &mut &[u8]) -> Result<(), ConnectionError> {
        if !self.is_clock_started() {
            self.start_clock();
        }
        if self.role == Role::Client {
            return self.reader.check_greeting(input);
        }
        self.reader.preface(input)?;
        if self.reader.has_preface() {
            self.timers.clear(Timer::Preface);
        }
        Ok(())
    }

    #[inline(always)]
    fn on_frame(&mut self, now: Duration, head: &FrameHead, payload: &[u8]) -> Report<'static> {
        match head.kind {
            Kind::Headers => self.on_headers_frame(now, head, payload),
            Kind::Continuation => self.on_continuation(now, head, payload),
            Kind::Settings => self.on_settings(now, head, payload),
            Kind::Ping => self.on_ping(now, head, payload),
            Kind::WindowUpdate => self.on_window_update(now, head, payload),
            Kind::RstStream => self.on_reset(now, head, payload),
            Kind::GoAway => self.on_go_away(payload),
            Kind::Priority => self.on_priority(now, head, payload),
            Kind::PushPromise => Err(ConnectionError::protocol(
                "PUSH_PROMISE came though push is off (RFC 9113 section 8.4)",
            )),
            Kind::Unknown => self.abuse.charge_glitches(now, 1).map(|()| None),
            Kind::Data => Ok(None),
        }
    }

    #[inline(always)]
    fn on_headers_frame(
        &mut self,
        now: Duration,
        head: &FrameHead,
        payload: &[u8],
    ) -> Report<'static> {
        let mut block = payload;
        if head.has(flag::PADDED) {
            block = payload::unpad(block).map_err(|Malformed(rule)| match payload {
                [] => ConnectionError::frame_size(rule),
                _ => ConnectionError::protocol(rule),
            })?;
        }
        let mut self_dependent = false;
        if head.has(flag::PRIORITY) {
            let Some(rest) = block.get(5..) else {
                return Err(ConnectionError::frame_size(
                    "HEADERS is too short for its priority (RFC 9113 section 6.2)",
                ));
            };
            self_dependent = payload::dependency(block) == Some(head.stream);
            block = rest;
        }
        if block.len() > self.limits.header_block_bytes_max {
            return Err(ConnectionError::limit(Limit::HeaderBlockBytes));
        }
        let block_head = BlockHead {
            stream: head.stream,
            end_stream: head.has(flag::END_STREAM),
            self_dependent,
        };
        if head.has(flag::END_HEADERS) {
            return self.on_block(now, block_head, block);
        }
        self.fields.begin(block_head, block);
        self.await_whole();
        Ok(None)
    }

    #[inline(never)]
    fn on_continuation(
        &mut self,
        now: Duration,
        head: &FrameHead,
        payload: &[u8],
    ) -> Report<'static> {
        self.fields.proceed(payload, &self.limits)?;
        if payload.is_empty() {
            self.abuse.charge_glitches(now, 1)?;
        }
        if !head.has(flag::END_HEADERS) {
            return Ok(None);
        }
        match self.fields.partial.take() {
            Some(partial) => {
                self.timers.clear(Timer::HeaderBlock);
                self.on_block(now, partial.head, &partial.bytes)
            }
            None => Ok(None),
        }
    }

    /// Handles a whole header block: a request head, a response head or trailers.
    fn on_block(&mut self, now: Duration, head: BlockHead, block: &[u8]) -> Report<'static> {
        let stream = head.stream;
        if let Some(key) = self.streams.find(stream) {
            return self.on_known_stream_block(now, key, head, block);
        }
        let opens = self.role == Role::Server && !stream.is_multiple_of(2);
        if self.is_idle(stream) {
            if opens {
                return self.on_request(now, head, block);
            }
            return Err(ConnectionError::protocol(
                "HEADERS came on a stream that the peer may not open (RFC 9113 section 5.1.1)",
            ));
        }
        let ending = self.ending(stream);
        if ending == Ending::Early {
            self.shutdown.on_late_stream(stream);
            self.abuse.on_late_frame(now)?;
            return self.discard(now, block).map(|()| None);
        }
        if opens && self.ids.skipped.contains(&stream) {
            return Err(ConnectionError::protocol(
                "a stream was opened below one opened before (RFC 9113 section 5.1.1)",
            ));
        }
        self.discard(now, block)?;
        let rule = "HEADERS came on a closed stream (RFC 9113 section 5.1)";
        self.on_ended_stream(now, stream, ending, rule)
    }

    fn on_known_stream_block(
        &mut self,
        now: Duration,
        key: StreamKey,
        head: BlockHead,
        block: &[u8],
    ) -> Report<'static> {
        let Some(stream) = self.streams.at(key) else {
            return Ok(None);
        };
        let end_stream = head.end_stream;
        let trailing = stream.head_received;
        let short = stream.content_left.is_some_and(|left| left > 0);
        let fault = if !stream.state.may_receive() {
            Some(ErrorCode::STREAM_CLOSED)
        } else if head.self_dependent || (trailing && (!end_stream || short)) {
            Some(ErrorCode::PROTOCOL_ERROR)
        } else {
            None
        };
        if let Some(code) = fault {
            self.discard(now, block)?;
            return self.stream_fault(now, key.id, code);
        }
        let role = if trailing {
            memo::Role::Trailers
        } else {
            memo::Role::ResponseHead
        };
        let Ok(section) = self.fields.read(now, block, role, &mut self.abuse)? else {
            return self.stream_fault(now, key.id, ErrorCode::PROTOCOL_ERROR);
        };
        if trailing {
            self.end_received(key);
            return Ok(Some(Event::Trailers {
                stream: key,
                block: section.block,
            }));
        }
        if section.status.is_some_and(|status| status < 200) {
            if end_stream {
                return self.stream_fault(now, key.id, ErrorCode::PROTOCOL_ERROR);
            }
            return Ok(None);
        }
        if let Some(stream) = self.streams.at_mut(key) {
            stream.head_received = true;
            stream.content_left = section.content_length;
        }
        if end_stream {
            self.end_received(key);
        }
        Ok(Some(Event::Headers {
            stream: key,
            block: section.block,
            end_stream,
        }))
    }

    /// Applies the peer's end of the stream.
    pub(super) fn end_received(&mut self, key: StreamKey) {
        let Some(stream) = self.streams.at_mut(key) else {
            return;
        };
        let is_promised = stream.extra | stream.wants != 0;
        match stream.state.on_end_received() {
            Some(state) => {
                stream.state = state;
                if is_promised {
                    self.forget_promises(key);
                }
            }
            None => {
                self.abuse.resets.refund();
                self.remove_stream(key);
            }
        }
    }

    /// Decodes a block only for its effect on the table, for a stream that is refused or closed.
    pub(super) fn discard(&mut self, now: Duration, block: &[u8]) -> Result<(), ConnectionError> {
        self.fields.discard(now, block, &mut self.abuse)
    }

    /// Removes a stream and the memory that it held.
    pub(super) fn remove_stream(&mut self, key: StreamKey) {
        self.let_go(key);
        self.streams.remove(key);
    }

    /// Ends a stream, open or not, for a fault of the peer, and charges the peer for it.
    #[cold]
    pub(super) fn stream_fault(
        &mut self,
        now: Duration,
        stream: u32,
        code: ErrorCode,
    ) -> Report<'static> {
        let known = self.streams.find(stream);
        self.charge_waste(now, known)?;
        self.abuse.on_reply(&self.limits)?;
        write::reset(&mut self.sender.out, stream, code);
        self.ids.resets.push(stream);
        let Some(key) = known else {
            return Ok(None);
        };
        self.remove_stream(key);
        Ok(Some(Event::Reset {
            stream: key,
            code,
            local: true,
        }))
    }
}

/// Checks everything that a frame head alone shows: size, state, and the order of header blocks.
fn check_head(
    head: &FrameHead,
    frame_bytes_max: u32,
    block_open: Option<u32>,
) -> Result<(), ConnectionError> {
    if head.len > frame_bytes_max as usize {
        return Err(ConnectionError::frame_size(
            "a frame exceeds SETTINGS_MAX_FRAME_SIZE (RFC 9113 section 4.2)",
        ));
    }
    if let Some(stream) = block_open
        && (head.kind != Kind::Continuation || head.stream != stream)
    {
        return Err(ConnectionError::protocol(
            "a header block is interrupted by another frame (RFC 9113 section 6.10)",
        ));
    }
    let on_connection = match head.kind {
        Kind::Settings | Kind::Ping | Kind::GoAway => true,
        Kind::WindowUpdate | Kind::Unknown => return Ok(()),
        _ => false,
    };
    if on_connection != (head.stream == 0) {
        return Err(ConnectionError::protocol(
            "a frame came on a stream identifier that its type forbids (RFC 9113 section 6)",
        ));
    }
    Ok(())
}
