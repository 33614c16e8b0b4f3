//! Credit for the peer: how much of its DATA the connection is ready to hold.
//!
//! Bytes count as held from their arrival until [`Connection::release`]. Every stream has its
//! ordinary window whatever the others do. What goes beyond that, for a reader that keeps up or
//! for a message larger than the window, is given while all that is held and promised stays within
//! [`crate::Limits::received_bytes_max`]. A reader that waits for more than that is served in the
//! order of the streams, one at a time beyond the bound, so that waiting always ends. The
//! connection's window shrinks as the bound comes near and stays open a little.

use alloc::vec::Vec;
use core::time::Duration;

use super::Connection;
use crate::flow::WINDOW_BYTES_MAX;
use crate::frame::write;
use crate::limits::Limit;
use crate::stream::StreamKey;

/// Smallest window of a connection that is not [`Pressure::Closed`], in bytes: one ordinary window
/// of a stream, so that some call can always go on.
const CONNECTION_WINDOW_LEAST: usize = 64 << 10;

/// Smallest ordinary window of a stream on a connection with very many, in bytes: one DATA frame
/// of the usual size.
const STREAM_WINDOW_LEAST: usize = 16 << 10;

/// Credit for one message that is given ahead, in bytes. A sender that stops in its message keeps
/// no more than this from others.
const MESSAGE_CREDIT_BYTES: usize = 1 << 20;

/// Payload of the PING that measures a round trip.
const PROBE_PING: u64 = 0x6372_6564_6974_2121;

/// Time between two measurements that found no reason for a larger window.
const PROBE_PAUSE: Duration = Duration::from_millis(100);

/// Shortage of memory outside of the connection, such as in its process.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Pressure {
    /// No shortage: the connection's own bounds decide.
    #[default]
    None,
    /// Memory is short, and this connection is the one that goes on: windows are given back up to
    /// their least size, and readers that wait are served one at a time.
    Favoured,
    /// Memory is getting short: windows are given back up to their least size, and readers that
    /// wait go on waiting.
    Tight,
    /// Memory is used up: no window is given back.
    Closed,
}

/// Bytes that the streams of a connection hold and were promised.
#[derive(Debug, Default)]
pub(super) struct Credit {
    /// Body bytes handed out and not released, of all streams.
    held: usize,
    /// Bytes of windows beyond the ordinary ones that were not used, of all streams.
    extra: usize,
    /// Streams whose reader waits for more than its window admits.
    waiting: usize,
    /// Something was released since those were looked at.
    is_stale: bool,
    /// Identifier of the stream that may exceed the bound; 0 for none.
    favoured: u32,
    pressure: Pressure,
    probe: Option<Probe>,
    /// No round trip is measured before this moment.
    probe_after: Duration,
}

/// A round trip under way, and what was read on one stream meanwhile.
#[derive(Debug)]
struct Probe {
    stream: StreamKey,
    released: usize,
}

impl Connection {
    /// Notes that the application has consumed `bytes` of this stream: lets the peer send as many
    /// again on it, or more if its reader proves to be faster than the window.
    pub fn release(&mut self, stream: StreamKey, bytes: usize) {
        let Some(entry) = self.streams.at_mut(stream) else {
            return;
        };
        let bytes = bytes.min(entry.held);
        entry.held -= bytes;
        let is_open = entry.state.may_receive();
        self.credit.held -= bytes;
        self.credit.is_stale = self.credit.waiting > 0;
        if is_open {
            self.replenish(stream, bytes);
        }
    }

    /// Notes that the reader of this stream cannot go on before `missing` more bytes are here, as
    /// with a message of which a part has come. The window is widened for them at once if the
    /// bounds admit it, or as soon as they do.
    #[inline]
    pub fn expect(&mut self, stream: StreamKey, missing: usize) {
        let Some(entry) = self.streams.at_mut(stream) else {
            return;
        };
        let available = entry.receive_window.available();
        if missing <= available || available >= MESSAGE_CREDIT_BYTES / 2 {
            if entry.wants != 0 {
                self.stop_waiting(stream);
            }
            return;
        }
        if entry.state.may_receive() {
            self.want(stream, missing);
        }
    }

    /// The stream's reader waits for bytes that the bounds do not admit yet.
    pub fn is_waiting(&self, stream: StreamKey) -> bool {
        self.streams.at(stream).is_some_and(|entry| entry.wants > 0)
    }

    /// Tells of a shortage of memory elsewhere, or of its end.
    pub fn set_pressure(&mut self, pressure: Pressure) {
        if self.credit.pressure != pressure {
            self.credit.pressure = pressure;
            self.credit.is_stale = self.credit.waiting > 0;
        }
    }

    /// Body bytes handed out and not released.
    pub fn held_bytes(&self) -> usize {
        self.credit.held
    }

