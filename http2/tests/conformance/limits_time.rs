//! The times that a peer has: not over yet, and over.

use core::time::Duration;

use corespun_http2::{Config, ErrorCode, Limit};

use crate::end::{End, fields};
use crate::wire::*;

const SECOND: Duration = Duration::from_secs(1);
const INSTANT: Duration = Duration::from_nanos(1);

fn seconds(count: u64) -> Duration {
    Duration::from_secs(count)
}

/// Feeds `input`, then lets all but an instant of `bound` pass, then the rest: only that must end
/// the connection, with `code`.
fn check(name: &str, mut end: End, input: &[u8], bound: Duration, limit: Limit, code: &str) {
    end.feed(input);
    let due = end.connection.deadline();
    assert_eq!(due, Some(end.now + bound), "{name}");
    assert!(end.wait(bound - INSTANT).is_empty(), "{name}");
    assert_eq!(end.hits(limit), 0, "{name}");
    assert_eq!(end.wait(INSTANT), [format!("error {code}")], "{name}");
    let last = end.sent().pop();
    assert_eq!(last, Some(format!("GOAWAY 0 {code}")), "{name}");
    assert_eq!(end.hits(limit), 1, "{name}");
    assert_eq!(limit.code().to_string().split(' ').next(), Some(code));
    assert_eq!(end.connection.deadline(), None, "{name}: nothing is due");
    assert!(end.wait(seconds(1000)).is_empty(), "{name}: only once");
    assert!(end.feed(&ping(0, 1)).is_empty(), "{name}: it is over");
}

fn started() -> End {
    let mut end = End::fresh(Config::server());
    assert_eq!(end.connection.deadline(), None, "no time was told yet");
    assert!(end.wait(Duration::ZERO).is_empty());
    end
}

#[test]
fn slow_preface() {
    let code = "PROTOCOL_ERROR";
    let ten = seconds(10);
    check("none", started(), b"", ten, Limit::PrefaceTime, code);
    let part = &PREFACE[..23];
    check("a part", started(), part, ten, Limit::PrefaceTime, code);
    let unasked = End::fresh(Config::server());
    check(
        "its first byte",
        unasked,
        b"P",
        ten,
        Limit::PrefaceTime,
        code,
    );
}

#[test]
fn slow_first_settings() {
    let code = "SETTINGS_TIMEOUT";
    let limit = Limit::FirstSettingsTime;
    check("preface only", started(), PREFACE, seconds(10), limit, code);
    let mut part = [PREFACE, &settings(&[(3, 1)])].concat();
    part.pop();
    check("a part", started(), &part, seconds(10), limit, code);

    let mut late = started();
    assert!(late.wait(seconds(8)).is_empty());
    late.feed(&part);
    assert!(!late.connection.is_established(), "a part is not enough");
    assert_eq!(
        late.wait(seconds(2)),
        [format!("error {code}")],
        "10 s in all"
    );

    let mut in_time = started();
    in_time.feed(&part);
    assert!(in_time.wait(seconds(9)).is_empty());
    in_time.feed(&[1]);
    assert!(in_time.connection.is_established());
    assert!(in_time.wait(seconds(5)).is_empty());

    let mut client = End::fresh(Config::client());
    assert!(
        client.wait(seconds(1000)).is_empty(),
        "the clock starts here"
    );
    check("a client", client, b"", seconds(10), limit, code);
}

#[test]
fn slow_settings_acknowledgement() {
    let code = "SETTINGS_TIMEOUT";
    let hello = [PREFACE, &settings(&[])].concat();
    check(
        "server",
        started(),
        &hello,
        seconds(10),
        Limit::SettingsAckTime,
        code,
    );
    let client = End::fresh(Config::client());
    let hello = settings(&[]);
    check(
        "client",
        client,
        &hello,
        seconds(10),
        Limit::SettingsAckTime,
        code,
    );

    let mut end = End::server();
    assert_eq!(end.connection.deadline(), None, "nothing is waited for");
    assert!(end.wait(seconds(1_000_000)).is_empty());
}

