//! An echo service to test against.

use std::time::Duration;

use corespun_runtime::{
    Address, Flow, Input, Peer, Protocol, Running, RuntimeBuilder, SocketHandle,
};

/// Behaviour of an [`Echo`] beyond echoing.
#[derive(Debug, Clone, Copy, Default)]
pub struct Manner {
    /// Closes after the first bytes were echoed.
    pub close_after_first: bool,
    /// Panics on this byte.
    pub panic_on: Option<u8>,
    /// Does not close when drained.
    pub ignore_drain: bool,
}

/// Sends back what it gets, until the peer has no more.
pub struct Echo {
    output: Vec<u8>,
    ended: bool,
    manner: Manner,
}

impl Echo {
    pub fn boxed(manner: Manner) -> Box<dyn Protocol> {
        Box::new(Self {
            output: Vec::new(),
            ended: false,
            manner,
        })
    }
}

impl Protocol for Echo {
    fn receive(&mut self, _now: Duration, input: Input<'_>) {
        match input {
            Input::Bytes(bytes) => {
                if let Some(fatal) = self.manner.panic_on {
                    assert!(!bytes.contains(&fatal), "panicking as told");
                }
                if self.output.capacity() == 0 {
                    self.output = corespun_runtime::take_buffer();
                }
                self.output.extend_from_slice(bytes);
                self.ended |= self.manner.close_after_first;
            }
            Input::End => self.ended = true,
        }
    }

    fn advance(&mut self, _now: Duration) {}

    fn transmit(&mut self, out: &mut Vec<u8>) -> Flow {
        if out.is_empty() && !self.output.is_empty() {
            std::mem::swap(out, &mut self.output);
            corespun_runtime::give_buffer(std::mem::take(&mut self.output));
        } else {
            out.append(&mut self.output);
        }
        if self.ended { Flow::Close } else { Flow::Open }
    }

    fn deadline(&self) -> Option<Duration> {
        None
    }

    fn drain(&mut self, _now: Duration) {
        self.ended |= !self.manner.ignore_drain;
    }

    fn cut(&mut self, _now: Duration) {
        self.output.extend_from_slice(b"cut");
    }
}

/// An echo service on `addresses`.
pub fn start_echo(builder: RuntimeBuilder, addresses: &[Address], manner: Manner) -> Running {
    let builder = addresses
        .iter()
        .fold(builder, |builder, address| builder.listen(address.clone()));
    let started = builder.start(move |_| {
        let accept = move |_: Peer, _: SocketHandle| Echo::boxed(manner);
        Ok(Box::new(accept))
    });
    started.expect("the echo service starts")
}

/// A port of the kernel's choice.
pub fn any_port() -> Address {
    "127.0.0.1:0".parse().expect("an address")
}
