//! What the server may ask of the generator.

use corespun_http2::Limits;

/// A client that measures must never be what holds a server back: windows as large as they get,
/// no budget for resets, and one flush for all that is due.
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
