//! The link: bytes in flight one way, any segmentation, any delay, perhaps cut at any byte; and a
//! tally of the frames that went in, read by the tests' own rules.

use std::collections::VecDeque;

use crate::random::Random;

const PREFACE_BYTES: usize = 24;

/// One direction.
#[derive(Default)]
pub(crate) struct Link {
    flight: VecDeque<u8>,
    /// Bytes that still pass before the link is cut.
    pub(crate) cut_after: Option<usize>,
    pub(crate) tally: Tally,
}

/// What went in, in bytes of flow control.
#[derive(Default)]
pub(crate) struct Tally {
    started: bool,
    /// Payload of DATA.
    pub(crate) data: u64,
    /// WINDOW_UPDATE on the connection.
    pub(crate) credit: u64,
    /// SETTINGS without ACK.
    pub(crate) settings: u32,
}

impl Tally {
    fn count(&mut self, mut bytes: &[u8], from_client: bool) {
        if from_client && !self.started && !bytes.is_empty() {
            self.started = true;
            bytes = &bytes[PREFACE_BYTES..];
        }
        while let [a, b, c, kind, flags, s0, s1, s2, s3, rest @ ..] = bytes {
            let len = u32::from_be_bytes([0, *a, *b, *c]) as usize;
            let stream = u32::from_be_bytes([*s0, *s1, *s2, *s3]);
            let payload = &rest[..len];
            match kind {
                0 => self.data += len as u64,
                8 if stream == 0 => {
                    let word = payload.try_into().expect("four bytes");
                    self.credit += u64::from(u32::from_be_bytes(word));
                }
                4 if flags & 1 == 0 => self.settings += 1,
                _ => {}
            }
            bytes = &rest[len..];
        }
        assert!(bytes.is_empty(), "output ends within a frame");
    }
}

impl Link {
    /// Puts whole frames in.
    pub(crate) fn send(&mut self, bytes: &[u8], from_client: bool) {
        self.tally.count(bytes, from_client);
        self.flight.extend(bytes);
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.flight.is_empty()
    }

    pub(crate) fn is_cut(&self) -> bool {
        self.cut_after == Some(0)
    }

    /// Some of the bytes in flight, in order.
    pub(crate) fn deliver(&mut self, random: &mut Random) -> Vec<u8> {
        let most = [1, 10, 200, 5_000, 1 << 20][random.below(5)];
        let mut len = self.flight.len().min(1 + random.below(most));
        if let Some(left) = &mut self.cut_after {
            len = len.min(*left);
            *left -= len;
        }
        self.flight.drain(..len).collect()
    }
}
