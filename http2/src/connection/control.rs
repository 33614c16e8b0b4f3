//! Frames about the connection and its windows: SETTINGS, PING, WINDOW_UPDATE, RST_STREAM, GOAWAY,
//! PRIORITY.
//!
//! None of their handlers is inlined: a call has none of these frames, and the inlined code would
//! spill registers in [`Connection::receive`] for the frames that a call does have.

use core::time::Duration;

use super::receive::Report;
use super::shutdown::TOO_MANY_PINGS;
use super::time::Timer;
use super::{Connection, Role};
use crate::error::{ConnectionError, ErrorCode};
use crate::event::Event;
use crate::frame::payload::{self, word};
use crate::frame::{FrameHead, flag, write};
use crate::limits::Limit;
use crate::settings::id;

impl Connection {
    #[inline(never)]
    pub(super) fn on_settings(
        &mut self,
        now: Duration,
        head: &FrameHead,
        payload: &[u8],
    ) -> Report<'static> {
        if head.has(flag::ACK) {
            if payload.is_empty() {
                if self.settled {
                    self.abuse.charge_glitches(now, 1)?;
                }
                self.settle();
                return Ok(None);
            }
            return Err(ConnectionError::frame_size(
                "a SETTINGS acknowledgement has a payload (RFC 9113 section 6.5)",
            ));
        }
        if !payload.len().is_multiple_of(6) {
            return Err(ConnectionError::frame_size(
                "the length of SETTINGS is no multiple of six (RFC 9113 section 6.5)",
            ));
        }
        if payload.len() / 6 > self.limits.settings_entries_max {
            return Err(ConnectionError::limit(Limit::SettingsEntries));
        }
        let before = self.peer;
        self.peer.apply(payload, self.role == Role::Client)?;
        // One by one, because the smallest of several must be told to the peer (RFC 7541 §4.2).
        for (identifier, value) in payload::settings(payload) {
            if identifier == id::HEADER_TABLE_SIZE {
                self.sender.encoder.set_peer_table_max(value as usize);
            }
        }
        let shift =
            i64::from(self.peer.window_bytes_initial) - i64::from(before.window_bytes_initial);
        let shifted_streams = if shift == 0 { 0 } else { self.streams.len() };
        self.abuse.on_settings(now, shifted_streams)?;
        if shift != 0 {
            self.shift_send_windows(shift)?;
        }
        if !self.reader.is_established {
            self.reader.is_established = true;
            self.on_established();
        }
        self.abuse.on_reply(&self.limits)?;
        write::settings_ack(&mut self.sender.out);
        Ok(Some(Event::SettingsChanged))
    }

    /// Applies our SETTINGS once they are acknowledged. This end sends only the one SETTINGS frame
    /// at the start.
    fn settle(&mut self) {
        if !core::mem::replace(&mut self.settled, true) {
            self.timers.clear(Timer::SettingsAck);
            let mut keys = alloc::vec::Vec::new();
            for (key, stream) in self.streams.iter_mut() {
                stream.receive_window.settle();
                keys.push(key);
            }
            // A window that has shrunk below what was read of it owes credit by now.
            for key in keys {
                self.release(key, 0);
            }
        }
    }

    /// Applies a change of SETTINGS_INITIAL_WINDOW_SIZE to every open stream (RFC 9113 §6.9.2).
    fn shift_send_windows(&mut self, shift: i64) -> Result<(), ConnectionError> {
        for (key, stream) in self.streams.iter_mut() {
            if !stream.send_window.shift(shift) {
                return Err(ConnectionError::flow_control(
                    "a new INITIAL_WINDOW_SIZE overflows a window (RFC 9113 section 6.9.2)",
                ));
            }
            if stream.wants_turn() {
                stream.listed = true;
                self.sender.ready.push_back(key);
            }
        }
        Ok(())
    }

    #[inline(never)]
    pub(super) fn on_ping(
        &mut self,
        now: Duration,
        head: &FrameHead,
        payload: &[u8],
    ) -> Report<'static> {
        let Ok(opaque) = <[u8; 8]>::try_from(payload) else {
            return Err(ConnectionError::frame_size(
                "PING is not eight bytes long (RFC 9113 section 6.7)",
            ));
        };
        if head.has(flag::ACK) {
            let opaque = u64::from_be_bytes(opaque);
            if self.on_probe_ack(opaque) {
                return Ok(None);
            }
            self.on_drain_ping_ack(opaque);
            return Ok(Some(Event::PingAck(opaque)));
        }
        self.abuse.on_ping(now, self.streams.len() > 0)?;
        self.abuse.on_reply(&self.limits)?;
        write::ping(&mut self.sender.out, payload, true);
        Ok(None)
    }

    #[inline(never)]
    pub(super) fn on_window_update(
        &mut self,
        now: Duration,
        head: &FrameHead,
        payload: &[u8],
    ) -> Report<'static> {
        if payload.len() != 4 {
            return Err(ConnectionError::frame_size(
                "WINDOW_UPDATE is not four bytes long (RFC 9113 section 6.9)",
            ));
        }
        let available = self.sender.window.available();
        self.abuse.on_window_update(now, available)?;
        let increment = word(payload) & 0x7fff_ffff;
        if head.stream == 0 {
            return self.on_connection_credit(increment);
        }
        let Some(key) = self.streams.find(head.stream) else {
            if self.is_idle(head.stream) {
                return Err(ConnectionError::protocol(
                    "WINDOW_UPDATE came on an idle stream (RFC 9113 section 5.1)",
                ));
            }
            return Ok(None);
        };
        if increment == 0 {
            return self.stream_fault(now, key.id, ErrorCode::PROTOCOL_ERROR);
        }
        let Some(stream) = self.streams.at_mut(key) else {
            return Ok(None);
        };
        if !stream.send_window.grow(increment) {
            return self.stream_fault(now, key.id, ErrorCode::FLOW_CONTROL_ERROR);
        }
        self.stand_in_line(key);
        Ok(None)
    }

    fn on_connection_credit(&mut self, increment: u32) -> Report<'static> {
        if increment == 0 {
            return Err(ConnectionError::protocol(
                "WINDOW_UPDATE adds nothing to the connection (RFC 9113 section 6.9)",
            ));
        }
        if !self.sender.window.grow(increment) {
            return Err(ConnectionError::flow_control(
                "the connection's send window overflows (RFC 9113 section 6.9.1)",
            ));
        }
        self.abuse.on_credit(increment);
        Ok(None)
    }

    #[inline(never)]
    pub(super) fn on_reset(
        &mut self,
        now: Duration,
        head: &FrameHead,
        payload: &[u8],
    ) -> Report<'static> {
        if payload.len() != 4 {
            return Err(ConnectionError::frame_size(
                "RST_STREAM is not four bytes long (RFC 9113 section 6.4)",
            ));
        }
        let Some(key) = self.streams.find(head.stream) else {
            if self.is_idle(head.stream) {
                return Err(ConnectionError::protocol(
                    "RST_STREAM came on an idle stream (RFC 9113 section 5.1)",
                ));
            }
            return self.abuse.on_late_frame(now).map(|()| None);
        };
        self.charge_waste(now, Some(key))?;
        self.ids.resets.push_peer(key.id);
        self.remove_stream(key);
        let code = ErrorCode(word(payload));
        Ok(Some(Event::Reset {
            stream: key,
            code,
            local: false,
        }))
    }

    #[inline(never)]
    pub(super) fn on_go_away(&mut self, payload: &[u8]) -> Report<'static> {
        let Some((fixed, debug)) = payload.split_at_checked(8) else {
            return Err(ConnectionError::frame_size(
                "GOAWAY is shorter than eight bytes (RFC 9113 section 6.8)",
            ));
        };
        self.abuse.on_go_away(&self.limits, debug.len())?;
        let last = word(fixed) & 0x7fff_ffff;
        let code = ErrorCode(word(&fixed[4..]));
        if self.shutdown.peer_last.is_some_and(|before| last > before) {
            return Err(ConnectionError::protocol(
                "GOAWAY raises its last stream (RFC 9113 section 6.8)",
            ));
        }
        self.shutdown.peer_last = Some(last);
        self.shutdown.is_told_off |=
            code == ErrorCode::ENHANCE_YOUR_CALM && debug == TOO_MANY_PINGS;
        self.shutdown.note_peer(code, debug);
        Ok(Some(Event::GoAway { last, code }))
    }

    #[inline(never)]
    pub(super) fn on_priority(
        &mut self,
        now: Duration,
        head: &FrameHead,
        payload: &[u8],
    ) -> Report<'static> {
        let (code, rule) = if payload.len() != 5 {
            let rule = "PRIORITY is not five bytes long (RFC 9113 section 6.3)";
            (ErrorCode::FRAME_SIZE_ERROR, rule)
        } else if payload::dependency(payload) == Some(head.stream) {
            let rule = "a stream depends on itself (RFC 7540 section 5.3.1)";
            (ErrorCode::PROTOCOL_ERROR, rule)
        } else {
            return self.abuse.charge_glitches(now, 1).map(|()| None);
        };
        // RST_STREAM is not allowed on an idle stream (RFC 9113 section 6.4).
        if self.is_idle(head.stream) {
            return Err(ConnectionError::peer(code, rule));
        }
        self.stream_fault(now, head.stream, code)
    }
}
