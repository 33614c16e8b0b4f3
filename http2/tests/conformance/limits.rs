//! Each limit of `Limits` at its value and one over.

use crate::end::{End, check, fields};
use crate::wire::*;

const CALM: &str = "ENHANCE_YOUR_CALM";

#[test]
fn continuation_floods() {
    let make = || End::server_with(|limits| limits.continuation_frames_max = 3);
    let start = || frame(HEADERS, END, 1, request(&[]));
    let more = |flags| frame(CONTINUATION, flags, 1, []);
    let at = [start(), more(0), more(0), more(END_HEADERS)];
    check("frames at the limit", make, &at, "headers 1 end");
    let over = [start(), more(0), more(0), more(0), more(0)];
    let ends = format!("error {CALM}; GOAWAY 0 {CALM}");
    check("frames over", make, &over, &ends);

    let block = request(&[]);
    let size = block.len();
    let make = || End::server_with(|limits| limits.header_block_bytes_max = size);
    let split = |tail: &[u8]| {
        let first = frame(HEADERS, END, 1, &block[..9]);
        [
            first,
            frame(CONTINUATION, END_HEADERS, 1, [&block[9..], tail].concat()),
        ]
    };
    check("bytes at the limit", make, &split(b""), "headers 1 end");
    check("bytes over", make, &split(&indexed(2)), &ends);
    let one = [headers(1, END, request(&[("a", "b")]))];
    check("bytes over in one frame", make, &one, &ends);
    let first = [frame(HEADERS, END, 1, request(&[("a", "b")]))];
    check("bytes over in the first frame", make, &first, &ends);
}

#[test]
fn settings_entries() {
    let make = || End::server_with(|limits| limits.settings_entries_max = 4);
    check(
        "at",
        make,
        &[settings(&[(9, 1); 4])],
        "settings; SETTINGS ack",
    );
    let ends = format!("error {CALM}; GOAWAY 0 {CALM}");
    check("over", make, &[settings(&[(9, 1); 5])], &ends);
}

#[test]
fn replies_while_nothing_is_transmitted() {
    let make = || End::server_with(|limits| limits.queued_replies_max = 5);
    for flood in [ping(0, 1), settings(&[])] {
        let mut end = make();
        for _ in 0..3 {
            assert!(
                !end.feed(&flood.repeat(5))
                    .contains(&format!("error {CALM}"))
            );
            assert_eq!(end.frames().len(), 5);
        }
        assert!(
            end.feed(&flood.repeat(6))
                .contains(&format!("error {CALM}"))
        );
        assert_eq!(end.frames().len(), 6);
    }
    let mut end = make();
    assert!(end.feed(&settings_ack().repeat(100)).is_empty());
    assert_eq!(end.feed(&ping(ACK, 1).repeat(100)).len(), 100);
}

#[test]
fn empty_data() {
    let make = || End::server_with(|limits| limits.empty_data_frames_max = 3);
    let open = || headers(1, 0, request(&[]));
    let none = || data(1, 0, b"");
    let at = [
        open(),
        none(),
        none(),
        none(),
        data(1, 0, b"x"),
        none(),
        none(),
        none(),
    ];
    check("at", make, &at, "headers 1; data 1 x");
    let over = [open(), none().repeat(6)];
    check(
        "over, with two for the stream",
        make,
        &over,
        &format!("headers 1; error {CALM}; GOAWAY 1 {CALM}"),
    );
    let last = [open(), none().repeat(5), data(1, END, b"")];
    check(
        "the end is not counted",
        make,
        &last,
        "headers 1; data 1  end",
    );
}

/// A client is not told to be calm by its own server's resets.
#[test]
fn a_client_bears_any_number_of_resets() {
    let mut end = End::client(&[]);
    for _ in 0..1000 {
        let key = end.open(true);
        assert_eq!(end.feed(&reset(key.id, 7)).len(), 1);
    }
}

/// Streams that are reset while they wait for the connection's window leave nothing behind.
#[test]
fn resets_in_a_line_that_does_not_move() {
    let mut end = End::server_with(|limits| limits.reset_budget = u32::MAX);
    for id in (1..20_000).step_by(2) {
        end.feed(&headers(id, END, request(&[])));
        let key = end.key(id);
        end.connection
            .send_headers(key, fields(&[(":status", "200")]), None, false);
        end.connection.send_data(key, &[0; 70_000], true);
        end.feed(&reset(id, 8));
        assert!(end.output().len() < 100_000);
    }
    assert_eq!(end.connection.open_streams(), 0);
    assert!(!end.connection.has_output());
    end.feed(&window_update(0, 1_000_000));
    assert!(end.sent().is_empty());
    assert!(!end.connection.has_output());
}
