//! Framing of one direction of a call: size limit and compression.

use super::{PREFIX_BYTES, encode, length, too_long, write_prefix};
use crate::{Encoding, Encodings, Status, compression};
use prost::Message;

/// Framing of the messages of one direction of a call.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Framing {
    /// Encoding of messages whose compressed flag is set: the call's `grpc-encoding`.
    pub encoding: Encoding,
    /// Largest message in bytes, before compression and after decompression.
    pub bytes_max: usize,
}

/// Framings that one end of a call may use to send its messages.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Sending {
    /// Default framing.
    pub framing: Framing,
    /// Encodings that the peer accepts.
    pub accepted: Encodings,
}

impl Sending {
    /// Returns the framing for messages in the `wished` encoding: uncompressed if the peer does not
    /// accept it.
    pub fn choose(self, wished: Option<Encoding>) -> Framing {
        let encoding = wished.unwrap_or(self.framing.encoding);
        Framing {
            encoding: if self.accepted.contains(encoding) {
                encoding
            } else {
                Encoding::Identity
            },
            ..self.framing
        }
    }
}

/// Received message in its wire form.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Frame<'a> {
    /// Bytes without the prefix.
    pub bytes: &'a [u8],
    /// True if the compressed flag is set.
    pub compressed: bool,
}

impl Framing {
    /// Returns a framing for messages of up to `bytes_max`, none of them compressed.
    pub const fn plain(bytes_max: usize) -> Self {
        Self {
            encoding: Encoding::Identity,
            bytes_max,
        }
    }

    /// Appends `message` after its prefix, compressed if that makes it smaller.
    ///
    /// # Errors
    /// RESOURCE_EXHAUSTED when the message is over the limit or longer than a prefix can say
    /// (4 GiB); nothing is appended then.
    pub fn encode<M: Message>(self, message: &M, out: &mut Vec<u8>) -> Result<(), Status> {
        if self.encoding == Encoding::Identity && self.bytes_max >= u32::MAX as usize {
            return encode(message, out).map(drop);
        }
        let len = self.measure(message)?;
        let start = out.len();
        if self.encoding == Encoding::Identity {
            return encode(message, out).map(drop);
        }
        write_prefix(out, false, len);
        let write = |plain: &mut Vec<u8>| message.encode_raw(plain);
        match compression::compress(self.encoding, write, out) {
            Ok(false) => {}
            Ok(true) => {
                let packed = out.len() - start - PREFIX_BYTES;
                out[start] = 1;
                // Fits, because only what is smaller than before stays compressed.
                out[start + 1..start + PREFIX_BYTES]
                    .copy_from_slice(&(packed as u32).to_be_bytes());
            }
            Err(status) => {
                out.truncate(start);
                return Err(status);
            }
        }
        Ok(())
    }

    /// Returns the length of a message, if it may be sent.
    ///
    /// # Errors
    /// RESOURCE_EXHAUSTED when it may not, as for [`Framing::encode`].
    pub fn measure<M: Message>(self, message: &M) -> Result<usize, Status> {
        // Prefix and message have to fit the 32 bits of a length together.
        let limit = self.bytes_max.min(u32::MAX as usize - PREFIX_BYTES);
        match message.encoded_len() {
            len if len <= limit => Ok(len),
            len => Err(Status::resource_exhausted(format!(
                "a message to send has {len} bytes, over the limit of {limit}"
            ))),
        }
    }

    /// Returns the first message in `bytes` and the bytes after it; `None` if it is incomplete.
    ///
    /// # Errors
    /// INTERNAL for a compressed message without an encoding or a prefix of unknown form;
    /// RESOURCE_EXHAUSTED naming both numbers for a message longer than the limit.
    pub fn split(self, bytes: &[u8]) -> Result<Option<(Frame<'_>, &[u8])>, Status> {
        let Some((prefix, rest)) = bytes.split_first_chunk::<PREFIX_BYTES>() else {
            return Ok(None);
        };
        let len = self.check(prefix)?;
        let frame = |(bytes, rest)| {
            let compressed = prefix[0] == 1;
            (Frame { bytes, compressed }, rest)
        };
        Ok(rest.split_at_checked(len).map(frame))
    }

    /// Returns the message in a frame. A compressed message is decompressed into `plain`, which is
    /// overwritten. A frame without bytes is the empty message even if the flag is set: some peers
    /// compress every message but the empty one.
    ///
    /// # Errors
    /// RESOURCE_EXHAUSTED when it inflates over the limit, INTERNAL when it is malformed.
    pub fn open<'a>(self, frame: Frame<'a>, plain: &'a mut Vec<u8>) -> Result<&'a [u8], Status> {
        if !frame.compressed || frame.bytes.is_empty() {
            return Ok(frame.bytes);
        }
        plain.clear();
        compression::decompress(self.encoding, frame.bytes, self.bytes_max, plain)?;
        Ok(plain)
    }

