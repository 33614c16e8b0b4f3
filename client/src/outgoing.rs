//! Outgoing requests: their heads, as this connection's encoder writes them.

use std::rc::Rc;
use std::time::Duration;

use corespun_codec::head::{self, Field as HeadField, Target};
use corespun_codec::message::Framing;
use corespun_codec::{
    Encoding, Encodings, MetadataMap, RequestHead, RequestParts, Status, TraceContext, timeout,
};
use corespun_http2::hpack::{Field, Indexing};
use corespun_http2::{BlockCache, Connection, OpenError, StreamKey};
use corespun_runtime::now;

use crate::config::Config;
use crate::deadline::expired;

/// Number of methods whose head is cached on one connection.
const CACHED_METHODS_MAX: usize = 64;

/// Largest size that the fields of a head other than authority, path and metadata may add to it, in
/// bytes.
const OWN_FIELDS_BYTES: usize = 1 << 10;

/// Request, method and deadline of a call.
pub(crate) struct Outgoing {
    path: &'static str,
    head: Option<Rc<RequestHead>>,
    pub(crate) deadline: Option<Duration>,
    /// Framing of the request's messages.
    pub(crate) framing: Framing,
}

impl Outgoing {
    /// Creates a call that starts now.
    ///
    /// # Errors
    ///
    /// DEADLINE_EXCEEDED when the timeout is zero: nothing is sent then.
    pub(crate) fn new(
        path: &'static str,
        parts: RequestParts,
        config: &Config,
    ) -> Result<Self, Status> {
        let RequestParts {
            mut head, encoding, ..
        } = parts;
        if config.trace_context
            && let Some(context) = TraceContext::current()
        {
            hand_on(&context, &mut head)?;
        }
        let granted = head.as_ref().and_then(|head| head.timeout);
        if granted == Some(Duration::ZERO) {
            return Err(expired());
        }
        let deadline = granted.map(|granted| now() + granted.min(timeout::MAX));
        Ok(Self {
            path,
            head,
            deadline,
            framing: Framing {
                encoding: encoding.unwrap_or(config.encoding),
                bytes_max: config.send_bytes_max,
            },
        })
    }

    fn metadata(&self) -> &MetadataMap {
        self.head
            .as_ref()
            .map_or(MetadataMap::EMPTY, |head| &head.metadata)
    }
}

/// Adds a trace context to a request's metadata, unless there is one.
fn hand_on(context: &TraceContext, head: &mut Option<Rc<RequestHead>>) -> Result<(), Status> {
    let head = head.get_or_insert_default();
    if !TraceContext::is_in(&head.metadata) {
        context.write(&mut Rc::make_mut(head).metadata)?;
    }
    Ok(())
}

/// Encoder of request heads. The fields before timeout and metadata are equal for all calls of a
/// method. They take a few bytes of indices once they are in the peer's table.
pub(crate) struct RequestBlocks {
    scheme: &'static str,
    authority: Rc<str>,
    accepted: Encodings,
    caches: Vec<(&'static str, BlockCache)>,
    timeout: Vec<u8>,
}

impl RequestBlocks {
    pub(crate) fn new(scheme: &'static str, authority: Rc<str>, accepted: Encodings) -> Self {
        Self {
            scheme,
            authority,
            accepted,
            caches: Vec::new(),
            timeout: Vec::new(),
        }
    }

    /// Checks that the server accepts a head of this size.
    ///
    /// # Errors
    ///
    /// RESOURCE_EXHAUSTED with size and limit when the server announces a smaller limit: it would
    /// refuse the call, or end the connection with all calls on it.
    pub(crate) fn check_size(&self, http2: &Connection, outgoing: &Outgoing) -> Result<(), Status> {
        let metadata = outgoing.metadata();
        if metadata.is_empty() {
            return Ok(());
        }
        let room = http2.peer_header_list_bytes_max();
        let least = metadata.list_bytes() + self.authority.len() + outgoing.path.len();
        match room.checked_sub(least) {
            Some(left) if left >= OWN_FIELDS_BYTES => Ok(()),
            _ => self.check_every_field(room, outgoing),
        }
    }

