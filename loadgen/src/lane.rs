//! Lane of a run: the schedule of one connection, and its calls in flight.
//!
//! A lane outlives its connection. When that is lost, calls still become due, and wait for the next
//! connection while their latency grows. After GOAWAY the old connection finishes its calls while
//! the next one is in use; each has its own berth here.

use std::task::{Context, Poll, Waker};
use std::time::Duration;

use corespun_http2::StreamKey;
use corespun_runtime::SocketHandle;

use crate::call::Chooser;
use crate::measure::{Phases, Times};
use crate::response::{Body, Head};
use crate::schedule::Timetable;

/// Call in flight.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Call {
    pub(crate) stream: StreamKey,
    /// Index of the call in the mix.
    pub(crate) place: usize,
    pub(crate) intended: Duration,
    pub(crate) ready: Duration,
    pub(crate) sent: Duration,
    /// Deadline of the call; `Duration::MAX` without a timeout.
    pub(crate) deadline: Duration,
    /// True if the responses are decoded by the schema.
    pub(crate) validated: bool,
    pub(crate) first: Option<Duration>,
    pub(crate) head: Head,
    pub(crate) body: Body,
}

impl Call {
    /// Returns a call that is sent now.
    pub(crate) fn new(stream: StreamKey, place: usize, intended: Duration, now: Duration) -> Self {
        Self {
            stream,
            place,
            intended,
            ready: intended,
            sent: now,
            first: None,
            deadline: Duration::MAX,
            validated: false,
            head: Head::NONE,
            body: Body::default(),
        }
    }

    /// Returns the times of the call, which has ended.
    pub(crate) fn times(&self, ended: Duration) -> Times {
        Times {
            intended: self.intended,
            ready: self.ready,
            sent: self.sent,
            first: self.first,
            ended,
        }
    }
}

/// State of the lane's connection.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Link {
    /// The connection is being opened, or waits for the server's SETTINGS.
    Opening,
    /// The server has sent its SETTINGS.
    Up,
    /// The server accepts no new calls here, but calls in flight may end.
    Retired,
    /// The connection has ended, for this reason.
    Down(String),
}

/// Calls in flight on one of the lane's connections.
#[derive(Debug, Default)]
struct Berth {
    /// Calls by stream slot.
    calls: Vec<Option<Call>>,
    in_flight: usize,
    /// True if the connection has ended.
    free: bool,
}

/// Share of one connection in the run.
#[derive(Debug)]
pub(crate) struct Lane {
    /// Schedule of the lane; `None` in a closed loop.
    timetable: Option<Timetable>,
    berths: Vec<Berth>,
    /// Index of the newest connection, on which calls start.
    current: usize,
    in_flight: usize,
    streams: usize,
    started: bool,
    link: Link,
    watcher: Option<Waker>,
    pub(crate) chooser: Chooser,
    pub(crate) socket: Option<SocketHandle>,
    /// Time since which the lane has no connection.
    pub(crate) down_since: Option<Duration>,
}

impl Lane {
    pub(crate) fn new(timetable: Option<Timetable>, chooser: Chooser, streams: usize) -> Self {
        Self {
            timetable,
            chooser,
            berths: Vec::new(),
            current: 0,
            in_flight: 0,
            streams,
            started: false,
            link: Link::Opening,
            watcher: None,
            socket: None,
            down_since: None,
        }
    }

    /// Allocates a berth for a new connection, which is being opened.
    pub(crate) fn moor(&mut self) -> usize {
        let free = self.berths.iter().position(|berth| berth.free);
        self.current = free.unwrap_or_else(|| {
            self.berths.push(Berth::default());
            self.berths.len() - 1
        });
        self.berths[self.current].free = false;
        self.set_link(self.current, Link::Opening);
        self.current
    }

    /// Frees the berth of a connection that has ended, for this reason.
    pub(crate) fn leave(&mut self, berth: usize, cause: String) {
        self.berths[berth].free = true;
        self.set_link(berth, Link::Down(cause));
    }

    /// Returns true if one more call may start on the connection at this berth.
    pub(crate) fn may_start(&self, berth: usize) -> bool {
        berth == self.current && self.has_room()
    }

    /// Sets the first times of the schedule.
    pub(crate) fn begin(&mut self, phases: &Phases) {
        if let Some(timetable) = &mut self.timetable {
            timetable.start(phases);
        }
    }

    /// Returns the number of calls in flight on the connection at this berth.
    pub(crate) fn in_flight(&self, berth: usize) -> usize {
        self.berths[berth].in_flight
    }

    /// Returns true if no call of the window is in flight or due.
    pub(crate) fn is_done(&self, phases: &Phases) -> bool {
        let waiting = self.timetable.is_some() && self.next_due(phases).is_some();
        self.in_flight == 0 && !waiting
    }

    /// Returns true if one more call may be in flight.
    fn has_room(&self) -> bool {
        self.in_flight < self.streams
    }

