//! Loop of one shard: a turn is completions → receive → timers → tasks → transmit → one kernel
//! entry.

mod flush;
mod wait;

use std::io;
use std::os::fd::OwnedFd;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use socket2::Socket as ListenSocket;

use crate::balance::Loads;
use crate::clock;
use crate::connect::Request;
use crate::context::{Alarm, Context};
use crate::dirty::Reasons;
use crate::driver::{Driver, Wait};
use crate::mailbox::Message;
use crate::net;
use crate::protocol::{Accept, SocketHandle};
use crate::rare::Rare;
use crate::slots::ConnId;
use crate::sockets::{Inbox, Intake, Sockets};
use crate::time_share::TimeShare;

/// Largest number of task polls per turn; remaining tasks are polled after the sockets.
const POLLS_MAX: usize = 256;
/// Limit on the time of task polls per turn, so that a call without a task waits little behind the
/// tasks of others. The poll that exceeds it is not interrupted.
const TASK_TIME_MAX: Duration = Duration::from_micros(500);
/// Number of task polls per turn that run without a clock reading.
const POLLS_UNMEASURED: u32 = 4;
/// Pause before a listener that ran out of descriptors tries again.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);
/// Time that peers cut off by a drain have to read the reason.
const LAST_WORDS_TIME: Duration = Duration::from_millis(500);
/// Time that a ring has to release its memory at the end.
const TEARDOWN_PATIENCE: Duration = Duration::from_millis(500);

/// Additional state of a shard that accepts connections.
pub(crate) struct Service {
    pub(crate) accept: Box<dyn Accept>,
    pub(crate) loads: Arc<Loads>,
    /// For each listener, whether its connections may go to other shards.
    pub(crate) spread: Vec<bool>,
    /// Listeners of this shard, activated when all shards are ready.
    pub(crate) listeners: Vec<(usize, ListenSocket)>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    Running,
    Draining {
        deadline: Duration,
    },
    /// The connections that a drain left open have been cut, and their peers are being informed.
    Cutting {
        until: Duration,
    },
    Stopped,
}

/// Shard: a driver, its sockets, and the context for the code that runs on them.
pub(crate) struct Shard {
    context: Rc<Context>,
    driver: Box<dyn Driver>,
    sockets: Sockets,
    service: Option<Service>,
    state: State,
    inbox: Inbox,
    task_time: TimeShare,
    /// Number of sockets that had events in the last turn.
    flushed: usize,
    // Scratch space, kept so that a warm turn allocates nothing.
    messages: Vec<Message>,
    fired: Vec<Alarm>,
    requests: Vec<Request>,
    dirty: Vec<ConnId>,
    postponed: Vec<ConnId>,
}

impl Shard {
    pub(crate) fn new(
        context: Rc<Context>,
        driver: Box<dyn Driver>,
        service: Option<Service>,
    ) -> Self {
        Self {
            context,
            driver,
            sockets: Sockets::default(),
            service,
            state: State::Running,
            inbox: Inbox::default(),
            task_time: TimeShare::scaled(TASK_TIME_MAX, POLLS_UNMEASURED),
            flushed: 0,
            messages: Vec::new(),
            fired: Vec::new(),
            requests: Vec::new(),
            dirty: Vec::new(),
            postponed: Vec::new(),
        }
    }

    pub(crate) fn context(&self) -> &Rc<Context> {
        &self.context
    }

    pub(crate) fn driver(&self) -> &dyn Driver {
        &*self.driver
    }

    /// Runs turns until stopped, or drained.
    pub(crate) fn run(&mut self) -> io::Result<()> {
        while !self.is_over() {
            self.turn(&mut || {})?;
        }
        Ok(())
    }

    fn is_over(&self) -> bool {
        match self.state {
            State::Running => false,
            State::Draining { .. } => self.is_left(),
            State::Cutting { until } => self.is_left() || self.context.turn_time.get() >= until,
            State::Stopped => true,
        }
    }

    /// Returns `true` if no accepted socket is open and no listener is.
    fn is_deserted(&self) -> bool {
        self.sockets.accepted() == 0 && !self.driver.is_listening()
    }

    /// Returns `true` if no accepted socket is open, no listener is, and the mailbox is closed now,
    /// so that no shard can hand over a socket any more.
    fn is_left(&self) -> bool {
        self.is_deserted() && self.context.mailbox.close_if_empty()
    }

    /// Runs one turn. `main` is called at the time of the tasks.
    pub(crate) fn turn(&mut self, main: &mut dyn FnMut()) -> io::Result<()> {
        self.context.counters.turns.increment();
        let ended = self.end_turn()?;
        let wait = self.plan_wait(ended);
        let waited = self.driver.wait(wait);
        if wait != Wait::Poll {
            self.context.mailbox.unpark();
        }
        waited?;
        let now = clock::now();
        self.context.turn_time.set(now);
        self.context.meter.begin_turn(now);
        self.dispatch();
        self.take_messages()?;
        self.end_grace();
        self.fire_timers();
        self.run_tasks(main);
        self.serve_requests();
        self.flush()
    }

