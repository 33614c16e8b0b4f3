//! Cache of parsed response headers and trailers, used while the server repeats them.

use std::cell::Cell;
use std::rc::Rc;

use corespun_codec::head::{ResponseStart, parse_response};
use corespun_codec::{Code, Encoding, MetadataMap, Status};
use corespun_http2::{Block, HeaderList, MEMO_SLOTS, Overflow};

use crate::call::Foreign;

/// Parsed response head that is followed by messages.
#[derive(Clone)]
pub(super) enum Opening {
    /// Metadata of the head, and the compression of the messages that follow.
    Messages(MetadataMap, Encoding),
    /// Head of a response that is not gRPC.
    Foreign(Box<Foreign>),
}

/// Parsed trailers.
#[derive(Clone)]
pub(super) struct Verdict {
    pub(super) status: Status,
    /// True if the trailers have a `grpc-status`.
    pub(super) is_given: bool,
}

/// Parsed head in both forms, because the same bytes may arrive with or without END_STREAM.
struct Head {
    opening: Result<Opening, Status>,
    ended: Status,
}

/// Parsed header blocks of one connection, by memo slot.
#[derive(Default)]
pub(super) struct Known {
    heads: [Option<Rc<Head>>; MEMO_SLOTS],
    trailers: [Option<Rc<Verdict>>; MEMO_SLOTS],
}

impl Known {
    /// Returns the parsed form of a head that is followed by messages.
    pub(super) fn opening(&mut self, block: Block, list: &HeaderList) -> Result<Opening, Status> {
        match self.head(block, list) {
            Some(head) => head.opening.clone(),
            None => read_opening(list),
        }
    }

    /// Returns the status in a head that ends its stream (Trailers-Only).
    pub(super) fn ended(&mut self, block: Block, list: &HeaderList) -> Status {
        match self.head(block, list) {
            Some(head) => head.ended.clone(),
            None => read_ended(list),
        }
    }

    fn head(&mut self, block: Block, list: &HeaderList) -> Option<&Rc<Head>> {
        let memo = match block {
            Block::Seen { memo } => usize::from(memo),
            Block::New { memo } => {
                let memo = usize::from(memo?);
                self.heads[memo] = Some(Rc::new(Head {
                    opening: read_opening(list),
                    ended: read_ended(list),
                }));
                memo
            }
        };
        self.heads[memo].as_ref()
    }

    /// Returns the parsed form of trailers.
    pub(super) fn verdict(&mut self, block: Block, list: &HeaderList) -> Rc<Verdict> {
        let seen = match block {
            Block::Seen { memo } => self.trailers[usize::from(memo)].clone(),
            Block::New { .. } => None,
        };
        let verdict = seen.unwrap_or_else(|| Rc::new(read_trailers(list)));
        if let Block::New { memo: Some(memo) } = block {
            self.trailers[usize::from(memo)] = Some(Rc::clone(&verdict));
        }
        verdict
    }
}

fn fields(list: &HeaderList) -> impl Iterator<Item = (&[u8], &[u8])> + Clone {
    list.iter().map(|header| (header.name, header.value))
}

fn read_opening(list: &HeaderList) -> Result<Opening, Status> {
    let mut metadata = MetadataMap::new();
    if let Some(overflow) = list.overflow() {
        return Err(too_large(overflow));
    }
    match parse_response(fields(list), false, &mut metadata)? {
        ResponseStart::Open(encoding) => Ok(Opening::Messages(metadata, encoding)),
        ResponseStart::Foreign(response) => Ok(Opening::Foreign(Box::new(Foreign {
            response,
            head: metadata,
        }))),
        ResponseStart::Ended(status) => Err(status),
    }
}

fn read_ended(list: &HeaderList) -> Status {
    if list.overflowed() {
        return read_trailers(list).status;
    }
    match parse_response(fields(list), true, &mut MetadataMap::new()) {
        Ok(ResponseStart::Ended(status)) | Err(status) => status,
        Ok(ResponseStart::Foreign(response)) => response.into_status(None),
        Ok(ResponseStart::Open(_)) => no_status(),
    }
}

fn read_trailers(list: &HeaderList) -> Verdict {
    if let Some(overflow) = list.overflow() {
        return Verdict {
            status: read_overflowed(list, overflow),
            is_given: true,
        };
    }
    let is_given = Cell::new(true);
    let status = Status::from_trailers_or(fields(list), || {
        is_given.set(false);
        no_status()
    });
    Verdict {
        status,
        is_given: is_given.get(),
    }
}

/// Returns the status of a call whose server sent none.
pub(super) fn no_status() -> Status {
    Status::unknown("the server ended the call without grpc-status")
}

/// Parses trailers of which fields were dropped. An error keeps its code and mentions the drop; an
/// OK becomes an error, because the response would look complete.
fn read_overflowed(list: &HeaderList, overflow: Overflow) -> Status {
    let status = Status::from_trailers_or(fields(list), || Status::ok(""));
    if status.code() == Code::Ok {
        return too_large(overflow);
    }
    let text = format!("{} [trailers were dropped: {overflow}]", status.message());
    let mut noted = Status::with_details(status.code(), text, status.details().to_vec());
    *noted.metadata_mut() = status.into_metadata();
    noted
}

fn too_large(overflow: Overflow) -> Status {
    let text = format!("the response's header list is too large: {overflow}");
    Status::resource_exhausted(text)
}
