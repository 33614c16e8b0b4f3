//! Timeouts of incomplete requests, and accounting of exceeded limits.

use std::time::Duration;

use corespun_codec::pipe::Finish;
use corespun_codec::{MetadataMap, Status};
use corespun_http2::{Event, Limit, StreamKey};

use super::Connection;
use super::streams::end;
use crate::call::Call;
use crate::handler::expired;

impl Connection {
    /// Advances the timers of HTTP/2; returns false if that ended the connection.
    pub(super) fn advance_http2(&mut self, now: Duration) -> bool {
        loop {
            match self.http2.advance(now) {
                Ok(Some(Event::Reset { stream, .. })) => {
                    let call = self.take_call(stream);
                    self.drop_call(call);
                }
                Ok(Some(_)) => {}
                Ok(None) => return true,
                Err(error) => {
                    self.tell_end(now, &error);
                    self.abandon();
                    return false;
                }
            }
        }
    }

    /// Adds the limits exceeded since the last call to the shard's counters.
    pub(super) fn count_limit_hits(&mut self) {
        if let Some(hits) = self.http2.take_fresh_limit_hits()
            && let Some(counts) = &self.limit_counts
        {
            counts.add(&hits);
        }
    }

    /// Schedules a check of incomplete requests at `due`.
    pub(super) fn watch(&mut self, due: Duration) {
        let earliest = self.request_due.get_or_insert(due);
        *earliest = due.min(*earliest);
    }

    /// Schedules a progress check of incomplete requests. Costs one comparison for each request,
    /// because an earlier check serves all.
    pub(super) fn watch_progress(&mut self, now: Duration) {
        if self.request_due.is_none() {
            self.request_due = now.checked_add(self.request_progress_max);
        }
    }

    /// Ends the calls whose request did not become complete in time. Examines all calls, because it
    /// runs rarely: most requests are complete long before their check.
    pub(super) fn expire_requests(&mut self, now: Duration) {
        self.request_due = None;
        for slot in 0..self.calls.len() {
            let Some(incomplete) = self.calls[slot].incomplete() else {
                continue;
            };
            let stream = StreamKey {
                slot: slot as u32,
                id: incomplete.id,
            };
            // A client that waits for our credit is not late.
            let heard = incomplete.heard.filter(|_| !self.http2.is_waiting(stream));
            let dry_at = heard.unwrap_or(now).checked_add(self.request_progress_max);
            let due = [incomplete.deadline, dry_at].into_iter().flatten().min();
            match due {
                Some(due) if due <= now => {
                    let is_late = incomplete.deadline.is_some_and(|deadline| deadline <= now);
                    self.give_up_request(stream, is_late);
                }
                Some(due) => self.watch(due),
                None => {}
            }
        }
    }

    fn give_up_request(&mut self, stream: StreamKey, is_late: bool) {
        let status = if is_late {
            expired()
        } else {
            self.http2.note_limit_hit(Limit::RequestProgressTime);
            let bound = self.request_progress_max.as_secs_f32();
            let text = format!("no further data of the request arrived for {bound} s");
            Status::deadline_exceeded(text)
        };
        self.end_call(stream, &status);
    }

    /// Ends a call with `status`, whatever state the call is in.
    pub(super) fn end_call(&mut self, stream: StreamKey, status: &Status) {
        match self.take_call(stream) {
            Call::Expecting { known, .. } => self.reply(stream, known.form).status(status),
            Call::Collecting(collecting) | Call::Parked(collecting) => {
                self.reply(stream, collecting.known.form).status(status);
            }
            Call::Streaming {
                known,
                pipe,
                task,
                watch,
                ..
            } => {
                task.abort();
                self.count(|tally| tally.note_messages(pipe.take_passed()));
                let finish = Finish {
                    outcome: Err(status.clone()),
                    trailers: MetadataMap::new(),
                    overdue: false,
                };
                let initial = pipe.take_initial();
                let mut reply = self.reply(stream, known.form);
                reply.watch = watch.map(|watch| *watch);
                end(reply, initial, &finish);
            }
            Call::Plain(call) => self.end_plain(stream, &call, status),
            Call::Waiting {
                known, task, watch, ..
            } => {
                task.abort();
                let mut reply = self.reply(stream, known.form);
                reply.watch = watch.map(|watch| *watch);
                reply.status(status);
            }
            Call::Vacant => {}
        }
    }
}
