//! One connection's place in the run: its timetable and its calls in flight.
//!
//! A lane outlives its connection: when that is lost, calls go on becoming due, and wait for the
//! next connection with their clocks running. A connection that the server has sent GOAWAY on ends
//! its calls beside the next one; each of them has a berth of its own here.

use std::task::{Context, Poll, Waker};
use std::time::Duration;

use corespun_http2::StreamKey;
use corespun_runtime::SocketHandle;

use crate::call::Chooser;
use crate::measure::{Phases, Times};
use crate::response::{Body, Head};
use crate::schedule::Timetable;

/// A call in flight.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Call {
    pub(crate) stream: StreamKey,
    /// Its place in the mix.
    pub(crate) place: usize,
    pub(crate) intended: Duration,
    pub(crate) ready: Duration,
    pub(crate) sent: Duration,
    /// When it runs out of time; `Duration::MAX` if it does not.
    pub(crate) deadline: Duration,
    /// Its responses are held against the schema.
    pub(crate) validated: bool,
    pub(crate) first: Option<Duration>,
    pub(crate) head: Head,
    pub(crate) body: Body,
}

impl Call {
    /// A call that is sent now.
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

    /// The call's moments, now that it has ended.
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

/// What is known of the lane's connection.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Link {
    /// It connects, or waits for the server's SETTINGS.
    Opening,
    /// The server has spoken HTTP/2.
    Up,
    /// The server takes no new calls on it, but may end those in flight.
    Retired,
    /// It is gone, for this reason.
    Down(String),
}

/// Calls of one of the lane's connections.
#[derive(Debug, Default)]
struct Berth {
    /// By stream slot.
    calls: Vec<Option<Call>>,
    in_flight: usize,
    /// The connection has ended.
    free: bool,
}

/// One connection's share of the run.
#[derive(Debug)]
pub(crate) struct Lane {
    /// `None` in a closed loop.
    timetable: Option<Timetable>,
    berths: Vec<Berth>,
    /// Berth of the newest connection, where calls start.
    current: usize,
    in_flight: usize,
    streams: usize,
    started: bool,
    link: Link,
    watcher: Option<Waker>,
    pub(crate) chooser: Chooser,
    pub(crate) socket: Option<SocketHandle>,
    /// Moment since which the lane has no connection.
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

    /// Takes a berth for a new connection, which opens now.
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

    /// Gives up the berth of a connection that has ended, for this reason.
    pub(crate) fn leave(&mut self, berth: usize, cause: String) {
        self.berths[berth].free = true;
        self.set_link(berth, Link::Down(cause));
    }

    /// Returns whether one more call may be in flight, on the connection at this berth.
    pub(crate) fn may_start(&self, berth: usize) -> bool {
        berth == self.current && self.has_room()
    }

    /// Sets the timetable's first moments.
    pub(crate) fn begin(&mut self, phases: &Phases) {
        if let Some(timetable) = &mut self.timetable {
            timetable.start(phases);
        }
    }

    /// Calls in flight on one of the lane's connections.
    pub(crate) fn in_flight(&self, berth: usize) -> usize {
        self.berths[berth].in_flight
    }

    /// Nothing of the window is in flight or waits for room.
    pub(crate) fn is_done(&self, phases: &Phases) -> bool {
        let waiting = self.timetable.is_some() && self.next_due(phases).is_some();
        self.in_flight == 0 && !waiting
    }

    /// One more call may be in flight.
    fn has_room(&self) -> bool {
        self.in_flight < self.streams
    }

    /// The intended start of the call that is to be sent now, if one is. What was meant to start
    /// within the window may do so after it, if there was no room before.
    pub(crate) fn due(&mut self, now: Duration, phases: &Phases) -> Option<Duration> {
        self.started |= phases.calling(now);
        match &self.timetable {
            None => Some(now).filter(|now| phases.calling(*now)),
            Some(_) => self.next_due(phases).filter(|due| *due <= now),
        }
    }

    /// When the next call becomes due, if time alone decides.
    pub(crate) fn next_due(&self, phases: &Phases) -> Option<Duration> {
        let next = match &self.timetable {
            None if self.started => return None,
            None => phases.begin,
            Some(timetable) => timetable.next_due(),
        };
        (next < phases.end).then_some(next)
    }

    /// The call that was due is on its way.
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

    /// The call on `stream`, if it is in flight.
    pub(crate) fn call(&mut self, berth: usize, stream: StreamKey) -> Option<&mut Call> {
        let calls = &mut self.berths[berth].calls;
        let call = calls.get_mut(stream.slot as usize)?.as_mut()?;
        (call.stream == stream).then_some(call)
    }

    /// The call on `stream` has ended: takes it out.
    pub(crate) fn end(&mut self, berth: usize, stream: StreamKey) -> Option<Call> {
        let call = *self.call(berth, stream)?;
        let berth = &mut self.berths[berth];
        berth.calls[stream.slot as usize] = None;
        berth.in_flight -= 1;
        self.in_flight -= 1;
        Some(call)
    }

    /// The first call in flight, from this stream slot on, that is `wanted`.
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

    /// When the first of the calls in flight runs out of time.
    pub(crate) fn next_deadline(&self, berth: usize) -> Option<Duration> {
        let calls = self.berths[berth].calls.iter();
        let deadlines = calls.flatten().map(|call| call.deadline);
        deadlines.min().filter(|deadline| *deadline < Duration::MAX)
    }

    /// The run is over at `now`: counts the calls in flight, and those that were due within the
    /// window but never sent, each by its place in the mix if it was sent, its intended start, and
    /// the moment up to which it has aged.
    ///
    /// In a closed loop a call of the warm-up counts too: it has kept its stream from calling
    /// for the whole window, and without it a target that hangs would go unseen.
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

    /// The link of the newest connection has changed; an older one's is nobody's concern. What is
    /// down or retired stays so until it opens again.
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

    /// Waits until the link is not `Opening`, or, with `down`, until no call can start on it.
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
