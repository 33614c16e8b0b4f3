//! Protobuf schemas of the services that corespun ships, with their generated code.
//!
//! Each package has its messages, the constants of its methods, and the descriptor set. The crates
//! that need traits and clients generate them from the same `.proto` files.
//!
//! ```
//! use corespun_proto::user::{UserRequest, user_service_methods};
//!
//! assert_eq!(user_service_methods::GET_USER.path(), "/user.UserService/GetUser");
//! let mut framed = Vec::new();
//! corespun_codec::message::encode(&UserRequest { id: 7 }, &mut framed)?;
//! assert_eq!(framed, [0, 0, 0, 0, 2, 8, 7]);
//! # Ok::<(), corespun_codec::Status>(())
//! ```
//!
//! **Not here:** handlers, calls, and anything that reads a schema at run time.

#![forbid(unsafe_code)]
#![deny(missing_docs)]

/// Example service, `user.proto`.
pub mod user {
    include!(concat!(env!("OUT_DIR"), "/user.rs"));
}

/// Benchmark service of the gRPC project, `benchmark.proto`.
pub mod benchmark {
    include!(concat!(env!("OUT_DIR"), "/grpc.testing.rs"));
}

/// Health service, `grpc/health/v1/health.proto`.
pub mod health {
    include!(concat!(env!("OUT_DIR"), "/grpc.health.v1.rs"));
}

/// Server reflection service, `grpc/reflection/v1/reflection.proto`.
pub mod reflection {
    include!(concat!(env!("OUT_DIR"), "/grpc.reflection.v1.rs"));
}

/// Channelz service for server counters, `grpc/channelz/v1/channelz.proto`.
pub mod channelz {
    include!(concat!(env!("OUT_DIR"), "/grpc.channelz.v1.rs"));
}

/// OpenTelemetry protocol, `opentelemetry/proto`. The modules are nested as in the schemas, because
/// the packages refer to each other by relative paths.
pub mod opentelemetry {
    /// Package `opentelemetry.proto`, the second part of all package names.
    pub mod proto {
        /// Package `opentelemetry.proto.common`, which the schemas refer to by this name.
        pub use self::attributes as common;

        /// Attributes, and the instrumentation scope that reports them
        /// (`opentelemetry.proto.common`).
        pub mod attributes {
            /// Stable version of the common types.
            pub mod v1 {
                include!(concat!(
                    env!("OUT_DIR"),
                    "/opentelemetry.proto.common.v1.rs"
                ));
            }
        }

        /// Source of signals, such as a service (`opentelemetry.proto.resource`).
        pub mod resource {
            /// Stable version of the resource types.
            pub mod v1 {
                include!(concat!(
                    env!("OUT_DIR"),
                    "/opentelemetry.proto.resource.v1.rs"
                ));
            }
        }

        /// Spans (`opentelemetry.proto.trace`).
        pub mod trace {
            /// Stable version of the span types.
            pub mod v1 {
                include!(concat!(env!("OUT_DIR"), "/opentelemetry.proto.trace.v1.rs"));
            }
        }

        /// Collector services, which receive signals (`opentelemetry.proto.collector`).
        pub mod collector {
            /// Collector service for spans.
            pub mod trace {
                /// Stable version of the collector service for spans.
                pub mod v1 {
                    include!(concat!(
                        env!("OUT_DIR"),
                        "/opentelemetry.proto.collector.trace.v1.rs"
                    ));
                }
            }
        }
    }
}
