//! The decoder of the `h2` crate, reached through the frame codec that its feature `unstable`
//! shows: header blocks go in as HEADERS frames.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, Waker};

use bytes::Bytes;
use futures_core::Stream;
use h2::Codec;
use h2::frame::{Frame, Headers};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

/// Transport with the bytes still to be read; written bytes are dropped.
#[derive(Debug, Default)]
struct Input(Vec<u8>);

impl AsyncRead for Input {
    fn poll_read(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        if self.0.is_empty() {
            return Poll::Pending;
        }
        let len = self.0.len().min(buffer.remaining());
        buffer.put_slice(&self.0[..len]);
        self.0.drain(..len);
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Input {
    fn poll_write(self: Pin<&mut Self>, _: &mut Context<'_>, b: &[u8]) -> Poll<io::Result<usize>> {
        Poll::Ready(Ok(b.len()))
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}

/// Verdict of `h2` on a block.
pub(crate) enum Verdict {
    /// The fields: pseudo-header fields first, then by name.
    Fields(Vec<(Vec<u8>, Vec<u8>)>),
    /// Decoded, but malformed as a message (RFC 9113 §8.1.1), or over its size: no fields to show.
    Malformed,
    /// The connection ends with this code.
    Broken(h2::Reason),
}

/// One direction of a connection as `h2` reads it.
pub(crate) struct Foreign {
    codec: Codec<Input, Bytes>,
    stream: u32,
}

impl Foreign {
    pub(crate) fn new() -> Foreign {
        let mut codec = Codec::new(Input::default());
        codec.set_max_recv_header_list_size(1 << 24);
        Foreign { codec, stream: 1 }
    }

    pub(crate) fn decode(&mut self, block: &[u8]) -> Verdict {
        let [_, a, b, c] = (block.len() as u32).to_be_bytes();
        let input = &mut self.codec.get_mut().0;
        input.extend([a, b, c, 1, 4]);
        input.extend(self.stream.to_be_bytes());
        input.extend(block);
        self.stream += 2;
        let mut context = Context::from_waker(Waker::noop());
        match Pin::new(&mut self.codec).poll_next(&mut context) {
            Poll::Ready(Some(Ok(Frame::Headers(headers)))) if headers.is_over_size() => {
                Verdict::Malformed
            }
            Poll::Ready(Some(Ok(Frame::Headers(headers)))) => Verdict::Fields(pairs(headers)),
            Poll::Ready(Some(Err(h2::proto::Error::Reset(..)))) => Verdict::Malformed,
            Poll::Ready(Some(Err(h2::proto::Error::GoAway(_, reason, _)))) => {
                Verdict::Broken(reason)
            }
            other => panic!("h2 answers a block with {other:?}"),
        }
    }
}

fn pairs(headers: Headers) -> Vec<(Vec<u8>, Vec<u8>)> {
    let (pseudo, fields) = headers.into_parts();
    let mut pairs = Vec::new();
    let mut add = |name: &str, value: Option<&[u8]>| {
        pairs.extend(value.map(|value| (name.as_bytes().to_vec(), value.to_vec())));
    };
    add(
        ":method",
        pseudo.method.as_ref().map(|m| m.as_str().as_bytes()),
    );
    add(":scheme", pseudo.scheme.as_ref().map(|s| s.as_bytes()));
    add(
        ":authority",
        pseudo.authority.as_ref().map(|a| a.as_bytes()),
    );
    add(":path", pseudo.path.as_ref().map(|p| p.as_bytes()));
    add(
        ":protocol",
        pseudo.protocol.as_ref().map(|p| p.as_str().as_bytes()),
    );
    add(
        ":status",
        pseudo.status.as_ref().map(|s| s.as_str().as_bytes()),
    );
    for (name, value) in &fields {
        add(name.as_str(), Some(value.as_bytes()));
    }
    pairs
}

/// Returns `true` if `h2` accepts a field as valid, which it checks while it decodes.
pub(crate) fn is_lawful((name, value): &(Vec<u8>, Vec<u8>)) -> bool {
    match &name[..] {
        b":authority" | b":scheme" | b":path" | b":protocol" => str::from_utf8(value).is_ok(),
        b":method" => http::Method::from_bytes(value).is_ok(),
        b":status" => http::StatusCode::from_bytes(value).is_ok(),
        _ => {
            let name = http::HeaderName::from_lowercase(name);
            name.is_ok() && http::HeaderValue::from_bytes(value).is_ok()
        }
    }
}
