//! The schedule of one seed: steps at random, then rest, with checks after each step.

use std::collections::VecDeque;
use std::collections::hash_map::DefaultHasher;
use std::hash::{Hash, Hasher};

use corespun_http2::Role;

use crate::checker;
use crate::link::Link;
use crate::random::Random;
use crate::side::{self, Side};

const WINDOW_INITIAL: u64 = 65_535;

/// Steps until a world that nobody disturbs must be at rest.
const REST_STEPS_MAX: usize = 400_000;

/// The last steps and a hash of all.
#[derive(Default)]
pub(crate) struct Trace {
    last: VecDeque<String>,
    hasher: DefaultHasher,
    pub(crate) print: bool,
}

impl Trace {
    fn step(&mut self, line: String) {
        if self.print {
            println!("{line}");
        }
        line.hash(&mut self.hasher);
        if self.last.len() == 50 {
            self.last.pop_front();
        }
        self.last.push_back(line);
    }

    pub(crate) fn last_steps(&self) -> String {
        self.last.iter().map(|line| format!("{line}\n")).collect()
    }

    pub(crate) fn hash(&self) -> u64 {
        self.hasher.finish()
    }
}

/// Two sides and the links between them; side 0 is the client, link `n` leads away from side `n`.
pub(crate) struct World {
    random: Random,
    sides: [Side; 2],
    links: [Link; 2],
    /// Windows of a stream as announced by each side, and of the connection.
    windows: [(u32, u64); 2],
    /// The SETTINGS that were slipped in by us lowered the window of this side's streams.
    lowered: [bool; 2],
    drained: [bool; 2],
    pub(crate) trace: Trace,
}

impl World {
    pub(crate) fn new(seed: u64, corrupt: bool) -> World {
        let mut random = Random(seed);
        let configs = [Role::Client, Role::Server].map(|role| side::config(role, &mut random));
        let windows = configs.each_ref().map(|config| {
            let limits = &config.limits;
            (
                limits.stream_window_bytes,
                u64::from(limits.connection_window_bytes),
            )
        });
        World {
            random,
            sides: configs.map(|config| Side::new(config, corrupt)),
            links: Default::default(),
            windows,
            lowered: [false; 2],
            drained: [false; 2],
            trace: Trace::default(),
        }
    }

    pub(crate) fn run(&mut self) {
        let steps = 100 + self.random.below(500);
        if self.random.chance(15) {
            let cut = self.random.below(100_000);
            self.links
                .iter_mut()
                .for_each(|link| link.cut_after = Some(cut));
        }
        for _ in 0..steps {
            let at = self.random.below(2);
            self.step(at);
            self.check();
            if self.links.iter().any(Link::is_cut) {
                return;
            }
        }
        if self.links.iter().all(|link| link.cut_after.is_none()) {
            self.rest();
        }
    }

    fn step(&mut self, at: usize) {
        match self.random.below(100) {
            0..40 => {
                let line = self.sides[at].act(&mut self.random);
                self.trace.step(format!("{at}: {line}"));
            }
            40..60 => self.transmit(at),
            60..98 => self.deliver(at),
            98 => self.change_settings(at),
            _ if self.random.chance(10) => {
                self.drained[at] = true;
                self.sides[at].connection.drain();
                self.trace.step(format!("{at}: drain"));
            }
            _ => {}
        }
    }

    fn transmit(&mut self, at: usize) {
        let mut out = Vec::new();
        self.sides[at].connection.transmit(&mut out);
        self.sides[at].take_drained();
        self.links[at].send(&out, at == 0);
        if !out.is_empty() {
            self.trace.step(format!("{at}: transmit {}", out.len()));
        }
    }

    /// Brings some bytes to side `at`.
    fn deliver(&mut self, at: usize) {
        let bytes = self.links[1 - at].deliver(&mut self.random);
        let Self { sides, trace, .. } = self;
        let mut note = |line| trace.step(format!("{at}: > {line}"));
        sides[at].receive(&bytes, &mut note);
    }

    /// Slips SETTINGS of side `at` in between its frames: a table size of any kind, and a window
    /// that is smaller than the real one, so that the peer is always within it.
    fn change_settings(&mut self, at: usize) {
        if self.links[at].tally.settings == 0 {
            return;
        }
        let table = [0, 50, 200, 4096][self.random.below(4)];
        let window = self.random.below(self.windows[at].0 as usize + 1) as u32;
        self.lowered[at] = true;
        self.send_settings(at, table, window);
    }

    fn send_settings(&mut self, at: usize, table: u32, window: u32) {
        let mut frame = vec![0, 0, 12, 4, 0, 0, 0, 0, 0];
        for (id, value) in [(1u16, table), (4, window)] {
            frame.extend(id.to_be_bytes());
            frame.extend(value.to_be_bytes());
        }
        self.links[at].send(&frame, at == 0);
        self.trace
            .step(format!("{at}: settings, table {table}, window {window}"));
    }

    fn check(&mut self) {
        self.sides.iter_mut().for_each(Side::check);
        let [client, server] = &self.sides;
        checker::bodies_match(Role::Server, &server.streams, &client.streams);
        checker::bodies_match(Role::Client, &client.streams, &server.streams);
        for at in 0..2 {
            let allowed = WINDOW_INITIAL + self.links[1 - at].tally.credit;
            let used = self.links[at].tally.data;
            assert!(used <= allowed, "side {at} overran the connection's window");
        }
    }

    /// Lets everything end by itself; then nothing may be left anywhere.
    fn rest(&mut self) {
        self.trace.step("rest".into());
        for at in 0..2 {
            self.transmit(at);
            if self.lowered[at] {
                self.send_settings(at, 4096, self.windows[at].0);
            }
        }
        for _ in 0..REST_STEPS_MAX {
            for at in 0..2 {
                self.finish_streams(at);
                self.transmit(at);
                self.deliver(at);
            }
            if self.is_quiet() {
                break;
            }
        }
        self.check();
        self.check_rest();
    }

    /// Side `at` consumes what it has got and ends what it has open.
    fn finish_streams(&mut self, at: usize) {
        let Self { sides, random, .. } = self;
        let side = &mut sides[at];
        side.check();
        let open: Vec<u32> = side
            .streams
            .iter()
            .filter(|(_, s)| !s.closed)
            .map(|(id, _)| *id)
            .collect();
        for id in open {
            side.release(id, usize::MAX);
            if !side.streams[&id].end_sent {
                side.end(id, random);
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
            let (_, size) = self.windows[at];
            let window =
                WINDOW_INITIAL + self.links[at].tally.credit - self.links[1 - at].tally.data;
            assert!(
                window <= size,
                "side {at} gave more credit than it got bytes"
            );
            assert!(
                size - window < size / 2,
                "side {at} owes {} of {size}",
                size - window
            );
        }
    }
}
