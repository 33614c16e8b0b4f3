//! Flow-control windows (RFC 9113 §5.2, §6.9), with checked arithmetic.

/// Largest flow-control window: 2^31 − 1 bytes.
pub(crate) const WINDOW_BYTES_MAX: u32 = 0x7fff_ffff;

/// Flow-control window that each side starts with, in bytes.
pub(crate) const WINDOW_BYTES_INITIAL: u32 = 65_535;

/// Flow-control window for sending, in bytes. A change of SETTINGS_INITIAL_WINDOW_SIZE can make it
/// negative.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Window(i32);

impl Window {
    pub(crate) const fn new(bytes: u32) -> Self {
        assert!(bytes <= WINDOW_BYTES_MAX);
        Self(bytes as i32)
    }

    /// Returns the bytes that may be sent now; never negative.
    pub(crate) fn available(self) -> usize {
        self.0.max(0) as usize
    }

    /// Subtracts `bytes`. Returns `false` and changes nothing if they exceed the window.
    pub(crate) fn consume(&mut self, bytes: usize) -> bool {
        if bytes > self.available() {
            return false;
        }
        self.0 -= bytes as i32;
        true
    }

    /// Adds the increment of a WINDOW_UPDATE. Returns `false` if the window would exceed 2^31 − 1
    /// (§6.9.1).
    pub(crate) fn grow(&mut self, bytes: u32) -> bool {
        self.shift(i64::from(bytes))
    }

    /// Applies a change of the initial size, which may be negative (§6.9.2).
    pub(crate) fn shift(&mut self, bytes: i64) -> bool {
        let sum = i64::from(self.0) + bytes;
        match i32::try_from(sum) {
            Ok(value) => {
                self.0 = value;
                true
            }
            Err(_) => false,
        }
    }
}

/// Flow-control window for receiving. The credit due to the peer is computed from the bytes that
/// are held.
#[derive(Clone, Copy, Debug)]
pub(crate) struct ReceiveWindow {
    window: Window,
    size: u32,
}

impl ReceiveWindow {
    pub(crate) fn new(size: u32) -> Self {
        Self {
            window: Window::new(size),
            size,
        }
    }

    /// Returns a stream's window for the time before the peer acknowledges our SETTINGS: a peer
    /// that has not seen them may use the initial window, even if ours is smaller (§6.5.3).
    pub(crate) fn unsettled(size: u32) -> Self {
        Self {
            window: Window::new(size.max(WINDOW_BYTES_INITIAL)),
            size,
        }
    }

    /// Applies our SETTINGS once they are acknowledged: the window shrinks to their value, and may
    /// become negative.
    pub(crate) fn settle(&mut self) {
        let wide = self.size.max(WINDOW_BYTES_INITIAL);
        let shifted = self.window.shift(i64::from(self.size) - i64::from(wide));
        debug_assert!(shifted, "a window shrinks by less than its size");
    }

    /// Returns the bytes that the peer may send now.
    pub(crate) fn available(&self) -> usize {
        self.window.available()
    }

    /// Returns the size of the window when no bytes are held.
    pub(crate) fn size(&self) -> u32 {
        self.size
    }

    /// Doubles the size, up to `size_max`.
    pub(crate) fn double(&mut self, size_max: u32) {
        self.size = self.size.saturating_mul(2).min(size_max).max(self.size);
    }

    /// Subtracts received bytes. Returns `false` if the peer exceeded the window.
    pub(crate) fn consume(&mut self, bytes: usize) -> bool {
        self.window.consume(bytes)
    }

    /// Returns the bytes missing from the window, with `held` bytes of it in use, up to `size`.
    pub(crate) fn room(&self, held: usize, size: usize) -> usize {
        let used = held as i64 + i64::from(self.window.0);
        usize::try_from(size as i64 - used).unwrap_or(0)
    }

    /// Returns the increment to announce so that the window, with `held` bytes of it in use, has
    /// `size` bytes again; 0 if none is worth a frame. Announcing at half of what is not held keeps
    /// WINDOW_UPDATE rare and the sender busy. Half of the whole window would never be reached
    /// while a slow reader holds more than the other half.
    pub(crate) fn due(&self, held: usize, size: usize) -> usize {
        let room = self.room(held, size);
        match room >= size / 2 || room >= self.window.available() {
            true => room,
            false => 0,
        }
    }

    /// Adds an increment that is announced. Returns the part of it that fits the largest window.
    pub(crate) fn grow(&mut self, bytes: usize) -> u32 {
        let most = i64::from(WINDOW_BYTES_MAX) - i64::from(self.window.0);
        let bytes = (bytes as u64).min(most as u64).min(WINDOW_BYTES_MAX.into()) as u32;
        let grown = self.window.grow(bytes);
        debug_assert!(grown, "an increment within the largest window");
        bytes
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_window_refuses_overrun_and_overflow() {
        let mut window = Window::new(10);
        assert!(!window.consume(11));
        assert!(window.consume(10));
        assert_eq!(window.available(), 0);
        assert!(window.shift(-5));
        assert_eq!(window.available(), 0);
        assert!(!window.consume(1));
        assert!(window.grow(WINDOW_BYTES_MAX));
        assert!(!window.grow(6));
        assert!(window.grow(5));
    }

    #[test]
    fn credit_is_due_at_half_of_what_is_not_held() {
        let mut window = ReceiveWindow::new(100);
        assert!(window.consume(60));
        assert_eq!(window.due(21, 100), 0, "39 are free");
        assert_eq!(window.due(20, 100), 40, "as much as is left to send");
        assert_eq!(window.grow(40), 40);
        assert_eq!(window.due(10, 100), 0);
        assert!(window.consume(80));
        assert!(!window.consume(1));
        assert_eq!(window.due(99, 100), 1, "nothing is left to send");
        assert_eq!(window.due(100, 100), 0);
        assert_eq!(window.due(101, 100), 0, "more is held than the window has");
        assert_eq!(ReceiveWindow::new(1).due(0, 1), 0);
    }

    #[test]
    fn a_window_doubles_up_to_its_bound_and_is_announced_up_to_the_largest() {
        let mut window = ReceiveWindow::new(100);
        window.double(150);
        assert_eq!(window.size(), 150);
        window.double(150);
        assert_eq!(window.size(), 150);
        window.double(10);
        assert_eq!(window.size(), 150, "never smaller");
        assert_eq!(window.due(0, 150), 0);
        assert_eq!(window.grow(usize::MAX), WINDOW_BYTES_MAX - 100);
        assert_eq!(window.grow(1), 0);
    }

    #[test]
    fn a_small_window_binds_once_it_is_settled() {
        let mut window = ReceiveWindow::unsettled(100);
        assert!(window.consume(150));
        assert_eq!(window.due(0, 100), 0);
        window.settle();
        assert!(!window.consume(1));
        assert_eq!(window.due(0, 100), 150);
        assert_eq!(window.grow(150), 150);
        assert!(!window.consume(101));
        assert!(window.consume(100));
    }
}
