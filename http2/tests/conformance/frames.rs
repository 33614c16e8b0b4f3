//! RFC 9113 §3.4, §4 and §6: the preface, frame sizes, and each type of frame.

use corespun_http2::{Config, Connection};

use crate::end::{End, check, check_client, check_server};
use crate::wire::*;

// spec: RFC9113-3.4
#[test]
fn preface() {
    let fresh = || End::fresh(Config::server());
    let check = |name: &str, input: &[Vec<u8>], expected: &str| check(name, fresh, input, expected);
    let hello = PREFACE.to_vec();
    check(
        "whole",
        &[hello.clone(), settings(&[])],
        "settings; SETTINGS ack",
    );
    check("short", &[PREFACE[..20].to_vec()], "");
    let bad = "error PROTOCOL_ERROR; GOAWAY 0 PROTOCOL_ERROR";
    check("HTTP/1.1", &[b"GET / HTTP/1.1\r\n".to_vec()], bad);
    check(
        "wrong at its end",
        &[b"PRI * HTTP/2.0\r\n\r\nSM\r\n\rX".to_vec()],
        bad,
    );
    check("no SETTINGS", &[hello.clone(), ping(0, 1)], bad);
    check(
        "HEADERS first",
        &[hello.clone(), headers(1, END, request(&[]))],
        bad,
    );
    check("DATA first", &[hello.clone(), data(1, 0, b"x")], bad);
    check(
        "an unknown frame first",
        &[hello.clone(), frame(0x99, 0, 0, b"x")],
        bad,
    );
    check("SETTINGS ACK first", &[hello, settings_ack()], bad);
    let client = || End::fresh(Config::client());
    crate::end::check("client: no SETTINGS", client, &[ping(0, 1)], bad);
    crate::end::check(
        "client: SETTINGS",
        client,
        &[settings(&[])],
        "settings; SETTINGS ack",
    );
}

// spec: RFC9113-3.4
#[test]
fn first_output() {
    let mut out = Vec::new();
    Connection::new(Config::client()).transmit(&mut out);
    let out = out.strip_prefix(PREFACE).expect("the client's preface");
    let frames = read(out);
    assert_eq!(
        (frames[0].kind, frames[0].flags, frames[0].stream),
        (SETTINGS, 0, 0)
    );
    assert_eq!(frames[1].words(), "WINDOW_UPDATE 0 4128769");
    let entries: Vec<&[u8]> = frames[0].payload.chunks(6).collect();
    assert!(
        entries.contains(&&b"\x00\x02\x00\x00\x00\x00"[..]),
        "push is off"
    );

    let mut out = Vec::new();
    Connection::new(Config::server()).transmit(&mut out);
    assert_eq!(read(&out)[0].kind, SETTINGS);
}

#[test]
fn unlawful_limits_are_made_lawful() {
    let mut config = Config::server();
    config.limits.frame_bytes_max = 1;
    config.limits.stream_window_bytes = u32::MAX;
    config.limits.connection_window_bytes = u32::MAX;
    config.limits.reset_budget = u32::MAX;
    let mut out = Vec::new();
    let mut end = End {
        connection: Connection::new(config),
        now: core::time::Duration::ZERO,
    };
    end.connection.transmit(&mut out);
    let frames = read(&out);
    assert!(
        frames[0]
            .payload
            .chunks(6)
            .any(|e| e == b"\x00\x04\x7f\xff\xff\xff")
    );
    assert!(
        frames[0]
            .payload
            .chunks(6)
            .any(|e| e == b"\x00\x05\x00\x00\x40\x00")
    );
    assert_eq!(frames[1].word(0), 0x7fff_ffff - 65_535);
    let input = [
        PREFACE,
        &settings(&[]),
        &headers(1, 0, request(&[])),
        &data(1, 0, &[7; 16_384]),
    ];
    assert_eq!(end.feed(&input.concat()).len(), 3);
    let key = end.key(1);
    end.connection
        .send_headers(key, crate::end::fields(&[(":status", "200")]), None, true);
    assert_eq!(end.feed(&headers(3, END, request(&[]))), ["headers 3 end"]);
    let key = end.key(3);
    end.connection
        .send_headers(key, crate::end::fields(&[(":status", "200")]), None, true);
}

