//! Tests of every encoding in both directions: at the limit, over it, and with broken input.

use super::*;
use crate::Code;
use crate::generator::Generator;

const ENCODINGS: [Encoding; 3] = [Encoding::Gzip, Encoding::Deflate, Encoding::Zstd];

fn packed(encoding: Encoding, plain: &[u8]) -> Vec<u8> {
    let mut out = b"kept".to_vec();
    let smaller = compress(encoding, |into| into.extend_from_slice(plain), &mut out).unwrap();
    assert!(smaller, "{} bytes in {encoding}", plain.len());
    out.split_off(4)
}

fn unpacked(encoding: Encoding, bytes: &[u8], limit: usize) -> Result<Vec<u8>, Status> {
    let mut out = b"kept".to_vec();
    decompress(encoding, bytes, limit, &mut out)?;
    assert!(out.starts_with(b"kept"));
    Ok(out.split_off(4))
}

#[test]
fn decompress_undoes_compress() {
    let mut random = Generator::new(11);
    for encoding in ENCODINGS {
        for length_max in [200, 5_000, 300_000] {
            let mut plain = random.bytes(length_max, b"ab");
            plain.extend_from_slice(&[b'x'; 100]);
            let bytes = packed(encoding, &plain);
            assert_eq!(unpacked(encoding, &bytes, plain.len()), Ok(plain));
        }
    }
}

#[test]
fn what_does_not_shrink_stays_plain() {
    let mut random = Generator::new(12);
    for encoding in ENCODINGS {
        for plain in [vec![], vec![7], random.bytes(4_000, b"")] {
            let mut out = Vec::new();
            let smaller = compress(encoding, |into| into.extend_from_slice(&plain), &mut out);
            assert_eq!((smaller, out), (Ok(false), plain), "{encoding}");
        }
    }
}

#[test]
fn the_limit_holds_for_what_comes_out() {
    const LIMIT: usize = 100_000;
    for encoding in ENCODINGS {
        for (length, fits) in [(LIMIT, true), (LIMIT + 1, false), (64 << 20, false)] {
            let bytes = packed(encoding, &vec![0; length]);
            let mut out = Vec::new();
            let outcome = decompress(encoding, &bytes, LIMIT, &mut out);
            assert!(
                out.capacity() <= LIMIT + 1,
                "{encoding} took {}",
                out.capacity()
            );
            match outcome {
                Ok(()) => assert!(fits && out.len() == length, "{encoding} {length}"),
                Err(status) => {
                    assert_eq!((fits, status.code()), (false, Code::ResourceExhausted));
                    assert!(status.message().contains(encoding.name()), "{status}");
                }
            }
        }
    }
}

#[test]
fn a_cut_a_tail_and_noise_are_malformed() {
    let plain = b"some text that repeats: some text that repeats, some text that repeats".repeat(9);
    let mut random = Generator::new(13);
    for encoding in ENCODINGS {
        let bytes = packed(encoding, &plain);
        for cut in 0..bytes.len() {
            let status = unpacked(encoding, &bytes[..cut], 1 << 20);
            let code = status.map_or_else(|status| status.code(), |_| Code::Ok);
            assert_eq!(code, Code::Internal, "{encoding} at {cut}");
        }
        let tailed = [&bytes[..], b"tail"].concat();
        let status = unpacked(encoding, &tailed, 1 << 20).unwrap_err();
        assert_eq!(status.code(), Code::Internal, "{encoding}: {status}");
        for _ in 0..300 {
            let noise = random.bytes(200, b"");
            let outcome = unpacked(encoding, &noise, 1 << 20);
            assert!(outcome.is_err(), "{encoding} {noise:?}");
        }
        assert_eq!(
            unpacked(encoding, &bytes, 1 << 20).as_deref(),
            Ok(&plain[..])
        );
    }
}

#[test]
fn members_and_frames_may_follow_each_other() {
    for encoding in [Encoding::Gzip, Encoding::Zstd] {
        let (first, second) = (vec![b'a'; 500], vec![b'b'; 700]);
        let bytes = [packed(encoding, &first), packed(encoding, &second)].concat();
        assert_eq!(
            unpacked(encoding, &bytes, 1200),
            Ok([first, second].concat())
        );
        assert!(unpacked(encoding, &bytes, 1199).is_err());
    }
}

#[test]
fn a_window_beyond_eight_mebibytes_is_refused() {
    // Magic number, a descriptor without content size, a window of 16 MiB, an empty last block.
    let frame = |exponent: u8| [0x28, 0xb5, 0x2f, 0xfd, 0, exponent << 3, 1, 0, 0];
    assert_eq!(unpacked(Encoding::Zstd, &frame(13), 10), Ok(vec![]));
    let status = unpacked(Encoding::Zstd, &frame(14), 10).unwrap_err();
    assert_eq!(status.code(), Code::Internal, "{status}");
}
