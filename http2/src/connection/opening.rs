//! Streams that the peer opens: accepted, refused for a limit, or malformed.

use core::time::Duration;

use super::Connection;
use super::fields::BlockHead;
use super::receive::Report;
use crate::error::ErrorCode;
use crate::event::Event;
use crate::flow::{ReceiveWindow, Window};
use crate::frame::write;
use crate::limits::Limit;
use crate::memo;
use crate::stream::{State, Stream, StreamKey};

impl Connection {
    /// Handles the head of a stream that was idle.
    pub(super) fn on_request(
        &mut self,
        now: Duration,
        head: BlockHead,
        block: &[u8],
    ) -> Report<'static> {
        let BlockHead {
            stream, end_stream, ..
        } = head;
        self.ids.peer_opens(stream);
        if stream >= self.limits.stream_id_drain && !self.is_going_away() {
            self.abuse.hit(Limit::StreamIds);
            self.drain();
        }
        if head.self_dependent {
            self.discard(now, block)?;
            return self.stream_fault(now, stream, ErrorCode::PROTOCOL_ERROR);
        }
        if let Some(limit) = self.refusal() {
            return self.refuse(now, stream, block, limit);
        }
        let Ok(section) = self
            .fields
            .read(now, block, memo::Role::RequestHead, &mut self.abuse)?
        else {
            return self.stream_fault(now, stream, ErrorCode::PROTOCOL_ERROR);
        };
        if end_stream && section.content_length.is_some_and(|length| length > 0) {
            self.fields.forget(section.block);
            return self.stream_fault(now, stream, ErrorCode::PROTOCOL_ERROR);
        }
        let state = if end_stream {
            State::HalfClosedRemote
        } else {
            State::Open
        };
        let key = self.insert_stream(stream, state);
        if let Some(entry) = self.streams.at_mut(key) {
            entry.head_received = true;
            entry.content_left = section.content_length;
        }
        Ok(Some(Event::Headers {
            stream: key,
            block: section.block,
            end_stream,
        }))
    }

    /// Returns the limit that forbids one more stream, if any.
    fn refusal(&mut self) -> Option<Limit> {
        self.abuse.on_stream();
        if self.streams.len() >= self.limits.concurrent_streams_max as usize {
            Some(Limit::ConcurrentStreams)
        } else if self.abuse.new_streams() > u64::from(self.limits.new_streams_max) {
            Some(Limit::NewStreams)
        } else {
            None
        }
    }

    #[cold]
    fn refuse(
        &mut self,
        now: Duration,
        stream: u32,
        block: &[u8],
        limit: Limit,
    ) -> Report<'static> {
        self.discard(now, block)?;
        self.abuse.hit(limit);
        if self.settled {
            return self.stream_fault(now, stream, limit.code());
        }
        self.charge_early_bird(now)?;
        self.abuse.on_reply(&self.limits)?;
        write::reset(&mut self.sender.out, stream, limit.code());
        self.ids.resets.push(stream);
        Ok(None)
    }

    pub(super) fn insert_stream(&mut self, id: u32, state: State) -> StreamKey {
        self.streams.insert(Stream {
            id,
            number: self.abuse.streams() as u32,
            state,
            head_received: false,
            listed: false,
            held: 0,
            extra: 0,
            wants: 0,
            send_window: Window::new(self.peer.window_bytes_initial),
            receive_window: match self.settled {
                true => ReceiveWindow::new(self.limits.stream_window_bytes),
                false => ReceiveWindow::unsettled(self.limits.stream_window_bytes),
            },
            content_left: None,
            queue: None,
        })
    }
}
