//! HTTP/2 limits of the generator.

use corespun_http2::Limits;

/// Returns limits under which the generator never slows a server down: largest windows, no budget
/// for resets, and one flush for all calls that are due.
pub(super) fn limits() -> Limits {
    const WINDOW_BYTES: u32 = 0x7fff_ffff;
    const UNBOUNDED: u32 = 1 << 30;
    Limits {
        stream_window_bytes: WINDOW_BYTES,
        connection_window_bytes: WINDOW_BYTES,
        reset_budget: UNBOUNDED,
        reset_budget_per_second: UNBOUNDED,
        output_bytes_high: 4 << 20,
        ..Limits::default()
    }
}
