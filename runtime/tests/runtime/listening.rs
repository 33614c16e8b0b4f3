//! Addresses: abstract names, both IP versions on one port, and sockets bound before the start.

use std::cell::RefCell;
use std::io::{Read, Write};
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr, TcpListener, TcpStream};
use std::path::Path;
use std::rc::Rc;
use std::time::Duration;

use corespun_runtime::{Address, Engine, Peer, Runtime, SocketHandle, connect};

use crate::collector::{Collector, Seen, until};
use crate::engines::each_engine;
use crate::service::{Echo, Manner, any_port};
use crate::streams::{dial, echo, local};

fn exchange(address: &Address) {
    let mut stream = dial(address);
    stream.write_all(b"hello").expect("send");
    let mut answer = [0; 5];
    stream.read_exact(&mut answer).expect("receive");
    assert_eq!(&answer, b"hello");
}

fn reach(ip: impl Into<std::net::IpAddr>, port: u16) -> std::io::Result<TcpStream> {
    let address = SocketAddr::new(ip.into(), port);
    TcpStream::connect_timeout(&address, Duration::from_secs(10))
}

fn port(address: &Address) -> u16 {
    let Address::Tcp(address) = address else {
        unreachable!("asked for TCP")
    };
    address.port()
}

#[test]
fn abstract_names_have_no_file() {
    each_engine("abstract_names_have_no_file", |engine| {
        let name = format!("corespun-{}-{engine}", std::process::id());
        let address: Address = format!("unix:@{name}").parse().expect("an address");
        let running = echo(engine, 2, std::slice::from_ref(&address), Manner::default());
        assert_eq!(running.addresses(), std::slice::from_ref(&address));
        exchange(&address);
        assert!(!Path::new(&format!("@{name}")).exists());
        // Our own client finds it under the form of other libraries, too.
        let other: Address = format!("unix-abstract:{name}").parse().expect("an address");
        let seen = Rc::new(RefCell::new(Seen::default()));
        local(engine).block_on(async {
            let make = |_| Collector::boxed(b"hello".to_vec(), &seen);
            connect(&other, make).await.expect("connected");
            until("the echo", || seen.borrow().bytes == b"hello").await;
        });
        let taken = Runtime::builder().listen(address).bind();
        let error = taken.expect_err("the name is taken").to_string();
        assert!(
            error.contains(&format!("unix:@{name}: Address already in use")),
            "{error}"
        );
    });
}

#[test]
fn any_v6_address_takes_callers_over_both_versions() {
    if TcpListener::bind((Ipv6Addr::LOCALHOST, 0)).is_err() {
        return println!("SKIPPED any_v6_address_takes_callers_over_both_versions: no IPv6 here");
    }
    for shards in [1, 2] {
        let running = echo(
            Engine::Epoll,
            shards,
            &["[::]:0".parse().expect("an address")],
            Manner::default(),
        );
        let port = port(&running.addresses()[0]);
        reach(Ipv4Addr::LOCALHOST, port).expect("over IPv4");
        reach(Ipv6Addr::LOCALHOST, port).expect("over IPv6");
        drop(running);
        // Both by name, in either order: each version has its own listener.
        let v4: Address = format!("0.0.0.0:{port}").parse().expect("an address");
        let v6: Address = format!("[::]:{port}").parse().expect("an address");
        for addresses in [[v4.clone(), v6.clone()], [v6, v4]] {
            let running = echo(Engine::Epoll, shards, &addresses, Manner::default());
            reach(Ipv4Addr::LOCALHOST, port).expect("over IPv4");
            reach(Ipv6Addr::LOCALHOST, port).expect("over IPv6");
            drop(running);
        }
    }
}

#[test]
fn sockets_are_bound_before_the_start() {
    each_engine("sockets_are_bound_before_the_start", |engine| {
        let bound = Runtime::builder()
            .engine(engine)
            .shards(2)
            .listen(any_port());
        let bound = bound.bind().expect("a free port");
        let address = bound.addresses()[0].clone();
        assert_ne!(port(&address), 0);
        assert_eq!(bound.shards(), 2);
        let again = Runtime::builder().listen(address.clone()).bind();
        let error = again.expect_err("taken").to_string();
        assert_eq!(
            error,
            format!("failed to listen on {address}: Address already in use (os error 98)")
        );
        // A caller that comes early is served once there are shards.
        let mut early = dial(&address);
        early.write_all(b"early").expect("send");
        let running = bound.start(|_| {
            Ok(Box::new(|_: Peer, _: SocketHandle| {
                Echo::boxed(Manner::default())
            }))
        });
        let running = running.expect("started");
        let mut answer = [0; 5];
        early.read_exact(&mut answer).expect("receive");
        assert_eq!(running.addresses(), [address]);
    });
}

#[test]
fn a_bound_runtime_that_is_dropped_gives_its_addresses_back() {
    let path = crate::streams::socket_path("given-back");
    let builder = Runtime::builder().listen(any_port());
    let bound = builder
        .listen(Address::Unix(path.clone()))
        .bind()
        .expect("bound");
    assert!(path.exists());
    let address = bound.addresses()[0].clone();
    drop(bound);
    assert!(!path.exists());
    drop(
        Runtime::builder()
            .listen(address)
            .bind()
            .expect("free again"),
    );
}
