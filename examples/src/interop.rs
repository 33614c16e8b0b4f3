//! Server of gRPC's interoperability tests: `grpc.testing.TestService`, and the load reports of
//! ORCA.
//!
//! gRPC's `doc/interop-test-descriptions.md` defines the response of each method. [`cases`] has the
//! client side of the tests.

pub mod cases;
mod load;
mod service;

pub use load::{INTERVAL_MIN, Load, LoadReports};
pub use service::{Interop, PAYLOAD_BYTES_MAX};

/// Code generated from `grpc/testing/test.proto` and `xds/service/orca/v3/orca.proto`.
#[allow(
    missing_docs,
    reason = "modules that only nest others have nothing to say"
)]
pub mod proto {
    corespun::include_proto!("interop");
}

/// Key of metadata that is returned in the headers.
pub const ECHO_INITIAL: &str = "x-grpc-test-echo-initial";

/// Key of metadata that is returned in the trailers.
pub const ECHO_TRAILING: &str = "x-grpc-test-echo-trailing-bin";

/// Trailer with the load of one call, an `OrcaLoadReport` (gRFC A51).
pub const CALL_LOAD: &str = "endpoint-load-metrics-bin";
