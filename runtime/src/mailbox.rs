//! Mailbox of a shard, for messages from other threads.
//!
//! Receiving and sending on sockets never touch it: a turn only reads one flag, and takes the lock
//! if that flag says that messages are waiting.

use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use nix::sys::eventfd::{EfdFlags, EventFd};

use crate::task::TaskId;

/// Message from another thread to a shard.
pub(crate) enum Message {
    /// All shards are ready: start to accept.
    Begin,
    /// Take over a socket that another shard accepted on the listener with this index.
    Adopt { socket: OwnedFd, listener: usize },
    /// Run a closure.
    Run(Box<dyn FnOnce() + Send>),
    /// Poll a task that was woken.
    Wake(TaskId),
    /// Shut down gracefully, until this deadline.
    Drain { deadline: Duration },
    /// Shut down at once.
    Stop,
}

#[derive(Default)]
struct Queue {
    messages: Vec<Message>,
    closed: bool,
}

/// Queue of messages under a lock, and an eventfd that ends a blocked wait.
pub(crate) struct Mailbox {
    queue: Mutex<Queue>,
    pending: AtomicBool,
    parked: AtomicBool,
    event: EventFd,
}

impl Mailbox {
    pub(crate) fn new() -> io::Result<Self> {
        let flags = EfdFlags::EFD_CLOEXEC | EfdFlags::EFD_NONBLOCK;
        Ok(Self {
            queue: Mutex::default(),
            pending: AtomicBool::new(false),
            parked: AtomicBool::new(false),
            event: EventFd::from_flags(flags)?,
        })
    }

    /// Adds a message, and wakes the shard if it sleeps. Returns the message if the shard is gone.
    pub(crate) fn post(&self, message: Message) -> Result<(), Message> {
        {
            let mut queue = self.lock();
            if queue.closed {
                return Err(message);
            }
            queue.messages.push(message);
        }
        // Sequentially consistent on both sides: either this store is seen by the shard before
        // it sleeps, or the shard's `parked` is seen here.
        self.pending.store(true, Ordering::SeqCst);
        if self.parked.swap(false, Ordering::SeqCst) {
            // A full counter still wakes, so the result carries no news.
            let _ = self.event.write(1);
        }
        Ok(())
    }

    /// Records that the shard is about to sleep. Returns `false` if a message came first.
    pub(crate) fn park(&self) -> bool {
        self.parked.store(true, Ordering::SeqCst);
        if self.pending.load(Ordering::SeqCst) {
            self.unpark();
            return false;
        }
        true
    }

    /// Records that the shard is awake, so that no system call is spent on waking it.
    pub(crate) fn unpark(&self) {
        self.parked.store(false, Ordering::SeqCst);
    }

    /// Swaps the waiting messages with `scratch`, which must be empty.
    pub(crate) fn take(&self, scratch: &mut Vec<Message>) {
        debug_assert!(scratch.is_empty());
        if self.pending.load(Ordering::Acquire) {
            self.pending.store(false, Ordering::SeqCst);
            std::mem::swap(&mut self.lock().messages, scratch);
        }
    }

    /// Refuses messages from now on, and drops those waiting.
    pub(crate) fn close(&self) {
        let waiting = {
            let mut queue = self.lock();
            queue.closed = true;
            std::mem::take(&mut queue.messages)
        };
        // Dropped outside the lock: a dropped closure may wake a task through this very mailbox.
        drop(waiting);
    }

    /// Refuses messages from now on if none waits. Returns whether it does.
    pub(crate) fn close_if_empty(&self) -> bool {
        let mut queue = self.lock();
        queue.closed |= queue.messages.is_empty();
        queue.closed
    }

    fn lock(&self) -> MutexGuard<'_, Queue> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl AsFd for Mailbox {
    /// Returns the eventfd, for the driver to watch.
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.event.as_fd()
    }
}

#[cfg(test)]
mod tests {
    use super::{Mailbox, Message};

    #[test]
    fn it_closes_only_once_it_is_empty() {
        let mailbox = Mailbox::new().expect("an eventfd");
        assert!(mailbox.post(Message::Stop).is_ok());
        assert!(!mailbox.close_if_empty());
        mailbox.take(&mut Vec::new());
        assert!(mailbox.close_if_empty());
        assert!(mailbox.post(Message::Stop).is_err());
    }

    #[test]
    fn a_message_before_the_park_prevents_it() {
        let mailbox = Mailbox::new().expect("an eventfd");
        assert!(mailbox.park());
        mailbox.unpark();
        assert!(mailbox.post(Message::Stop).is_ok());
        assert!(!mailbox.park());
        let mut messages = Vec::new();
        mailbox.take(&mut messages);
        assert_eq!(messages.len(), 1);
        assert!(mailbox.park());
    }

    #[test]
    fn a_closed_mailbox_hands_messages_back() {
        let mailbox = Mailbox::new().expect("an eventfd");
        mailbox.close();
        assert!(matches!(mailbox.post(Message::Stop), Err(Message::Stop)));
    }
}
