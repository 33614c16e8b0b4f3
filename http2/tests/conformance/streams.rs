//! RFC 9113 §5.1, §6.4 and §6.9: the life of a stream, as seen from both roles.

use corespun_http2::{Config, ErrorCode};

use crate::end::{End, check, check_client, check_server, fields};
use crate::wire::*;

fn open() -> Vec<u8> {
    headers(1, 0, request(&[]))
}

fn whole() -> Vec<u8> {
    headers(1, END, request(&[]))
}

/// A server that has answered stream 1 completely: it is closed without a reset.
fn answered() -> End {
    let mut end = End::server();
    end.feed(&whole());
    let key = end.key(1);
    end.connection
        .send_headers(key, fields(&[(":status", "200")]), None, true);
    assert_eq!(end.sent(), ["HEADERS 1 end"]);
    assert_eq!(end.connection.open_streams(), 0);
    end
}

/// A server that has reset stream 1.
fn cancelled() -> End {
    let mut end = End::server();
    end.feed(&open());
    let key = end.key(1);
    end.connection.reset(key, ErrorCode::CANCEL);
    assert_eq!(end.sent(), ["RST_STREAM 1 CANCEL"]);
    end
}

// spec: RFC9113-5.1.1
#[test]
fn identifiers() {
    let bad = "error PROTOCOL_ERROR; GOAWAY 0 PROTOCOL_ERROR";
    check_server("even", &[headers(2, END, request(&[]))], bad);
    let at = |id| headers(id, END, request(&[]));
    check_server(
        "leaps",
        &[at(5), at(0x3fff_ffff)],
        "headers 5 end; headers 1073741823 end",
    );
    let lower = "headers 5 end; error PROTOCOL_ERROR; GOAWAY 5 PROTOCOL_ERROR";
    check_server("below the last, never used", &[at(5), at(3)], lower);
    check_server("below the last, even", &[at(5), at(4)], lower);
    let twice = "headers 1 end; reset 1 STREAM_CLOSED by us; RST_STREAM 1 STREAM_CLOSED";
    check_server("again while half closed", &[at(1), at(1)], twice);
    check_client(
        "of a stream never opened",
        &[headers(3, 0, response(&[]))],
        bad,
    );
    check_client("even on a client", &[headers(2, 0, response(&[]))], bad);
}

// spec: RFC9113-5.1
#[test]
fn idle_streams() {
    let bad = "error PROTOCOL_ERROR; GOAWAY 0 PROTOCOL_ERROR";
    for id in [1, 2, 3] {
        check_server(&format!("DATA on {id}"), &[data(id, 0, b"x")], bad);
        check_server(&format!("RST_STREAM on {id}"), &[reset(id, 8)], bad);
        check_server(
            &format!("WINDOW_UPDATE on {id}"),
            &[window_update(id, 1)],
            bad,
        );
    }
    for id in [2, 3] {
        check_client(&format!("client: DATA on {id}"), &[data(id, 0, b"x")], bad);
        check_client(&format!("client: RST_STREAM on {id}"), &[reset(id, 8)], bad);
        check_client(
            &format!("client: WINDOW_UPDATE on {id}"),
            &[window_update(id, 1)],
            bad,
        );
    }
}

// spec: RFC9113-5.1
#[test]
fn half_closed_remote() {
    let closed = "headers 1 end; reset 1 STREAM_CLOSED by us; RST_STREAM 1 STREAM_CLOSED";
    check_server("DATA", &[whole(), data(1, 0, b"x")], closed);
    check_server("empty DATA", &[whole(), data(1, END, b"")], closed);
    check_server(
        "trailers",
        &[whole(), headers(1, END, block(&[("a", "b")]))],
        closed,
    );
    let allowed = [whole(), window_update(1, 5), priority(1, 0), reset(1, 8)];
    check_server("what may come", &allowed, "headers 1 end; reset 1 CANCEL");
    let after_body = [open(), data(1, END, b"x"), data(1, END, b"y")];
    let closed = "headers 1; data 1 x end; reset 1 STREAM_CLOSED by us; RST_STREAM 1 STREAM_CLOSED";
    check_server("DATA after DATA", &after_body, closed);
}

