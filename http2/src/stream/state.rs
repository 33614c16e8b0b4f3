//! The stream life cycle of RFC 9113 §5.1, blind to role. Idle and closed streams have no entry
//! in the table, reserved ones do not occur (push is off), so three states remain:
//!
//! ```text
//!            ┌─────── Open ───────┐
//!    end sent│                    │end received
//!            ▼                    ▼
//!    HalfClosedLocal      HalfClosedRemote
//!            │ end received       │ end sent
//!            └──────▶ gone ◀──────┘      a reset by either side leads there at once
//! ```

/// Directions of a stream that are still open.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum State {
    /// Both directions are open.
    Open,
    /// This end has ended its side; the peer may still send.
    HalfClosedLocal,
    /// The peer has ended its side; this end may still send.
    HalfClosedRemote,
}

impl State {
    /// Returns `true` if the peer may send.
    pub(crate) fn may_receive(self) -> bool {
        self != Self::HalfClosedRemote
    }

    /// Returns `true` if this end may send.
    pub(crate) fn may_send(self) -> bool {
        self != Self::HalfClosedLocal
    }

    /// Returns the state after END_STREAM was sent; `None` if the stream is then closed.
    pub(crate) fn on_end_sent(self) -> Option<Self> {
        match self {
            Self::Open => Some(Self::HalfClosedLocal),
            Self::HalfClosedLocal | Self::HalfClosedRemote => None,
        }
    }

    /// Returns the state after END_STREAM was received; `None` if the stream is then closed.
    pub(crate) fn on_end_received(self) -> Option<Self> {
        match self {
            Self::Open => Some(Self::HalfClosedRemote),
            Self::HalfClosedLocal | Self::HalfClosedRemote => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::State::{self, *};

    #[test]
    fn every_transition() {
        let check = |state: State, may: (bool, bool), sent, received| {
            assert_eq!((state.may_receive(), state.may_send()), may, "{state:?}");
            assert_eq!(state.on_end_sent(), sent, "{state:?}");
            assert_eq!(state.on_end_received(), received, "{state:?}");
        };
        check(
            Open,
            (true, true),
            Some(HalfClosedLocal),
            Some(HalfClosedRemote),
        );
        check(HalfClosedLocal, (true, false), None, None);
        check(HalfClosedRemote, (false, true), None, None);
    }
}
