//! Memory that the connections of a shard hold for their peers, and its distribution under
//! pressure.
//!
//! Below three quarters of the bound each connection has only its own limits. Above that, windows
//! are small, and only one connection at a time gets credit for messages larger than its window. At
//! the bound no window is reopened and no call is started, except on that one connection, so that
//! there is always progress. Above the bound plus one message, the call that holds the most is
//! ended.

use std::cell::{Cell, RefCell};
use std::rc::Rc;

use corespun_http2::Pressure;
use corespun_runtime::SocketHandle;

use super::Valve;

/// Memory use of one connection.
#[derive(Debug)]
struct Holder {
    bytes: usize,
    socket: SocketHandle,
    /// True if the connection was notified of a shortage, and has not been notified of its end.
    is_pressed: bool,
    /// True if the connection holds the most and is to end a call.
    is_asked: bool,
}

/// Memory use of all connections of a shard.
#[derive(Debug)]
pub(super) struct Memory {
    bytes: Cell<usize>,
    bytes_max: usize,
    /// Bytes at which waiting is no longer enough and a call is ended.
    bytes_cut: usize,
    holders: RefCell<Vec<Option<Holder>>>,
    /// Connection that may continue while memory is short.
    favoured: Cell<Option<usize>>,
    /// Memory pressure on all other connections.
    level: Cell<Pressure>,
}

impl Memory {
    pub(super) fn new(bytes_max: usize, message_bytes_max: usize) -> Self {
        let beyond = (bytes_max / 4).max(message_bytes_max);
        Self {
            bytes: Cell::new(0),
            bytes_max,
            bytes_cut: bytes_max.saturating_add(beyond),
            holders: RefCell::default(),
            favoured: Cell::new(None),
            level: Cell::new(Pressure::None),
        }
    }

    pub(super) fn bytes(&self) -> usize {
        self.bytes.get()
    }

    /// Returns true if the connections hold more than flow control can hold back.
    #[inline(always)]
    pub(super) fn is_over(&self) -> bool {
        self.bytes.get() > self.bytes_cut
    }

    /// Returns the memory pressure for the current use; a level ends a little below where it
    /// begins.
    fn judge(&self) -> Pressure {
        let (bytes, max) = (self.bytes.get(), self.bytes_max);
        match self.level.get() {
            _ if bytes > max => Pressure::Closed,
            Pressure::Closed if bytes > max / 8 * 7 => Pressure::Closed,
            _ if bytes > max / 4 * 3 => Pressure::Tight,
            Pressure::None => Pressure::None,
            _ if bytes > max / 2 => Pressure::Tight,
            _ => Pressure::None,
        }
    }

    /// Records the bytes that a connection holds, and whether some of its calls wait.
    fn recount(&self, place: usize, bytes: usize, waits: bool) {
        let mut holders = self.holders.borrow_mut();
        let Some(holder) = holders.get_mut(place).and_then(Option::as_mut) else {
            return;
        };
        let before = std::mem::replace(&mut holder.bytes, bytes);
        self.bytes.set(self.bytes.get() - before + bytes);
        let level = self.judge();
        let was = self.level.replace(level);
        let is_done = !waits && self.favoured.get() == Some(place);
        if is_done || level == Pressure::None {
            self.favoured.set(None);
        } else if waits && self.favoured.get().is_none() {
            self.favoured.set(Some(place));
        }
        if is_done || level != was && was != Pressure::None {
            // Waiting connections check again.
            for holder in holders.iter_mut().flatten() {
                if std::mem::take(&mut holder.is_pressed) {
                    holder.socket.touch();
                }
            }
        }
    }

    #[cold]
    fn press(&self, place: usize) -> Pressure {
        let mut holders = self.holders.borrow_mut();
        if let Some(holder) = holders.get_mut(place).and_then(Option::as_mut) {
            holder.is_pressed = true;
        }
        match self.favoured.get() == Some(place) {
            true => Pressure::Favoured,
            false => self.level.get(),
        }
    }

    /// Requests the connection that holds the most to end a call.
    #[cold]
    fn ask_largest(&self) {
        let mut holders = self.holders.borrow_mut();
        let largest = holders
            .iter_mut()
            .flatten()
            .max_by_key(|holder| holder.bytes);
        if let Some(holder) = largest {
            holder.is_asked = true;
            holder.socket.touch();
        }
    }

    fn take_asked(&self, place: usize) -> bool {
        let mut holders = self.holders.borrow_mut();
        let holder = holders.get_mut(place).and_then(Option::as_mut);
        holder.is_some_and(|holder| std::mem::take(&mut holder.is_asked)) && self.is_over()
    }
}

/// Registration of a connection in the shard's memory accounting; dropping it removes its bytes.
pub(crate) struct Seat {
    pub(crate) valve: Rc<Valve>,
    place: usize,
    bytes: usize,
}

impl Seat {
    /// Registers the connection on `socket`.
    pub(crate) fn take(valve: Rc<Valve>, socket: SocketHandle) -> Self {
        let holder = Some(Holder {
            bytes: 0,
            socket,
            is_pressed: false,
            is_asked: false,
        });
        let mut holders = valve.memory.holders.borrow_mut();
        let place = match holders.iter().position(Option::is_none) {
            Some(place) => {
                holders[place] = holder;
                place
            }
            None => {
                holders.push(holder);
                holders.len() - 1
            }
        };
        drop(holders);
        Self {
            valve,
            place,
            bytes: 0,
        }
    }

    /// Records the bytes that the connection holds, and whether some of its calls wait for memory.
    /// Returns true if a call of this connection is to be ended.
    #[inline]
    pub(crate) fn recount(&mut self, bytes: usize, waits: impl FnOnce() -> bool) -> bool {
        let memory = &self.valve.memory;
        let is_short = memory.level.get() != Pressure::None;
        if bytes != self.bytes || is_short {
            self.bytes = bytes;
            memory.recount(self.place, bytes, is_short && waits());
        }
        if memory.is_over() {
            memory.ask_largest();
            return memory.take_asked(self.place);
        }
        false
    }

    /// Returns the memory pressure of the shard on this connection.
    #[inline(always)]
    pub(crate) fn pressure(&self) -> Pressure {
        match self.valve.memory.level.get() {
            Pressure::None => Pressure::None,
            _ => self.valve.memory.press(self.place),
        }
    }

    /// Returns the largest number of bytes that the connections of the shard may hold together.
    pub(crate) fn bytes_max(&self) -> usize {
        self.valve.memory.bytes_max
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        let memory = &self.valve.memory;
        memory.recount(self.place, 0, false);
        if let Some(holder) = memory.holders.borrow_mut().get_mut(self.place) {
            *holder = None;
        }
    }
}
