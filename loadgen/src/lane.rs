//! One connection's place in the run: its timetable and its calls in flight.
//!
//! A lane outlives its connection: when that is lost, calls go on becoming due, and wait for the
//! next connection with their clocks running.

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
    /// It is gone, for this reason.
    Down(String),
}

/// One connection's share of the run.
#[derive(Debug)]
pub(crate) struct Lane {
    /// `None` in a closed loop.
    timetable: Option<Timetable>,
    /// By stream slot.
    calls: Vec<Option<Call>>,
    in_flight: usize,
    streams: usize,
    started: bool,
    link: Link,
    watcher: Option<Waker>,
    pub(crate) chooser: Chooser,
    pub(crate) socket: Option<SocketHandle>,
}

impl Lane {
    pub(crate) fn new(timetable: Option<Timetable>, chooser: Chooser, streams: usize) -> Self {
        Self {
            timetable,
            chooser,
            calls: Vec::with_capacity(streams),
            in_flight: 0,
            streams,
            started: false,
            link: Link::Opening,
            watcher: None,
            socket: None,
        }
    }

    /// Sets the timetable's first moments.
    pub(crate) fn begin(&mut self, phases: &Phases) {
        if let Some(timetable) = &mut self.timetable {
            timetable.start(phases);
        }
    }

    pub(crate) fn in_flight(&self) -> usize {
        self.in_flight
    }

    /// Nothing of the window is in flight or waits for room.
    pub(crate) fn is_done(&self, phases: &Phases) -> bool {
        let waiting = self.timetable.is_some() && self.next_due(phases).is_some();
        self.in_flight == 0 && !waiting
    }

