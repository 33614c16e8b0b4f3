//! A connection's part in the limits of its shard: refused calls and held bytes.

use std::rc::Rc;
use std::time::Duration;

use corespun_codec::Status;
use corespun_http2::{ErrorCode, Pressure, StreamKey};

use super::Connection;
use crate::call::Known;
use crate::valve::{Seat, Valve};

impl Connection {
    /// Attaches the connection to the limits of its shard.
    pub fn behind(mut self, valve: Rc<Valve>) -> Self {
        self.seat = Some(Seat::take(valve, self.bell.socket()));
        self
    }

    /// Returns the number of request bytes that were received and not consumed.
    pub fn held_bytes(&self) -> usize {
        self.http2.held_bytes()
    }

    /// Returns the number of reply bytes that wait for flow-control windows.
    pub fn queued_bytes(&self) -> usize {
        self.http2.queued_bytes()
    }

    /// Refuses a call before its message is decoded, if the shard cannot take it; returns true if
    /// so.
    #[inline(always)]
    pub(super) fn turn_away(
        &mut self,
        now: Duration,
        stream: StreamKey,
        known: &Known,
        deadline: Option<Duration>,
    ) -> bool {
        let Some(seat) = &self.seat else {
            return false;
        };
        if known.is_exempt() {
            return false;
        }
        let Some(refusal) = seat.valve.refuse(now, deadline) else {
            return false;
        };
        self.reply(stream, known.form).turn_away(refusal);
        true
    }

    /// Returns true if complete requests must wait: for space for their reply, for calls held by
    /// interceptors, or for memory of the shard.
    #[inline(always)]
    pub(super) fn must_wait(&self) -> bool {
        let is_closed = |seat: &Seat| seat.pressure() == Pressure::Closed;
        self.http2.is_congested()
            || self.bell.kept_bytes() > self.kept_bytes_max
            || self.seat.as_ref().is_some_and(is_closed)
    }

    /// Reads the memory pressure of the shard, before work that may use more memory.
    #[inline(always)]
    pub(super) fn heed_pressure(&mut self) {
        if let Some(seat) = &self.seat {
            self.http2.set_pressure(seat.pressure());
        }
    }

    /// Reports the bytes that the connection holds to the shard: received and not consumed, or
    /// queued and not transmitted.
    pub(super) fn settle(&mut self) {
        let input = self.http2.held_bytes() + self.backlog.pinned_bytes() + self.bell.kept_bytes();
        let bytes = input + self.http2.unsent_bytes();
        let Some(seat) = &mut self.seat else {
            return;
        };
        let (http2, parking) = (&self.http2, &self.parking);
        let is_asked = seat.recount(bytes, || http2.needs_credit() || !parking.is_empty());
        self.http2.set_pressure(seat.pressure());
        if is_asked {
            self.shed();
        }
    }

    /// Ends the call that holds the most on this connection, because the shard is out of memory.
    #[cold]
    fn shed(&mut self) {
        let Some(seat) = &self.seat else {
            return;
        };
        let (bytes, bytes_max) = (seat.valve.bytes(), seat.bytes_max());
        let Some(stream) = self.http2.largest_holder() else {
            return;
        };
        seat.valve.note_shed();
        if self.http2.queued(stream) > 0 {
            // Trailers would wait behind the bytes that are to be freed.
            let call = self.take_call(stream);
            self.drop_call(call);
            return self.http2.reset(stream, ErrorCode::ENHANCE_YOUR_CALM);
        }
        let text =
            format!("the calls of the shard hold {bytes} bytes, over shard_bytes_max {bytes_max}");
        self.end_call(stream, &Status::resource_exhausted(text));
        self.http2.release(stream, usize::MAX);
    }
}
