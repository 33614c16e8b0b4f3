//! Flow-control windows (RFC 9113 §5.2, §6.9), arithmetic checked on both edges.

/// The largest window there may be: 2^31 − 1 bytes.
pub(crate) const WINDOW_BYTES_MAX: u32 = 0x7fff_ffff;

/// The window each side starts with.
pub(crate) const WINDOW_BYTES_INITIAL: u32 = 65_535;

/// How many bytes a side may send. A change of SETTINGS_INITIAL_WINDOW_SIZE can make it negative.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Window(i32);

impl Window {
    pub(crate) const fn new(bytes: u32) -> Self {
        assert!(bytes <= WINDOW_BYTES_MAX);
        Self(bytes as i32)
    }

    /// Bytes that may be sent now: never negative.
    pub(crate) fn available(self) -> usize {
        self.0.max(0) as usize
    }

    /// Takes `bytes` off. False, and unchanged, when they exceed the window.
    pub(crate) fn consume(&mut self, bytes: usize) -> bool {
        if bytes > self.available() {
            return false;
        }
        self.0 -= bytes as i32;
        true
    }

    /// Adds a WINDOW_UPDATE. False when the window would pass 2^31 − 1 (§6.9.1).
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

/// Receive side: what the peer may still send, and the credit not yet announced to it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct ReceiveWindow {
    window: Window,
    size: u32,
    owed: u32,
}

impl ReceiveWindow {
    pub(crate) fn new(size: u32) -> Self {
        Self {
            window: Window::new(size),
            size,
            owed: 0,
        }
    }

    /// A stream's window while our SETTINGS are not acknowledged: a peer that has not seen them
    /// yet may use the initial window, even if ours is smaller (§6.5.3).
    pub(crate) fn unsettled(size: u32) -> Self {
        Self {
            window: Window::new(size.max(WINDOW_BYTES_INITIAL)),
            size,
            owed: 0,
        }
    }

    /// Our SETTINGS were acknowledged: the window shrinks to what they said, below zero perhaps.
    pub(crate) fn settle(&mut self) {
        let wide = self.size.max(WINDOW_BYTES_INITIAL);
        let shifted = self.window.shift(i64::from(self.size) - i64::from(wide));
        debug_assert!(shifted, "a window shrinks by less than its size");
    }

    /// Bytes that the peer may send now.
    pub(crate) fn available(&self) -> usize {
        self.window.available()
    }

    /// Bytes came. False when the peer overran the window.
    pub(crate) fn consume(&mut self, bytes: usize) -> bool {
        self.window.consume(bytes)
    }

    /// Bytes were consumed by the application; returns an increment worth announcing, if any.
    /// Announcing at half of what is not held back keeps WINDOW_UPDATE rare and the sender busy;
    /// half of the whole would never come while slow readers hold more than the other half.
    pub(crate) fn release(&mut self, bytes: usize) -> Option<u32> {
        self.owe(bytes);
        self.take_due()
    }

    /// Bytes were consumed, to be announced later.
    pub(crate) fn owe(&mut self, bytes: usize) {
        self.owed = self.owed.saturating_add(bytes as u32);
    }

    /// So much is owed that it is worth announcing.
    pub(crate) fn is_due(&self) -> bool {
        let due = self.owed >= self.size / 2 || self.owed as usize >= self.window.available();
        self.owed > 0 && due
    }

    /// The increment to announce now, if it is worth it.
    pub(crate) fn take_due(&mut self) -> Option<u32> {
        if !self.is_due() {
            return None;
        }
        let owed = core::mem::take(&mut self.owed);
        let grown = self.window.grow(owed);
        debug_assert!(grown, "only consumed bytes are released");
        Some(owed)
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
    fn credit_is_announced_at_half_of_the_window() {
        let mut window = ReceiveWindow::new(100);
        assert!(window.consume(60));
        assert_eq!(window.release(39), None);
        assert_eq!(window.release(1), Some(40), "20 of 100 are held");
        assert_eq!(window.release(10), None);
        assert!(window.consume(80));
        assert!(!window.consume(1));
        assert_eq!(window.release(1), Some(11), "nothing is left to send");
        let mut tiny = ReceiveWindow::new(1);
        assert_eq!(tiny.release(0), None);
    }

    #[test]
    fn a_small_window_binds_once_it_is_settled() {
        let mut window = ReceiveWindow::unsettled(100);
        assert!(window.consume(150));
        window.settle();
        assert!(!window.consume(1));
        assert_eq!(window.release(150), Some(150));
        assert!(!window.consume(101));
        assert!(window.consume(100));
    }
}
