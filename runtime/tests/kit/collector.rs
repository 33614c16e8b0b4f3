//! A protocol that keeps what it receives for the test to look at.

use std::cell::RefCell;
use std::rc::Rc;
use std::time::Duration;

use corespun_runtime::{Flow, Input, Protocol};

/// Record of a [`Collector`], shared with the test.
#[derive(Default)]
pub struct Seen {
    pub bytes: Vec<u8>,
    pub ended: bool,
    pub advanced: Vec<Duration>,
}

/// Sends what it is given at birth and keeps what comes back.
pub struct Collector {
    pub output: Vec<u8>,
    pub seen: Rc<RefCell<Seen>>,
    pub deadline: Option<Duration>,
    pub closes_at: usize,
}

impl Collector {
    /// Sends `output`, and closes once as many bytes came back.
    pub fn boxed(output: Vec<u8>, seen: &Rc<RefCell<Seen>>) -> Box<dyn Protocol> {
        Box::new(Self {
            closes_at: output.len(),
            output,
            seen: seen.clone(),
            deadline: None,
        })
    }
}

impl Protocol for Collector {
    fn receive(&mut self, _now: Duration, input: Input<'_>) {
        let mut seen = self.seen.borrow_mut();
        match input {
            Input::Bytes(bytes) => seen.bytes.extend_from_slice(bytes),
            Input::End => seen.ended = true,
        }
    }

    fn advance(&mut self, now: Duration) {
        self.deadline = None;
        self.seen.borrow_mut().advanced.push(now);
    }

    fn transmit(&mut self, out: &mut Vec<u8>) -> Flow {
        out.append(&mut self.output);
        let seen = self.seen.borrow();
        if seen.ended || seen.bytes.len() >= self.closes_at {
            Flow::Close
        } else {
            Flow::Open
        }
    }

    fn deadline(&self) -> Option<Duration> {
        self.deadline
    }
}

/// Waits on the shard until `done`, or fails the test.
pub async fn until(what: &str, mut done: impl FnMut() -> bool) {
    let limit = corespun_runtime::now() + Duration::from_secs(20);
    while !done() {
        assert!(corespun_runtime::now() < limit, "waited in vain for {what}");
        corespun_runtime::sleep(Duration::from_millis(1)).await;
    }
}
