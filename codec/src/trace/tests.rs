//! Tests of contexts from metadata and back, and of the current context.

use std::cell::Cell;
use std::future::pending;
use std::pin::pin;
use std::task::{Context, Waker};

use super::*;

const TRACE: &str = "0af7651916cd43dd8448eb211c80319c";
const SPAN: &str = "b7ad6b7169203331";

fn metadata(fields: &[(&str, &str)]) -> MetadataMap {
    let mut metadata = MetadataMap::new();
    for (key, value) in fields {
        metadata.append(key, value).unwrap();
    }
    metadata
}

fn context(flags: &str) -> TraceContext {
    TraceContext::parse(&format!("00-{TRACE}-{SPAN}-{flags}")).unwrap()
}

#[test]
fn traceparents_as_the_specification_has_them() {
    let check = |text: &str, expected: Option<&str>| {
        let parsed = TraceContext::parse(text).map(|context| context.to_string());
        assert_eq!(parsed.as_deref(), expected, "of {text:?}");
    };
    let of = |version: &str, flags: &str| format!("{version}-{TRACE}-{SPAN}-{flags}");
    for (flags, kept) in [
        ("00", "00"),
        ("01", "01"),
        ("03", "03"),
        ("ff", "03"),
        ("08", "00"),
    ] {
        check(&of("00", flags), Some(&of("00", kept)));
    }
    // Later versions may go on behind a dash, and are sent on as version 00.
    check(&of("cc", "01"), Some(&of("00", "01")));
    check(&of("cc", "01-what-comes-later"), Some(&of("00", "01")));
    for broken in [
        String::new(),
        of("ff", "01"),
        of("00", "01-x"),
        of("cc", "01.x"),
        of("0", "01"),
        of("00", "1"),
        of("00", "0g"),
        of("00", "0A"),
        of("00", "01").replace('-', "_"),
        of("00", "01").to_uppercase(),
        of("00", "01").replace(TRACE, &"0".repeat(32)),
        of("00", "01").replace(SPAN, &"0".repeat(16)),
        of("00", "01").replace(SPAN, &SPAN[1..]),
        format!(" {}", of("00", "01")),
    ] {
        check(&broken, None);
    }
}

#[test]
fn a_broken_or_doubled_parent_is_none_at_all() {
    let parent = context("01").to_string();
    let read = |fields: &[(&str, &str)]| TraceContext::read(&metadata(fields));
    assert_eq!(read(&[]), None);
    assert_eq!(read(&[("tracestate", "a=1")]), None);
    assert_eq!(read(&[("traceparent", "00-nonsense")]), None);
    assert_eq!(
        read(&[("traceparent", &parent), ("traceparent", &parent)]),
        None
    );
    assert_eq!(read(&[("traceparent", &parent)]), Some(context("01")));
}

#[test]
fn states_are_kept_joined_or_left_out() {
    let parent = context("01").to_string();
    let check = |lists: &[&str], expected: &str| {
        let mut fields = vec![("traceparent", parent.as_str())];
        fields.extend(lists.iter().map(|list| ("tracestate", *list)));
        let context = TraceContext::read(&metadata(&fields)).unwrap();
        assert_eq!(context.state(), expected, "of {lists:?}");
    };
    let many = |count: usize| {
        let members = (0..count).map(|at| format!("k{at}=v"));
        members.collect::<Vec<_>>().join(",")
    };
    check(&["rojo=00f067aa0ba902b7"], "rojo=00f067aa0ba902b7");
    check(&["a=1 , b=2,,", "c=x/y z"], "a=1,b=2,c=x/y z");
    check(&["tenant@vendor=1,0a_-*/=!"], "tenant@vendor=1,0a_-*/=!");
    check(&[&many(32)], &many(32));
    let key = "k".repeat(256);
    check(&[&format!("{key}=v")], &format!("{key}=v"));
    let long = "v".repeat(257);
    for broken in [
        "a=1,a=2",
        "a",
        "=1",
        "a=",
        "A=1",
        "a=b=c",
        "_a=1",
        "a =1",
        &many(33),
        &format!("{key}k=v"),
        &format!("a={long}"),
    ] {
        check(&[broken], "");
    }
}

#[test]
fn what_was_written_is_read_again() {
    let mut given = metadata(&[("traceparent", "x"), ("tracestate", "old=1")]);
    assert!(TraceContext::is_in(&given));
    context("01").write(&mut given).unwrap();
    assert_eq!(TraceContext::read(&given), Some(context("01")));
    assert_eq!(given.len(), 1, "another's state goes with another's parent");
    given.append("tracestate", "a=1").unwrap();
    let parent = TraceContext::read(&given).unwrap();
    let child = parent.child(SpanId::from_bytes([7; 8]).unwrap(), false);
    child.write(&mut given).unwrap();
    let read = TraceContext::read(&given).unwrap();
    assert_eq!((read.state(), read.is_sampled()), ("a=1", false));
    assert_eq!(read.trace_id(), parent.trace_id());
    assert_eq!(read.span_id().to_string(), "0707070707070707");
    let trace = TraceId::from_bytes([9; 16]).unwrap();
    let root = TraceContext::root(trace, read.span_id(), true);
    assert_eq!((root.flags(), root.state()), (3, ""));
}

#[test]
fn a_context_is_current_for_its_own_work_alone() {
    let (outer, inner) = (context("00"), context("01"));
    outer.in_scope(|| {
        inner.in_scope(|| assert_eq!(TraceContext::current(), Some(inner.clone())));
        assert_eq!(TraceContext::current(), Some(outer.clone()));
    });
    assert_eq!(TraceContext::current(), None);
    let unwound = std::panic::catch_unwind(|| context("01").in_scope(|| panic!("asked to")));
    assert!(unwound.is_err());
    assert_eq!(TraceContext::current(), None);

    let seen = Cell::new(None);
    let mut task = pin!(inner.clone().follow(async {
        seen.set(TraceContext::current());
        pending::<()>().await;
    }));
    let mut waker = Context::from_waker(Waker::noop());
    assert!(task.as_mut().poll(&mut waker).is_pending());
    assert_eq!(TraceContext::current(), None);
    assert_eq!(seen.take(), Some(inner));
}
