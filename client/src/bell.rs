//! What calls leave for their connection, and the touch that makes it look.

use std::cell::RefCell;
use std::mem;

use corespun_codec::pipe::Doorbell;
use corespun_runtime::SocketHandle;

/// One per connection, shared with its calls.
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

    /// Exchanges what was rung with `scratch`, which is empty.
    pub(crate) fn swap_rung(&self, scratch: &mut Vec<u64>) {
        debug_assert!(scratch.is_empty());
        mem::swap(&mut *self.rung.borrow_mut(), scratch);
    }

    /// Asks for another turn of the connection.
    pub(crate) fn touch(&self) {
        self.socket.touch();
    }

    /// Ends the socket after what is in the output now.
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