// spec: RFC9113-5.1
#[test]
fn closed_by_end() {
    let bad = "error STREAM_CLOSED; GOAWAY 1 STREAM_CLOSED";
    check("DATA", answered, &[data(1, 0, b"x")], bad);
    check("HEADERS", answered, &[headers(1, END, request(&[]))], bad);
    let late = [
        window_update(1, 9),
        window_update(1, 0),
        reset(1, 8),
        priority(1, 0),
        ping(0, 3),
    ];
    check("what may come late", answered, &late, "PING ack 3");
    let done = || {
        let mut end = End::client(&[true]);
        assert_eq!(end.feed(&headers(1, END, response(&[]))), ["headers 1 end"]);
        assert_eq!(end.connection.open_streams(), 0);
        end
    };
    let bad = "error STREAM_CLOSED; GOAWAY 0 STREAM_CLOSED";
    check("client: DATA", done, &[data(1, 0, b"x")], bad);
    check(
        "client: HEADERS",
        done,
        &[headers(1, 0, response(&[]))],
        bad,
    );
    check(
        "client: RST_STREAM",
        done,
        &[reset(1, 0), window_update(1, 5)],
        "",
    );
}

// spec: RFC9113-5.1
#[test]
fn closed_by_us() {
    let late = [
        data(1, 0, b"x"),
        headers(1, END, block(&[("a", "b")])),
        window_update(1, 1),
    ];
    check("late frames are dropped", cancelled, &late, "");
    check("its RST_STREAM too", cancelled, &[reset(1, 8)], "");
    check(
        "its table is kept",
        cancelled,
        &[
            headers(1, END, inserted("x-late", "1")),
            headers(3, END, [request(&[]), indexed(62)].concat()),
        ],
        "headers 3 end",
    );
    let reset_client = || {
        let mut end = End::client(&[true]);
        let key = end.key(1);
        end.connection.reset(key, ErrorCode::CANCEL);
        end.output();
        end
    };
    let late = [
        headers(1, 0, response(&[])),
        data(1, END, b"x"),
        reset(1, 0),
    ];
    check("client", reset_client, &late, "");
}

// spec: RFC9113-5.1
#[test]
fn closed_by_the_peer() {
    let bad = "headers 1; reset 1 CANCEL; RST_STREAM 1 STREAM_CLOSED";
    check_server(
        "DATA after RST_STREAM",
        &[open(), reset(1, 8), data(1, 0, b"x")],
        bad,
    );
    check_server(
        "HEADERS after RST_STREAM",
        &[open(), reset(1, 8), whole()],
        bad,
    );
    let again = [open(), reset(1, 8), reset(1, 8), window_update(1, 1)];
    check_server("RST_STREAM again", &again, "headers 1; reset 1 CANCEL");
    check_server(
        "an unknown code",
        &[open(), reset(1, 0x99)],
        "headers 1; reset 1 0x99",
    );
    check_client("client", &[reset(1, 7)], "reset 1 REFUSED_STREAM");
}

// spec: RFC9113-8.1
#[test]
fn a_server_may_end_early() {
    let mut end = End::server();
    end.feed(&open());
    let key = end.key(1);
    end.connection
        .send_headers(key, fields(&[(":status", "200")]), None, false);
    end.connection.send_data(key, b"early", false);
    end.connection
        .send_headers(key, fields(&[("grpc-status", "0")]), None, true);
    let expected = [
        "HEADERS 1",
        "DATA 1 early",
        "HEADERS 1 end",
        "RST_STREAM 1 NO_ERROR",
    ];
    assert_eq!(end.sent(), expected);
    assert_eq!(end.connection.open_streams(), 0);
    assert!(end.feed(&data(1, END, b"late")).is_empty());

    let mut client = End::client(&[false]);
    let input = [
        headers(1, 0, response(&[])),
        data(1, END, b"x"),
        reset(1, 0),
    ]
    .concat();
    assert_eq!(
        client.feed(&input),
        ["headers 1", "data 1 x end", "reset 1 NO_ERROR"]
    );
    assert_eq!(client.connection.open_streams(), 0);
}

