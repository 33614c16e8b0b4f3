//! README and guides as documentation tests: their Rust code compiles, or runs where it says so.

#[doc = include_str!("../../README.md")]
mod readme {}

#[doc = include_str!("../../docs/guide/getting-started.md")]
mod getting_started {}

#[doc = include_str!("../../docs/browsers.md")]
mod browsers {}

#[doc = include_str!("../../docs/guide/clients.md")]
mod clients {}

#[doc = include_str!("../../docs/guide/streaming.md")]
mod streaming {}

#[doc = include_str!("../../docs/guide/errors.md")]
mod errors {}

#[doc = include_str!("../../docs/guide/deadlines.md")]
mod deadlines {}

#[doc = include_str!("../../docs/guide/interceptors.md")]
mod interceptors {}

#[doc = include_str!("../../docs/guide/tls.md")]
mod tls {}

#[doc = include_str!("../../docs/guide/auth.md")]
mod auth {}

#[doc = include_str!("../../docs/guide/health-and-reflection.md")]
mod health_and_reflection {}

#[doc = include_str!("../../docs/guide/tokio.md")]
mod tokio {}

#[doc = include_str!("../../docs/guide/tracing.md")]
mod tracing {}

#[doc = include_str!("../../docs/guide/tuning.md")]
mod tuning {}

#[doc = include_str!("../../docs/guide/coming-from-tonic.md")]
mod coming_from_tonic {}
