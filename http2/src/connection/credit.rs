//! Flow-control credit for the peer: the bytes of DATA that the connection is ready to hold.
//!
//! Bytes count as held from their arrival until [`Connection::release`]. Every stream has its
//! ordinary window, whatever the others do. A larger window, for a fast reader or for a message
//! larger than the window, is granted while everything held and promised stays within
//! [`crate::Limits::received_bytes_max`]. Readers that wait for more than that are served in the
//! order of the streams, one at a time beyond the bound, so that every wait ends. The connection's
//! window shrinks as the bound comes near, but never closes.

use alloc::vec::Vec;
use core::time::Duration;

use super::Connection;
use crate::flow::WINDOW_BYTES_MAX;
use crate::frame::write;
use crate::limits::Limit;
use crate::stream::StreamKey;

/// Smallest window of a connection that is not [`Pressure::Closed`], in bytes: one ordinary window
/// of a stream, so that at least one call can make progress.
const CONNECTION_WINDOW_LEAST: usize = 64 << 10;

/// Smallest ordinary window of a stream on a connection with very many streams, in bytes: one DATA
/// frame of the usual size.
const STREAM_WINDOW_LEAST: usize = 16 << 10;

/// Largest credit granted ahead for one message, in bytes. A sender that stops inside its message
/// withholds at most this much from others.
const MESSAGE_CREDIT_BYTES: usize = 1 << 20;

/// Payload of the PING that measures a round trip.
const PROBE_PING: u64 = 0x6372_6564_6974_2121;

/// Time between two measurements if the first found no reason for a larger window.
const PROBE_PAUSE: Duration = Duration::from_millis(100);

/// Shortage of memory outside of the connection, such as in its process.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Pressure {
    /// No shortage: only the connection's own limits apply.
    #[default]
    None,
    /// Memory is short, and this connection is the one that makes progress: windows are restored up
    /// to their smallest size, and waiting readers are served one at a time.
    Favoured,
    /// Memory is getting short: windows are restored up to their smallest size, and waiting readers
    /// keep waiting.
    Tight,
    /// Memory is used up: no window is restored.
    Closed,
}

/// Bytes that the streams of a connection hold and were promised.
#[derive(Debug, Default)]
pub(super) struct Credit {
    /// Body bytes delivered and not released, of all streams.
    held: usize,
    /// Unused bytes of windows beyond the ordinary ones, of all streams.
    extra: usize,
    /// Number of streams whose reader waits for more than its window admits.
    waiting: usize,
    /// True if bytes were released since the waiting streams were last checked.
    is_stale: bool,
    /// Identifier of the stream that may exceed the bound; 0 for none.
    favoured: u32,
    pressure: Pressure,
    probe: Option<Probe>,
    /// Moment before which no round trip is measured.
    probe_after: Duration,
}

