//! Compression of messages: gzip and deflate.

use std::io::{self, Read, Write};

use corespun_codec::{Encoding, message};
use flate2::Compression;
use flate2::read::{GzDecoder, ZlibDecoder};
use flate2::write::{GzEncoder, ZlibEncoder};

/// Values that `--compress` accepts, for error texts.
pub(crate) const EXPECTED: &str = "expected gzip, deflate or identity";

/// Largest decompressed response in bytes, 64 MiB; protects against decompression bombs.
const PLAIN_BYTES_MAX: u64 = 64 << 20;

/// Returns the encoding with this name, if it is supported.
pub(crate) fn parse(name: &str) -> Option<Encoding> {
    Encoding::parse(name.as_bytes()).filter(|encoding| *encoding != Encoding::Zstd)
}

/// Compresses the bytes; returns `None` for an encoding without compression.
pub(crate) fn compress(encoding: Encoding, bytes: &[u8]) -> Option<Vec<u8>> {
    let level = Compression::default();
    let packed = match encoding {
        Encoding::Gzip => {
            let mut encoder = GzEncoder::new(Vec::new(), level);
            encoder.write_all(bytes).and_then(|()| encoder.finish())
        }
        Encoding::Deflate => {
            let mut encoder = ZlibEncoder::new(Vec::new(), level);
            encoder.write_all(bytes).and_then(|()| encoder.finish())
        }
        Encoding::Identity | Encoding::Zstd => return None,
    };
    debug_assert!(packed.is_ok(), "memory takes all that is written");
    packed.ok()
}

/// Returns the message with its length prefix, compressed in this encoding.
pub(crate) fn frame(encoding: Encoding, bytes: &[u8]) -> Vec<u8> {
    let packed = compress(encoding, bytes);
    let content = packed.as_deref().unwrap_or(bytes);
    let mut frame = Vec::with_capacity(message::PREFIX_BYTES + content.len());
    message::write_prefix(&mut frame, packed.is_some(), content.len());
    frame.extend_from_slice(content);
    frame
}

/// Header field: name and value.
type Field<'a> = (&'a [u8], &'a [u8]);

/// Returns the header fields of a call with messages in this encoding.
pub(crate) fn fields<'a>(encoding: Encoding) -> impl Iterator<Item = Field<'a>> + Clone {
    let own: Field<'a> = (b"grpc-encoding", encoding.name().as_bytes());
    let accepted: Field<'a> = (b"grpc-accept-encoding", b"gzip,deflate");
    let count = if encoding == Encoding::Identity { 0 } else { 2 };
    [own, accepted].into_iter().take(count)
}

/// Decompresses a message.
///
/// # Errors
/// The message is not in this encoding, is larger than 64 MiB decompressed, or the encoding is
/// unsupported.
pub(crate) fn decompress(encoding: Encoding, bytes: &[u8]) -> io::Result<Vec<u8>> {
    match encoding {
        Encoding::Gzip => read_all(GzDecoder::new(bytes)),
        Encoding::Deflate => read_all(ZlibDecoder::new(bytes)),
        Encoding::Identity | Encoding::Zstd => {
            let text = format!("a message has the unsupported encoding {encoding}");
            Err(io::Error::new(io::ErrorKind::Unsupported, text))
        }
    }
}

fn read_all(reader: impl Read) -> io::Result<Vec<u8>> {
    let mut plain = Vec::new();
    reader.take(PLAIN_BYTES_MAX + 1).read_to_end(&mut plain)?;
    if plain.len() as u64 > PLAIN_BYTES_MAX {
        let text = format!("a message is larger than {PLAIN_BYTES_MAX} bytes decompressed");
        return Err(io::Error::new(io::ErrorKind::InvalidData, text));
    }
    Ok(plain)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_packed_can_be_unpacked() {
        let bytes = b"the same, the same, the same".as_slice();
        for name in ["gzip", "deflate"] {
            let encoding = parse(name).unwrap();
            let packed = compress(encoding, bytes).unwrap();
            assert!(packed != bytes);
            assert_eq!(decompress(encoding, &packed).unwrap(), bytes);
            assert!(decompress(encoding, &packed[..8]).is_err(), "{name}");
            assert!(decompress(encoding, b"plain").is_err(), "{name}");
        }
        assert_eq!(compress(Encoding::Identity, bytes), None);
        assert!(decompress(Encoding::Identity, bytes).is_err());
        assert_eq!((parse("zstd"), parse("br")), (None, None));
    }

    #[test]
    fn a_bomb_is_not_unfolded() {
        let zeroes = vec![0; PLAIN_BYTES_MAX as usize + 1];
        let bomb = compress(Encoding::Gzip, &zeroes).unwrap();
        let error = decompress(Encoding::Gzip, &bomb).unwrap_err().to_string();
        assert!(error.contains("larger than 67108864 bytes"), "{error}");
    }
}
