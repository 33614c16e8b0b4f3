//! Work that calls leave for their connection, and the wakeup that makes the connection collect it.

use std::cell::RefCell;
use std::mem;

use corespun_codec::pipe::Doorbell;
use corespun_runtime::SocketHandle;

/// Wakeup list of one connection, shared with its calls.
pub(crate) struct Bell {
    socket: SocketHandle,
    rung: RefCell<Vec<u64>>,
}

impl Bell {
    pub(crate) fn new(socket: SocketHandle) -> Self {
        Self {
            socket,
            rung: RefCell::default(),
        }
    }

    /// Swaps the list of stream tokens that asked for service with `scratch`, which is empty.
    pub(crate) fn swap_rung(&self, scratch: &mut Vec<u64>) {
        debug_assert!(scratch.is_empty());
        mem::swap(&mut *self.rung.borrow_mut(), scratch);
    }

    /// Requests another turn of the connection.
    pub(crate) fn touch(&self) {
        self.socket.touch();
    }

    /// Closes the socket once the current output is sent.
    pub(crate) fn close(&self) {
        self.socket.close();
    }
}

impl Doorbell for Bell {
    fn ring(&self, token: u64) {
        self.rung.borrow_mut().push(token);
        self.socket.touch();
    }
}
