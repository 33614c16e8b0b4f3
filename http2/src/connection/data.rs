//! DATA frames (RFC 9113 §6.1): delivered in pieces, debited as a whole, credited when consumed.

use core::time::Duration;

use super::Connection;
use super::reader::DataFrame;
use super::receive::Report;
use crate::error::{ConnectionError, ErrorCode};
use crate::event::Event;
use crate::frame::{FrameHead, flag};
use crate::stream::StreamKey;

impl Connection {
    #[inline(always)]
    pub(super) fn on_data_head(&mut self, now: Duration, head: &FrameHead) -> Report<'static> {
        if !self.receive_window.consume(head.len) {
            return Err(ConnectionError::flow_control(
                "the connection's receive window is overrun (RFC 9113 section 6.9.1)",
            ));
        }
        let padded = head.has(flag::PADDED);
        if padded && head.len == 0 {
            return Err(ConnectionError::frame_size(
                "padded DATA has no pad length (RFC 9113 section 6.1)",
            ));
        }
        if !padded {
            let ends = head.has(flag::END_STREAM);
            self.abuse
                .on_data(&self.limits, now, (head.len, head.len), ends)?;
        }
        let (stream, event) = self.data_stream(now, head)?;
        self.reader.data = Some(DataFrame {
            stream,
            body_left: head.len,
            pad_left: 0,
            pad_unknown: padded,
            end_stream: head.has(flag::END_STREAM),
        });
        if padded || event.is_some() {
            return Ok(event);
        }
        self.count_body(now)
    }

    /// Returns the stream that receives the bytes; `None` if they must be dropped.
    #[inline(always)]
    fn data_stream(
        &mut self,
        now: Duration,
        head: &FrameHead,
    ) -> Result<(Option<StreamKey>, Option<Event<'static>>), ConnectionError> {
        let Some(key) = self.streams.find(head.stream) else {
            if self.is_idle(head.stream) {
                return Err(ConnectionError::protocol(
                    "DATA came on an idle stream (RFC 9113 section 5.1)",
                ));
            }
            return self.on_late_data(now, head).map(|event| (None, event));
        };
        let Some(stream) = self.streams.at_mut(key) else {
            return Ok((None, None));
        };
        let fault = if !stream.state.may_receive() {
            Some(ErrorCode::STREAM_CLOSED)
        } else if !stream.head_received {
            Some(ErrorCode::PROTOCOL_ERROR)
        } else if !stream.receive_window.consume(head.len) {
            Some(ErrorCode::FLOW_CONTROL_ERROR)
        } else {
            None
        };
        if stream.extra != 0 {
            self.spend_extra(key);
        }
        match fault {
            Some(code) => self
                .stream_fault(now, key.id, code)
                .map(|event| (None, event)),
            None => Ok((Some(key), None)),
        }
    }

    /// Delivers the next piece of the DATA frame in progress, and keeps the frame while input is
    /// missing.
    #[inline(always)]
    pub(super) fn data_piece<'a>(&mut self, now: Duration, input: &mut &'a [u8]) -> Report<'a> {
        let Some(mut frame) = self.reader.data else {
            return Ok(None);
        };
        if frame.pad_unknown {
            let fault = self.pad_length(now, input)?;
            match self.reader.data {
                Some(known) if fault.is_none() && !known.pad_unknown => frame = known,
                _ => return Ok(fault),
            }
        }
        let (bytes, rest) = input.split_at(frame.body_left.min(input.len()));
        frame.body_left -= bytes.len();
        let mut skipped = 0;
        if frame.body_left == 0 {
            skipped = frame.pad_left.min(rest.len());
            frame.pad_left -= skipped;
        }
        *input = &rest[skipped..];
        let complete = frame.body_left == 0 && frame.pad_left == 0;
        self.reader.data = (!complete).then_some(frame);
        self.credit(frame.stream, skipped);
        let Some(key) = frame.stream else {
            return Ok(None);
        };
        Ok(self.deliver(key, bytes, complete && frame.end_stream))
    }

    /// Reads the pad length of the frame in progress, once that byte has arrived.
    #[cold]
    fn pad_length(&mut self, now: Duration, input: &mut &[u8]) -> Report<'static> {
        let Some(frame) = &mut self.reader.data else {
            return Ok(None);
        };
        let Some((&pad, rest)) = input.split_first() else {
            return Ok(None);
        };
        *input = rest;
        let frame_bytes = frame.body_left;
        let Some(body) = (frame_bytes - 1).checked_sub(usize::from(pad)) else {
            return Err(ConnectionError::protocol(
                "padding exceeds the DATA frame (RFC 9113 section 6.1)",
            ));
        };
        frame.pad_unknown = false;
        frame.body_left = body;
        frame.pad_left = usize::from(pad);
        let (stream, end_stream) = (frame.stream, frame.end_stream);
        self.credit(stream, 1);
        let sizes = (body, frame_bytes);
        self.abuse.on_data(&self.limits, now, sizes, end_stream)?;
        self.count_body(now)
    }

    /// Checks the frame in progress, whose body length is now known, against content-length (RFC
    /// 9113 §8.1.1). The check comes before any of it is delivered, so that the outcome does not
    /// depend on how the frame is split.
    fn count_body(&mut self, now: Duration) -> Report<'static> {
        let Some(frame) = &mut self.reader.data else {
            return Ok(None);
        };
        let Some((key, stream)) = frame
            .stream
            .and_then(|key| Some((key, self.streams.at_mut(key)?)))
        else {
            return Ok(None);
        };
        let Some(left) = &mut stream.content_left else {
            return Ok(None);
        };
        match left.checked_sub(frame.body_left as u64) {
            Some(rest) if rest == 0 || !frame.end_stream => {
                *left = rest;
                Ok(None)
            }
            _ => {
                frame.stream = None;
                self.stream_fault(now, key.id, ErrorCode::PROTOCOL_ERROR)
            }
        }
    }

    fn deliver<'a>(
        &mut self,
        key: StreamKey,
        bytes: &'a [u8],
        end_stream: bool,
    ) -> Option<Event<'a>> {
        let stream = self.streams.at_mut(key)?;
        stream.held += bytes.len();
        self.note_held(bytes.len());
        if end_stream {
            self.end_received(key);
        } else if bytes.is_empty() {
            return None;
        }
        Some(Event::Data {
            stream: key,
            bytes,
            end_stream,
        })
    }

    /// Returns credit for padding at once, because no reader will consume it.
    fn credit(&mut self, stream: Option<StreamKey>, bytes: usize) {
        if let Some(key) = stream.filter(|_| bytes > 0) {
            self.release(key, 0);
        }
    }
}