    /// Returns the length in a prefix, if a message of that form and length may be received.
    pub(super) fn check(self, prefix: &[u8; PREFIX_BYTES]) -> Result<usize, Status> {
        let len = length(prefix);
        match prefix[0] {
            1 if self.encoding == Encoding::Identity => Err(Status::internal(
                "a message has its compressed flag set, but no encoding",
            )),
            0 | 1 if len <= self.bytes_max => Ok(len),
            0 | 1 => Err(too_long(len, self.bytes_max)),
            flag => Err(Status::internal(format!(
                "a message prefix starts with {flag}, not 0 or 1"
            ))),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Code;

    const GZIP: Framing = Framing {
        encoding: Encoding::Gzip,
        bytes_max: 1000,
    };

    fn framed(framing: Framing, text: &str) -> Vec<u8> {
        let mut out = b"kept".to_vec();
        framing.encode(&text.to_owned(), &mut out).unwrap();
        out.split_off(4)
    }

    #[test]
    fn messages_go_compressed_where_it_helps_and_come_back() {
        for (text, compressed) in [("", false), ("short", false), (&*"x".repeat(900), true)] {
            let bytes = [&framed(GZIP, text)[..], b"rest"].concat();
            let (frame, rest) = GZIP.split(&bytes).unwrap().unwrap();
            assert_eq!(
                (frame.compressed, rest),
                (compressed, &b"rest"[..]),
                "{text}"
            );
            let mut plain = b"of the message before".to_vec();
            let message = GZIP.open(frame, &mut plain).unwrap();
            assert_eq!(super::super::decode::<String>(message).as_deref(), Ok(text));
        }
    }

    #[test]
    fn the_limit_holds_both_ways() {
        let overhead = 3;
        for (len, code) in [
            (1000 - overhead, Code::Ok),
            (1001 - overhead, Code::ResourceExhausted),
        ] {
            let text = "x".repeat(len);
            for framing in [GZIP, Framing::plain(GZIP.bytes_max)] {
                let sent = framing.encode(&text, &mut Vec::new());
                assert_eq!(
                    sent.map_or_else(|status| status.code(), |()| Code::Ok),
                    code
                );
            }
            let bytes = framed(
                Framing {
                    bytes_max: 2000,
                    ..GZIP
                },
                &text,
            );
            let (frame, _) = GZIP.split(&bytes).unwrap().unwrap();
            let opened = GZIP.open(frame, &mut Vec::new()).map(<[u8]>::len);
            assert_eq!(
                opened.map_or_else(|status| status.code(), |_| Code::Ok),
                code
            );
        }
    }

    #[test]
    fn flags_without_meaning_are_internal() {
        for (framing, flag) in [(Framing::plain(9), 1), (Framing::plain(9), 2), (GZIP, 255)] {
            let status = framing.split(&[flag, 0, 0, 0, 0]).unwrap_err();
            assert_eq!(status.code(), Code::Internal, "{status}");
        }
    }

    #[test]
    fn a_flagged_message_of_no_bytes_is_the_empty_one() {
        for encoding in [Encoding::Gzip, Encoding::Deflate, Encoding::Zstd] {
            let framing = Framing { encoding, ..GZIP };
            let (frame, rest) = framing.split(&[1, 0, 0, 0, 0, 7]).unwrap().unwrap();
            assert_eq!((frame.compressed, rest), (true, &[7][..]));
            let mut plain = b"of the message before".to_vec();
            assert_eq!(framing.open(frame, &mut plain), Ok(&b""[..]), "{encoding}");
            let (frame, _) = framing.split(&[1, 0, 0, 0, 1, 7]).unwrap().unwrap();
            let status = framing.open(frame, &mut plain).unwrap_err();
            assert_eq!(status.code(), Code::Internal, "{encoding}");
        }
        let plain = Framing::plain(9).split(&[1, 0, 0, 0, 0]).unwrap_err();
        assert_eq!(plain.code(), Code::Internal, "a flag without an encoding");
    }

    #[test]
    fn nothing_is_sent_that_the_peer_would_not_read() {
        let sending = |encoding, accepted| Sending {
            framing: Framing { encoding, ..GZIP },
            accepted,
        };
        let (gzip, zstd) = (Encoding::Gzip, Encoding::Zstd);
        let both = Encodings::only(gzip).with(zstd);
        for (sending, wished, chosen) in [
            (sending(gzip, both), None, gzip),
            (sending(gzip, both), Some(zstd), zstd),
            (
                sending(gzip, both),
                Some(Encoding::Identity),
                Encoding::Identity,
            ),
            (
                sending(gzip, Encodings::only(zstd)),
                None,
                Encoding::Identity,
            ),
            (
                sending(gzip, Encodings::only(gzip)),
                Some(zstd),
                Encoding::Identity,
            ),
        ] {
            assert_eq!(
                sending.choose(wished).encoding,
                chosen,
                "{sending:?} {wished:?}"
            );
        }
    }
}