#[test]
fn slow_headers() {
    let code = "ENHANCE_YOUR_CALM";
    let limit = Limit::HeaderBlockTime;
    let block = request(&[]);
    let begun = frame(HEADERS, END, 1, &block[..9]);
    check("no end", End::server(), &begun, seconds(10), limit, code);

    let mut end = End::server();
    end.feed(&begun);
    assert!(end.wait(seconds(6)).is_empty());
    assert!(
        end.feed(&frame(CONTINUATION, 0, 1, &block[9..12]))
            .is_empty()
    );
    assert_eq!(
        end.wait(seconds(4)),
        [format!("error {code}")],
        "it buys no time"
    );

    let mut end = End::server();
    end.feed(&begun);
    assert!(end.wait(seconds(10) - INSTANT).is_empty());
    let rest = frame(CONTINUATION, END_HEADERS, 1, &block[9..]);
    assert_eq!(end.feed(&rest), ["headers 1 end"]);
    assert_eq!(end.connection.deadline(), None);
    assert!(end.wait(seconds(1000)).is_empty());
}

#[test]
fn slow_frames() {
    let code = "ENHANCE_YOUR_CALM";
    let limit = Limit::HeaderBlockTime;
    let whole = headers(1, END, request(&[]));
    let (begun, rest) = whole.split_at(20);
    check("HEADERS", End::server(), begun, seconds(10), limit, code);
    check("a byte", End::server(), &[0], seconds(10), limit, code);

    let mut end = End::server();
    for byte in &whole[..4] {
        assert!(end.feed(&[*byte]).is_empty());
        assert!(end.wait(seconds(2)).is_empty());
    }
    assert_eq!(
        end.wait(seconds(2)),
        [format!("error {code}")],
        "bytes that drip buy no time"
    );

    let mut end = End::server();
    end.feed(begun);
    assert!(end.wait(seconds(10) - INSTANT).is_empty());
    assert_eq!(end.feed(rest), ["headers 1 end"]);
    assert_eq!(end.connection.deadline(), None);

    let mut end = End::server();
    end.feed(&headers(1, 0, request(&[])));
    let upload = data(1, 0, b"body");
    let (head, body) = upload.split_at(5);
    end.feed(head);
    assert_eq!(end.connection.deadline(), Some(end.now + seconds(10)));
    end.feed(&body[..5]);
    assert_eq!(
        end.connection.deadline(),
        None,
        "slow bodies are not slow frames"
    );
}

/// A server that bounds how long its output may wait.
fn impatient() -> Config {
    let mut config = Config::server();
    config.limits.write_progress_time_max = seconds(60);
    config
}

/// Two requests whose replies wait for their windows.
fn slow_readers(config: Config) -> End {
    let mut end = End::fresh(config);
    let hello = [PREFACE, &settings(&[(4, 0)]), &settings_ack()].concat();
    end.feed(&hello);
    for id in [1, 3] {
        end.feed(&headers(id, END, request(&[])));
        end.answer(id, &[7; 1000]);
    }
    end.output();
    end
}

#[test]
fn slow_readers_lose_nothing() {
    let mut end = slow_readers(Config::server());
    assert!((0..100).all(|_| end.wait(seconds(100)).is_empty()));
    end.feed(&settings(&[(4, 1000)]));
    let ends = end.frames().into_iter().filter(Frame::ends);
    assert_eq!(ends.count(), 2);
}

