//! Compression of messages: gzip, deflate and Zstandard, with a limit on the decompressed size.
//!
//! State that an algorithm needs between messages, up to some hundred KiB, is kept per thread, and
//! so per shard: a call that compresses allocates none of it, and a shard that never compresses
//! owns none. A peer decides how far its bytes inflate, so the output buffer grows with the bytes
//! actually produced and stops one byte past the limit, whatever sizes the input claims.

use std::cell::Cell;
use std::io;

use flate2::{Compress, Decompress, FlushCompress, FlushDecompress};
use zstd::bulk::Compressor;
use zstd::stream::raw::{DParameter, Decoder, InBuffer, Operation, OutBuffer};

use crate::{Encoding, Status};

/// Window of gzip and zlib, as a power of two: 2^15 bytes (RFC 1951 §2).
const DEFLATE_WINDOW_BITS: u8 = 15;

/// Largest window of a Zstandard frame, as a power of two: 8 MiB, which RFC 8878 §3.1.1.1.2
/// recommends that every decoder supports. One window is kept per shard.
const ZSTD_WINDOW_LOG_MAX: u32 = 23;

/// Initial size of the output buffer in bytes; it doubles as bytes are produced.
const OUTPUT_BYTES_MIN: usize = 4 << 10;

/// Largest scratch memory in bytes that is kept after use.
const SCRATCH_BYTES_KEPT: usize = 1 << 20;

thread_local! {
    /// State of the algorithms, taken out while in use: a message that compresses another message
    /// while it is encoded, however odd, finds `None` instead of a borrowed value.
    static STATES: Cell<Option<Box<States>>> = const { Cell::new(None) };
}

/// State that the algorithms keep between messages, each allocated on first use.
#[derive(Default)]
struct States {
    gzip: Option<Compress>,
    deflate: Option<Compress>,
    zstd: Option<Compressor<'static>>,
    from_gzip: Option<Decompress>,
    from_deflate: Option<Decompress>,
    from_zstd: Option<Decoder<'static>>,
    plain: Vec<u8>,
    packed: Vec<u8>,
}

fn with_states<T>(use_them: impl FnOnce(&mut States) -> T) -> T {
    let mut states = STATES.take().unwrap_or_default();
    let result = use_them(&mut states);
    for scratch in [&mut states.plain, &mut states.packed] {
        scratch.clear();
        scratch.shrink_to(SCRATCH_BYTES_KEPT);
    }
    STATES.set(Some(states));
    result
}

/// Appends the message that `write` writes in `encoding`, and answers true; false, and nothing
/// done but for the plain message being appended, when that would not make it smaller.
///
/// # Errors
/// INTERNAL when the algorithm fails, for which there is no reason but a lack of memory.
pub(crate) fn compress(
    encoding: Encoding,
    write: impl FnOnce(&mut Vec<u8>),
    out: &mut Vec<u8>,
) -> Result<bool, Status> {
    with_states(|states| {
        write(&mut states.plain);
        states.pack(encoding).map_err(|cause| {
            Status::internal(format!(
                "failed to compress a message as {encoding}: {cause}"
            ))
        })?;
        let smaller = encoding != Encoding::Identity && states.packed.len() < states.plain.len();
        out.extend_from_slice(if smaller {
            &states.packed
        } else {
            &states.plain
        });
        Ok(smaller)
    })
}

/// Appends the message that `bytes` in `encoding` stand for.
///
/// # Errors
/// RESOURCE_EXHAUSTED when it has more than `limit` bytes; INTERNAL when the bytes are malformed,
/// end before their time or are followed by others.
pub(crate) fn decompress(
    encoding: Encoding,
    bytes: &[u8],
    limit: usize,
    out: &mut Vec<u8>,
) -> Result<(), Status> {
    let output = Output { limit, out };
    let outcome = with_states(|states| states.unpack(encoding, bytes, output));
    outcome.map_err(|fault| match fault {
        Fault::TooLarge => Status::resource_exhausted(format!(
            "a message of {} bytes in {encoding} inflates over the limit of {limit}",
            bytes.len()
        )),
        Fault::Malformed(cause) => Status::internal(format!(
            "failed to inflate a message in {encoding}: {cause}"
        )),
    })
}

/// Reason that bytes are not a message.
enum Fault {
    TooLarge,
    Malformed(String),
}

impl<E: std::error::Error> From<E> for Fault {
    fn from(error: E) -> Self {
        Self::Malformed(error.to_string())
    }
}

fn incomplete() -> Fault {
    Fault::Malformed("it is incomplete".to_owned())
}

impl States {
    /// Compresses `plain` into `packed`.
    fn pack(&mut self, encoding: Encoding) -> io::Result<()> {
        let level = flate2::Compression::default();
        let Self { plain, packed, .. } = self;
        match encoding {
            Encoding::Identity => Ok(()),
            Encoding::Gzip => {
                let make = || Compress::new_gzip(level, DEFLATE_WINDOW_BITS);
                deflate(self.gzip.get_or_insert_with(make), plain, packed)
            }
            Encoding::Deflate => {
                let make = || Compress::new(level, true);
                deflate(self.deflate.get_or_insert_with(make), plain, packed)
            }
            Encoding::Zstd => {
                packed.reserve(zstd::zstd_safe::compress_bound(plain.len()));
                let zstd = match &mut self.zstd {
                    Some(zstd) => zstd,
                    none => none.insert(Compressor::new(zstd::DEFAULT_COMPRESSION_LEVEL)?),
                };
                zstd.compress_to_buffer(plain, packed).map(drop)
            }
        }
    }

