//! Start of calls that are due, as soon as a stream is free.

use std::time::Duration;

use corespun_codec::{Kind, MetadataMap};
use corespun_http2::hpack::{Field, Indexing};
use corespun_http2::{BlockCache, Connection, OpenError, StreamKey};

use super::LoadConnection;
use crate::call::Call as Made;
use crate::error::LoadError;
use crate::lane::Call;

/// Reason that a due call was not sent.
enum Refusal {
    /// No stream could be opened.
    Stream(OpenError),
    /// No request could be made.
    Request(LoadError),
}

impl LoadConnection {
    /// Returns true if a due call could start here.
    pub(super) fn may_start(&self) -> bool {
        !self.over
            && !self.retiring
            && self.http2.is_established()
            && self.http2.can_open()
            && self.lane.borrow().may_start(self.berth)
    }

    /// Sends every due call for which a stream is free.
    pub(super) fn start_due(&mut self, now: Duration) {
        if self.was_full && self.may_start() {
            self.room_since = now;
        }
        self.start_while_room(now);
        self.was_full = !self.may_start();
    }

    fn start_while_room(&mut self, now: Duration) {
        let phases = self.core.phases.get();
        while self.may_start() {
            let due = self.lane.borrow_mut().due(now, &phases);
            let Some(intended) = due else { return };
            if !self.core.take_call(intended) {
                return;
            }
            let started = self.start(intended, now);
            if started.is_err() {
                self.core.give_back(intended);
            }
            match started {
                Ok(()) => {}
                Err(Refusal::Stream(OpenError::AtPeerLimit)) => return,
                Err(Refusal::Stream(_)) => self.retire(),
                Err(Refusal::Request(error)) => return self.core.fail(error),
            }
        }
    }

    fn start(&mut self, intended: Duration, now: Duration) -> Result<(), Refusal> {
        let mix = &self.core.plan.mix;
        let (place, number) = self.lane.borrow_mut().chooser.next(mix);
        let made = &mix.calls()[place];
        let mut rng = self.core.rng.borrow_mut();
        let varying = made.varying.fill(number, &mut rng);
        let varying = varying.map_err(Refusal::Request)?;
        let frame = match made.kind.client_streams() {
            true => None,
            false => {
                let frame = made.payloads.frame(number, &mut rng, &mut self.scratch);
                Some(frame.map_err(Refusal::Request)?)
            }
        };
        let block = &mut self.blocks[place];
        let stream = open(&mut self.http2, made, block, &varying).map_err(Refusal::Stream)?;
        if let Some(frame) = frame {
            match self.http2.data_in_place(stream, frame.len(), true) {
                Some(out) => out.extend_from_slice(frame),
                None => self.http2.send_data(stream, frame, true),
            }
        }
        drop(rng);
        let mut call = Call::new(stream, place, intended, now);
        call.ready = intended.max(self.room_since);
        if let Some(timeout) = made.timeout {
            call.deadline = now + timeout;
            self.expiry = self.expiry.into_iter().chain([call.deadline]).min();
        }
        call.validated = self.validator.wants(stream, self.core.validating(now));
        self.lane.borrow_mut().sent(self.berth, call);
        if made.kind != Kind::Unary {
            self.begin_exchange(stream, place, number, now);
        }
        Ok(())
    }
}

/// Sends the head of a call. Fields that are equal in all calls are encoded once.
fn open(
    http2: &mut Connection,
    made: &Made,
    block: &mut BlockCache,
    varying: &MetadataMap,
) -> Result<StreamKey, OpenError> {
    let fields = made.fields.iter().map(|(name, value)| Field {
        name,
        value,
        indexing: Indexing::Index,
    });
    if varying.is_empty() {
        return http2.open(fields, Some(block), false);
    }
    let varying = varying.fields().map(|(name, value)| Field {
        name,
        value,
        indexing: Indexing::Literal,
    });
    http2.open_in_parts(fields, block, varying, false)
}
