//! One step of receiving records, and encryption of output, on top of rustls's state machine.

use std::time::Duration;

use corespun_runtime::{Flow, Input, take_buffer};
use rustls::unbuffered::{
    ConnectionState, EncodeError, EncryptError, InsufficientSizeError, UnbufferedStatus,
};

use super::{Stage, Tls};
use crate::error::Error;
use crate::role::Role;

/// Largest payload of one record (RFC 8446, section 5.1).
const RECORD_BYTES: usize = 16 * 1024;
/// Bytes of a record beyond its payload: header, type and tag, rounded up.
const RECORD_OVERHEAD: usize = 32;

/// Result of one step of receiving.
pub(super) enum Met {
    /// Progress was made; there may be more.
    More,
    /// Plain bytes are available, but the inner protocol is not created yet.
    Data,
    /// The peer sent `close_notify`.
    PeerClosed,
    /// More input is needed.
    Rest,
    Failed(Error),
}

impl<R: Role> Tls<R> {
    /// Processes the records from `at` on up to the next action, and performs it. Returns the
    /// number of bytes consumed, and the result.
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
                // The records stay where they are until the inner protocol exists.
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
                // Our output keeps its order, so encoded records will be sent.
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

    /// Collects the alert that rustls has for a failure.
    pub(super) fn collect_alert(&mut self) {
        // Requesting more than available would process the broken record once more.
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

    /// Appends `plain` to `out`, encrypted; with [`Flow::Close`] also `close_notify`.
    ///
    /// # Errors
    ///
    /// The keys are exhausted, or the connection cannot send.
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

/// Reason why rustls did not write.
enum Refusal {
    /// The buffer needs this many bytes of space.
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

/// Lets `write` append to `out`, with as much space as it requests.
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

/// Returns a buffer; takes one from the shard's pool if there is none.
fn lent(buffer: &mut Vec<u8>) -> &mut Vec<u8> {
    if buffer.capacity() == 0 {
        *buffer = take_buffer();
    }
    buffer
}