    fn unpack(
        &mut self,
        encoding: Encoding,
        bytes: &[u8],
        mut output: Output<'_>,
    ) -> Result<(), Fault> {
        match encoding {
            Encoding::Identity => output.extend(bytes),
            Encoding::Gzip => {
                let make = || Decompress::new_gzip(DEFLATE_WINDOW_BITS);
                inflate(self.from_gzip.get_or_insert_with(make), bytes, output)
            }
            Encoding::Deflate => {
                let make = || Decompress::new(true);
                inflate(self.from_deflate.get_or_insert_with(make), bytes, output)
            }
            Encoding::Zstd => {
                let decoder = match &mut self.from_zstd {
                    Some(decoder) => decoder,
                    none => none.insert(zstd_decoder()?),
                };
                from_zstd(decoder, bytes, output)
            }
        }
    }
}

/// Destination of a decompressed message, with a limit.
struct Output<'a> {
    limit: usize,
    out: &'a mut Vec<u8>,
}

impl Output<'_> {
    fn extend(&mut self, bytes: &[u8]) -> Result<(), Fault> {
        if bytes.len() > self.limit {
            return Err(Fault::TooLarge);
        }
        self.out.extend_from_slice(bytes);
        Ok(())
    }

    /// Makes room if there is none: as much again as was produced since `start`, but at most one
    /// byte past the limit, which is enough to detect an excess.
    fn make_room(&mut self, start: usize) -> Result<(), Fault> {
        let written = self.out.len() - start;
        if written > self.limit {
            return Err(Fault::TooLarge);
        }
        if self.out.len() == self.out.capacity() {
            let room = written.max(OUTPUT_BYTES_MIN);
            let room = room.min((self.limit - written).saturating_add(1));
            self.out.reserve_exact(room);
        }
        Ok(())
    }
}

fn deflate(state: &mut Compress, plain: &[u8], out: &mut Vec<u8>) -> io::Result<()> {
    state.reset();
    loop {
        out.reserve(OUTPUT_BYTES_MIN);
        let rest = &plain[state.total_in() as usize..];
        match state.compress_vec(rest, out, FlushCompress::Finish)? {
            flate2::Status::StreamEnd => return Ok(()),
            flate2::Status::Ok | flate2::Status::BufError => {}
        }
    }
}

/// Inflates a sequence of gzip members or zlib streams: gzip files may be concatenated (RFC 1952
/// §2.2), and no gRPC peer writes more than one zlib stream.
fn inflate(state: &mut Decompress, bytes: &[u8], mut output: Output<'_>) -> Result<(), Fault> {
    let start = output.out.len();
    let mut rest = bytes;
    loop {
        state.reset(true);
        rest = inflate_one(state, rest, start, &mut output)?;
        if rest.is_empty() {
            return output.make_room(start);
        }
    }
}

/// Inflates the stream at the start of `rest`, and returns the bytes after it.
fn inflate_one<'a>(
    state: &mut Decompress,
    mut rest: &'a [u8],
    start: usize,
    output: &mut Output<'_>,
) -> Result<&'a [u8], Fault> {
    loop {
        output.make_room(start)?;
        let (before, written) = (state.total_in(), output.out.len());
        let status = state.decompress_vec(rest, output.out, FlushDecompress::None)?;
        rest = &rest[(state.total_in() - before) as usize..];
        match status {
            flate2::Status::StreamEnd => return Ok(rest),
            _ if rest.is_empty() && output.out.len() < output.out.capacity() => {
                return Err(incomplete());
            }
            flate2::Status::BufError if output.out.len() == written => return Err(incomplete()),
            flate2::Status::Ok | flate2::Status::BufError => {}
        }
    }
}

fn zstd_decoder() -> io::Result<Decoder<'static>> {
    let mut decoder = Decoder::new()?;
    decoder.set_parameter(DParameter::WindowLogMax(ZSTD_WINDOW_LOG_MAX))?;
    Ok(decoder)
}

/// Decompresses a sequence of Zstandard frames (RFC 8878 §3.1).
fn from_zstd(decoder: &mut Decoder<'_>, bytes: &[u8], mut output: Output<'_>) -> Result<(), Fault> {
    decoder.reinit()?;
    let start = output.out.len();
    let mut input = InBuffer::around(bytes);
    loop {
        output.make_room(start)?;
        let written = output.out.len();
        let missing = decoder.run(&mut input, &mut OutBuffer::around_pos(output.out, written))?;
        // Asked again after its end, the decoder would wait for another frame.
        let consumed = input.pos() == bytes.len();
        if consumed && missing == 0 {
            return output.make_room(start);
        }
        if consumed && output.out.len() < output.out.capacity() {
            return Err(incomplete());
        }
    }
}

#[cfg(test)]
mod tests;