    #[cold]
    fn check_every_field(&self, room: usize, outgoing: &Outgoing) -> Result<(), Status> {
        let target = Target {
            scheme: self.scheme,
            authority: &self.authority,
            path: outgoing.path,
        };
        let longest_timeout = outgoing.deadline.map(|_| &b"99999999n"[..]);
        let encoding = outgoing.framing.encoding;
        let fields = head::request_fields(target, longest_timeout, outgoing.metadata())
            .chain(self.accepted())
            .chain(named(encoding));
        let bytes = head::list_bytes(fields);
        if bytes <= room {
            return Ok(());
        }
        Err(Status::resource_exhausted(format!(
            "the head of the request has {bytes} bytes, over the server's limit of {room} \
             (SETTINGS_MAX_HEADER_LIST_SIZE)"
        )))
    }

    /// Returns the `grpc-accept-encoding` field of every call.
    fn accepted(&self) -> Option<HeadField<'static>> {
        (self.accepted != Encodings::IDENTITY).then(|| {
            let accepted = self.accepted.text().as_bytes();
            (&b"grpc-accept-encoding"[..], accepted)
        })
    }

    /// Opens a stream with the head of `outgoing`.
    pub(crate) fn open(
        &mut self,
        http2: &mut Connection,
        outgoing: &Outgoing,
    ) -> Result<StreamKey, OpenError> {
        let metadata = outgoing.metadata();
        let encoding = outgoing.framing.encoding;
        let is_plain = encoding == Encoding::Identity;
        self.timeout.clear();
        if let Some(deadline) = outgoing.deadline {
            // The wait for the connection counts towards the timeout.
            let left = deadline.saturating_sub(now());
            timeout::write(left.max(Duration::from_nanos(1)), &mut self.timeout);
        }
        let target = Target {
            scheme: self.scheme,
            authority: &self.authority,
            path: outgoing.path,
        };
        let encoding = named(encoding);
        let accepted = self.accepted();
        let timeout = outgoing.deadline.map(|_| &self.timeout[..]);
        let is_bare = timeout.is_none() && metadata.is_empty() && is_plain;
        let same = head::request_fields(target, None, MetadataMap::EMPTY).chain(accepted);
        match cache(&mut self.caches, outgoing.path) {
            Some(cache) if is_bare => http2.open(same.map(field), Some(cache), false),
            Some(cache) if !metadata.contains_key("user-agent") => {
                let timeout = timeout.map(|text| (&b"grpc-timeout"[..], text));
                let rest = timeout.into_iter().chain(encoding).chain(metadata.fields());
                http2.open_in_parts(same.map(field), cache, rest.map(field), false)
            }
            _ => {
                let fields = head::request_fields(target, timeout, metadata);
                let fields = fields.chain(encoding).chain(accepted).map(field);
                http2.open(fields, None, false)
            }
        }
    }
}

/// Returns the `grpc-encoding` field of a call.
fn named(encoding: Encoding) -> Option<HeadField<'static>> {
    (encoding != Encoding::Identity).then(|| (&b"grpc-encoding"[..], encoding.name().as_bytes()))
}

/// Returns the cached head of a method, found by the address of its path, which is a constant.
fn cache<'a>(
    caches: &'a mut Vec<(&'static str, BlockCache)>,
    path: &'static str,
) -> Option<&'a mut BlockCache> {
    let found = caches
        .iter()
        .position(|(known, _)| std::ptr::eq(*known, path));
    let at = match found {
        Some(at) => at,
        None if caches.len() < CACHED_METHODS_MAX => {
            caches.push((path, BlockCache::default()));
            caches.len() - 1
        }
        None => return None,
    };
    Some(&mut caches[at].1)
}

/// Returns a field in its encoding: fields that every call repeats go into the peer's table,
/// metadata does not.
fn field<'a>((name, value): (&'a [u8], &'a [u8])) -> Field<'a> {
    let indexing = match name {
        b":method"
        | b":scheme"
        | b":path"
        | b":authority"
        | b"te"
        | b"content-type"
        | b"user-agent"
        | b"grpc-encoding"
        | b"grpc-accept-encoding" => Indexing::Index,
        // No intermediary may index it either, so that no other client can guess it by trial.
        b"authorization" => Indexing::Never,
        _ => Indexing::Literal,
    };
    Field {
        name,
        value,
        indexing,
    }
}