// spec: RFC9113-4.2
#[test]
fn frame_sizes() {
    let big = vec![0; 16_385];
    let size = "error FRAME_SIZE_ERROR; GOAWAY 0 FRAME_SIZE_ERROR";
    let kinds = [DATA, HEADERS, PRIORITY, RST_STREAM, CONTINUATION, 0x99];
    for kind in kinds {
        check_server(
            &format!("kind {kind} too long"),
            &[frame(kind, 0, 1, &big)],
            size,
        );
    }
    for kind in [SETTINGS, PING, GOAWAY, WINDOW_UPDATE] {
        check_server(
            &format!("kind {kind} too long"),
            &[frame(kind, 0, 0, &big)],
            size,
        );
    }
    let open = || headers(1, 0, request(&[]));
    let cases = [
        ("PING of 7", frame(PING, 0, 0, [0; 7])),
        ("PING of 9", frame(PING, 0, 0, [0; 9])),
        ("PING ACK of 0", frame(PING, ACK, 0, [])),
        ("SETTINGS of 5", frame(SETTINGS, 0, 0, [0; 5])),
        ("SETTINGS of 7", frame(SETTINGS, 0, 0, [0; 7])),
        ("SETTINGS ACK of 6", frame(SETTINGS, ACK, 0, [0; 6])),
        ("WINDOW_UPDATE of 3", frame(WINDOW_UPDATE, 0, 0, [0; 3])),
        ("WINDOW_UPDATE of 5", frame(WINDOW_UPDATE, 0, 1, [0; 5])),
        ("RST_STREAM of 3", frame(RST_STREAM, 0, 1, [0; 3])),
        ("RST_STREAM of 5", frame(RST_STREAM, 0, 1, [0; 5])),
        ("GOAWAY of 7", frame(GOAWAY, 0, 0, [0; 7])),
        ("padded DATA of 0", frame(DATA, PADDED, 1, [])),
        (
            "padded HEADERS of 0",
            frame(HEADERS, PADDED | END_HEADERS, 3, []),
        ),
        (
            "HEADERS too short for priority",
            headers(3, WITH_PRIORITY, [0; 4]),
        ),
    ];
    let expected = "headers 1; error FRAME_SIZE_ERROR; GOAWAY 1 FRAME_SIZE_ERROR";
    for (name, bytes) in cases {
        check_server(name, &[open(), bytes], expected);
    }
    let short = || frame(PRIORITY, 0, 1, [0; 4]);
    let expected = "headers 1; reset 1 FRAME_SIZE_ERROR by us; RST_STREAM 1 FRAME_SIZE_ERROR";
    check_server(
        "PRIORITY of 4 on an open stream",
        &[open(), short()],
        expected,
    );
    check_server("PRIORITY of 4 on an idle stream", &[short()], size);
    check_server(
        "exactly the maximum",
        &[frame(0x99, 0, 0, vec![0; 16_384])],
        "",
    );
}

// spec: RFC9113-6
#[test]
fn stream_identifiers_of_each_type() {
    let bad = "error PROTOCOL_ERROR; GOAWAY 0 PROTOCOL_ERROR";
    for kind in [
        DATA,
        HEADERS,
        PRIORITY,
        RST_STREAM,
        CONTINUATION,
        PUSH_PROMISE,
    ] {
        check_server(
            &format!("kind {kind} on 0"),
            &[frame(kind, 0, 0, [0; 5])],
            bad,
        );
    }
    for kind in [SETTINGS, PING, GOAWAY] {
        check_server(
            &format!("kind {kind} on 1"),
            &[frame(kind, 0, 1, [0; 8])],
            bad,
        );
    }
    let reserved = frame(PING, 0, 0x8000_0000, [0; 8]);
    check_server("the reserved bit is ignored", &[reserved], "PING ack 0");
}

// spec: RFC9113-5.5
#[test]
fn unknown_frames() {
    let unknown = |stream| frame(0xfa, 0xff, stream, b"anything");
    check_server(
        "ignored",
        &[unknown(0), unknown(1), unknown(2), ping(0, 7)],
        "PING ack 7",
    );
    let open = frame(HEADERS, 0, 1, request(&[]));
    let bad = "error PROTOCOL_ERROR; GOAWAY 0 PROTOCOL_ERROR";
    check_server("not within a header block", &[open, unknown(1)], bad);
    let with_flags = frame(DATA, 0xf6, 1, b"x");
    check_server(
        "unknown flags are ignored",
        &[headers(1, 0xd2, request(&[])), with_flags],
        "headers 1; data 1 x",
    );
}

