//! A connection's part in its shard: calls turned away for the sake of the others, bytes counted.

use std::rc::Rc;
use std::time::Duration;

use corespun_codec::Status;
use corespun_http2::StreamKey;

use super::Connection;
use crate::call::{Known, Target};
use crate::valve::Valve;

impl Connection {
    /// The same behind the valve of its shard.
    pub fn behind(mut self, valve: Rc<Valve>) -> Self {
        self.valve = Some(valve);
        self
    }

    /// Turns a call away before its message is looked at, if its shard cannot take it. True when
    /// it did.
    #[inline(always)]
    pub(super) fn turn_away(
        &mut self,
        now: Duration,
        stream: StreamKey,
        known: &Known,
        deadline: Option<Duration>,
    ) -> bool {
        let Some(valve) = &self.valve else {
            return false;
        };
        if matches!(&known.target, Target::Method(route) if route.exempt) {
            return false;
        }
        let Some(refusal) = valve.refuse(now, deadline) else {
            return false;
        };
        self.reply(stream, known.form).turn_away(refusal);
        true
    }

    /// Tells the shard how many bytes are kept here: what came and was not consumed, and what goes
    /// out and was not transmitted.
    pub(super) fn settle(&mut self) {
        if let Some(valve) = &self.valve {
            let bytes =
                self.http2.held_bytes() + self.http2.unsent_bytes() + self.backlog.pinned_bytes();
            if bytes != self.counted_bytes {
                valve.recount(self.counted_bytes, bytes);
                self.counted_bytes = bytes;
            }
        }
    }

    /// After a call has come to keep more: `fits` says whether the connection may. The bound of the
    /// shard costs the newest call of whoever grows beyond it.
    pub(super) fn stay_in_bounds(&mut self, fits: bool) {
        if !fits {
            self.shed();
        }
        self.settle();
        let Some(valve) = self.valve.as_ref().filter(|valve| valve.is_full()) else {
            return;
        };
        let bytes = valve.bytes();
        if let Some(stream) = self.http2.newest_holder() {
            valve.note_shed();
            self.http2.hold(stream, 0);
            self.end_call(
                stream,
                &Status::resource_exhausted(format!(
                    "all calls together keep {bytes} bytes, more than there is room for"
                )),
            );
            self.settle();
        }
    }

    /// Nothing is kept any more.
    pub(super) fn leave_shard(&mut self) {
        if let Some(valve) = &self.valve {
            valve.recount(self.counted_bytes, 0);
            self.counted_bytes = 0;
        }
    }
}
