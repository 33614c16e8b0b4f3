//! Memory that the connections of a shard keep for their peers, and who gets what is left.
//!
//! Below three quarters of the bound every connection goes by its own limits. Above, windows are
//! small, and only one connection at a time gets credit for messages that are larger; at the bound
//! no window is given back and no call is started, except on that one connection, so that somebody
//! always goes on. Above that, with room for one message more, the call that keeps most ends.

use std::cell::{Cell, RefCell};
use std::rc::Rc;

use corespun_http2::Pressure;
use corespun_runtime::SocketHandle;

use super::Valve;

/// Memory that one connection keeps.
#[derive(Debug)]
struct Holder {
    bytes: usize,
    socket: SocketHandle,
    /// It was told of a shortage, and is to be told of its end.
    is_pressed: bool,
    /// It keeps most, and is to end a call.
    is_asked: bool,
}

/// The bytes of all connections.
#[derive(Debug)]
pub(super) struct Memory {
    bytes: Cell<usize>,
    bytes_max: usize,
    /// Bytes at which waiting is no longer enough.
    bytes_cut: usize,
    holders: RefCell<Vec<Option<Holder>>>,
    /// The connection that goes on while memory is short.
    favoured: Cell<Option<usize>>,
    /// Pressure on connections that are not favoured.
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

    /// More is kept than waiting could hold back.
    #[inline(always)]
    pub(super) fn is_over(&self) -> bool {
        self.bytes.get() > self.bytes_cut
    }

    /// Shortage by what is kept now; it ends a little below where it begins.
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

    /// Notes what a connection keeps, and whether some of its calls wait.
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
            // Those who wait look again.
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

    /// Asks the connection that keeps most to end a call.
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

/// A connection's place among those that share a valve; its bytes go with it.
pub(crate) struct Seat {
    pub(crate) valve: Rc<Valve>,
    place: usize,
    bytes: usize,
}

impl Seat {
    /// A place for the connection on `socket`.
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

    /// Notes that the connection keeps `bytes` now, and whether some of its calls wait for memory.
    /// True if a call of this connection is to end for the others' sake.
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

    /// Shortage of memory in the shard, as far as it concerns this connection.
    #[inline(always)]
    pub(crate) fn pressure(&self) -> Pressure {
        match self.valve.memory.level.get() {
            Pressure::None => Pressure::None,
            _ => self.valve.memory.press(self.place),
        }
    }

    /// Most bytes that the shard's connections may keep together.
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