#[test]
fn slow_readers_lose_their_streams_if_a_bound_is_set() {
    let mut end = slow_readers(impatient());
    let mut passed = Duration::ZERO;
    while passed < seconds(60) {
        assert!(end.wait(SECOND).is_empty(), "{passed:?}");
        end.feed(&window_update(3, 1));
        assert_eq!(end.frames().len(), 1);
        passed += SECOND;
    }
    let mut said = Vec::new();
    while said.is_empty() && passed < seconds(80) {
        said = end.wait(SECOND);
        end.feed(&window_update(3, 1));
        passed += SECOND;
    }
    assert_eq!(said, ["reset 1 ENHANCE_YOUR_CALM by us"]);
    assert!(passed <= seconds(76), "a quarter more at most: {passed:?}");
    assert!(
        end.sent()
            .contains(&"RST_STREAM 1 ENHANCE_YOUR_CALM".into())
    );
    assert_eq!(end.hits(Limit::WriteProgressTime), 1);
    // The other stream lives on and comes to its end.
    end.feed(&window_update(3, 1000));
    assert!(
        end.frames()
            .iter()
            .any(|frame| frame.stream == 3 && frame.ends())
    );
    assert_eq!(end.connection.open_streams(), 0);
    assert_eq!(end.connection.queued_bytes(), 0);
    assert!(end.wait(seconds(60)).is_empty());
    assert_eq!(end.connection.deadline(), None, "no output waits");
}

#[test]
fn many_slow_readers_at_once() {
    let mut end = End::fresh(impatient());
    end.feed(&[PREFACE, &settings(&[(4, 0)]), &settings_ack()].concat());
    for id in (1..400).step_by(2) {
        end.feed(&headers(id, END, request(&[])));
        let key = corespun_http2::StreamKey { slot: id / 2, id };
        let connection = &mut end.connection;
        connection.send_headers(key, fields(&[(":status", "200")]), None, false);
        connection.send_data(key, b"x", true);
    }
    end.output();
    let said: Vec<String> = (0..80).flat_map(|_| end.wait(SECOND)).collect();
    assert_eq!(said.len(), 200);
    assert_eq!(end.connection.open_streams(), 0);
    assert_eq!(end.frames().len(), 200);
}

#[test]
fn a_connection_whose_window_stays_closed() {
    let make = || {
        let mut end = End::ready(impatient());
        end.feed(&[headers(1, END, request(&[])), settings(&[(4, 1 << 20)])].concat());
        end.answer(1, &[7; 70_000]);
        end.output();
        end
    };
    let mut end = make();
    assert!((0..60).all(|_| end.wait(SECOND).is_empty()));
    let said: Vec<String> = (0..16).flat_map(|_| end.wait(SECOND)).collect();
    assert_eq!(said, ["error ENHANCE_YOUR_CALM"]);
    assert_eq!(end.sent(), ["GOAWAY 1 ENHANCE_YOUR_CALM"]);

    let mut end = make();
    for _ in 0..100 {
        assert!(end.wait(seconds(10)).is_empty());
        end.feed(&window_update(0, 1));
        assert_eq!(end.frames().len(), 1, "a byte is progress");
    }
}

/// A client's own output waits without a bound, because a server may take its time to read it.
#[test]
fn a_client_may_wait_to_send() {
    let mut end = End::client(&[false]);
    let key = end.key(1);
    end.connection.send_data(key, &[7; 70_000], true);
    end.output();
    assert!((0..100).all(|_| end.wait(seconds(10)).is_empty()));
    end.connection.reset(key, ErrorCode::CANCEL);
}

#[test]
fn no_bound() {
    let mut config = Config::server();
    let limits = &mut config.limits;
    for bound in [
        &mut limits.preface_time_max,
        &mut limits.first_settings_time_max,
        &mut limits.settings_ack_time_max,
        &mut limits.header_block_time_max,
        &mut limits.write_progress_time_max,
    ] {
        *bound = Duration::MAX;
    }
    let mut end = End::fresh(config);
    let pause = |end: &mut End| assert!(end.wait(seconds(1_000_000)).is_empty());
    pause(&mut end);
    end.feed(PREFACE);
    pause(&mut end);
    end.feed(&settings(&[(4, 0)]));
    pause(&mut end);
    end.feed(&settings_ack());
    let block = request(&[]);
    end.feed(&frame(HEADERS, END, 1, &block[..9]));
    pause(&mut end);
    end.feed(&frame(CONTINUATION, END_HEADERS, 1, &block[9..]));
    end.answer(1, b"later");
    pause(&mut end);
    end.feed(&window_update(1, 5));
    assert_eq!(
        end.sent().last().map(String::as_str),
        Some("DATA 1 later end")
    );
}