    /// The stream that makes the connection keep most memory: bytes received and not released,
    /// and output that waits.
    pub fn largest_holder(&mut self) -> Option<StreamKey> {
        let sizes = self.streams.iter_mut().map(|(key, stream)| {
            let queued = stream.queue.as_ref();
            let queued = queued.map_or(0, |queue| queue.pinned_bytes());
            (stream.held + queued, key)
        });
        let largest = sizes.max_by_key(|(bytes, key)| (*bytes, key.id))?;
        (largest.0 > 0).then_some(largest.1)
    }

    /// Ordinary window of a stream: smaller on a connection with very many streams.
    fn ordinary_window(&self) -> usize {
        let size = self.limits.stream_window_bytes as usize;
        let share = match self.credit.pressure {
            Pressure::None => self.limits.received_bytes_max / self.streams.len().max(1),
            _ => STREAM_WINDOW_LEAST,
        };
        size.min(share.max(STREAM_WINDOW_LEAST))
    }

    /// Bytes that may be promised beyond the ordinary windows.
    fn room(&self) -> usize {
        match self.credit.pressure {
            Pressure::None => {
                let used = self.credit.held + self.credit.extra;
                self.limits.received_bytes_max.saturating_sub(used)
            }
            _ => 0,
        }
    }

    /// Gives the window of a stream back of which `bytes` were released just now.
    fn replenish(&mut self, key: StreamKey, bytes: usize) {
        let ordinary = self.ordinary_window();
        let room = self.room();
        let Some(stream) = self.streams.at_mut(key) else {
            return;
        };
        let window = stream.receive_window;
        let size = match window.size() as usize {
            size if window.room(stream.held, size) <= room => size,
            size => size.min(ordinary),
        };
        let due = window.due(stream.held, size);
        if let Some(probe) = &mut self.credit.probe
            && probe.stream == key
        {
            probe.released += bytes;
        }
        if due > 0 {
            self.announce(key, due);
            self.measure(key);
        }
    }

    /// Widens a stream's window by `bytes`.
    fn announce(&mut self, key: StreamKey, bytes: usize) {
        let ordinary = self.limits.stream_window_bytes as usize;
        let Some(stream) = self.streams.at_mut(key).filter(|_| !self.shutdown.failed) else {
            return;
        };
        let increment = stream.receive_window.grow(bytes);
        if increment == 0 {
            return;
        }
        let beyond = stream.receive_window.available().saturating_sub(ordinary);
        let extra = u32::try_from(beyond).unwrap_or(increment).max(stream.extra);
        self.credit.extra += (extra - stream.extra) as usize;
        stream.extra = extra;
        write::window_update(&mut self.sender.out, key.id, increment);
    }

    /// DATA used up part of a window that is wider than an ordinary one.
    #[cold]
    pub(super) fn spend_extra(&mut self, key: StreamKey) {
        let ordinary = self.limits.stream_window_bytes as usize;
        if let Some(stream) = self.streams.at_mut(key) {
            let beyond = stream.receive_window.available().saturating_sub(ordinary);
            let extra = stream.extra.min(u32::try_from(beyond).unwrap_or(u32::MAX));
            self.credit.extra -= (stream.extra - extra) as usize;
            stream.extra = extra;
        }
    }

    /// Measures how much a reader takes within a round trip, if its window may grow.
    fn measure(&mut self, key: StreamKey) {
        let now = self.timers.now();
        let size_max = self.limits.stream_window_bytes_max;
        let may_grow = self.streams.at(key).is_some_and(|stream| {
            stream.receive_window.size() < size_max && stream.state.may_receive()
        });
        if may_grow && self.credit.probe.is_none() && self.credit.probe_after <= now {
            write::ping(&mut self.sender.out, &PROBE_PING.to_be_bytes(), false);
            self.credit.probe = Some(Probe {
                stream: key,
                released: 0,
            });
        }
    }

    /// The answer to a PING of ours. True if it was that of a measurement: then the window of a
    /// stream whose reader took half of it within the round trip doubles.
    pub(super) fn on_probe_ack(&mut self, opaque: u64) -> bool {
        if opaque != PROBE_PING {
            return false;
        }
        let Some(probe) = self.credit.probe.take() else {
            return false;
        };
        let size_max = self.limits.stream_window_bytes_max;
        match self.streams.at_mut(probe.stream) {
            Some(stream) if probe.released >= stream.receive_window.size() as usize / 2 => {
                stream.receive_window.double(size_max);
                if stream.state.may_receive() {
                    self.replenish(probe.stream, 0);
                }
            }
            _ => self.credit.probe_after = self.timers.now() + PROBE_PAUSE,
        }
        true
    }