    /// Returns the intended start of the call to send now, if one is due. A call that was meant to
    /// start within the window may start after its end, if no stream was free before.
    pub(crate) fn due(&mut self, now: Duration, phases: &Phases) -> Option<Duration> {
        self.started |= phases.calling(now);
        match &self.timetable {
            None => Some(now).filter(|now| phases.calling(*now)),
            Some(_) => self.next_due(phases).filter(|due| *due <= now),
        }
    }

    /// Returns the time at which the next call becomes due, in an open loop.
    pub(crate) fn next_due(&self, phases: &Phases) -> Option<Duration> {
        let next = match &self.timetable {
            None if self.started => return None,
            None => phases.begin,
            Some(timetable) => timetable.next_due(),
        };
        (next < phases.end).then_some(next)
    }

    /// Records that the due call was sent.
    pub(crate) fn sent(&mut self, berth: usize, call: Call) {
        if let Some(timetable) = &mut self.timetable {
            let due = timetable.take();
            debug_assert_eq!(due, call.intended);
        }
        let slot = call.stream.slot as usize;
        let berth = &mut self.berths[berth];
        if slot >= berth.calls.len() {
            berth.calls.resize(slot + 1, None);
        }
        debug_assert!(
            berth.calls[slot].is_none(),
            "a slot is one call's at a time"
        );
        berth.calls[slot] = Some(call);
        berth.in_flight += 1;
        self.in_flight += 1;
    }

    /// Returns the call on `stream`, if it is in flight.
    pub(crate) fn call(&mut self, berth: usize, stream: StreamKey) -> Option<&mut Call> {
        let calls = &mut self.berths[berth].calls;
        let call = calls.get_mut(stream.slot as usize)?.as_mut()?;
        (call.stream == stream).then_some(call)
    }

    /// Removes the call on `stream`, which has ended.
    pub(crate) fn end(&mut self, berth: usize, stream: StreamKey) -> Option<Call> {
        let call = *self.call(berth, stream)?;
        let berth = &mut self.berths[berth];
        berth.calls[stream.slot as usize] = None;
        berth.in_flight -= 1;
        self.in_flight -= 1;
        Some(call)
    }

    /// Returns the first call in flight, from this stream slot on, for which `wanted` returns true.
    pub(crate) fn find(
        &self,
        berth: usize,
        slot: u32,
        wanted: impl Fn(&Call) -> bool,
    ) -> Option<StreamKey> {
        let calls = self.berths[berth].calls.iter();
        let mut calls = calls.skip(slot as usize).flatten();
        calls.find(|call| wanted(call)).map(|call| call.stream)
    }

    /// Returns the earliest deadline of the calls in flight.
    pub(crate) fn next_deadline(&self, berth: usize) -> Option<Duration> {
        let calls = self.berths[berth].calls.iter();
        let deadlines = calls.flatten().map(|call| call.deadline);
        deadlines.min().filter(|deadline| *deadline < Duration::MAX)
    }

    /// Ends the lane at `now` and calls `count` for every call of the window that has not ended:
    /// its index in the mix if it was sent, its intended start, and the end of its age.
    ///
    /// In a closed loop this includes calls of the warm-up: a call that hangs has kept its stream
    /// from calling for the whole window, and would otherwise not be counted.
    pub(crate) fn censor(
        &mut self,
        phases: &Phases,
        now: Duration,
        mut count: impl FnMut(Option<usize>, Duration, Duration),
    ) {
        let closed = self.timetable.is_none();
        for berth in &mut self.berths {
            for call in berth.calls.iter_mut().filter_map(Option::take) {
                if closed || phases.measured(call.intended) {
                    count(Some(call.place), call.intended, now);
                }
            }
            berth.in_flight = 0;
        }
        self.in_flight = 0;
        let Some(timetable) = &mut self.timetable else {
            return;
        };
        while timetable.next_due() < phases.end {
            let due = timetable.take();
            if phases.measured(due) {
                count(None, due, now);
            }
        }
    }

    /// Sets the state of the newest connection; changes of older ones are ignored. A connection
    /// that is down or retired stays so until the next one opens.
    pub(crate) fn set_link(&mut self, berth: usize, link: Link) {
        let news = match (&self.link, &link) {
            _ if berth != self.current => false,
            (Link::Down(_) | Link::Retired, Link::Opening) => true,
            (Link::Down(_) | Link::Retired, _) => false,
            (before, after) => before != after,
        };
        if !news {
            return;
        }
        self.link = link;
        if let Some(watcher) = self.watcher.take() {
            watcher.wake();
        }
    }

    /// Waits until the connection is not `Opening`, or, with `down`, until no call can start on it.
    pub(crate) fn poll_link(&mut self, down: bool, cx: &mut Context<'_>) -> Poll<Link> {
        let reached = match self.link {
            Link::Opening => false,
            Link::Up => !down,
            Link::Down(_) | Link::Retired => true,
        };
        if reached {
            return Poll::Ready(self.link.clone());
        }
        self.watcher = Some(cx.waker().clone());
        Poll::Pending
    }
}

#[cfg(test)]
mod tests;
