//! Calls of a run: one method, or a mix of several, each with its encoded requests.

mod mix;
mod order;
mod scenario;

pub(crate) use mix::Chooser;
pub use mix::Mix;
pub(crate) use order::{Defaults, Order};
pub(crate) use scenario::read as read_scenario;

use std::str::FromStr;
use std::time::Duration;

use corespun_codec::Kind;

use crate::data::Payloads;
use crate::metadata::Varying;
use crate::schema::Method;

/// Order of requests and responses on a bidirectional stream.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Turns {
    /// Sends the next request after the response to the previous one.
    #[default]
    PingPong,
    /// Sends requests as fast as flow control permits, without waiting for responses.
    Free,
}

impl FromStr for Turns {
    type Err = ();

    /// Parses `ping-pong` or `free`.
    fn from_str(text: &str) -> Result<Self, ()> {
        match text {
            "ping-pong" => Ok(Self::PingPong),
            "free" => Ok(Self::Free),
            _ => Err(()),
        }
    }
}

/// Method with everything that is needed to call it.
#[derive(Clone, Debug)]
pub struct Call {
    /// Method to call.
    pub method: Method,
    /// Kind of RPC: unary, or streaming on one or both sides.
    pub kind: Kind,
    /// Names and values of the request's header fields.
    pub fields: Vec<(Vec<u8>, Vec<u8>)>,
    /// Metadata with templates that are filled in for each call.
    pub varying: Varying,
    /// Requests of the call.
    pub payloads: Payloads,
    /// Number of distinct requests before they repeat, if the template asks for unique ones; else
    /// `None`.
    pub repeats_after: Option<usize>,
    /// Number of requests in each call: 1 unless the client streams.
    pub messages: u32,
    /// Order of requests and responses on a bidirectional stream.
    pub turns: Turns,
    /// Timeout of each call.
    pub timeout: Option<Duration>,
    /// Relative frequency of the call in the mix.
    pub weight: u32,
}