    /// One more call may be in flight.
    pub(crate) fn has_room(&self) -> bool {
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
    pub(crate) fn sent(&mut self, call: Call) {
        if let Some(timetable) = &mut self.timetable {
            let due = timetable.take();
            debug_assert_eq!(due, call.intended);
        }
        let slot = call.stream.slot as usize;
        if slot >= self.calls.len() {
            self.calls.resize(slot + 1, None);
        }
        debug_assert!(self.calls[slot].is_none(), "a slot is one call's at a time");
        self.calls[slot] = Some(call);
        self.in_flight += 1;
    }

    /// The call on `stream`, if it is in flight.
    pub(crate) fn call(&mut self, stream: StreamKey) -> Option<&mut Call> {
        let call = self.calls.get_mut(stream.slot as usize)?.as_mut()?;
        (call.stream == stream).then_some(call)
    }

    /// The call on `stream` has ended: takes it out.
    pub(crate) fn end(&mut self, stream: StreamKey) -> Option<Call> {
        let call = *self.call(stream)?;
        self.calls[stream.slot as usize] = None;
        self.in_flight -= 1;
        Some(call)
    }

    /// The first call in flight, from this stream slot on, that is `wanted`.
    pub(crate) fn find(&self, slot: u32, wanted: impl Fn(&Call) -> bool) -> Option<StreamKey> {
        let mut calls = self.calls.iter().skip(slot as usize).flatten();
        calls.find(|call| wanted(call)).map(|call| call.stream)
    }

    /// When the first of the calls in flight runs out of time.
    pub(crate) fn next_deadline(&self) -> Option<Duration> {
        let deadlines = self.calls.iter().flatten().map(|call| call.deadline);
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
        for call in self.calls.iter_mut().filter_map(Option::take) {
            if closed || phases.measured(call.intended) {
                count(Some(call.place), call.intended, now);
            }
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

    /// The link has changed. What is down stays down until it opens again.
    pub(crate) fn set_link(&mut self, link: Link) {
        let news = match (&self.link, &link) {
            (Link::Down(_), Link::Opening) => true,
            (Link::Down(_), _) => false,
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

    /// Waits until the link is not `Opening` (`wanted` false) or is `Down` (`wanted` true).
    pub(crate) fn poll_link(&mut self, down: bool, cx: &mut Context<'_>) -> Poll<Link> {
        let reached = match self.link {
            Link::Opening => false,
            Link::Up => !down,
            Link::Down(_) => true,
        };
        if reached {
            return Poll::Ready(self.link.clone());
        }
        self.watcher = Some(cx.waker().clone());
        Poll::Pending
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::schedule::{Curve, Schedule, Share};

    const fn at(millis: u64) -> Duration {
        Duration::from_millis(millis)
    }

    const PHASES: Phases = Phases {
        begin: at(0),
        measure: at(2),
        end: at(10),
    };

    fn key(slot: u32, id: u32) -> StreamKey {
        StreamKey { slot, id }
    }

    fn lane(rate: Option<f64>, streams: usize) -> Lane {
        let share = Share {
            lane: 0,
            lanes: 1,
            seed: 1,
        };
        let plan = crate::plan::tests::plan("").unwrap();
        let timetable = rate.map(|rate| {
            let schedule = Schedule::Rate {
                curve: Curve::Constant(rate),
                arrivals: crate::schedule::Arrivals::Even,
            };
            Timetable::new(&schedule, share, at(8))
        });
        Lane::new(timetable, Chooser::new(share, &plan.mix), streams)
    }

    fn call(stream: StreamKey, intended: Duration, now: Duration) -> Call {
        Call::new(stream, 0, intended, now)
    }

    #[test]
    fn an_open_loop_keeps_its_timetable_while_nothing_can_be_sent() {
        let mut lane = lane(Some(1000.0), 2);
        assert_eq!(lane.next_due(&PHASES), None);
        lane.begin(&PHASES);
        assert_eq!(lane.next_due(&PHASES), Some(at(0)));
        for (slot, intended) in [(0, at(0)), (1, at(1))] {
            assert_eq!(lane.due(at(5), &PHASES), Some(intended));
            lane.sent(call(key(slot, slot * 2 + 1), intended, at(5)));
        }
        assert!(!lane.has_room());
        let call = lane.end(key(1, 3)).unwrap();
        assert_eq!((call.intended, call.sent), (at(1), at(5)));
        assert!(lane.end(key(1, 3)).is_none() && lane.call(key(0, 9)).is_none());
        assert_eq!(lane.due(at(5), &PHASES), Some(at(2)));
        assert_eq!(lane.due(at(15), &PHASES), Some(at(2)));
        assert!(!lane.is_done(&PHASES));
        let mut censored = Vec::new();
        lane.censor(&PHASES, at(20), |place, intended, until| {
            censored.push((place, intended, until))
        });
        let due = (2..10).map(|millis| (None, at(millis), at(20)));
        assert_eq!(censored, due.collect::<Vec<_>>());
        assert!(lane.is_done(&PHASES));
        assert_eq!(lane.next_due(&PHASES), None);
    }

    #[test]
    fn a_closed_loop_is_due_whenever_there_is_room() {
        let mut lane = lane(None, 1);
        lane.begin(&PHASES);
        assert_eq!(lane.next_due(&PHASES), Some(at(0)));
        assert_eq!(lane.due(at(3), &PHASES), Some(at(3)));
        lane.sent(Call {
            deadline: at(9),
            ..call(key(4, 1), at(3), at(3))
        });
        assert_eq!((lane.next_due(&PHASES), lane.has_room()), (None, false));
        assert_eq!(lane.find(0, |call| call.stream.id > 0), Some(key(4, 1)));
        assert_eq!(
            (lane.find(5, |_| true), lane.find(0, |_| false)),
            (None, None)
        );
        assert_eq!(lane.next_deadline(), Some(at(9)));
        let times = lane.end(key(4, 1)).unwrap().times(at(4));
        assert_eq!(
            (times.intended, times.sent, times.ended),
            (at(3), at(3), at(4))
        );
        assert_eq!(lane.next_deadline(), None);
    }

    #[test]
    fn a_link_goes_down_once() {
        let mut lane = lane(None, 1);
        lane.set_link(Link::Up);
        lane.set_link(Link::Down("first".into()));
        lane.set_link(Link::Down("second".into()));
        lane.set_link(Link::Up);
        assert_eq!(lane.link, Link::Down("first".into()));
        lane.set_link(Link::Opening);
        assert_eq!(lane.link, Link::Opening);
    }
}
