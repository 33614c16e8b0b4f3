//! The receive side of flow control: credit is given for what is consumed, and what nobody will
//! consume never stays owed to the connection.

use corespun_http2::{Config, ErrorCode};

use crate::end::{End, fields};
use crate::wire::*;

const WINDOW: usize = 65_535;

fn server() -> End {
    let mut config = Config::server();
    config.limits.connection_window_bytes = WINDOW as u32;
    config.limits.stream_window_bytes = WINDOW as u32;
    config.limits.stream_window_bytes_max = WINDOW as u32;
    config.limits.reset_budget = 1_000_000;
    config.limits.glitch_budget = 1_000_000;
    config.limits.data_overhead_bytes_max = u32::MAX;
    End::ready(config)
}

/// A peer that keeps to the connection's window: it counts what it may still send.
struct Peer {
    end: End,
    window: usize,
    next: u32,
}

impl Peer {
    fn new() -> Peer {
        Peer {
            end: server(),
            window: WINDOW,
            next: 1,
        }
    }

    fn send(&mut self, frame: Vec<u8>) {
        if frame[3] == DATA {
            let len = frame.len() - 9;
            self.window = self
                .window
                .checked_sub(len)
                .expect("the window has been given back");
        }
        let said = self.end.feed(&frame);
        assert!(
            !said.iter().any(|line| line.starts_with("error")),
            "{said:?}"
        );
    }

    fn read(&mut self) {
        for frame in self.end.frames() {
            if (frame.kind, frame.stream) == (WINDOW_UPDATE, 0) {
                self.window += frame.word(0) as usize;
            }
        }
        assert!(self.window <= WINDOW, "more was credited than was sent");
    }

    fn open(&mut self) -> u32 {
        let id = self.next;
        self.next += 2;
        self.send(headers(id, 0, request(&[])));
        id
    }

    /// Many streams go the way that `end_stream` shows, each with 30,000 bytes that are never
    /// released by the application; then the whole window must be the peer's again.
    fn run(name: &str, mut end_stream: impl FnMut(&mut Peer, u32)) {
        let mut peer = Peer::new();
        for _ in 0..100 {
            let id = peer.open();
            peer.send(data(id, 0, &[1; 14_000]));
            peer.send(padded_data(id, 0, &[1; 15_800], 199));
            end_stream(&mut peer, id);
            peer.read();
        }
        assert_eq!(peer.end.connection.open_streams(), 0, "{name}");
        assert!(
            peer.window > WINDOW / 2,
            "{name}: {} of {WINDOW}",
            peer.window
        );
    }
}

#[test]
fn streams_reset_by_the_peer() {
    Peer::run("reset", |peer, id| peer.send(reset(id, 8)));
}

#[test]
fn streams_reset_by_us() {
    Peer::run("reset by us", |peer, id| {
        let key = peer.end.key(id);
        peer.end.connection.reset(key, ErrorCode::CANCEL);
        // What comes before the peer knows is credited too.
        peer.send(data(id, 0, &[1; 3_000]));
        peer.send(padded_data(id, 0, &[1; 3_000], 200));
        peer.send(data(id, END, &[1; 3_000]));
    });
}

#[test]
fn streams_that_fail() {
    Peer::run("fault", |peer, id| peer.send(window_update(id, 0)));
    Peer::run("half closed", |peer, id| {
        peer.send(data(id, END, b""));
        peer.send(data(id, 0, &[1; 3_000]));
        peer.send(data(id, 0, &[1; 3_000]));
    });
}

#[test]
fn streams_answered_early() {
    Peer::run("answered early", |peer, id| {
        let key = peer.end.key(id);
        peer.end
            .connection
            .send_headers(key, fields(&[(":status", "200")]), None, true);
        peer.send(data(id, END, &[1; 3_000]));
    });
}

