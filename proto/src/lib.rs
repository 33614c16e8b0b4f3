//! The services that corespun ships, as schemas beside this crate and as what is made of them.
//!
//! Of each package here are the messages, the constants of its methods, and the descriptor set.
//! Traits and clients are made in the crates that use them, from the same `.proto` files.
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

/// The example service, `user.proto`.
pub mod user {
    include!(concat!(env!("OUT_DIR"), "/user.rs"));
}

/// The service of gRPC's own benchmarks, `benchmark.proto`.
pub mod benchmark {
    include!(concat!(env!("OUT_DIR"), "/grpc.testing.rs"));
}

/// Health of a server and its services, `grpc/health/v1/health.proto`.
pub mod health {
    include!(concat!(env!("OUT_DIR"), "/grpc.health.v1.rs"));
}

/// The schema of a server, `grpc/reflection/v1/reflection.proto`.
pub mod reflection {
    include!(concat!(env!("OUT_DIR"), "/grpc.reflection.v1.rs"));
}

/// What a server counts, `grpc/channelz/v1/channelz.proto`.
pub mod channelz {
    include!(concat!(env!("OUT_DIR"), "/grpc.channelz.v1.rs"));
}

/// The protocol of OpenTelemetry, `opentelemetry/proto`; its packages refer to each other by where
/// they stand here.
pub mod opentelemetry {
    /// What the schemas have as their second name.
    pub mod proto {
        /// What all signals share; their schema has it under another name, which says nothing.
        pub use self::attributes as common;

        /// Attributes, and who made what is reported.
        pub mod attributes {
            /// The stable version.
            pub mod v1 {
                include!(concat!(
                    env!("OUT_DIR"),
                    "/opentelemetry.proto.common.v1.rs"
                ));
            }
        }

        /// Whose signals they are.
        pub mod resource {
            /// The stable version.
            pub mod v1 {
                include!(concat!(
                    env!("OUT_DIR"),
                    "/opentelemetry.proto.resource.v1.rs"
                ));
            }
        }

        /// Spans.
        pub mod trace {
            /// The stable version.
            pub mod v1 {
                include!(concat!(env!("OUT_DIR"), "/opentelemetry.proto.trace.v1.rs"));
            }
        }

        /// How signals get to a collector.
        pub mod collector {
            /// Spans.
            pub mod trace {
                /// The stable version.
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
