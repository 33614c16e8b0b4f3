//! Closed streams, and frames that still arrive on them.

use alloc::boxed::Box;
use core::time::Duration;

use super::abuse::LATE_DATA_BYTES;
use super::receive::Report;
use super::{Connection, Role};
use crate::error::{ConnectionError, ErrorCode};
use crate::frame::{FrameHead, flag};

/// Number of latest stream identifiers whose resets are remembered, in multiples of 64.
const WORDS: usize = 64;
const KNOWN: u32 = (WORDS * 64) as u32;

/// Way in which a stream ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Ending {
    /// This end closed the stream before the peer, or the record is too old: frames that the peer
    /// sent before it knew are no fault (RFC 9113 §5.1, §6.8).
    Early,
    /// The peer reset the stream.
    ByPeer,
    /// Both sides ended the stream with END_STREAM, or it was never open.
    Clean,
}

/// Record of the streams that either side has reset recently: one bit each, in a fixed amount of
/// memory.
#[derive(Debug, Default)]
pub(super) struct RecentResets {
    /// Bit rows, allocated with the first reset.
    rows: Option<Box<Rows>>,
    /// Index of the latest stream; identifiers of one side are two apart.
    top: u32,
}

#[derive(Clone, Debug)]
struct Rows {
    local: [u64; WORDS],
    peer: [u64; WORDS],
}

impl RecentResets {
    /// Records a stream that this end has reset, or ended before the peer.
    pub(super) fn push(&mut self, stream: u32) {
        self.note(stream, |rows| &mut rows.local);
    }

    /// Records a stream that the peer has reset.
    pub(super) fn push_peer(&mut self, stream: u32) {
        self.note(stream, |rows| &mut rows.peer);
    }

    fn note(&mut self, stream: u32, row: impl Fn(&mut Rows) -> &mut [u64; WORDS]) {
        let place = stream >> 1;
        let none = Rows {
            local: [0; WORDS],
            peer: [0; WORDS],
        };
        let rows = self.rows.get_or_insert_with(|| Box::new(none.clone()));
        if place > self.top {
            if place - self.top >= KNOWN {
                **rows = none;
            } else {
                for passed in self.top + 1..=place {
                    let (word, bit) = (word(passed), bit(passed));
                    rows.local[word] &= !bit;
                    rows.peer[word] &= !bit;
                }
            }
            self.top = place;
        }
        if self.top - place < KNOWN {
            row(rows)[word(place)] |= bit(place);
        }
    }

    fn ending(&self, stream: u32) -> Ending {
        let place = stream >> 1;
        let Some(rows) = self.rows.as_ref().filter(|_| place <= self.top) else {
            return Ending::Clean;
        };
        let is_in = |row: &[u64; WORDS]| row[word(place)] & bit(place) != 0;
        if self.top - place >= KNOWN || is_in(&rows.local) {
            Ending::Early
        } else if is_in(&rows.peer) {
            Ending::ByPeer
        } else {
            Ending::Clean
        }
    }
}

fn word(place: u32) -> usize {
    (place / 64) as usize % WORDS
}

fn bit(place: u32) -> u64 {
    1 << (place % 64)
}

impl Connection {
    /// Returns how a stream that is closed, or was refused, has ended.
    pub(super) fn ending(&self, stream: u32) -> Ending {
        match self.role == Role::Server && self.shutdown.refuses(stream) {
            true => Ending::Early,
            false => self.ids.resets.ending(stream),
        }
    }

    /// Handles DATA on a closed stream; the connection's window was debited for it.
    #[cold]
    pub(super) fn on_late_data(&mut self, now: Duration, head: &FrameHead) -> Report<'static> {
        let ending = self.ending(head.stream);
        if ending != Ending::Early {
            let rule = "DATA came on a closed stream (RFC 9113 section 6.1)";
            return self.on_ended_stream(now, head.stream, ending, rule);
        }
        if head.len < LATE_DATA_BYTES || head.has(flag::END_STREAM) {
            self.abuse.on_late_frame(now)?;
        }
        Ok(None)
    }

    /// Handles a frame on a stream that the peer itself has ended. It is a stream error while other
    /// streams are open, else a connection error as RFC 9113 §5.1 demands.
    #[cold]
    pub(super) fn on_ended_stream(
        &mut self,
        now: Duration,
        stream: u32,
        ending: Ending,
        rule: &'static str,
    ) -> Report<'static> {
        if ending == Ending::Clean && self.streams.len() == 0 {
            return Err(ConnectionError::peer(ErrorCode::STREAM_CLOSED, rule));
        }
        self.stream_fault(now, stream, ErrorCode::STREAM_CLOSED)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_latest_are_told_apart_and_the_rest_is_forgiven() {
        let mut resets = RecentResets::default();
        assert_eq!(resets.ending(1), Ending::Clean);
        resets.push(1);
        resets.push_peer(3);
        let check = |resets: &RecentResets, stream, expected| {
            assert_eq!(resets.ending(stream), expected, "{stream}");
        };
        check(&resets, 1, Ending::Early);
        check(&resets, 3, Ending::ByPeer);
        check(&resets, 5, Ending::Clean);
        resets.push(1 + 2 * (KNOWN - 1));
        check(&resets, 1, Ending::Early);
        check(&resets, 3, Ending::ByPeer);
        check(&resets, 5, Ending::Clean);
        resets.push_peer(3 + 2 * KNOWN);
        check(&resets, 3, Ending::Early);
        check(&resets, 5, Ending::Clean);
        check(&resets, 3 + 2 * KNOWN, Ending::ByPeer);
        resets.push(1);
        check(&resets, 1 + 2 * KNOWN, Ending::Clean);
        resets.push(0x7fff_ffff);
        check(&resets, 0x7fff_fffd, Ending::Clean);
        check(&resets, 3 + 2 * KNOWN, Ending::Early);
    }

    #[test]
    fn each_of_many_is_remembered_in_place() {
        let mut resets = RecentResets::default();
        for stream in (1..100_000).step_by(2) {
            match stream % 3 {
                0 => resets.push(stream),
                1 => resets.push_peer(stream),
                _ => {}
            }
            let expected = [Ending::Early, Ending::ByPeer, Ending::Clean];
            for back in 0..100u32 {
                let Some(earlier) = stream.checked_sub(2 * back) else {
                    break;
                };
                let ending = resets.ending(earlier);
                assert_eq!(ending, expected[earlier as usize % 3], "{earlier}");
            }
        }
    }
}