// spec: RFC9113-6.1
#[test]
fn padded_data() {
    let open = || headers(1, 0, request(&[]));
    let pad = |flags, body: &[u8], pad| crate::wire::padded_data(1, flags, body, pad);
    let check = |name: &str, bytes, expected: &str| check_server(name, &[open(), bytes], expected);
    check("some", pad(END, b"abc", 3), "headers 1; data 1 abc end");
    check("none", pad(END, b"abc", 0), "headers 1; data 1 abc end");
    check("only padding", pad(END, b"", 255), "headers 1; data 1  end");
    check(
        "only the pad length",
        pad(END, b"", 0),
        "headers 1; data 1  end",
    );
    check("no body, no end", pad(0, b"", 9), "headers 1");
    let bad = "headers 1; error PROTOCOL_ERROR; GOAWAY 1 PROTOCOL_ERROR";
    check("too much", frame(DATA, PADDED, 1, [1]), bad);
    check(
        "too much by one",
        frame(DATA, PADDED, 1, [5, 0, 0, 0, 0]),
        bad,
    );
    check(
        "exactly all",
        frame(DATA, PADDED, 1, [4, 0, 0, 0, 0]),
        "headers 1",
    );
    check("255 of nothing", frame(DATA, PADDED, 1, [255]), bad);
    let two = [pad(0, b"ab", 4), pad(0, b"", 0), pad(END, b"cd", 1)].concat();
    check("joined", two, "headers 1; data 1 abcd end");
}

// spec: RFC9113-6.2
#[test]
fn padded_and_prioritised_headers() {
    let block = request(&[]);
    let padded = |pad: u8, zeros: usize| {
        let payload = [&[pad], &block[..], &vec![0; zeros]].concat();
        headers(1, PADDED | END, payload)
    };
    check_server("padded", &[padded(4, 4)], "headers 1 end");
    let bad = "error PROTOCOL_ERROR; GOAWAY 0 PROTOCOL_ERROR";
    check_server("too much padding", &[padded(255, 4)], bad);
    let prioritised = |depends_on: u32| {
        let payload = [&depends_on.to_be_bytes()[..], &[9], &block].concat();
        headers(1, WITH_PRIORITY | END, payload)
    };
    check_server("priority", &[prioritised(0x8000_0003)], "headers 1 end");
    let reset = "RST_STREAM 1 PROTOCOL_ERROR";
    check_server("self-dependent", &[prioritised(1)], reset);
    let both = [&[2, 0, 0, 0, 0, 16], &block[..], &[0, 0]].concat();
    check_server(
        "both",
        &[headers(1, PADDED | WITH_PRIORITY, both)],
        "headers 1",
    );
    let short = headers(1, PADDED | WITH_PRIORITY, [3, 0, 0, 0, 0, 0, 0, 0]);
    let size = "error FRAME_SIZE_ERROR; GOAWAY 0 FRAME_SIZE_ERROR";
    check_server("padding leaves no room for priority", &[short], size);
}

// spec: RFC9113-6.3
#[test]
fn priority_frames() {
    check_server(
        "idle",
        &[priority(1, 3), priority(9, 0), ping(0, 1)],
        "PING ack 1",
    );
    let open = || headers(1, 0, request(&[]));
    check_server("open", &[open(), priority(1, 0)], "headers 1");
    let expected = "headers 1; reset 1 PROTOCOL_ERROR by us; RST_STREAM 1 PROTOCOL_ERROR";
    check_server("self-dependent", &[open(), priority(1, 1)], expected);
    let closed = [
        open(),
        reset(1, 8),
        priority(1, 1),
        priority(1, 0),
        ping(0, 1),
    ];
    check_server(
        "closed",
        &closed,
        "headers 1; reset 1 CANCEL; RST_STREAM 1 PROTOCOL_ERROR; PING ack 1",
    );
}

