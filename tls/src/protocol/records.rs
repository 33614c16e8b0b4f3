//! Between rustls's states and ours: one step of receiving, and sealing what goes out.

use std::time::Duration;

use corespun_runtime::{Flow, Input, take_buffer};
use rustls::unbuffered::{
    ConnectionState, EncodeError, EncryptError, InsufficientSizeError, UnbufferedStatus,
};

use super::{Stage, Tls};
use crate::error::Error;
use crate::role::Role;

/// The payload of one record (RFC 8446, section 5.1).
const RECORD_BYTES: usize = 16 * 1024;
/// What a record has beyond its payload: head, type and tag, rounded up.
const RECORD_OVERHEAD: usize = 32;

/// What one step of receiving met.
pub(super) enum Met {
    /// Something was done; there may be more.
    More,
    /// Plain bytes are there, and nothing runs inside yet to take them.
    Data,
    /// The peer sent `close_notify`.
    PeerClosed,
    /// Nothing is left to do before more comes.
    Rest,
    Failed(Error),
}

impl<R: Role> Tls<R> {
    /// Takes the records from `at` on to the next thing to do, and does it. Also answers how many
    /// bytes are used up.
    pub(super) fn step(&mut self, now: Duration, at: usize) -> (usize, Met) {
        let rest = self.incoming.get_mut(at..).unwrap_or_default();
        let UnbufferedStatus { mut discard, state } = self.role.process(rest);
        let met = match state {
            Ok(ConnectionState::ReadTraffic(mut records)) => match &mut self.stage {
                Stage::Open { inner, .. } => loop {
                    match records.next_record() {
                        Some(Ok(record)) => {
                            discard += record.discard;
                            inner.receive(now, Input::Bytes(record.payload));
                        }
                        Some(Err(error)) => break Met::Failed(error.into()),
                        None => break Met::More,
                    }
                },
                // The records stay where they are until someone is there to take them.
                Stage::Handshake { .. } | Stage::Failed => Met::Data,
            },
            Ok(ConnectionState::EncodeTlsData(mut data)) => {
                let encode = |room: &mut [u8]| data.encode(room).map_err(Refusal::from);
                match append(lent(&mut self.outgoing), 0, encode) {
                    Ok(()) => Met::More,
                    Err(error) => Met::Failed(error),
                }
            }
            Ok(ConnectionState::TransmitTlsData(data)) => {
                // Our output keeps its order, so what was encoded is as good as sent.
                data.done();
                Met::More
            }
            Ok(ConnectionState::PeerClosed) => Met::PeerClosed,
            Ok(ConnectionState::ReadEarlyData(_)) => {
                let what = "early data came although none was admitted";
                Met::Failed(rustls::Error::General(what.to_owned()).into())
            }
            Ok(_) => Met::Rest,
            Err(error) => Met::Failed(error.into()),
        };
        (discard, met)
    }

    /// Takes what rustls wants the peer to know of a failure.
    pub(super) fn collect_alert(&mut self) {
        // Asking for more than there is would judge the broken record once more.
        while self.role.state().wants_write() {
            let status = self.role.process(&mut self.incoming);
            let Ok(ConnectionState::EncodeTlsData(mut data)) = status.state else {
                return;
            };
            let encode = |room: &mut [u8]| data.encode(room).map_err(Refusal::from);
            if append(lent(&mut self.outgoing), 0, encode).is_err() {
                return;
            }
        }
    }

    /// Encrypts `plain` to the end of `out`; with [`Flow::Close`] the peer is told of the end.
    ///
    /// # Errors
    /// The keys are used up, or the connection is not one to send on.
    pub(super) fn seal(
        &mut self,
        plain: &[u8],
        flow: Flow,
        out: &mut Vec<u8>,
    ) -> Result<(), Error> {
        if plain.is_empty() && flow == Flow::Open {
            return Ok(());
        }
        loop {
            match self.role.process(&mut self.incoming).state? {
                ConnectionState::WriteTraffic(mut traffic) => {
                    let records = plain.len().div_ceil(RECORD_BYTES);
                    let room = plain.len() + (records + 1) * RECORD_OVERHEAD;
                    if !plain.is_empty() {
                        append(out, room, |room| Ok(traffic.encrypt(plain, room)?))?;
                    }
                    if flow == Flow::Close {
                        append(out, RECORD_OVERHEAD, |room| {
                            Ok(traffic.queue_close_notify(room)?)
                        })?;
                    }
                    return Ok(());
                }
                ConnectionState::EncodeTlsData(mut data) => {
                    append(out, 0, |room| Ok(data.encode(room)?))?;
                }
                ConnectionState::TransmitTlsData(data) => data.done(),
                state => {
                    let what = format!("there is something to send in state {state:?}");
                    return Err(rustls::Error::General(what).into());
                }
            }
        }
    }
}

/// Why rustls did not write.
enum Refusal {
    /// It needs this much room.
    Room(usize),
    Failed(Error),
}

impl From<EncodeError> for Refusal {
    fn from(error: EncodeError) -> Self {
        match error {
            EncodeError::InsufficientSize(InsufficientSizeError { required_size }) => {
                Self::Room(required_size)
            }
            error @ EncodeError::AlreadyEncoded => Self::Failed(general(&error)),
        }
    }
}

impl From<EncryptError> for Refusal {
    fn from(error: EncryptError) -> Self {
        match error {
            EncryptError::InsufficientSize(InsufficientSizeError { required_size }) => {
                Self::Room(required_size)
            }
            EncryptError::EncryptExhausted => Self::Failed(rustls::Error::EncryptError.into()),
        }
    }
}

fn general(error: &EncodeError) -> Error {
    rustls::Error::General(error.to_string()).into()
}

/// Lets `write` fill the end of `out`, with as much room as it says that it needs.
fn append(
    out: &mut Vec<u8>,
    mut room: usize,
    mut write: impl FnMut(&mut [u8]) -> Result<usize, Refusal>,
) -> Result<(), Error> {
    let start = out.len();
    loop {
        out.resize(start + room, 0);
        match write(&mut out[start..]) {
            Ok(written) => {
                out.truncate(start + written);
                return Ok(());
            }
            Err(Refusal::Room(needed)) if needed > room => room = needed,
            Err(refusal) => {
                out.truncate(start);
                return Err(match refusal {
                    Refusal::Failed(error) => error,
                    Refusal::Room(_) => rustls::Error::EncryptError.into(),
                });
            }
        }
    }
}

/// A buffer from the shard's pool, unless there is one.
fn lent(buffer: &mut Vec<u8>) -> &mut Vec<u8> {
    if buffer.capacity() == 0 {
        *buffer = take_buffer();
    }
    buffer
}
