//! Reading habits of an end: a part of what came now and then, or whole messages held until then.

use core::fmt::Arguments;

use corespun_http2::Pressure;

use crate::duel::memory::{CALL_BYTES_MAX, measured};
use crate::random::Random;
use crate::side::Side;

/// Habits of reading.
#[derive(Clone, Copy)]
pub(crate) struct Reader {
    /// Size of the messages that are held until they are whole; 0 for none.
    message_bytes: usize,
    /// Percent of turns in which memory elsewhere is short, or is no longer.
    pressure: usize,
}

impl Reader {
    pub(crate) fn new(random: &mut Random) -> Self {
        Self {
            message_bytes: [0, 0, 10, 3_000, 70_000, 200_000][random.below(6)],
            pressure: [0, 0, 5][random.below(3)],
        }
    }
}

impl Side {
    /// Something of a stream was received or asked for: releases messages that are whole, and says
    /// what the next one lacks. False if this end does not read by messages.
    pub(crate) fn read_messages(&mut self, id: u32, note: &mut impl FnMut(Arguments<'_>)) -> bool {
        let size = self.reader.message_bytes;
        if size == 0 {
            return false;
        }
        let stream = &self.streams[&id];
        let (key, ends, held) = (stream.key, stream.end_got, stream.unreleased);
        let whole = if ends { held } else { held / size * size };
        self.release(id, whole, note);
        if !ends && !self.streams[&id].closed {
            self.written += CALL_BYTES_MAX;
            let Self {
                connection, held, ..
            } = self;
            let missing = size - self.streams[&id].unreleased;
            measured(held, || connection.expect(key, missing));
        }
        true
    }

    /// Memory elsewhere gets short or not, as far as the habits go.
    pub(crate) fn change_pressure(&mut self, random: &mut Random) {
        if random.chance(self.reader.pressure) {
            let all = [
                Pressure::None,
                Pressure::Favoured,
                Pressure::Tight,
                Pressure::Closed,
            ];
            self.set_pressure(all[random.below(4)]);
        }
    }

    pub(crate) fn set_pressure(&mut self, pressure: Pressure) {
        let Self {
            connection, held, ..
        } = self;
        measured(held, || connection.set_pressure(pressure));
    }
}