// spec: RFC9113-6.10
#[test]
fn continuation() {
    let block = request(&[]);
    let (a, rest) = block.split_at(7);
    let (b, c) = rest.split_at(11);
    let start = |flags| frame(HEADERS, flags, 1, a);
    let go_on = |flags, stream, bytes: &[u8]| frame(CONTINUATION, flags, stream, bytes);
    let whole = [start(END), go_on(0, 1, b), go_on(END_HEADERS, 1, c)];
    check_server("in three", &whole, "headers 1 end");
    let empty = [
        start(0),
        go_on(0, 1, b""),
        go_on(0, 1, rest),
        go_on(END_HEADERS, 1, b""),
    ];
    check_server("empty ones", &empty, "headers 1");
    let bad = "error PROTOCOL_ERROR; GOAWAY 0 PROTOCOL_ERROR";
    check_server(
        "another stream's",
        &[start(0), go_on(END_HEADERS, 3, rest)],
        bad,
    );
    check_server("DATA between", &[start(0), data(1, 0, b"x")], bad);
    check_server("PING between", &[start(0), ping(0, 1)], bad);
    check_server("HEADERS between", &[start(0), headers(1, 0, &block)], bad);
    check_server("PRIORITY between", &[start(0), priority(1, 0)], bad);
    check_server("none open", &[go_on(END_HEADERS, 1, &block)], bad);
    let after = [headers(1, 0, &block), go_on(END_HEADERS, 1, b"")];
    check_server(
        "after the end",
        &after,
        "headers 1; error PROTOCOL_ERROR; GOAWAY 1 PROTOCOL_ERROR",
    );
}

// spec: RFC9113-6.5
#[test]
fn settings_values() {
    let ok = "settings; SETTINGS ack";
    let one = |id, value| [settings(&[(id, value)])];
    for (id, value) in [
        (1, 0),
        (1, u32::MAX),
        (2, 0),
        (2, 1),
        (3, 0),
        (3, u32::MAX),
        (4, 0),
        (4, 0x7fff_ffff),
        (5, 16_384),
        (5, 16_777_215),
        (6, 0),
        (0x99, u32::MAX),
        (0, 1),
    ] {
        check_server(&format!("{id} = {value}"), &one(id, value), ok);
    }
    let protocol = "error PROTOCOL_ERROR; GOAWAY 0 PROTOCOL_ERROR";
    let flow = "error FLOW_CONTROL_ERROR; GOAWAY 0 FLOW_CONTROL_ERROR";
    check_server("push 2", &one(2, 2), protocol);
    check_client("push by a server", &one(2, 1), protocol);
    check_client("no push by a server", &one(2, 0), ok);
    check_server("window 2^31", &one(4, 0x8000_0000), flow);
    check_server("frames 16383", &one(5, 16_383), protocol);
    check_server("frames 2^24", &one(5, 1 << 24), protocol);
    check_server(
        "the last of several counts",
        &[settings(&[(4, 1), (4, 9)])],
        ok,
    );
    check_server(
        "an ACK needs no answer",
        &[settings_ack(), settings_ack()],
        "",
    );
}

// spec: RFC9113-6.7
#[test]
fn pings() {
    check_server(
        "answered in order",
        &[ping(0, 1), ping(0, 2)],
        "PING ack 1; PING ack 2",
    );
    check_server("an ACK is reported", &[ping(ACK, 5)], "pong 5");
    let mut end = End::server();
    end.connection.ping(9);
    assert_eq!(end.sent(), ["PING 9"]);
}

// spec: RFC9113-6.6
#[test]
fn push_is_refused() {
    let promise = || {
        frame(
            PUSH_PROMISE,
            END_HEADERS,
            1,
            [&[0, 0, 0, 2], &request(&[])[..]].concat(),
        )
    };
    let bad = "error PROTOCOL_ERROR; GOAWAY 0 PROTOCOL_ERROR";
    check_client("by a server", &[promise()], bad);
    check_server("by a client", &[promise()], bad);
}

// spec: RFC9113-4.3
#[test]
fn broken_compression() {
    let compression = "error COMPRESSION_ERROR; GOAWAY 1 COMPRESSION_ERROR";
    check_server("index 0", &[headers(1, END, [0x80])], compression);
    check_server(
        "no such index",
        &[headers(1, END, indexed(62))],
        compression,
    );
    check_server(
        "cut short",
        &[headers(1, END, [0x40, 5, b'a'])],
        compression,
    );
    check_server(
        "table too large",
        &[headers(1, END, table_size(4097))],
        compression,
    );
    let late = [request(&[]), table_size(0)].concat();
    check_server(
        "size update at the end",
        &[headers(1, END, late)],
        compression,
    );
}