#[test]
fn streams_answered_in_place() {
    Peer::run("answered in place", |peer, id| {
        let key = peer.end.key(id);
        peer.send(data(id, END, b"x"));
        let connection = &mut peer.end.connection;
        connection.send_headers(key, fields(&[(":status", "200")]), None, false);
        // Nothing may come between the head of the frame and the payload.
        let out = connection
            .data_in_place(key, 3, true)
            .expect("open windows");
        out.extend_from_slice(b"yes");
        let frames = peer.end.frames();
        let mut rest = frames.iter().filter(|frame| frame.kind != WINDOW_UPDATE);
        let last = rest.next_back().map(Frame::words);
        assert_eq!(last, Some(format!("DATA {id} yes end")));
        for frame in frames.iter().filter(|frame| frame.kind == WINDOW_UPDATE) {
            peer.window += frame.word(0) as usize;
        }
    });
}

#[test]
fn refused_and_malformed_streams() {
    let mut peer = Peer::new();
    for n in 0..100 {
        let id = peer.next;
        peer.next += 2;
        let fields = if n % 2 == 0 {
            block(&[])
        } else {
            request(&[("connection", "x")])
        };
        peer.send(headers(id, 0, fields));
        peer.send(data(id, END, &[1; 16_000]));
        peer.read();
    }
    assert!(peer.window > WINDOW / 2);
}

/// A stream cut within a DATA frame whose rest comes later.
#[test]
fn frames_cut_by_a_reset() {
    let mut peer = Peer::new();
    for pad in 0..100u8 {
        let id = peer.open();
        let frame = padded_data(id, END, &[1; 15_000], pad);
        peer.window -= frame.len() - 9;
        let (head, tail) = frame.split_at(usize::from(pad) * 150 + 5);
        peer.end.feed(head);
        let key = peer.end.key(id);
        peer.end.connection.reset(key, ErrorCode::CANCEL);
        assert!(peer.end.feed(tail).is_empty());
        peer.read();
    }
    assert!(peer.window > WINDOW / 2);
}

/// The byte that tells how much padding there is, and the padding, need no release.
#[test]
fn padding_is_credited_at_once() {
    let mut peer = Peer::new();
    let id = peer.open();
    for turn in 0..100_000 {
        peer.send(data(id, 0, b"x"));
        let key = peer.end.key(id);
        peer.end.connection.release(key, 1);
        peer.send(padded_data(id, 0, b"", (turn % 3) as u8));
        peer.read();
    }
    assert_eq!(peer.end.connection.open_streams(), 1);
}

#[test]
fn release_is_bounded_by_what_came() {
    let mut end = server();
    end.feed(&[headers(1, 0, request(&[])), data(1, 0, &[1; 10_000])].concat());
    let key = end.key(1);
    end.connection.release(key, usize::MAX);
    end.connection.release(key, 50_000);
    end.connection.release(key, 0);
    assert!(end.sent().is_empty(), "10,000 is below half of the window");
    end.feed(&[data(1, 0, &[1; 12_000]), data(1, 0, &[1; 12_000])].concat());
    end.connection.release(key, usize::MAX);
    assert_eq!(
        end.sent(),
        ["WINDOW_UPDATE 1 34000", "WINDOW_UPDATE 0 34000"]
    );
}

/// After END_STREAM only the connection gets credit.
#[test]
fn no_stream_credit_after_the_end() {
    let mut end = server();
    let body = [
        data(1, 0, &[1; 16_000]),
        data(1, 0, &[1; 16_000]),
        data(1, END, &[1; 16_000]),
    ];
    end.feed(&[headers(1, 0, request(&[])), body.concat()].concat());
    let key = end.key(1);
    end.connection.release(key, 48_000);
    assert_eq!(end.sent(), ["WINDOW_UPDATE 0 48000"]);
}

/// A window of no bytes at all is never the reason for an update of zero.
#[test]
fn a_stream_window_of_zero() {
    let mut config = Config::server();
    config.limits.stream_window_bytes = 0;
    let mut end = End::ready(config);
    end.feed(&headers(1, 0, request(&[])));
    let key = end.key(1);
    end.connection.release(key, 0);
    assert_eq!(
        end.feed(&padded_data(1, 0, b"", 0)),
        ["reset 1 FLOW_CONTROL_ERROR by us"]
    );
    assert_eq!(end.sent(), ["RST_STREAM 1 FLOW_CONTROL_ERROR"]);
}
