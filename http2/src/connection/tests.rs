//! Unit tests of internal state: the memory that a connection holds.

use alloc::vec::Vec;
use core::time::Duration;

use crate::hpack::{Field, Indexing};
use crate::{BlockCache, Config, Connection, ErrorCode};

/// Two entries for each of two open streams, the slack, and the entry being added.
const LINE_MAX: usize = 2 * 2 + 16 + 1;

/// While the connection's window is closed no stream leaves the list of senders by sending. Streams
/// that are reset in it must not make it grow.
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

fn field<'a>(name: &'a [u8], value: &'a [u8], indexing: Indexing) -> Field<'a> {
    Field {
        name,
        value,
        indexing,
    }
}

/// The cached part of a head keeps its meaning, whatever the rest of the head does to the table and
/// whenever the table's size changes.
#[test]
fn a_head_in_parts_means_both_of_them() {
    let same = [
        field(b":method", b"POST", Indexing::Index),
        field(b":scheme", b"http", Indexing::Index),
        field(b":path", b"/a.B/C", Indexing::Index),
    ];
    let (mut client, mut server) = (
        Connection::new(Config::client()),
        Connection::new(Config::server()),
    );
    let mut cache = BlockCache::default();
    for number in 0..12u8 {
        let value = [b'a' + number];
        let indexing = match number {
            4..8 => Indexing::Index,
            _ => Indexing::Literal,
        };
        match number {
            6 => client.sender.encoder.set_peer_table_max(64),
            9 => client.sender.encoder.set_peer_table_max(4096),
            _ => {}
        }
        let rest = [field(b"x-changes", &value, indexing)];
        let rest = rest.into_iter().take(usize::from(number != 2));
        let opened = client.open_in_parts(same.into_iter(), &mut cache, rest, true);
        let mut sent = Vec::new();
        client.transmit(&mut sent);
        let (mut input, mut heads) = (&sent[..], 0);
        while let Some(event) = server.receive(Duration::ZERO, &mut input).unwrap() {
            heads += usize::from(matches!(event, crate::Event::Headers { .. }));
        }
        assert_eq!(heads, 1, "{number}");
        let found: Vec<_> = server.headers().iter().map(|header| header.value).collect();
        let expected: &[&[u8]] = &[b"POST", b"http", b"/a.B/C", &value];
        assert_eq!(
            found,
            expected[..if number == 2 { 3 } else { 4 }],
            "{number}"
        );
        client.reset(opened.unwrap(), ErrorCode::CANCEL);
    }
}
