//! Bounded queue of spans from the shards to the exporter's thread; it never blocks a shard.

use std::collections::VecDeque;
use std::future::poll_fn;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::task::{Poll, Waker};
use std::time::Duration;

use crate::call_span::Finished;

/// Counts of spans by outcome, since the tracer was created.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ExportStats {
    /// Spans accepted by the collector.
    pub exported: u64,
    /// Spans dropped because the queue was full.
    pub dropped: u64,
    /// Spans lost because the collector was unreachable or rejected them, after all retries.
    pub failed: u64,
}

/// Queue of spans. Its lock is held for short spans only, and taken once for each sampled span.
pub(crate) struct Queue {
    state: Mutex<State>,
    /// Signalled when spans are exported or lost.
    settled: Condvar,
    spans_max: usize,
    /// Number of spans in a full batch.
    batch_spans_max: usize,
}

#[derive(Default)]
struct State {
    spans: VecDeque<Finished>,
    stats: ExportStats,
    /// Number of spans ever accepted into the queue.
    accepted: u64,
    /// Number of accepted spans that are exported or lost.
    settled: u64,
    /// Number of threads that wait for the queue to become empty.
    flushing: usize,
    closed: bool,
    exporter: Option<Waker>,
}

impl State {
    fn wake(&mut self) {
        if let Some(waker) = self.exporter.take() {
            waker.wake();
        }
    }
}

impl Queue {
    /// Creates an empty queue with space for at least one span.
    pub(crate) fn new(spans_max: usize, batch_spans_max: usize) -> Self {
        let spans_max = spans_max.max(1);
        Self {
            state: Mutex::default(),
            settled: Condvar::new(),
            spans_max,
            batch_spans_max: batch_spans_max.clamp(1, spans_max),
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Adds a span, or counts it as dropped. Wakes the exporter for a full batch only.
    pub(crate) fn push(&self, span: Finished) {
        let mut state = self.state();
        if state.closed || state.spans.len() >= self.spans_max {
            state.stats.dropped += 1;
            return;
        }
        state.spans.push_back(span);
        state.accepted += 1;
        if state.spans.len() == self.batch_spans_max {
            state.wake();
        }
    }

    /// Waits until a batch is full, a flush is requested, or the tracer is dropped.
    pub(crate) async fn due(&self) {
        poll_fn(|context| {
            let mut state = self.state();
            let full = state.spans.len() >= self.batch_spans_max;
            if full || state.closed || (state.flushing > 0 && !state.spans.is_empty()) {
                return Poll::Ready(());
            }
            state.exporter = Some(context.waker().clone());
            Poll::Pending
        })
        .await
    }

    /// Returns the next spans, at most one batch.
    pub(crate) fn take_batch(&self) -> Vec<Finished> {
        let mut state = self.state();
        let count = state.spans.len().min(self.batch_spans_max);
        state.spans.drain(..count).collect()
    }

    /// Returns true if a full batch waits, or a flush is requested.
    pub(crate) fn hurries(&self) -> bool {
        let state = self.state();
        state.spans.len() >= self.batch_spans_max || state.flushing > 0 || state.closed
    }

    /// Returns true if the queue is empty and closed.
    pub(crate) fn is_finished(&self) -> bool {
        let state = self.state();
        state.closed && state.spans.is_empty()
    }

    /// Counts the spans of a batch that were exported, and those that were lost.
    pub(crate) fn settle(&self, exported: u64, failed: u64) {
        let mut state = self.state();
        state.stats.exported += exported;
        state.stats.failed += failed;
        state.settled += exported + failed;
        self.settled.notify_all();
    }

    /// Waits until the spans that are in the queue now are exported or lost; returns false if
    /// `limit` passes first.
    pub(crate) fn flush(&self, limit: Duration) -> bool {
        let mut state = self.state();
        let wanted = state.accepted;
        state.flushing += 1;
        state.wake();
        let waits = |state: &mut State| state.settled < wanted;
        let waited = self.settled.wait_timeout_while(state, limit, waits);
        let (mut state, timeout) = waited.unwrap_or_else(PoisonError::into_inner);
        state.flushing -= 1;
        !timeout.timed_out()
    }

    /// Closes the queue to new spans; the exporter ends once the remaining ones are exported or
    /// lost.
    pub(crate) fn close(&self) {
        let mut state = self.state();
        state.closed = true;
        state.wake();
    }

    pub(crate) fn stats(&self) -> ExportStats {
        self.state().stats
    }
}

#[cfg(test)]
mod tests {
    use std::time::SystemTime;

    use corespun_codec::{Code, SpanId, TraceId};

    use super::*;
    use crate::call_span::{Side, Subject, Traffic};

    fn span() -> Finished {
        Finished {
            trace_id: TraceId::from_bytes([1; 16]).unwrap(),
            span_id: SpanId::from_bytes([2; 8]).unwrap(),
            flags: 1,
            state: String::new(),
            parent: None,
            subject: Subject {
                side: Side::Client,
                method: "/a.B/C",
                other: None,
            },
            began: SystemTime::UNIX_EPOCH,
            elapsed: Duration::ZERO,
            code: Code::Ok,
            message: String::new(),
            received: Traffic::default(),
            sent: Traffic::default(),
        }
    }

    #[test]
    fn one_more_than_there_is_room_for_is_dropped() {
        let queue = Queue::new(3, 2);
        for _ in 0..4 {
            queue.push(span());
        }
        assert_eq!(queue.stats().dropped, 1);
        assert_eq!((queue.take_batch().len(), queue.take_batch().len()), (2, 1));
        assert!(!queue.is_finished());
        queue.close();
        queue.push(span());
        assert_eq!(queue.stats().dropped, 2);
        assert!(queue.is_finished());
    }

    #[test]
    fn a_flush_waits_for_what_is_there_and_no_longer_than_it_may() {
        let queue = Queue::new(8, 8);
        assert!(queue.flush(Duration::ZERO), "nothing is there");
        queue.push(span());
        assert!(!queue.flush(Duration::from_millis(1)), "nobody exports");
        std::thread::scope(|scope| {
            scope.spawn(|| {
                while !queue.hurries() {
                    std::thread::yield_now();
                }
                let taken = queue.take_batch().len() as u64;
                queue.settle(taken, 0);
            });
            assert!(queue.flush(Duration::from_secs(60)));
        });
        assert_eq!(queue.stats().exported, 1);
    }
}