/// Measurement of a round trip, with the bytes read on one stream meanwhile.
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

    /// Notes that the reader of this stream needs `missing` more bytes to make progress, as with a
    /// message of which only a part has arrived. The window is widened for them at once if the
    /// limits admit it, or as soon as they do.
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

    /// Returns `true` if the stream's reader waits for bytes that the limits do not admit yet.
    pub fn is_waiting(&self, stream: StreamKey) -> bool {
        self.streams.at(stream).is_some_and(|entry| entry.wants > 0)
    }

    /// Sets the shortage of memory outside of the connection.
    pub fn set_pressure(&mut self, pressure: Pressure) {
        if self.credit.pressure != pressure {
            self.credit.pressure = pressure;
            self.credit.is_stale = self.credit.waiting > 0;
        }
    }

    /// Returns the number of body bytes delivered and not released.
    pub fn held_bytes(&self) -> usize {
        self.credit.held
    }

    /// Returns the stream that makes the connection hold most memory: bytes received and not
    /// released, plus output that waits.
    pub fn largest_holder(&mut self) -> Option<StreamKey> {
        let sizes = self.streams.iter_mut().map(|(key, stream)| {
            let queued = stream.queue.as_ref();
            let queued = queued.map_or(0, |queue| queue.pinned_bytes());
            (stream.held + queued, key)
        });
        let largest = sizes.max_by_key(|(bytes, key)| (*bytes, key.id))?;
        (largest.0 > 0).then_some(largest.1)
    }

    /// Returns the ordinary window of a stream, which is smaller on a connection with very many
    /// streams.
    fn ordinary_window(&self) -> usize {
        let size = self.limits.stream_window_bytes as usize;
        let share = match self.credit.pressure {
            Pressure::None => self.limits.received_bytes_max / self.streams.len().max(1),
            _ => STREAM_WINDOW_LEAST,
        };
        size.min(share.max(STREAM_WINDOW_LEAST))
    }

    /// Returns the bytes that may be promised beyond the ordinary windows.
    fn room(&self) -> usize {
        match self.credit.pressure {
            Pressure::None => {
                let used = self.credit.held + self.credit.extra;
                self.limits.received_bytes_max.saturating_sub(used)
            }
            _ => 0,
        }
    }

    /// Restores the window of a stream of which `bytes` were just released.
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

    /// Updates the count of extra window bytes after DATA used up part of a widened window.
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

    /// Starts to measure how many bytes a reader takes within a round trip, if its window may grow.
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

    /// Handles the acknowledgement of one of our PINGs. Returns `true` if it ends a measurement:
    /// the window of a stream whose reader took half of it within the round trip then doubles.
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

    /// Records that the reader of a stream waits for `missing` bytes.
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

    /// Widens the window of a stream whose reader waits, if the bound admits it. Returns whether it
    /// did.
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

    /// Serves the waiting readers, the oldest stream first: as far as the bound admits, and one
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

    /// Grants the oldest waiting stream the bytes that it needs beyond the bound, unless another
    /// stream still has such a grant.
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

    /// Returns `true` while the stream that may exceed the bound uses more than its ordinary
    /// window.
    fn has_favoured(&self) -> bool {
        let ordinary = self.limits.stream_window_bytes as usize;
        let favoured = self.streams.find(self.credit.favoured);
        let favoured = favoured.and_then(|key| self.streams.at(key));
        favoured.is_some_and(|stream| stream.held > ordinary || stream.extra > 0)
    }

    /// Returns `true` while readers wait for credit, or one that waited has not received all its
    /// bytes.
    pub fn needs_credit(&self) -> bool {
        self.credit.waiting > 0 || self.has_favoured()
    }

    /// Returns `true` if readers wait and may be served now.
    #[inline]
    pub(super) fn may_serve_waiting(&self) -> bool {
        let pressure = self.credit.pressure;
        self.credit.is_stale && matches!(pressure, Pressure::None | Pressure::Favoured)
    }

    /// Counts bytes of DATA that were delivered for a stream.
    #[inline(always)]
    pub(super) fn note_held(&mut self, bytes: usize) {
        self.credit.held += bytes;
    }

    /// Removes a stream's promises from the counts when the stream is about to close, or its peer
    /// has ended it. In the second case the bytes that it holds stay counted.
    #[cold]
    pub(super) fn forget_promises(&mut self, key: StreamKey) {
        self.stop_waiting(key);
        if let Some(stream) = self.streams.at_mut(key) {
            self.credit.extra -= core::mem::take(&mut stream.extra) as usize;
        }
        self.credit.is_stale = self.credit.waiting > 0;
    }

    /// Removes the `bytes` that a closing stream held from the count.
    #[inline(always)]
    pub(super) fn forget_held(&mut self, bytes: usize) {
        self.credit.held -= bytes;
        if self.credit.waiting > 0 {
            self.credit.is_stale = true;
        }
    }

    /// Returns the increment for the connection's window, if one is worth a frame: the window
    /// shrinks as the held bytes come near the bound.
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
