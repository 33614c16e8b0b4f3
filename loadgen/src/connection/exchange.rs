//! Streaming calls: requests are sent in turn, responses are timed.

use std::collections::VecDeque;
use std::time::Duration;

use corespun_codec::Kind;
use corespun_http2::StreamKey;

use super::LoadConnection;
use crate::call::Turns;
use crate::core::CoreState;

/// Largest number of requests without a response whose times are kept; responses beyond are not
/// timed.
const UNANSWERED_MAX: usize = 1 << 14;

/// State of a streaming call.
#[derive(Debug, Default)]
pub(crate) struct Exchange {
    /// Index of the call in the mix.
    place: usize,
    /// Number of the first request among those of the method.
    first: u64,
    /// Number of requests still to send; 0 if the client does not stream.
    left: u32,
    sent: u32,
    received: u32,
    /// Numbers and times of requests without a response of the same number yet.
    unanswered: VecDeque<(u32, Duration)>,
    /// Time of the last response.
    last: Duration,
}

impl Exchange {
    /// Returns true if the next request need not wait for a response.
    fn may_send(&self, turns: Turns) -> bool {
        self.left > 0 && (turns == Turns::Free || self.sent <= self.received)
    }

    /// Resets the state when the call is over, because its stream slot may be reused.
    pub(super) fn end(&mut self) {
        self.left = 0;
    }

    fn on_sent(&mut self, now: Duration) {
        if self.unanswered.len() < UNANSWERED_MAX {
            self.unanswered.push_back((self.sent, now));
        }
        self.sent += 1;
        self.left -= 1;
    }

    /// Returns the time of the request for the current response, if it is known.
    fn asked_at(&mut self) -> Option<Duration> {
        let number = self.received;
        match self.unanswered.front() {
            Some((sent, at)) if *sent == number => {
                let at = *at;
                self.unanswered.pop_front();
                Some(at)
            }
            _ => None,
        }
    }
}

impl CoreState {
    /// Records responses of a streaming call that was sent at this time.
    pub(super) fn heard(
        &self,
        exchange: &mut Exchange,
        kind: Kind,
        came: u32,
        sent: Duration,
        now: Duration,
    ) {
        let measured = self.phases.get().measured(now);
        let mut messages = self.messages.borrow_mut();
        for _ in 0..came {
            let since = match kind {
                Kind::BidiStreaming => exchange.asked_at(),
                Kind::ServerStreaming => (exchange.received > 0).then_some(exchange.last),
                Kind::Unary | Kind::ClientStreaming => None,
            };
            let first = exchange.received == 0;
            exchange.received += 1;
            exchange.last = now;
            if !measured {
                continue;
            }
            messages.received += 1;
            if first {
                messages.first(now.saturating_sub(sent));
            }
            if let Some(since) = since {
                messages.each(now.saturating_sub(since));
            }
        }
    }
}

impl LoadConnection {
    /// Starts the state of a streaming call, and sends its first requests.
    pub(super) fn begin_exchange(
        &mut self,
        stream: StreamKey,
        place: usize,
        number: u64,
        now: Duration,
    ) {
        let made = &self.core.plan.mix.calls()[place];
        let slot = stream.slot as usize;
        if slot >= self.exchanges.len() {
            self.exchanges.resize_with(slot + 1, Exchange::default);
        }
        let exchange = &mut self.exchanges[slot];
        exchange.unanswered.clear();
        *exchange = Exchange {
            place,
            first: number * u64::from(made.messages),
            left: match made.kind.client_streams() {
                true => made.messages,
                false => 0,
            },
            unanswered: std::mem::take(&mut exchange.unanswered),
            ..Exchange::default()
        };
        if !made.kind.client_streams() && self.core.phases.get().measured(now) {
            self.core.messages.borrow_mut().sent += 1;
        }
        self.feed(stream, now);
    }

    /// Sends the requests of a call that are due, until flow control blocks one. Blocked bytes are
    /// kept in memory, so only one request at a time may wait.
    pub(super) fn feed(&mut self, stream: StreamKey, now: Duration) {
        let Some(exchange) = self.exchanges.get_mut(stream.slot as usize) else {
            return;
        };
        let made = &self.core.plan.mix.calls()[exchange.place];
        let measured = self.core.phases.get().measured(now);
        // Only a client that hears answers while it asks can wait for them.
        let turns = match made.kind {
            Kind::BidiStreaming => made.turns,
            _ => Turns::Free,
        };
        let mut rng = self.core.rng.borrow_mut();
        while exchange.may_send(turns) && self.http2.queued(stream) == 0 {
            let number = exchange.first + u64::from(exchange.sent);
            let frame = made.payloads.frame(number, &mut rng, &mut self.scratch);
            let frame = match frame {
                Ok(frame) => frame,
                Err(error) => return self.core.fail(error),
            };
            self.http2.send_data(stream, frame, exchange.left == 1);
            exchange.on_sent(now);
            self.core.messages.borrow_mut().sent += u64::from(measured);
        }
    }

    /// Sends further requests of calls whose requests have been written, until there is enough
    /// output.
    pub(super) fn refill(&mut self, out: &mut Vec<u8>) {
        const ENOUGH_BYTES: usize = 64 << 10;
        if self.exchanges.is_empty() {
            return;
        }
        let mut before = usize::MAX;
        while out.len() < ENOUGH_BYTES && out.len() != before {
            before = out.len();
            self.feed_drained(corespun_runtime::now());
            self.http2.transmit(out);
        }
    }

    /// Sends further requests of calls whose requests have been written.
    pub(super) fn feed_drained(&mut self, now: Duration) {
        while let Some(stream) = self.http2.next_drained() {
            if self.lane.borrow_mut().call(self.berth, stream).is_some() {
                self.feed(stream, now);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn at(millis: u64) -> Duration {
        Duration::from_millis(millis)
    }

    #[test]
    fn turns_are_kept() {
        let mut exchange = Exchange {
            left: 3,
            ..Exchange::default()
        };
        assert!(exchange.may_send(Turns::PingPong));
        exchange.on_sent(at(1));
        assert!(!exchange.may_send(Turns::PingPong) && exchange.may_send(Turns::Free));
        exchange.received = 1;
        assert!(exchange.may_send(Turns::PingPong));
        exchange.on_sent(at(2));
        exchange.on_sent(at(3));
        assert!(!exchange.may_send(Turns::Free));
    }

    #[test]
    fn answers_find_their_questions_even_when_some_were_not_kept() {
        let mut exchange = Exchange {
            left: UNANSWERED_MAX as u32 + 2,
            ..Exchange::default()
        };
        for _ in 0..=UNANSWERED_MAX {
            exchange.on_sent(at(1));
        }
        assert_eq!(exchange.asked_at(), Some(at(1)));
        exchange.received = 1;
        exchange.on_sent(at(2));
        for _ in 1..UNANSWERED_MAX {
            assert_eq!(exchange.asked_at(), Some(at(1)));
            exchange.received += 1;
        }
        assert_eq!(exchange.asked_at(), None);
        exchange.received += 1;
        assert_eq!(exchange.asked_at(), Some(at(2)));
    }
}
