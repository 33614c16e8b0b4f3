//! Bounds of a client: wider than a server's, and each fault costs one call.

use corespun_http2::{Config, ErrorCode};

use crate::end::End;
use crate::wire::*;

/// A client with its own limits that has opened a stream for each of `ends`.
fn client(streams: usize) -> End {
    let mut end = End::ready(Config::client());
    for _ in 0..streams {
        end.open(true);
    }
    end.output();
    end
}

/// The frames of a block that is cut into pieces of 16 KiB.
fn split(stream: u32, flags: u8, block: &[u8]) -> Vec<u8> {
    let mut pieces = block.chunks(16_384);
    let mut out = frame(HEADERS, flags, stream, pieces.next().unwrap_or_default());
    out.extend(pieces.flat_map(|piece| frame(CONTINUATION, 0, stream, piece)));
    out.extend(frame(CONTINUATION, END_HEADERS, stream, []));
    out
}

#[test]
fn trailers_of_many_kilobytes_are_read() {
    let fits = |overhead: usize| 256 * 1024 - overhead;
    let text = |bytes: usize| "A".repeat(bytes);
    for (count, bytes, overflows) in [
        (1, 17_000, false),
        (40, 1000, false),
        (1, 100_000, false),
        (1, fits(3 + 32), false),
        (1, fits(3 + 32) + 1, true),
        (4096, 1, false),
        (4097, 1, true),
    ] {
        let mut end = client(2);
        end.feed(&headers(1, 0, response(&[])));
        let value = text(bytes);
        let fields = vec![("x-a", &value[..]); count];
        let said = end.feed(&split(1, END, &block(&fields)));
        assert_eq!(said, ["trailers 1"], "{count} x {bytes}");
        let list = end.connection.headers();
        assert_eq!(list.overflow().is_some(), overflows, "{count} x {bytes}");
        assert_eq!(end.feed(&headers(3, END, response(&[]))), ["headers 3 end"]);
    }
}

/// A server that resets or breaks call after call costs the calls of others nothing.
#[test]
fn faults_of_any_number_leave_the_connection() {
    let mut end = client(1);
    for nth in 1..3000 {
        let stream = 2 * nth + 1;
        end.open(true);
        let fault = match nth % 2 {
            0 => frame(RST_STREAM, 0, stream, ErrorCode::CANCEL.0.to_be_bytes()),
            _ => headers(stream, 0, block(&[(":status", "x")])),
        };
        assert_eq!(end.feed(&fault).len(), 1, "{nth}");
        end.output();
    }
    assert_eq!(end.feed(&headers(1, END, response(&[]))), ["headers 1 end"]);
}
