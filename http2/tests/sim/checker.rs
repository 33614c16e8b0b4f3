//! Invariants of the streams at one end.

use std::collections::BTreeMap;

use corespun_http2::{Connection, ErrorCode, Role, StreamKey};

/// A stream as its end knows it from its own calls and events.
pub(crate) struct Stream {
    pub(crate) key: StreamKey,
    pub(crate) head_sent: bool,
    pub(crate) sent: u64,
    pub(crate) end_sent: bool,
    pub(crate) head_got: bool,
    pub(crate) got: u64,
    pub(crate) end_got: bool,
    pub(crate) unreleased: usize,
    /// The most that was queued since the queue was last empty.
    pub(crate) queued_most: usize,
    pub(crate) reset: bool,
    /// Found gone from the connection, rightly.
    pub(crate) closed: bool,
}

impl Stream {
    pub(crate) fn new(key: StreamKey) -> Stream {
        Stream {
            key,
            head_sent: false,
            sent: 0,
            end_sent: false,
            head_got: false,
            got: 0,
            end_got: false,
            unreleased: 0,
            queued_most: 0,
            reset: false,
            closed: false,
        }
    }

    pub(crate) fn may_send(&self) -> bool {
        self.head_sent && !self.end_sent && !self.closed
    }

    /// An event came for the stream.
    pub(crate) fn event(&self) {
        let id = self.key.id;
        assert!(
            !self.closed && !self.reset,
            "stream {id}: an event after its close"
        );
        assert!(!self.end_got, "stream {id}: an event after its end");
    }
}

/// Streams by identifier.
pub(crate) type Streams = BTreeMap<u32, Stream>;

/// Every stream that the connection has forgotten had a reason to end, and the others have none.
pub(crate) fn closes_are_justified(role: Role, connection: &Connection, streams: &mut Streams) {
    let mut open = 0;
    for (id, stream) in streams.iter_mut().filter(|(_, stream)| !stream.closed) {
        if connection.is_open(stream.key) {
            assert!(
                !stream.reset,
                "{role:?}: stream {id} is open after its reset"
            );
            stream.queued_most = match connection.queued(stream.key) {
                0 => 0,
                queued => queued.max(stream.queued_most),
            };
            open += 1;
            continue;
        }
        let both = stream.end_sent && stream.end_got;
        let early = role == Role::Server && stream.end_sent;
        assert!(
            stream.reset || both || early,
            "{role:?}: stream {id} vanished"
        );
        assert_eq!(
            connection.queued(stream.key),
            0,
            "{role:?}: a closed stream keeps bytes"
        );
        stream.closed = true;
    }
    assert_eq!(connection.open_streams(), open, "{role:?}: streams leak");
}

/// A complete body is as long as what was sent; an incomplete one is no longer.
pub(crate) fn bodies_match(receiver: Role, got: &Streams, sent: &Streams) {
    for (id, stream) in got {
        let Some(from) = sent.get(id) else {
            assert!(
                !stream.head_got,
                "{receiver:?}: stream {id} was never opened"
            );
            continue;
        };
        assert!(
            stream.got <= from.sent,
            "{receiver:?}: stream {id} got more than was sent"
        );
        if stream.end_got {
            assert!(from.end_sent, "{receiver:?}: stream {id} ended by itself");
            assert_eq!(
                stream.got, from.sent,
                "{receiver:?}: stream {id} is not whole"
            );
        }
    }
}

/// The resets that one end may decide on by itself between two correct ends: none is reported.
pub(crate) fn reset_is_fair(code: ErrorCode, local: bool) {
    assert!(!local, "a correct peer was reset with {code}");
    let fair = [
        ErrorCode::NO_ERROR,
        ErrorCode::CANCEL,
        ErrorCode::REFUSED_STREAM,
    ];
    assert!(fair.contains(&code), "reset by a correct peer with {code}");
}
