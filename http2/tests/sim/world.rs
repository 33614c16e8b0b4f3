//! Two connections of ours: steps at random, then rest, with checks after each step.

use core::time::Duration;

use corespun_http2::{Pressure, Role};

use crate::checker;
use crate::link::Link;
use crate::random::Random;
use crate::runner::Flaw;
use crate::side::{self, Side};
use crate::trace::Trace;

/// Steps until a world that nobody disturbs must be at rest.
const REST_STEPS_MAX: usize = 400_000;

/// Relative frequency of each kind of step.
struct Pace {
    act: usize,
    transmit: usize,
    deliver: usize,
    stall: usize,
    wait: usize,
    settings: usize,
    drain: usize,
}

impl Pace {
    fn new(random: &mut Random) -> Pace {
        let mut one_of = |from: [usize; 4]| from[random.below(4)];
        Pace {
            act: one_of([20, 40, 40, 100]),
            transmit: one_of([2, 10, 20, 40]),
            deliver: one_of([10, 40, 40, 80]),
            stall: one_of([0, 0, 1, 3]),
            wait: one_of([0, 1, 2, 5]),
            settings: one_of([0, 1, 1, 5]),
            drain: one_of([0, 0, 0, 1]),
        }
    }

    fn total(&self) -> usize {
        let Pace {
            act,
            transmit,
            deliver,
            stall,
            wait,
            settings,
            drain,
        } = self;
        act + transmit + deliver + stall + wait + settings + drain
    }
}

/// A connection's window is this at least, whatever it may hold.
const CONNECTION_WINDOW_LEAST: i64 = 64 << 10;

/// Two sides and the links between them; side 0 is the client, link `n` leads away from side `n`.
pub(crate) struct World {
    random: Random,
    sides: [Side; 2],
    links: [Link; 2],
    pace: Pace,
    now: Duration,
    /// Windows of a stream as announced by each side, and of the connection.
    windows: [(u32, i64); 2],
    /// The SETTINGS that were slipped in by us lowered the window of this side's streams.
    lowered: [bool; 2],
    drained: [bool; 2],
    /// Bytes of each side's last send, and of what it has received since.
    sent: [usize; 2],
    received: [usize; 2],
    buffer: Vec<u8>,
}

impl World {
    pub(crate) fn new(seed: u64, flaw: Option<Flaw>) -> World {
        let mut random = Random(seed);
        let configs = [Role::Client, Role::Server].map(|role| side::config(role, &mut random));
        let windows = configs.each_ref().map(|config| {
            let limits = &config.limits;
            (
                limits.stream_window_bytes,
                (limits.received_bytes_max as i64)
                    .max(CONNECTION_WINDOW_LEAST)
                    .min(limits.connection_window_bytes.into()),
            )
        });
        World {
            sides: configs.map(|config| Side::new(config, flaw, &mut random)),
            links: [Link::new(&mut random), Link::new(&mut random)],
            pace: Pace::new(&mut random),
            random,
            now: Duration::ZERO,
            windows,
            lowered: [false; 2],
            drained: [false; 2],
            sent: [0; 2],
            received: [0; 2],
            buffer: Vec::new(),
        }
    }

    pub(crate) fn run(&mut self, trace: &mut Trace) {
        let steps = 50 + self.random.below(300);
        for _ in 0..steps {
            let at = self.random.below(2);
            self.step(at, trace);
            self.check();
            if self.links.iter().all(Link::is_cut) {
                return;
            }
        }
        if self.links.iter().all(|link| link.cut_after.is_none()) {
            self.rest(trace);
        }
    }

    fn step(&mut self, at: usize, trace: &mut Trace) {
        let mut share = self.random.below(self.pace.total());
        let mut is = |part: usize| match share.checked_sub(part) {
            Some(rest) => {
                share = rest;
                false
            }
            None => true,
        };
        let Pace {
            act,
            transmit,
            deliver,
            stall,
            wait,
            settings,
            ..
        } = self.pace;
        if is(act) {
            let Self { sides, random, .. } = self;
            sides[at].act(random, &mut |line| trace.step(format_args!("{at}: {line}")));
        } else if is(transmit) {
            self.transmit(at, trace);
        } else if is(deliver) {
            self.deliver(at, trace);
        } else if is(stall) {
            self.links[at].stalled ^= true;
            trace.step(format_args!("{at}: stalled {}", self.links[at].stalled));
        } else if is(wait) {
            let pause = [1, 40, 900, 30_000][self.random.below(4)];
            self.now += Duration::from_millis(pause);
            self.sides.iter_mut().for_each(|side| side.wait(self.now));
            trace.step(format_args!("wait {pause} ms"));
        } else if is(settings) {
            self.change_settings(at, trace);
        } else if self.random.chance(20) {
            self.drained[at] = true;
            self.sides[at].drain();
            trace.step(format_args!("{at}: drain"));
        }
    }

