//! Replacement of certificates while calls are made.

use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::time::Duration;

use corespun_client::Channel;
use corespun_runtime::{Address, Flow, Input, Protocol, connect, now, sleep, spawn, turn_time};
use corespun_tls::{Handshake, Inside};

use crate::engines::on_each_engine;
use crate::world::{HOST, World, ask, channel, mirror};

const REPLACEMENTS: usize = 20;

/// Load generator that counts successful calls and keeps errors until it is stopped.
#[derive(Default)]
struct Load {
    stop: Cell<bool>,
    done: Cell<usize>,
    failures: RefCell<Vec<String>>,
    running: Cell<usize>,
}

impl Load {
    /// Adds one client with its own connection, or with a new one for each call if `renews`.
    fn add(self: &Rc<Self>, open: impl Fn() -> Channel + 'static, renews: bool) {
        let load = self.clone();
        load.running.set(load.running.get() + 1);
        spawn(async move {
            let mut channel = open();
            while !load.stop.get() {
                match ask(&channel).await {
                    Ok(_) => load.done.set(load.done.get() + 1),
                    Err(status) => load.failures.borrow_mut().push(status.to_string()),
                }
                if renews {
                    channel = open();
                }
            }
            load.running.set(load.running.get() - 1);
        });
    }

    async fn more(&self, calls: usize) {
        let (wanted, limit) = (self.done.get() + calls, now() + Duration::from_secs(20));
        while self.done.get() < wanted {
            assert!(now() < limit, "stuck: {:?}", self.failures.borrow());
            sleep(Duration::from_millis(1)).await;
        }
    }

    async fn end(&self) {
        self.stop.set(true);
        while self.running.get() > 0 {
            sleep(Duration::from_millis(1)).await;
        }
    }
}

/// Returns the certificate that the server presents now.
async fn shown(world: &World, address: &Address) -> Vec<u8> {
    struct Look(Rc<RefCell<Option<Vec<u8>>>>);
    impl Inside for Look {
        fn open(&mut self, mut handshake: Handshake) -> Box<dyn Protocol> {
            *self.0.borrow_mut() = Some(handshake.certificates.remove(0));
            idle()
        }
    }
    let found = Rc::default();
    let look = Box::new(Look(Rc::clone(&found)));
    let connector = world.client().load().expect("a connector");
    let connected = connect(address, |_| {
        let wrapped = connector.connect(HOST, "server".into(), turn_time(), look);
        wrapped.expect("a host")
    });
    let socket = connected.await.expect("connected");
    let limit = now() + Duration::from_secs(20);
    loop {
        if let Some(certificate) = found.take() {
            socket.close();
            return certificate;
        }
        assert!(now() < limit, "no handshake");
        sleep(Duration::from_millis(1)).await;
    }
}

/// Returns a protocol that does nothing: the test needs only the handshake.
fn idle() -> Box<dyn Protocol> {
    struct Idle;
    impl Protocol for Idle {
        fn receive(&mut self, _now: Duration, _input: Input<'_>) {}
        fn advance(&mut self, _now: Duration) {}
        fn transmit(&mut self, _out: &mut Vec<u8>) -> Flow {
            Flow::Open
        }
        fn deadline(&self) -> Option<Duration> {
            None
        }
    }
    Box::new(Idle)
}

#[test]
fn no_call_fails_while_certificates_are_replaced() {
    on_each_engine(async |engine| {
        let world = Rc::new(World::new("load"));
        let server = mirror(engine).listen("127.0.0.1:0").tls(world.tls());
        let server = server.start().expect("a server");
        let address = server.addresses()[0].clone();
        let load = Rc::<Load>::default();
        for renews in [false, false, true, true] {
            let (world, target) = (world.clone(), address.to_string());
            load.add(move || channel(&target, world.client()), renews);
        }
        let mut before = shown(&world, &address).await;
        for _ in 0..REPLACEMENTS {
            world.replace(&world.authority.issue(&[HOST]));
            assert!(
                server.reload_tls().expect("good files"),
                "nothing was replaced"
            );
            let now = shown(&world, &address).await;
            assert_ne!(now, before, "the old certificate is still shown");
            before = now;
            load.more(20).await;
        }
        load.end().await;
        assert_eq!(*load.failures.borrow(), Vec::<String>::new());
        assert!(load.done.get() >= REPLACEMENTS * 20);
        server.stop().expect("a clean end");
    });
}

#[test]
fn a_changed_file_is_noticed_and_a_broken_one_is_not_used() {
    on_each_engine(async |engine| {
        let world = World::new("watch");
        let server = mirror(engine).listen("127.0.0.1:0").tls(world.tls());
        let server = server.start().expect("a server");
        let address = server.addresses()[0].clone();
        let old = shown(&world, &address).await;
        let mut next = world.authority.issue(&[HOST]);
        let key = std::mem::replace(&mut next.key, "no key".to_owned());
        world.replace(&next);
        let error = server.reload_tls().expect_err("half of it is broken");
        assert!(error.to_string().contains("server.key"), "{error}");
        assert_eq!(shown(&world, &address).await, old);
        next.key = key;
        world.replace(&next);
        // The server checks its files by itself every few seconds.
        let limit = now() + Duration::from_secs(30);
        while shown(&world, &address).await == old {
            assert!(now() < limit, "the change goes unnoticed");
            sleep(Duration::from_millis(100)).await;
        }
        server.stop().expect("a clean end");
    });
}