    /// Records the end of the previous turn, with its time if the measurement is turned on.
    fn end_turn(&mut self) -> io::Result<Option<Duration>> {
        let meter = &self.context.meter;
        if !meter.is_on() {
            return Ok(None);
        }
        let has_news = self.driver.has_news()?;
        let now = clock::now();
        meter.end_turn(now, has_news);
        Ok(Some(now))
    }

    /// Sends the output of earlier turns, without another turn.
    pub(crate) fn submit(&mut self) -> io::Result<()> {
        self.driver.submit()
    }

    /// Processes the driver's reports: bytes go directly to their protocols.
    fn dispatch(&mut self) {
        self.driver.dispatch(&mut Intake {
            sockets: &mut self.sockets,
            inbox: &mut self.inbox,
            context: &self.context,
        });
        while let Some(id) = self.inbox.connect_failed.pop() {
            self.close(id);
        }
        while let Some(listener) = self.inbox.accept_failed.pop() {
            let moment = self.context.turn_time.get() + ACCEPT_PAUSE;
            let mut timers = self.context.timers.borrow_mut();
            timers.insert(moment, Alarm::Accept(listener));
        }
        let mut accepted = std::mem::take(&mut self.inbox.accepted);
        for (listener, socket) in accepted.drain(..) {
            self.place(listener, socket);
        }
        self.inbox.accepted = accepted;
    }

    /// Keeps an accepted socket, or hands it to a shard that has fewer.
    fn place(&mut self, listener: usize, socket: OwnedFd) {
        let Some(service) = &self.service else {
            return;
        };
        let me = self.context.shard;
        let spread = service.spread.get(listener) == Some(&true);
        if !spread || self.state != State::Running {
            service.loads.add(me);
            return self.adopt(listener, socket);
        }
        let shard = service.loads.place(me);
        if shard == me {
            return self.adopt(listener, socket);
        }
        match self.context.peers[shard].post(Message::Adopt { socket, listener }) {
            Ok(()) => self.context.counters.handed_over.increment(),
            Err(Message::Adopt { socket, listener }) => {
                // That shard is gone, so the socket stays here.
                service.loads.remove(shard);
                service.loads.add(me);
                self.adopt(listener, socket);
            }
            Err(_) => {}
        }
    }

    /// Runs a protocol on an accepted socket, whose load is counted already.
    fn adopt(&mut self, listener: usize, socket: OwnedFd) {
        let Some(service) = &mut self.service else {
            return;
        };
        let peer = net::peer(&socket, listener);
        let id = match self.driver.adopt(socket) {
            Ok(id) => id,
            Err(error) => {
                static LINES: Rare = Rare::new();
                if let Some(left_out) = LINES.admit(self.context.turn_time.get()) {
                    tracing::warn!(%error, left_out, "failed to take over an accepted socket");
                }
                return service.loads.remove(self.context.shard);
            }
        };
        self.context.dirty.open(id);
        let handle = SocketHandle::new(id);
        let made = catch_unwind(AssertUnwindSafe(|| service.accept.accept(peer, handle)));
        let Ok(protocol) = made else {
            tracing::error!("accepting a socket panicked: it is closed");
            self.context.counters.panics.increment();
            service.loads.remove(self.context.shard);
            self.context.dirty.close(id);
            return self.driver.close(id);
        };
        self.open(id, protocol, true);
        if self.state != State::Running {
            self.drain_socket(id);
        }
    }

    fn open(&mut self, id: ConnId, protocol: Box<dyn crate::Protocol>, is_accepted: bool) {
        self.context.counters.opened.increment();
        self.sockets.open(id, protocol, is_accepted);
        self.driver.receive(id, true);
        self.context.dirty.mark(id, Reasons::TRANSMIT);
    }

    /// Closes a socket. Also safe for a connecting or closed one.
    fn close(&mut self, id: ConnId) {
        self.context.dirty.close(id);
        if let Some(mut socket) = self.sockets.remove(id) {
            self.context.counters.closed.increment();
            if let Some(service) = &self.service
                && socket.is_accepted
            {
                service.loads.remove(self.context.shard);
            }
            socket.retire(&self.context);
        }
        self.driver.close(id);
    }

    fn take_messages(&mut self) -> io::Result<()> {
        let mut messages = std::mem::take(&mut self.messages);
        self.context.mailbox.take(&mut messages);
        let count = messages.len() as u64;
        self.context.counters.messages.add(count);
        for message in messages.drain(..) {
            self.on_message(message)?;
        }
        self.messages = messages;
        Ok(())
    }

