//! Constant responses and limits of all bench servers.

use std::error::Error;
use std::fmt;
use std::sync::LazyLock;

/// Name of every user.
pub const USER_NAME: &str = "John Doe";
/// Email address of every user.
pub const USER_EMAIL: &str = "john@example.com";
/// Users in a list whose request leaves `page_size` at 0.
pub const PAGE_SIZE_DEFAULT: usize = 50;

/// Largest message accepted, gRPC's usual bound and corespun's default.
pub const RECEIVE_BYTES_MAX: usize = 4 << 20;
/// Largest payload a benchmark request may ask for.
pub const PAYLOAD_BYTES_MAX: usize = 16 << 20;
/// Receive window of one stream in bytes, as set for tonic; corespun's windows start at 64 KiB and
/// grow beyond.
pub const STREAM_WINDOW_BYTES: u32 = 1 << 20;
/// Receive window of one connection in bytes; corespun's default, set for tonic too.
pub const CONNECTION_WINDOW_BYTES: u32 = 4 << 20;
/// Limit on concurrent streams of one connection; corespun's default, set for tonic too.
pub const STREAMS_MAX: u32 = 1024;

/// Invalid size in a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SizeError {
    field: &'static str,
    value: i32,
    max: usize,
}

impl fmt::Display for SizeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { field, value, max } = self;
        write!(f, "failed to answer: {field} is {value}, outside 0..={max}")
    }
}

impl Error for SizeError {}

/// Returns the number of users that `ListUsers` streams for this `page_size`.
///
/// # Errors
///
/// When `page_size` is negative.
pub fn users_on_page(page_size: i32) -> Result<i32, SizeError> {
    match page_size {
        0 => Ok(PAGE_SIZE_DEFAULT as i32),
        1.. => Ok(page_size),
        value => Err(SizeError {
            field: "page_size",
            value,
            max: i32::MAX as usize,
        }),
    }
}

/// Returns a payload of `response_size` zero bytes from a shared buffer, so that no call pays for
/// its creation.
///
/// # Errors
///
/// When `response_size` is negative or above [`PAYLOAD_BYTES_MAX`].
pub fn payload(response_size: i32) -> Result<&'static [u8], SizeError> {
    static ZEROS: LazyLock<&'static [u8]> =
        LazyLock::new(|| Box::leak(vec![0; PAYLOAD_BYTES_MAX].into_boxed_slice()));
    let size = usize::try_from(response_size).ok();
    let out_of_range = SizeError {
        field: "response_size",
        value: response_size,
        max: PAYLOAD_BYTES_MAX,
    };
    size.and_then(|size| ZEROS.get(..size)).ok_or(out_of_range)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn limits_are_those_that_corespun_runs_with() {
        let ours = corespun::server::Config::default();
        assert_eq!(ours.message_bytes_max, RECEIVE_BYTES_MAX);
        assert!(
            ours.http2.stream_window_bytes_max >= STREAM_WINDOW_BYTES,
            "ours grow, those of others are fixed"
        );
        assert_eq!(ours.http2.connection_window_bytes, CONNECTION_WINDOW_BYTES);
        assert_eq!(ours.http2.concurrent_streams_max, STREAMS_MAX);
    }

    #[test]
    fn pages_default_to_fifty_users() {
        assert_eq!(users_on_page(0), Ok(50));
        assert_eq!(users_on_page(3), Ok(3));
        let error = users_on_page(-1).unwrap_err().to_string();
        assert_eq!(
            error,
            "failed to answer: page_size is -1, outside 0..=2147483647"
        );
    }

    #[test]
    fn payloads_are_zeros_of_the_size_asked_for() {
        assert_eq!(payload(0), Ok(&[][..]));
        assert_eq!(payload(3), Ok(&[0; 3][..]));
        assert_eq!(
            payload(PAYLOAD_BYTES_MAX as i32).map(<[u8]>::len),
            Ok(PAYLOAD_BYTES_MAX)
        );
        assert!(payload(-1).is_err() && payload(PAYLOAD_BYTES_MAX as i32 + 1).is_err());
    }
}
