//! Host that runs any [`Protocol`] on monoio, so that monoio applications can use our services, and
//! that our runtime can be compared with monoio with the same protocol implementation.
//!
//! Each connection is a task with this loop: read into an owned buffer, [`Protocol::receive`],
//! [`Protocol::transmit`], write all output. A monoio timer enforces the deadline during the read.
//! A connection does not read while it writes.
//!
//! Features that need the turns of our own shard are not supported: [`SocketHandle::touch`] does
//! nothing, and a task that a protocol spawns is never polled. So the host is suitable for
//! protocols that respond within the turn: the echo, and gRPC services of unary calls whose
//! handlers never wait. All other calls stay unanswered.

use std::cell::RefCell;
use std::future::{Future, poll_fn};
use std::io;
use std::net::TcpListener as BoundListener;
use std::pin::pin;
use std::rc::Rc;
use std::task::Poll;
use std::time::Duration;

use corespun_runtime::{
    Accept, Address, Engine, Flow, Input, LocalConfig, LocalShard, Peer, Protocol, SocketHandle,
    now,
};
use monoio::io::{AsyncReadRent, AsyncWriteRentExt, CancelableAsyncReadRent, Canceller};
use monoio::net::{TcpListener, TcpStream};
use monoio::utils::detect_uring;
use monoio::{IoUringDriver, LegacyDriver, RuntimeBuilder};

use crate::AnyError;

/// Largest read in bytes; the size of a provided buffer of our own io_uring engine.
const READ_BYTES: usize = 16 << 10;

/// Returns the driver that monoio uses for `engine` on this machine: uring or epoll.
pub fn resolve(engine: Engine) -> Engine {
    match engine {
        Engine::Auto if detect_uring() => Engine::Uring,
        Engine::Auto => Engine::Epoll,
        chosen => chosen,
    }
}

/// Serves the listeners on the calling thread, pinned to `cpu`, until one fails.
///
/// # Errors
///
/// The thread cannot be pinned, monoio's driver cannot be created, or a listener fails.
pub fn serve(
    engine: Engine,
    cpu: Option<usize>,
    listeners: Vec<BoundListener>,
    accept: Box<dyn Accept>,
) -> Result<(), AnyError> {
    // Our own shard exists but does not run here: handlers reserve their task slots on it.
    let mut shard = LocalShard::new(LocalConfig {
        engine: Engine::Epoll,
        cpu,
    })?;
    Ok(shard.block_on(async { drive(engine, listeners, accept) })?)
}

fn drive(engine: Engine, listeners: Vec<BoundListener>, accept: Box<dyn Accept>) -> io::Result<()> {
    if resolve(engine) == Engine::Uring {
        let builder = RuntimeBuilder::<IoUringDriver>::new().enable_timer();
        builder.build()?.block_on(accept_all(listeners, accept))
    } else {
        let builder = RuntimeBuilder::<LegacyDriver>::new().enable_timer();
        builder.build()?.block_on(accept_all(listeners, accept))
    }
}

async fn accept_all(listeners: Vec<BoundListener>, accept: Box<dyn Accept>) -> io::Result<()> {
    let accept = Rc::new(RefCell::new(accept));
    let mut loops = Vec::new();
    for listener in listeners {
        let listener = TcpListener::from_std(listener)?;
        loops.push(monoio::spawn(accept_from(listener, Rc::clone(&accept))));
    }
    for accept_loop in loops {
        accept_loop.await?;
    }
    Ok(())
}

async fn accept_from(
    listener: TcpListener,
    accept: Rc<RefCell<Box<dyn Accept>>>,
) -> io::Result<()> {
    loop {
        let (stream, address) = listener.accept().await?;
        stream.set_nodelay(true)?;
        let peer = Peer::new(Some(Address::Tcp(address)));
        let protocol = accept.borrow_mut().accept(peer, SocketHandle::detached());
        monoio::spawn(async move {
            // A socket error ends its own connection only; the peer sees it too.
            let _ = pump(stream, protocol).await;
        });
    }
}

/// Drives one connection until its protocol or its peer closes it.
async fn pump(mut stream: TcpStream, mut protocol: Box<dyn Protocol>) -> io::Result<()> {
    let mut input = Vec::with_capacity(READ_BYTES);
    let mut output = Vec::new();
    loop {
        let (flow, spent) = send(&mut stream, &mut *protocol, output).await?;
        output = spent;
        if flow == Flow::Close {
            return Ok(());
        }
        let (count, spent) = receive(&mut stream, input, protocol.deadline()).await;
        input = spent;
        match count? {
            None => protocol.advance(now()),
            Some(0) => break,
            Some(_) => protocol.receive(now(), Input::Bytes(&input)),
        }
    }
    protocol.receive(now(), Input::End);
    loop {
        output = send(&mut stream, &mut *protocol, output).await?.1;
        if !protocol.has_backlog() {
            return Ok(());
        }
        protocol.advance(now());
    }
}

/// Writes until the protocol has no more output; returns the emptied buffer.
async fn send(
    stream: &mut TcpStream,
    protocol: &mut dyn Protocol,
    mut output: Vec<u8>,
) -> io::Result<(Flow, Vec<u8>)> {
    loop {
        output.clear();
        let flow = protocol.transmit(&mut output);
        if output.is_empty() {
            return Ok((flow, output));
        }
        let written;
        (written, output) = stream.write_all(output).await;
        written?;
        if flow == Flow::Close {
            return Ok((flow, output));
        }
    }
}

/// Reads once; returns `None` if `deadline` passes first.
async fn receive(
    stream: &mut TcpStream,
    input: Vec<u8>,
    deadline: Option<Duration>,
) -> (io::Result<Option<usize>>, Vec<u8>) {
    let Some(deadline) = deadline else {
        let (count, input) = stream.read(input).await;
        return (count.map(Some), input);
    };
    let canceller = Canceller::new();
    let mut read = pin!(stream.cancelable_read(input, canceller.handle()));
    let mut due = pin!(monoio::time::sleep(deadline.saturating_sub(now())));
    let first = poll_fn(|context| match read.as_mut().poll(context) {
        Poll::Ready(done) => Poll::Ready(Some(done)),
        Poll::Pending => due.as_mut().poll(context).map(|()| None),
    });
    if let Some((count, input)) = first.await {
        return (count.map(Some), input);
    }
    // The kernel owns the buffer until the read has ended; bytes may have come meanwhile.
    canceller.cancel();
    let (count, input) = read.await;
    (Ok(count.ok()), input)
}
