//! Shard on the calling thread, for clients, load generators and tests.

use std::future::Future;
use std::io;
use std::pin::pin;
use std::rc::Rc;
use std::sync::Arc;
use std::task::{Context as TaskContext, Poll};

use crate::context::{self, Context};
use crate::cpu;
use crate::driver::Driver;
use crate::engine::{self, Engine};
use crate::epoll::Epoll;
use crate::error::StartError;
use crate::mailbox::Mailbox;
use crate::ring::{RingOptions, Uring};
use crate::shard::Shard;
use crate::task::Reservation;

/// Configuration of a [`LocalShard`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct LocalConfig {
    /// Engine that drives the sockets.
    pub engine: Engine,
    /// CPU to pin the calling thread to, permanently; `None` for no pinning.
    pub cpu: Option<usize>,
}

/// Shard that the calling thread runs. Tasks and sockets make no progress between two calls of
/// [`block_on`](Self::block_on), and end when the shard is dropped.
pub struct LocalShard {
    /// The shard; `None` only in the drop, which must drop it inside its context.
    shard: Option<Shard>,
}

/// Creates the driver of `engine`, which must not be [`Engine::Auto`].
pub(crate) fn make_driver(
    engine: Engine,
    options: &RingOptions,
    context: &Context,
) -> io::Result<Box<dyn Driver>> {
    let mailbox = context.mailbox.clone();
    let counters = context.counters.clone();
    // Spread by a large odd number, so that ids of successive shards lie far apart.
    let seed = (context.instance as u32).wrapping_mul(0x9e37_79b1) >> 8;
    Ok(match engine {
        Engine::Epoll => Box::new(Epoll::new(mailbox, counters, seed)?),
        _ => Box::new(Uring::new(options, mailbox, counters, seed)?),
    })
}

impl LocalShard {
    /// Creates a shard on the calling thread.
    ///
    /// # Errors
    ///
    /// When the engine asked for does not work here, or the CPU is not ours to use.
    pub fn new(config: LocalConfig) -> Result<Self, StartError> {
        Self::with_ring(config, RingOptions::default())
    }

    /// Creates a shard as [`new`](Self::new) does, with non-default sizes of the ring.
    ///
    /// # Errors
    ///
    /// As [`new`](Self::new).
    pub fn with_ring(config: LocalConfig, ring: RingOptions) -> Result<Self, StartError> {
        let choice = engine::choose(config.engine, 1, &ring)?;
        if let Some(cpu) = config.cpu {
            if cpu::allowed().is_some_and(|allowed| !allowed.contains(&cpu)) {
                return Err(StartError::Pin { cpu });
            }
            cpu::try_pin(cpu)?;
        }
        let shard_error = |source| StartError::Shard { shard: 0, source };
        let mailbox = Arc::new(Mailbox::new().map_err(shard_error)?);
        let peers: Arc<[Arc<Mailbox>]> = Arc::from(vec![mailbox.clone()]);
        let context = Rc::new(Context::new(0, mailbox, peers));
        let mut engine = choice.engine;
        let mut made = make_driver(engine, &ring, &context);
        if let Err(error) = &made
            && choice.can_fall_back
        {
            engine::warn_of_epoll(error, 1, &ring);
            engine = Engine::Epoll;
            made = make_driver(engine, &ring, &context);
        }
        let driver = made.map_err(|source| StartError::Engine {
            engine,
            source: engine::explain(source, 1, &ring),
        })?;
        Ok(Self {
            shard: Some(Shard::new(context, driver, None)),
        })
    }

    /// Returns the engine in use: never [`Engine::Auto`].
    pub fn engine(&self) -> Engine {
        self.shard().driver().engine()
    }

    /// Runs `future` to its end, and meanwhile all tasks and sockets of the shard.
    ///
    /// # Panics
    ///
    /// When `future` does; when called from inside a shard; and when the kernel refuses to go on
    /// driving a ring or epoll instance that it had set up.
    pub fn block_on<F: Future>(&mut self, future: F) -> F::Output {
        let _entered = context::enter(self.shard().context().clone());
        let shard = self.shard.as_mut().expect("present until dropped");
        let mut future = pin!(future);
        let place = Reservation::take();
        place.waker().wake_by_ref();
        let mut output = None;
        while output.is_none() {
            let turned = shard.turn(&mut || {
                if place.take_notified() {
                    let mut cx = TaskContext::from_waker(place.waker());
                    if let Poll::Ready(value) = future.as_mut().poll(&mut cx) {
                        output = Some(value);
                    }
                }
            });
            if let Err(error) = turned {
                panic!("failed to drive the shard: {error}");
            }
        }
        // Nobody turns the shard from here on, perhaps for long.
        if let Err(error) = shard.submit() {
            panic!("failed to drive the shard: {error}");
        }
        output.expect("the loop ends with an output")
    }

    fn shard(&self) -> &Shard {
        self.shard.as_ref().expect("present until dropped")
    }
}

impl Drop for LocalShard {
    fn drop(&mut self) {
        // Dropped inside its own context, so that what its tasks own finds the shard; unless the
        // thread is inside another shard, where a nested one cannot be entered.
        let entered = context::is_free().then(|| context::enter(self.shard().context().clone()));
        self.shard = None;
        drop(entered);
    }
}

/// Runs `future` on a new shard of the calling thread, with the default settings.
///
/// # Errors
///
/// When no engine can be set up.
///
/// # Panics
///
/// As [`LocalShard::block_on`].
pub fn block_on<F: Future>(future: F) -> Result<F::Output, StartError> {
    Ok(LocalShard::new(LocalConfig::default())?.block_on(future))
}
