//! Connecting out of a shard, and protocols on the connecting side.

use std::cell::RefCell;
use std::io;
use std::rc::Rc;
use std::time::Duration;

use corespun_runtime::{
    Address, Engine, SocketHandle, connect, now, sleep, spawn, stats, timeout, turn_time,
};

use crate::collector::{Collector, Seen, until};
use crate::engines::each_engine;
use crate::service::{Manner, any_port};
use crate::streams::{echo, local, pattern, socket_path, starving};

fn check(name: &str, test: impl Fn(Engine, &Address)) {
    each_engine(name, |engine| {
        let unix = Address::Unix(socket_path(&format!("{name}-{engine}")));
        let running = echo(engine, 1, &[any_port(), unix], Manner::default());
        for address in running.addresses() {
            test(engine, address);
        }
    });
}

#[test]
fn a_megabyte_goes_round() {
    check("a_megabyte_goes_round", |engine, address| {
        local(engine).block_on(async {
            let seen: Rc<RefCell<Seen>> = Rc::default();
            let sent = pattern(1 << 20);
            let make = |_| Collector::boxed(sent.clone(), &seen);
            connect(address, make).await.expect("connected");
            until("the echo", || seen.borrow().bytes.len() == sent.len()).await;
            assert!(seen.borrow().bytes == sent);
            until("the close", || stats().closed == 1).await;
        });
    });
}

#[test]
fn many_sockets_of_one_shard() {
    check("many_sockets_of_one_shard", |engine, address| {
        local(engine).block_on(async {
            let all: Vec<Rc<RefCell<Seen>>> = (0..200).map(|_| Rc::default()).collect();
            for (index, seen) in all.iter().enumerate() {
                let (address, seen) = (address.clone(), seen.clone());
                spawn(async move {
                    let make = |_| Collector::boxed(vec![index as u8; 1000], &seen);
                    connect(&address, make).await.expect("connected");
                });
            }
            let full = |seen: &Rc<RefCell<Seen>>| seen.borrow().bytes.len() == 1000;
            until("all echoes", || all.iter().all(full)).await;
            for (index, seen) in all.iter().enumerate() {
                assert!(seen.borrow().bytes.iter().all(|byte| *byte == index as u8));
            }
            until("all closes", || stats().closed == 200).await;
        });
    });
}

#[test]
fn hardly_any_buffers_are_no_error_of_a_connection() {
    check("hardly_any_buffers", |engine, address| {
        starving(engine).block_on(async {
            let all: Vec<Rc<RefCell<Seen>>> = (0..8).map(|_| Rc::default()).collect();
            let sent = pattern(20_000);
            for seen in &all {
                let make = |_| Collector::boxed(sent.clone(), seen);
                connect(address, make).await.expect("connected");
            }
            let full = |seen: &Rc<RefCell<Seen>>| seen.borrow().bytes.len() == sent.len();
            until("all echoes", || all.iter().all(full)).await;
            assert!(all.iter().all(|seen| seen.borrow().bytes == sent));
            if engine == Engine::Uring {
                assert!(stats().starved > 0, "the buffers did run out");
            }
        });
    });
}

#[test]
fn a_refused_connect_names_the_address() {
    each_engine("a_refused_connect", |engine| {
        local(engine).block_on(async {
            let running = echo(engine, 1, &[any_port()], Manner::default());
            let tcp = running.addresses()[0].clone();
            drop(running);
            let unix = Address::Unix(socket_path("nobody"));
            for (address, kind) in [
                (tcp, io::ErrorKind::ConnectionRefused),
                (unix, io::ErrorKind::NotFound),
            ] {
                let make = |_| -> Box<dyn corespun_runtime::Protocol> {
                    panic!("nothing runs on a socket that is not connected")
                };
                let error = connect(&address, make).await.expect_err("refused");
                assert_eq!(error.kind(), kind);
                let start = format!("failed to connect to {address}: ");
                assert!(error.to_string().starts_with(&start), "{error}");
            }
        });
    });
}

#[test]
fn an_abandoned_connect_leaves_no_socket() {
    each_engine("an_abandoned_connect", |engine| {
        local(engine).block_on(async {
            // TEST-NET-1 answers nothing, or the host has no route to it: both are fine.
            let address: Address = "192.0.2.1:9".parse().expect("an address");
            let seen = Rc::default();
            let make = |_: SocketHandle| Collector::boxed(Vec::new(), &seen);
            let attempt = timeout(Duration::from_millis(30), connect(&address, make)).await;
            assert!(attempt.is_err() || attempt.is_ok_and(|result| result.is_err()));
            sleep(Duration::from_millis(30)).await;
            assert_eq!(stats().opened, 0);
        });
    });
}

#[test]
fn deadlines_and_touches_reach_the_protocol() {
    check("deadlines_and_touches", |engine, address| {
        local(engine).block_on(async {
            let seen: Rc<RefCell<Seen>> = Rc::default();
            let deadline = now() + Duration::from_millis(20);
            let make = |_| -> Box<dyn corespun_runtime::Protocol> {
                Box::new(Collector {
                    output: Vec::new(),
                    seen: seen.clone(),
                    deadline: Some(deadline),
                    closes_at: usize::MAX,
                })
            };
            let socket = connect(address, make).await.expect("connected");
            until("the deadline", || seen.borrow().advanced.len() == 1).await;
            assert!(seen.borrow().advanced[0] >= deadline, "never early");
            socket.touch();
            socket.touch();
            until("the touch", || seen.borrow().advanced.len() == 2).await;
            sleep(Duration::from_millis(5)).await;
            assert_eq!(seen.borrow().advanced.len(), 2, "two touches, one advance");
            assert!(seen.borrow().advanced[1] <= turn_time());
            socket.close();
            until("the close", || stats().closed == 1).await;
            socket.touch();
            SocketHandle::detached().touch();
            sleep(Duration::from_millis(5)).await;
            assert_eq!(
                seen.borrow().advanced.len(),
                2,
                "closed sockets hear nothing"
            );
        });
    });
}

#[test]
fn a_dropped_shard_closes_its_sockets() {
    check("a_dropped_shard", |engine, address| {
        for _ in 0..3 {
            let mut shard = local(engine);
            let seen: Rc<RefCell<Seen>> = Rc::default();
            shard.block_on(async {
                let make = |_| -> Box<dyn corespun_runtime::Protocol> {
                    Box::new(Collector {
                        output: pattern(10 << 20),
                        seen: seen.clone(),
                        deadline: None,
                        closes_at: usize::MAX,
                    })
                };
                // In the middle of a large send.
                connect(address, make).await.expect("connected");
                until("some echo", || !seen.borrow().bytes.is_empty()).await;
            });
            drop(shard);
            assert_eq!(Rc::strong_count(&seen), 1, "the protocol is gone");
        }
    });
}
