//! Thread-per-core runtime: one thread, one io_uring and one heap for each core.
//!
//! A **shard** is a thread that owns everything it touches: its sockets, its timers, its tasks.
//! It loops in **turns**:
//!
//! ```text
//!        ┌──────────────────────── one kernel entry ────────────────────────┐
//!        │  submit all that is prepared · sleep until something happens     │
//!        └──────────────────────────────────────────────────────────────────┘
//!   completions → receive → timers → tasks → advance, transmit → one send per socket ─┐
//!        ▲                                                                            │
//!        └────────────────────────────────────────────────────────────────────────────┘
//! ```
//!
//! What runs on a socket is a [`Protocol`]: bytes are pushed into it in place, and output is
//! pulled out of it once per turn. It does no I/O, reads no clock and takes no lock, so the same
//! value runs on io_uring, on epoll, and in a simulator.
//!
//! ```
//! use std::io::{Read, Write};
//! use std::net::TcpStream;
//! use std::time::Duration;
//!
//! use corespun_runtime::{Accept, Flow, Input, Peer, Protocol, Runtime, SocketHandle};
//!
//! /// Sends back what it gets, until the peer has no more.
//! #[derive(Default)]
//! struct Echo {
//!     output: Vec<u8>,
//!     ended: bool,
//! }
//!
//! impl Protocol for Echo {
//!     fn receive(&mut self, _now: Duration, input: Input<'_>) {
//!         match input {
//!             Input::Bytes(bytes) => self.output.extend_from_slice(bytes),
//!             Input::End => self.ended = true,
//!         }
//!     }
//!     fn advance(&mut self, _now: Duration) {}
//!     fn transmit(&mut self, out: &mut Vec<u8>) -> Flow {
//!         out.append(&mut self.output);
//!         if self.ended { Flow::Close } else { Flow::Open }
//!     }
//!     fn deadline(&self) -> Option<Duration> {
//!         None
//!     }
//! }
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let running = Runtime::builder()
//!     .listen("127.0.0.1:0".parse()?)
//!     .shards(1)
//!     .start(|_shard| Ok(Box::new(|_: Peer, _: SocketHandle| -> Box<dyn Protocol> {
//!         Box::new(Echo::default())
//!     })))?;
//!
//! let mut stream = TcpStream::connect(running.addresses()[0].to_string())?;
//! stream.write_all(b"once round the house")?;
//! let mut echo = [0; 20];
//! stream.read_exact(&mut echo)?;
//! assert_eq!(&echo, b"once round the house");
//! drop(stream);
//!
//! running.stop();
//! running.join()?;
//! # Ok(())
//! # }
//! ```
//!
//! Code on a shard, in tasks as in protocols, may [`spawn`] tasks, [`sleep()`], [`connect()`] to
//! others and reach other shards by [`invoke_on`]. Nothing there needs to be `Send`, and wakers
//! may nevertheless go to any thread.
//!
//! | module | content |
//! |---|---|
//! | `shard`, `socket`, `sockets` | the turn, and the pump between a protocol and a driver |
//! | `driver`, `ring`, `op`, `buffer`, `epoll` | the engines; all `unsafe` code of the project |
//! | `task`, `timer`, `sleep`, `mailbox`, `remote` | tasks, time, and messages from other threads |
//! | `blocking` | threads for work that blocks |
//! | `lag`, `stats` | time that work waits for its shard, and the shard's counters |
//! | `log` | lines for stderr that the caller does not wait for |
//! | `cgroup`, `rlimit`, `cpu` | limits of the system on this process |
//! | `runtime`, `launch`, `local`, `balance`, `signal` | shards on threads, from start to end |
//!
//! **Not here:** HTTP, gRPC, TLS, or any other meaning of the bytes; those are protocols.

#![deny(
    missing_docs,
    unsafe_op_in_unsafe_fn,
    clippy::undocumented_unsafe_blocks
)]

mod address;
mod balance;
mod blocking;
mod buffer;
mod cgroup;
mod clock;
mod connect;
mod context;
mod cpu;
mod cpu_list;
mod dirty;
mod driver;
mod engine;
mod epoll;
mod error;
mod lag;
mod launch;
mod local;
mod log;
mod mailbox;
mod net;
mod op;
mod protocol;
mod rare;
mod remote;
mod ring;
mod rlimit;
mod runtime;
mod shard;
mod signal;
mod sleep;
mod slots;
mod socket;
mod sockets;
mod stats;
mod task;
mod time_share;
mod timer;

pub use address::{Address, AddressError};
pub use balance::Balance;
pub use buffer::allocator::return_freed_buffers;
pub use buffer::pool::{give_buffer, take_buffer};
pub use cgroup::memory_limit;
pub use clock::{now, wall_time};
pub use connect::connect;
pub use context::{shard_count, shard_id, turn_time};
pub use cpu_list::{CPU_MAX, CpuList, CpuListError};
pub use engine::{Engine, EngineError};
pub use error::{RunError, StartError};
pub use lag::{TurnStart, lag, measure_lag, turn_start};
pub use launch::Bound;
pub use local::{LocalConfig, LocalShard, block_on};
pub use log::{LogWriter, flush_log, log_line, log_panics};
pub use protocol::{Accept, Credentials, Flow, Input, Peer, Protocol, SocketHandle};
pub use remote::{Invocation, invoke_on, spawn_blocking};
pub use ring::RingOptions;
pub use runtime::{Notice, Running, Runtime, RuntimeBuilder, ShardId};
pub use sleep::{Elapsed, Sleep, sleep, sleep_until, timeout};
pub use stats::{Stats, stats};
pub use task::{JoinError, JoinHandle, Reservation, spawn, yield_now};
pub use time_share::TimeShare;
