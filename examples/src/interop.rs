//! The server of gRPC's interoperability tests: `grpc.testing.TestService`, and the load reports
//! of ORCA beside it.
//!
//! What each method answers is in gRPC's `doc/interop-test-descriptions.md`. [`cases`] is the
//! other side, made with our client.

pub mod cases;
mod load;
mod service;

pub use load::{INTERVAL_MIN, Load, LoadReports};
pub use service::{Interop, PAYLOAD_BYTES_MAX};

/// What the generator makes of `grpc/testing/test.proto` and `xds/service/orca/v3/orca.proto`.
#[allow(
    missing_docs,
    reason = "modules that only nest others have nothing to say"
)]
pub mod proto {
    corespun::include_proto!("interop");
}

/// Metadata with this key goes back ahead of the messages.
pub const ECHO_INITIAL: &str = "x-grpc-test-echo-initial";

/// Metadata with this key goes back behind them.
pub const ECHO_TRAILING: &str = "x-grpc-test-echo-trailing-bin";

/// The trailer that has the load of one call, an `OrcaLoadReport` (gRFC A51).
pub const CALL_LOAD: &str = "endpoint-load-metrics-bin";