    fn on_message(&mut self, message: Message) -> io::Result<()> {
        match message {
            Message::Wake(task) => self.context.executor.push(task),
            Message::Adopt { socket, listener } => self.adopt(listener, socket),
            Message::Run(closure) => {
                if catch_unwind(AssertUnwindSafe(closure)).is_err() {
                    tracing::error!("a closure invoked from another shard panicked");
                    self.context.counters.panics.increment();
                }
            }
            Message::Begin => self.begin_listening()?,
            Message::Drain { deadline } => self.drain(deadline),
            Message::Stop => self.state = State::Stopped,
        }
        Ok(())
    }

    fn begin_listening(&mut self) -> io::Result<()> {
        if let Some(service) = &mut self.service {
            for (index, socket) in service.listeners.drain(..) {
                self.driver.listen(index, socket)?;
            }
        }
        Ok(())
    }

    fn drain(&mut self, deadline: Duration) {
        if self.state != State::Running {
            return;
        }
        self.state = State::Draining { deadline };
        self.driver.stop_listening();
        for id in self.sockets.ids() {
            self.drain_socket(id);
        }
    }

    fn drain_socket(&mut self, id: ConnId) {
        // Sockets connected from here may be what open calls still need, so they stay.
        if let Some(socket) = self.sockets.socket(id)
            && socket.is_accepted
        {
            socket.drain(&self.context);
            self.context.dirty.mark(id, Reasons::TRANSMIT);
        }
    }

    /// Cuts the remaining connections when the time of a drain is over.
    fn end_grace(&mut self) {
        let now = self.context.turn_time.get();
        if !matches!(self.state, State::Draining { deadline } if deadline <= now) {
            return;
        }
        self.state = State::Cutting {
            until: now + LAST_WORDS_TIME,
        };
        for id in self.sockets.ids() {
            if let Some(socket) = self.sockets.socket(id)
                && socket.is_accepted
            {
                socket.cut(&self.context);
                self.context.dirty.ask_close(id);
            }
        }
    }

    fn fire_timers(&mut self) {
        let now = self.context.turn_time.get();
        let mut timers = self.context.timers.borrow_mut();
        timers.expire(now, &mut self.fired);
        drop(timers);
        for alarm in self.fired.drain(..) {
            match alarm {
                Alarm::Task(waker) => waker.wake(),
                Alarm::Socket(id) => self.context.dirty.mark(id, Reasons::TIMER),
                Alarm::Accept(listener) => self.driver.retry_accept(listener),
            }
        }
    }

    fn run_tasks(&mut self, main: &mut dyn FnMut()) {
        self.context.executor.wake_yielded();
        let meter = &self.context.meter;
        if meter.is_on() && self.context.executor.ready_len() > 0 {
            meter.begin_tasks(clock::now());
        }
        let polls = self.context.executor.run(POLLS_MAX, &mut self.task_time);
        meter.end_tasks(polls);
        self.context.counters.polls.add(polls as u64);
        main();
    }

    fn serve_requests(&mut self) {
        let mut requests = std::mem::take(&mut self.requests);
        std::mem::swap(&mut *self.context.requests.borrow_mut(), &mut requests);
        for request in requests.drain(..) {
            match request {
                Request::Connect {
                    socket,
                    address,
                    ticket,
                } => match self.driver.connect(socket, address) {
                    Ok(id) => {
                        ticket.begin(id);
                        self.context.dirty.open(id);
                        self.sockets.wait(id, ticket);
                    }
                    Err(error) => ticket.finish(Err(error)),
                },
                Request::Install { conn, protocol } => self.install(conn, protocol),
                Request::Abandon(ticket) => {
                    if let Some(id) = ticket.conn()
                        && self.sockets.is_waiting(id)
                    {
                        self.close(id);
                    }
                }
            }
        }
        self.requests = requests;
    }

    fn install(&mut self, id: ConnId, protocol: Box<dyn crate::Protocol>) {
        if self.sockets.is_waiting(id) {
            self.sockets.remove(id);
            self.open(id, protocol, false);
        }
    }
}

impl Drop for Shard {
    /// Drops tasks before sockets before the driver, so that none outlives what it uses.
    fn drop(&mut self) {
        self.context.mailbox.close();
        self.context.executor.abort_all();
        // What the last turn sent leaves before its sockets end, unless the kernel refuses.
        let _ = self.driver.submit();
        for id in self.sockets.ids() {
            self.close(id);
        }
        // Once more for what protocols spawned and asked for while they were dropped.
        self.context.executor.abort_all();
        drop(self.context.requests.take());
        self.driver.shutdown(TEARDOWN_PATIENCE);
    }
}

/// Fails to compile if a shard ever becomes `Send`: with two candidates the call is ambiguous.
const _: () = {
    trait NotSend<Marker> {
        fn holds() {}
    }
    impl<T: ?Sized> NotSend<()> for T {}
    impl<T: ?Sized + Send> NotSend<u8> for T {}
    let _ = <Shard as NotSend<_>>::holds;
    let _ = <dyn Driver as NotSend<_>>::holds;
    let _ = <SocketHandle as NotSend<_>>::holds;
};
