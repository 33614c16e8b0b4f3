//! Calls in which a side streams: requests go out as their turns come, responses are timed.

use std::collections::VecDeque;
use std::time::Duration;

use corespun_codec::Kind;
use corespun_http2::StreamKey;

use super::LoadConnection;
use crate::call::Turns;
use crate::core::CoreState;

/// Requests without an answer whose times are kept; the answers to those beyond are not timed.
const UNANSWERED_MAX: usize = 1 << 14;

/// What a streaming call is at.
#[derive(Debug, Default)]
pub(crate) struct Exchange {
    /// The call's place in the mix.
    place: usize,
    /// The number of the first request among those of the method.
    first: u64,
    /// Requests yet to be sent; none of a call whose client does not stream.
    left: u32,
    sent: u32,
    received: u32,
    /// Numbers and times of requests that wait for the response of the same number.
    unanswered: VecDeque<(u32, Duration)>,
    /// When the last response came.
    last: Duration,
}

impl Exchange {
    /// The next request need not wait for a response.
    fn may_send(&self, turns: Turns) -> bool {
        self.left > 0 && (turns == Turns::Free || self.sent <= self.received)
    }

    /// The call is over: its stream's slot may be another's soon.
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

    /// When the request of the response at hand was sent, if that is known.
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
    /// Responses of a streaming call came, which was sent then.
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
    /// A streaming call has been opened: notes it, and sends what may be sent of it.
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

    /// Sends the requests of a call whose turn it is, as far as flow control has taken those
    /// before: what it refuses is kept in memory, so only one request at a time may wait there.
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

    /// Goes on with the calls whose requests have just left, until there is enough to send.
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

    /// Goes on with the calls whose requests have left.
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