    /// The reader of a stream waits for `missing` bytes.
    #[cold]
    fn want(&mut self, key: StreamKey, missing: usize) {
        let Some(stream) = self.streams.at_mut(key) else {
            return;
        };
        let missing = u32::try_from(missing).unwrap_or(WINDOW_BYTES_MAX);
        let before = core::mem::replace(&mut stream.wants, missing.min(WINDOW_BYTES_MAX));
        self.credit.waiting += usize::from(before == 0);
        if !self.widen(key) {
            self.credit.is_stale |= before == 0;
            if before == 0 {
                self.abuse.hit(Limit::ReceivedBytes);
            }
        }
    }

    /// Widens the window of a stream whose reader waits, if the bound admits it.
    fn widen(&mut self, key: StreamKey) -> bool {
        let room = self.room();
        let Some(stream) = self.streams.at(key) else {
            return true;
        };
        let available = stream.receive_window.available();
        let ahead = MESSAGE_CREDIT_BYTES.max(stream.receive_window.size() as usize);
        let bytes = (stream.wants as usize).min(ahead).saturating_sub(available);
        if bytes > room {
            return false;
        }
        self.stop_waiting(key);
        self.announce(key, bytes);
        true
    }

    fn stop_waiting(&mut self, key: StreamKey) {
        if let Some(stream) = self.streams.at_mut(key)
            && core::mem::take(&mut stream.wants) > 0
        {
            self.credit.waiting -= 1;
        }
    }

    /// Serves the readers that wait, the oldest stream first: as far as the bound goes, and one
    /// beyond it.
    pub(super) fn serve_waiting(&mut self) {
        self.credit.is_stale = false;
        let waiting = self.streams.iter_mut();
        let waiting = waiting.filter(|(_, stream)| stream.wants > 0);
        let mut waiting: Vec<StreamKey> = waiting.map(|(key, _)| key).collect();
        waiting.sort_unstable_by_key(|key| key.id);
        for &key in &waiting {
            if !self.widen(key) {
                // Whoever began beyond the bound goes on before another begins.
                let favoured = waiting.iter().find(|key| key.id == self.credit.favoured);
                return self.favour(*favoured.unwrap_or(&key));
            }
        }
    }

    /// Lets the oldest stream that waits have what it needs whatever the bound says, unless another
    /// has that and is not done.
    fn favour(&mut self, key: StreamKey) {
        if self.credit.favoured != key.id && self.has_favoured() {
            return;
        }
        let Some(stream) = self.streams.at(key) else {
            return;
        };
        let bytes = (stream.wants as usize).saturating_sub(stream.receive_window.available());
        self.credit.favoured = key.id;
        self.stop_waiting(key);
        self.announce(key, bytes);
    }

    /// A stream that may exceed the bound is not done.
    fn has_favoured(&self) -> bool {
        let ordinary = self.limits.stream_window_bytes as usize;
        let favoured = self.streams.find(self.credit.favoured);
        let favoured = favoured.and_then(|key| self.streams.at(key));
        favoured.is_some_and(|stream| stream.held > ordinary || stream.extra > 0)
    }

    /// Returns whether readers wait for credit, or one that did is not done with what it got.
    pub fn needs_credit(&self) -> bool {
        self.credit.waiting > 0 || self.has_favoured()
    }

    /// Readers wait and may be served now.
    #[inline]
    pub(super) fn may_serve_waiting(&self) -> bool {
        let pressure = self.credit.pressure;
        self.credit.is_stale && matches!(pressure, Pressure::None | Pressure::Favoured)
    }

    /// Bytes of DATA came for a stream and were handed out.
    #[inline(always)]
    pub(super) fn note_held(&mut self, bytes: usize) {
        self.credit.held += bytes;
    }

    /// Forgets what a stream holds and was promised that is about to go, or that its peer has
    /// ended: `held` bytes, which stay counted in the second case.
    #[cold]
    pub(super) fn forget_promises(&mut self, key: StreamKey) {
        self.stop_waiting(key);
        if let Some(stream) = self.streams.at_mut(key) {
            self.credit.extra -= core::mem::take(&mut stream.extra) as usize;
        }
        self.credit.is_stale = self.credit.waiting > 0;
    }

    /// A stream goes that held `bytes`.
    #[inline(always)]
    pub(super) fn forget_held(&mut self, bytes: usize) {
        self.credit.held -= bytes;
        self.credit.is_stale = self.credit.waiting > 0;
    }

    /// Increment for the connection's window, if one is worth announcing: the window shrinks as
    /// what is held comes near its bound.
    #[inline]
    pub(super) fn connection_credit(&self) -> usize {
        let room = self.limits.received_bytes_max;
        let room = room.saturating_sub(self.credit.held);
        let most = self.receive_window.size() as usize;
        let size = match self.credit.pressure {
            Pressure::None => most.min(room.max(CONNECTION_WINDOW_LEAST)),
            Pressure::Favoured | Pressure::Tight => most.min(CONNECTION_WINDOW_LEAST),
            Pressure::Closed => 0,
        };
        self.receive_window.due(0, size)
    }
}
