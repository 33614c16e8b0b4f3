//! Lower bound of every comparison: a protocol that echoes its input.

use std::time::Duration;

use corespun_runtime::{Flow, Input, Protocol};

use crate::unsent::Unsent;

/// Bytes that a peer may have sent without reading the echo; above it the socket is closed.
pub const UNSENT_BYTES_MAX: usize = 4 << 20;

/// Protocol that echoes its input, and closes when the peer has closed.
#[derive(Debug, Default)]
pub struct Echo {
    unsent: Unsent,
    ended: bool,
}

impl Protocol for Echo {
    fn receive(&mut self, _now: Duration, input: Input<'_>) {
        let Input::Bytes(bytes) = input else {
            self.ended = true;
            return;
        };
        if self.unsent.len() + bytes.len() > UNSENT_BYTES_MAX {
            self.ended = true;
            return;
        }
        self.unsent.buffer().extend_from_slice(bytes);
    }

    fn advance(&mut self, _now: Duration) {}

    fn transmit(&mut self, out: &mut Vec<u8>) -> Flow {
        self.unsent.transmit(out);
        if self.ended { Flow::Close } else { Flow::Open }
    }

    fn deadline(&self) -> Option<Duration> {
        None
    }

    fn drain(&mut self, _now: Duration) {
        self.ended = true;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Duration = Duration::ZERO;

    #[test]
    fn sends_back_what_it_receives() {
        let mut echo = Echo::default();
        let mut out = Vec::new();
        echo.receive(NOW, Input::Bytes(b"one"));
        echo.receive(NOW, Input::Bytes(b"two"));
        assert_eq!(echo.transmit(&mut out), Flow::Open);
        echo.receive(NOW, Input::Bytes(b"three"));
        assert_eq!(echo.transmit(&mut out), Flow::Open);
        assert_eq!(out, b"onetwothree");
        assert_eq!(
            echo.unsent.capacity(),
            0,
            "an idle connection owns no buffer"
        );
    }

    #[test]
    fn closes_after_the_last_echo() {
        for end in [
            |echo: &mut Echo| echo.receive(NOW, Input::End),
            |echo: &mut Echo| echo.drain(NOW),
        ] {
            let mut echo = Echo::default();
            let mut out = Vec::new();
            echo.receive(NOW, Input::Bytes(b"last"));
            end(&mut echo);
            assert_eq!(
                (echo.transmit(&mut out), out),
                (Flow::Close, b"last".to_vec())
            );
        }
    }

    #[test]
    fn a_peer_that_never_reads_is_cut_off() {
        let mut echo = Echo::default();
        echo.receive(NOW, Input::Bytes(&vec![0; UNSENT_BYTES_MAX]));
        assert_eq!(echo.transmit(&mut Vec::new()), Flow::Open);
        echo.receive(NOW, Input::Bytes(&vec![0; UNSENT_BYTES_MAX]));
        echo.receive(NOW, Input::Bytes(b"x"));
        assert_eq!(echo.transmit(&mut Vec::new()), Flow::Close);
    }
}
