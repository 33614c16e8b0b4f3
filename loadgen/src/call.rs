//! What is called: one method, or a mix of several, each with its requests ready to send.

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

/// How the two sides of a bidirectional stream take turns.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Turns {
    /// A request, its answer, the next request.
    #[default]
    PingPong,
    /// Requests as fast as flow control lets them go, whatever has been answered.
    Free,
}

impl FromStr for Turns {
    type Err = ();

    /// Reads `ping-pong` or `free`.
    fn from_str(text: &str) -> Result<Self, ()> {
        match text {
            "ping-pong" => Ok(Self::PingPong),
            "free" => Ok(Self::Free),
            _ => Err(()),
        }
    }
}

/// One method with all that it takes to call it.
#[derive(Clone, Debug)]
pub struct Call {
    /// The method.
    pub method: Method,
    /// Which side streams.
    pub kind: Kind,
    /// The request's header fields, names and values.
    pub fields: Vec<(Vec<u8>, Vec<u8>)>,
    /// Metadata that is filled in for each call.
    pub varying: Varying,
    /// The requests.
    pub payloads: Payloads,
    /// Number of requests after which they repeat, although each was to have a text of its own.
    pub repeats_after: Option<usize>,
    /// Requests in each call: 1 unless the client streams.
    pub messages: u32,
    /// Who waits for whom in a bidirectional stream.
    pub turns: Turns,
    /// The time granted to each call.
    pub timeout: Option<Duration>,
    /// How often it is called, compared with others.
    pub weight: u32,
}
