//! Tests of a connection with an in-memory server: cost of a call after the warm-up.

use std::sync::Arc;
use std::sync::mpsc;

use corespun_http2::StreamKey;
use corespun_http2::hpack::{Field, Indexing};

use super::*;
use crate::call::Chooser;
use crate::control::{Control, Seat};
use crate::measure::Phases;
use crate::schedule::Share;

/// Both connections, and the bytes between them.
struct Pair {
    client: LoadConnection,
    server: Connection,
    blocks: [BlockCache; 2],
    there: Vec<u8>,
    back: Vec<u8>,
    answered: u64,
}

impl Pair {
    fn new(flags: &str) -> Self {
        let plan = Arc::new(crate::plan::tests::plan(flags).unwrap());
        let (run, _) = mpsc::channel();
        let seat = Seat {
            core: 0,
            plan: plan.clone(),
            control: Arc::new(Control::new(None)),
            run,
        };
        let core = Rc::new(CoreState::new(&seat));
        core.phases.set(Phases {
            begin: Duration::ZERO,
            measure: Duration::ZERO,
            end: Duration::MAX,
        });
        let share = Share {
            lane: 0,
            lanes: 1,
            seed: 1,
        };
        let mut lane = Lane::new(None, Chooser::new(share, &plan.mix), plan.shape.streams);
        let berth = lane.moor();
        Self {
            client: LoadConnection::new(core, Rc::new(RefCell::new(lane)), berth),
            server: Connection::new(Config::server()),
            blocks: Default::default(),
            there: Vec::new(),
            back: Vec::new(),
            answered: 0,
        }
    }

    /// Transfers the bytes to the server, and its responses back.
    fn round(&mut self, now: Duration) {
        self.there.clear();
        self.client.transmit(&mut self.there);
        let mut bytes = self.there.as_slice();
        while let Some(event) = self.server.receive(now, &mut bytes).unwrap() {
            if let Event::Data {
                stream,
                bytes,
                end_stream,
            } = event
            {
                self.server.release(stream, bytes.len());
                if end_stream {
                    answer(&mut self.server, &mut self.blocks, stream);
                    self.answered += 1;
                }
            }
        }
        self.back.clear();
        self.server.transmit(&mut self.back);
        self.client.receive(now, Input::Bytes(&self.back));
    }
}

fn answer(server: &mut Connection, blocks: &mut [BlockCache; 2], stream: StreamKey) {
    let field = |(name, value): (&'static str, &'static str)| Field {
        name: name.as_bytes(),
        value: value.as_bytes(),
        indexing: Indexing::Index,
    };
    let [head, trailers] = blocks;
    let fields = [(":status", "200"), ("content-type", "application/grpc")];
    server.send_headers(stream, fields.into_iter().map(field), Some(head), false);
    server.send_data(stream, b"\0\0\0\0\x02\x08\x07", false);
    let fields = [("grpc-status", "0")];
    server.send_headers(stream, fields.into_iter().map(field), Some(trailers), true);
}

#[test]
fn a_warm_unary_call_allocates_nothing() {
    for flags in ["--streams 1", "--streams 16 --metadata x-a:b --timeout 1s"] {
        let mut pair = Pair::new(flags);
        let at = |round: u64| Duration::from_micros(round);
        (0..2000).for_each(|round| pair.round(at(round)));
        let before = pair.answered;
        let cost = allocation_counter::measure(|| {
            (2000..3000).for_each(|round| pair.round(at(round)));
        });
        assert!(pair.answered - before >= 1000, "{flags}: {}", pair.answered);
        assert_eq!(cost.count_total, 0, "{flags}: {cost:?}");
    }
}