// spec: RFC9113-6.9
#[test]
fn window_updates() {
    let protocol = "error PROTOCOL_ERROR; GOAWAY 0 PROTOCOL_ERROR";
    check_server("0 on the connection", &[window_update(0, 0)], protocol);
    let zero = "headers 1; reset 1 PROTOCOL_ERROR by us; RST_STREAM 1 PROTOCOL_ERROR";
    check_server("0 on a stream", &[open(), window_update(1, 0)], zero);
    let most = 0x7fff_ffff;
    check_server("up to the most", &[window_update(0, most - 65_535)], "");
    let flow = "error FLOW_CONTROL_ERROR; GOAWAY 0 FLOW_CONTROL_ERROR";
    check_server("over the most", &[window_update(0, most - 65_534)], flow);
    check_server(
        "over in two",
        &[window_update(0, 1 << 30), window_update(0, 1 << 30)],
        flow,
    );
    let on_stream = [open(), window_update(1, most - 65_535)];
    check_server("stream up to the most", &on_stream, "headers 1");
    let over = "headers 1; reset 1 FLOW_CONTROL_ERROR by us; RST_STREAM 1 FLOW_CONTROL_ERROR";
    check_server(
        "stream over",
        &[open(), window_update(1, most - 65_534)],
        over,
    );
    let reserved = window_update(0, 0x8000_0001);
    check_server("the reserved bit is ignored", &[reserved], "");
    let settings_over = [
        open(),
        window_update(1, most - 65_535),
        settings(&[(4, 65_536)]),
    ];
    let expected = "headers 1; error FLOW_CONTROL_ERROR; GOAWAY 1 FLOW_CONTROL_ERROR";
    check_server("a new initial window overflows", &settings_over, expected);
}

// spec: RFC9113-6.9.1
#[test]
fn overrun_windows() {
    let small = || {
        let mut config = Config::server();
        config.limits.stream_window_bytes = 10;
        End::ready(config)
    };
    let fits = [open(), data(1, 0, b"0123456789")];
    check("fits", small, &fits, "headers 1; data 1 0123456789");
    let over = [open(), data(1, 0, b"01234567890"), ping(0, 1)];
    let expected = "headers 1; reset 1 FLOW_CONTROL_ERROR by us; \
                    RST_STREAM 1 FLOW_CONTROL_ERROR; PING ack 1";
    check("over", small, &over, expected);
    let padding_counts = [open(), padded_data(1, 0, b"0123456789", 0)];
    let expected = "headers 1; reset 1 FLOW_CONTROL_ERROR by us; RST_STREAM 1 FLOW_CONTROL_ERROR";
    check("padding counts", small, &padding_counts, expected);

    let mut config = Config::server();
    config.limits.connection_window_bytes = 65_535;
    let mut end = End::ready(config);
    let input = [
        open(),
        data(1, 0, &[b'x'; 16_384]).repeat(3),
        data(1, 0, &[b'x'; 16_383]),
    ];
    assert_eq!(end.feed(&input.concat()).len(), 2);
    let expected = ["error FLOW_CONTROL_ERROR"];
    assert_eq!(end.feed(&data(1, 0, b"y")), expected);
}

/// DATA that a peer sent under the initial window, before it saw our smaller one, is no overrun.
// spec: RFC9113-6.5.3
#[test]
fn a_small_window_holds_from_its_acknowledgement() {
    let mut config = Config::server();
    config.limits.stream_window_bytes = 10;
    config.limits.stream_window_bytes_max = 10;
    let make = || End::fresh(config.clone());
    let hello = || {
        [
            PREFACE.to_vec(),
            settings(&[]),
            open(),
            data(1, 0, b"0123456789ab"),
        ]
        .concat()
    };
    let said = "settings; headers 1; data 1 0123456789ab";
    check("before", make, &[hello()], &format!("{said}; SETTINGS ack"));
    let after = [hello(), settings_ack(), data(1, 0, b"c")];
    let expected = format!(
        "{said}; reset 1 FLOW_CONTROL_ERROR by us; SETTINGS ack; RST_STREAM 1 FLOW_CONTROL_ERROR"
    );
    check("after", make, &after, &expected);
    let mut end = make();
    end.feed(&[hello(), settings_ack()].concat());
    let key = end.key(1);
    end.connection.release(key, 12);
    assert_eq!(end.sent(), ["SETTINGS ack", "WINDOW_UPDATE 1 12"]);
    assert_eq!(end.feed(&data(1, 0, b"0123456789")), ["data 1 0123456789"]);
    assert_eq!(
        end.feed(&data(1, 0, b"x")),
        ["reset 1 FLOW_CONTROL_ERROR by us"]
    );
}
