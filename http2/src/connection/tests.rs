//! What cannot be seen from outside: how much a connection keeps.

use crate::hpack::{Field, Indexing};
use crate::{Config, Connection, ErrorCode};

/// Two open streams, twice, the slack, and the one that comes.
const LINE_MAX: usize = 2 * 2 + 16 + 1;

/// While the connection's window is closed nobody leaves the line of senders by his turn; those
/// who are reset in it must not make it grow.
#[test]
fn the_line_of_senders_is_bounded_by_the_open_streams() {
    let mut client = Connection::new(Config::client());
    let field = Field {
        name: b":method",
        value: b"POST",
        indexing: Indexing::Index,
    };
    let mut out = alloc::vec::Vec::new();
    for _ in 0..5_000 {
        let stream = client.open([field].into_iter(), None, false);
        let stream = stream.expect("no limit is known");
        client.send_data(stream, &[0; 70_000], true);
        client.reset(stream, ErrorCode::CANCEL);
        out.clear();
        client.transmit(&mut out);
        assert!(client.sender.ready.len() <= LINE_MAX);
    }
    // A stream that stays at the head of the line keeps it from moving at all.
    let stream = client.open([field].into_iter(), None, false);
    client.send_data(stream.expect("no limit is known"), &[0; 70_000], true);
    for _ in 0..5_000 {
        let stream = client.open([field].into_iter(), None, false);
        let stream = stream.expect("no limit is known");
        client.send_data(stream, &[0; 10], true);
        client.reset(stream, ErrorCode::CANCEL);
        out.clear();
        client.transmit(&mut out);
        assert!(client.sender.ready.len() <= LINE_MAX);
    }
}
