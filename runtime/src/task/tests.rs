//! Tests of the executor without a shard: the order of polls.

use std::cell::RefCell;
use std::future::poll_fn;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use super::*;
use crate::mailbox::Message;

const A: Group = Group::BACKGROUND;
const B: Group = Group::of_connection(0);
const C: Group = Group::of_connection(1);
const UNTIMED: TimeShare = TimeShare::new(Duration::ZERO, 1);

#[derive(Clone)]
struct Bench {
    executor: Rc<Executor>,
    mailbox: Arc<Mailbox>,
    polled: Rc<RefCell<Vec<char>>>,
}

impl Bench {
    fn new() -> Self {
        let mailbox = Arc::new(Mailbox::new().unwrap());
        Self {
            executor: Rc::new(Executor::new(u64::MAX, mailbox.clone())),
            mailbox,
            polled: Rc::default(),
        }
    }

    /// Starts a task of `group` that is ready for `polls` polls. No shard is entered here, so its
    /// wakes are those of another thread.
    fn start(&self, name: char, group: Group, polls: usize) -> JoinHandle<()> {
        let polled = Rc::clone(&self.polled);
        let mut left = polls;
        let task = poll_fn(move |context| {
            polled.borrow_mut().push(name);
            left -= 1;
            if left == 0 {
                return Poll::Ready(());
            }
            context.waker().wake_by_ref();
            Poll::Pending
        });
        self.executor.run_for(group, || self.executor.spawn(task))
    }

    fn run(&self, limit: usize) -> usize {
        let polls = self.executor.run(limit, &mut { UNTIMED });
        let mut messages = Vec::new();
        self.mailbox.take(&mut messages);
        for message in messages {
            match message {
                Message::Wake(id) => self.executor.push(id),
                _ => panic!("only wakes are posted"),
            }
        }
        polls
    }

    /// Runs until no task is ready, and expects the polls in this order.
    fn check(&self, order: &str) {
        while self.run(usize::MAX) > 0 {}
        assert!(!self.executor.has_ready());
        let polled: String = self.polled.take().into_iter().collect();
        assert_eq!(polled, order);
    }
}

#[test]
fn a_crowd_of_one_group_gives_way() {
    let bench = Bench::new();
    for name in "abcdef".chars() {
        bench.start(name, B, 1);
    }
    bench.start('x', C, 1);
    bench.start('y', C, 1);
    bench.start('m', A, 1);
    bench.check("axmbycdef");
}

#[test]
fn a_limit_leaves_the_rest_in_its_order() {
    let bench = Bench::new();
    for name in "abc".chars() {
        bench.start(name, B, 1);
    }
    assert_eq!(bench.run(2), 2);
    bench.start('x', C, 1);
    assert_eq!(bench.executor.ready_len(), 2);
    bench.check("abcx");
}

#[test]
fn time_that_is_used_up_ends_a_turn() {
    let bench = Bench::new();
    for name in "abc".chars() {
        bench.start(name, B, 1);
    }
    let mut share = TimeShare::new(Duration::from_nanos(1), 1);
    let polls = bench.executor.run(usize::MAX, &mut share);
    assert_eq!(polls, 1);
    bench.check("abc");
}

#[test]
fn tasks_of_tasks_belong_to_the_group_of_those() {
    let bench = Bench::new();
    let inner = bench.clone();
    let parent = poll_fn(move |_| {
        inner.polled.borrow_mut().push('p');
        for name in "abc".chars() {
            let polled = Rc::clone(&inner.polled);
            inner
                .executor
                .spawn(async move { polled.borrow_mut().push(name) });
        }
        Poll::Ready(())
    });
    bench.executor.run_for(B, || bench.executor.spawn(parent));
    bench.start('x', C, 1);
    bench.start('y', C, 1);
    bench.check("pxaybc");
    bench.start('m', A, 1);
    bench.start('b', B, 1);
    // After a run, nobody's group is left to what starts next.
    assert!(bench.executor.group.get() == Group::BACKGROUND);
    bench.check("mb");
}

#[test]
fn woken_tasks_go_behind_their_group() {
    let bench = Bench::new();
    bench.start('a', B, 2);
    bench.start('b', B, 1);
    bench.start('x', C, 3);
    bench.check("axbaxx");
}

#[test]
fn aborted_tasks_leave_no_hole() {
    let bench = Bench::new();
    let handles: Vec<_> = "abc".chars().map(|name| bench.start(name, B, 1)).collect();
    for handle in &handles[..2] {
        handle.cell.abort();
        bench.executor.release(handle.cell.id());
    }
    assert_eq!(bench.executor.ready_len(), 1);
    // The slots that became free are taken by another group, and wait in its line.
    bench.start('x', C, 1);
    bench.start('y', C, 1);
    bench.check("cxy");
}

#[test]
fn a_woken_reservation_joins_the_group_that_spawns_it() {
    let bench = Bench::new();
    let (id, cached) = bench.executor.reserve();
    cached.waker().wake_by_ref();
    assert_eq!(bench.run(usize::MAX), 0, "the wake arrives");
    for name in "ab".chars() {
        bench.start(name, A, 1);
    }
    let polled = Rc::clone(&bench.polled);
    let task = Box::pin(async move { polled.borrow_mut().push('r') });
    bench
        .executor
        .run_for(B, || bench.executor.occupy(id, cached, task));
    bench.check("arb");
}

#[test]
fn nothing_is_ready_after_all_were_aborted() {
    let bench = Bench::new();
    for name in "abc".chars() {
        bench.start(name, B, 2);
    }
    assert_eq!(bench.run(2), 2);
    bench.executor.abort_all();
    bench.check("ab");
}