    fn transmit(&mut self, at: usize, trace: &mut Trace) {
        if !self.links[at].has_room() {
            return;
        }
        self.buffer.clear();
        self.sides[at].transmit(&mut self.buffer);
        self.links[at].send(&self.buffer);
        if !self.buffer.is_empty() {
            self.sent[at] = self.buffer.len();
            self.received[at] = 0;
            trace.step(format_args!("{at}: transmit {}", self.buffer.len()));
            trace.bytes(&self.buffer);
        }
    }

    /// Brings some bytes to side `at`.
    fn deliver(&mut self, at: usize, trace: &mut Trace) {
        let Self {
            sides,
            links,
            random,
            buffer,
            now,
            ..
        } = self;
        // As the pump does it: while a send waits for the link, input beyond its size is not
        // taken unless it is wanted. Without that measure two full links would wait for each other.
        let sending = !links[at].has_room();
        if sending && self.received[at] > self.sent[at] && !sides[at].connection.wants_input() {
            return;
        }
        links[1 - at].deliver(random, buffer);
        self.received[at] += buffer.len();
        if !buffer.is_empty() {
            let mut note = |line: std::fmt::Arguments<'_>| {
                trace.step(format_args!("{at}: > {line}"));
            };
            sides[at].receive(*now, buffer, &mut note);
        }
    }

    /// Slips SETTINGS of side `at` in between its frames: a table size of any kind, and a window
    /// that is smaller than the real one, so that the peer is always within it.
    fn change_settings(&mut self, at: usize, trace: &mut Trace) {
        if !self.links[at].started {
            return;
        }
        let table = [0, 50, 200, 4096][self.random.below(4)];
        let window = self.random.below(self.windows[at].0 as usize + 1) as u32;
        self.lowered[at] = true;
        self.send_settings(at, table, window, trace);
    }

    fn send_settings(&mut self, at: usize, table: u32, window: u32, trace: &mut Trace) {
        let mut frame = vec![0, 0, 12, 4, 0, 0, 0, 0, 0];
        for (id, value) in [(1u16, table), (4, window)] {
            frame.extend(id.to_be_bytes());
            frame.extend(value.to_be_bytes());
        }
        self.links[at].send(&frame);
        trace.step(format_args!(
            "{at}: settings, table {table}, window {window}"
        ));
    }

    fn check(&mut self) {
        self.sides.iter_mut().for_each(Side::check);
        let [client, server] = &self.sides;
        checker::bodies_match(Role::Server, &server.streams, &client.streams);
        checker::bodies_match(Role::Client, &client.streams, &server.streams);
    }

    /// Lets everything end by itself; then nothing may be left anywhere.
    fn rest(&mut self, trace: &mut Trace) {
        trace.step(format_args!("rest"));
        self.links.iter_mut().for_each(|link| link.stalled = false);
        for at in 0..2 {
            self.transmit(at, trace);
            if self.lowered[at] {
                self.send_settings(at, 4096, self.windows[at].0, trace);
            }
        }
        for _ in 0..REST_STEPS_MAX {
            for at in 0..2 {
                self.finish_streams(at, trace);
                self.transmit(at, trace);
                self.deliver(at, trace);
            }
            if self.is_quiet() {
                break;
            }
        }
        self.check();
        self.check_rest();
    }

    /// Side `at` consumes what it has got and ends what it has open.
    fn finish_streams(&mut self, at: usize, trace: &mut Trace) {
        let Self { sides, random, .. } = self;
        let side = &mut sides[at];
        side.check();
        side.set_pressure(Pressure::None);
        let open = side.streams.iter().filter(|(_, stream)| !stream.closed);
        let open: Vec<u32> = open.map(|(id, _)| *id).collect();
        let mut note = |line: std::fmt::Arguments<'_>| {
            trace.step(format_args!("{at}: {line}"));
        };
        for id in open {
            if !side.read_messages(id, &mut note) {
                side.release(id, usize::MAX, &mut note);
            }
            if !side.streams[&id].end_sent {
                side.end(id, random, &mut note);
            }
        }
    }

    fn is_quiet(&self) -> bool {
        let nothing_open = self
            .sides
            .iter()
            .all(|side| side.connection.open_streams() == 0);
        let nothing_to_send = self.sides.iter().all(|side| !side.connection.has_output());
        nothing_open && nothing_to_send && self.links.iter().all(Link::is_empty)
    }

    fn check_rest(&self) {
        for (at, side) in self.sides.iter().enumerate() {
            assert_eq!(
                side.connection.open_streams(),
                0,
                "side {at} is not at rest"
            );
            assert!(
                !side.connection.has_output(),
                "side {at} has output at rest"
            );
            assert_eq!(
                side.connection.is_finished(),
                self.drained[at],
                "side {at} and its drain"
            );
            // Credit is given in halves.
            let (_, size) = self.windows[at];
            let window = side.ledger.connection_window();
            assert!(
                size - window < size / 2,
                "side {at} owes {} of {size}",
                size - window
            );
        }
    }
}
