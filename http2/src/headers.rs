//! Header lists: the fields of one header block, in wire order, in one flat buffer.
//!
//! A list is cleared and refilled for every block, so a warm connection decodes without allocating.
//! Names that the layers above use carry a [`Token`], so that each name is compared only once.

use alloc::vec::Vec;
use core::fmt;

#[cfg(test)]
mod tests;

/// Bytes that every field counts for in addition to its name and value (RFC 9113 §10.5.1, RFC 7541
/// §4.1).
pub const FIELD_OVERHEAD_BYTES: usize = 32;

/// Largest buffer in bytes that [`HeaderList::clear`] keeps, so that one huge block does not occupy
/// memory for the rest of the connection's life.
const KEPT_BYTES_MAX: usize = 16 * 1024;

/// Largest capacity in fields that [`HeaderList::clear`] keeps.
const KEPT_FIELDS_MAX: usize = 256;

/// A field name that the layers above use, recognised once when the field is decoded.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum Token {
    /// Any name without a token of its own, including unknown pseudo-header names.
    Other,
    /// `:authority`
    Authority,
    /// `:method`
    Method,
    /// `:path`
    Path,
    /// `:scheme`
    Scheme,
    /// `:status`
    Status,
    /// `:protocol` (RFC 8441)
    Protocol,
    /// `te`
    Te,
    /// `content-type`
    ContentType,
    /// `content-length`
    ContentLength,
    /// `user-agent`
    UserAgent,
    /// `host`
    Host,
    /// `connection`
    Connection,
    /// `keep-alive`
    KeepAlive,
    /// `proxy-connection`
    ProxyConnection,
    /// `transfer-encoding`
    TransferEncoding,
    /// `upgrade`
    Upgrade,
    /// `cookie`
    Cookie,
    /// `grpc-timeout`
    GrpcTimeout,
    /// `grpc-status`
    GrpcStatus,
    /// `grpc-message`
    GrpcMessage,
    /// `grpc-encoding`
    GrpcEncoding,
    /// `grpc-accept-encoding`
    GrpcAcceptEncoding,
    /// `grpc-status-details-bin`
    GrpcStatusDetailsBin,
}

impl Token {
    /// Returns the token of `name`, which must be lower case; [`Token::Other`] if it has none.
    pub const fn of(name: &[u8]) -> Token {
        match name {
            b":authority" => Token::Authority,
            b":method" => Token::Method,
            b":path" => Token::Path,
            b":scheme" => Token::Scheme,
            b":status" => Token::Status,
            b":protocol" => Token::Protocol,
            b"te" => Token::Te,
            b"content-type" => Token::ContentType,
            b"content-length" => Token::ContentLength,
            b"user-agent" => Token::UserAgent,
            b"host" => Token::Host,
            b"connection" => Token::Connection,
            b"keep-alive" => Token::KeepAlive,
            b"proxy-connection" => Token::ProxyConnection,
            b"transfer-encoding" => Token::TransferEncoding,
            b"upgrade" => Token::Upgrade,
            b"cookie" => Token::Cookie,
            b"grpc-timeout" => Token::GrpcTimeout,
            b"grpc-status" => Token::GrpcStatus,
            b"grpc-message" => Token::GrpcMessage,
            b"grpc-encoding" => Token::GrpcEncoding,
            b"grpc-accept-encoding" => Token::GrpcAcceptEncoding,
            b"grpc-status-details-bin" => Token::GrpcStatusDetailsBin,
            _ => Token::Other,
        }
    }
}

/// One field of a [`HeaderList`], borrowed from its buffer.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Header<'a> {
    /// Token of the name; [`Token::Other`] if it has none.
    pub token: Token,
    /// Name as received; pseudo-header names include their colon.
    pub name: &'a [u8],
    /// Value as received.
    pub value: &'a [u8],
    /// True if name and value have only characters that RFC 9113 §8.2.1 allows. The field's place
    /// is not checked: unknown pseudo-headers are well formed too. Neither are blanks at the edges
    /// of the value, which receivers accept: see [`Header::is_trimmed`].
    pub well_formed: bool,
}

impl Header<'_> {
    /// Returns whether the value neither begins nor ends with a space or a tab, as RFC 9113 §8.2.1
    /// asks of senders.
    pub fn is_trimmed(&self) -> bool {
        let blank = |byte: Option<&u8>| matches!(byte, Some(b' ' | b'\t'));
        !blank(self.value.first()) && !blank(self.value.last())
    }
}

impl fmt::Debug for Header<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mark = if self.well_formed { "" } else { " (malformed)" };
        write!(
            f,
            "{}: {}{mark}",
            self.name.escape_ascii(),
            self.value.escape_ascii()
        )
    }
}

/// Size of a header list that exceeded the soft limits of [`crate::Limits`], with those limits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Overflow {
    /// Size of the whole list, in bytes as RFC 9113 §10.5.1 counts them. A string of more than 32
    /// KiB may count with its encoded size.
    pub bytes: usize,
    /// Number of fields of the whole list.
    pub fields: usize,
    /// Limit on `bytes`.
    pub limit: usize,
    /// Limit on `fields`.
    pub fields_limit: usize,
}

impl fmt::Display for Overflow {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            bytes,
            fields,
            limit,
            fields_limit,
        } = self;
        match bytes > limit {
            true => write!(
                f,
                "{bytes} bytes in {fields} fields, {limit} bytes are allowed"
            ),
            false => write!(f, "{fields} fields, {fields_limit} are allowed"),
        }
    }
}

/// Properties of a name and value that are computed once and stored with dynamic-table entries.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Traits {
    pub(crate) token: Token,
    pub(crate) name_well_formed: bool,
    pub(crate) value_well_formed: bool,
}

impl Traits {
    /// Computes the properties by a scan of every character of `name` and `value`.
    pub(crate) fn of(name: &[u8], value: &[u8]) -> Traits {
        Traits {
            token: Token::of(name),
            name_well_formed: is_name(name),
            value_well_formed: is_value(value),
        }
    }
}

/// Position of one field in the buffer; its value follows its name.
#[derive(Clone, Copy, Debug)]
struct Span {
    start: u32,
    name_bytes: u32,
    value_bytes: u32,
    token: Token,
    well_formed: bool,
}

/// The fields of one header block in wire order, duplicates kept.
#[derive(Clone, Debug, Default)]
pub struct HeaderList {
    arena: Vec<u8>,
    spans: Vec<Span>,
    size: usize,
    fields: usize,
    /// Limits on bytes and fields that the block exceeded.
    overflowed: Option<(usize, usize)>,
}

impl HeaderList {
    /// Returns an empty list that owns no memory yet.
    pub const fn new() -> HeaderList {
        HeaderList {
            arena: Vec::new(),
            spans: Vec::new(),
            size: 0,
            fields: 0,
            overflowed: None,
        }
    }

    /// Removes all fields and keeps the memory for the next block, unless it is large.
    pub fn clear(&mut self) {
        self.arena.clear();
        self.spans.clear();
        self.size = 0;
        self.fields = 0;
        self.overflowed = None;
        if self.arena.capacity() > KEPT_BYTES_MAX {
            self.arena = Vec::new();
        }
        if self.spans.capacity() > KEPT_FIELDS_MAX {
            self.spans = Vec::new();
        }
    }

    /// Returns the number of fields in the list; fields dropped for a limit are not counted.
    pub fn len(&self) -> usize {
        self.spans.len()
    }

    /// Returns `true` if the list holds no field.
    pub fn is_empty(&self) -> bool {
        self.spans.is_empty()
    }

    /// Returns the size that RFC 9113 §10.5.1 defines, in bytes: name + value + 32 for every field
    /// of the block, including those dropped for a limit.
    pub fn size(&self) -> usize {
        self.size
    }

    /// Returns `true` if fields were dropped because the block exceeded a soft limit.
    pub fn overflowed(&self) -> bool {
        self.overflowed.is_some()
    }

    /// Returns the size of a list from which fields were dropped, with the limits; `None` if the
    /// list is complete.
    pub fn overflow(&self) -> Option<Overflow> {
        self.overflowed.map(|(limit, fields_limit)| Overflow {
            bytes: self.size,
            fields: self.fields,
            limit,
            fields_limit,
        })
    }

    /// Iterates over the fields in wire order.
    pub fn iter(&self) -> impl DoubleEndedIterator<Item = Header<'_>> + ExactSizeIterator + Clone {
        self.spans.iter().map(|span| self.header(span))
    }

    /// Returns the value of the first field with `token`.
    pub fn first(&self, token: Token) -> Option<&[u8]> {
        let span = self.spans.iter().find(|span| span.token == token)?;
        Some(self.header(span).value)
    }

    /// Appends a field; `token` should be the result of [`Token::of`] for `name`. No limit applies.
    ///
    /// # Panics
    /// When the list would hold more than 4 GiB.
    pub fn push(&mut self, token: Token, name: &[u8], value: &[u8]) {
        assert!(self.arena.len() + name.len() + value.len() <= u32::MAX as usize);
        let start = self.staged().len();
        self.arena.extend_from_slice(name);
        self.arena.extend_from_slice(value);
        let traits = Traits {
            token,
            ..Traits::of(name, value)
        };
        self.charge(name.len() + value.len());
        self.keep_staged(start, name.len(), traits);
    }

    fn header(&self, span: &Span) -> Header<'_> {
        let field = &self.arena[span.start as usize..];
        let (name, rest) = field.split_at(span.name_bytes as usize);
        let value = &rest[..span.value_bytes as usize];
        Header {
            token: span.token,
            name,
            value,
            well_formed: span.well_formed,
        }
    }
}

/// Methods for the decoder, which stages a field at the end of the buffer and then keeps or drops
/// it.
impl HeaderList {
    /// Returns the buffer, to append a field's name and value to.
    pub(crate) fn staged(&mut self) -> &mut Vec<u8> {
        &mut self.arena
    }

    /// Counts a field of `bytes` (name + value), kept or not. Returns the block's size in bytes and
    /// its number of fields so far.
    pub(crate) fn charge(&mut self, bytes: usize) -> (usize, usize) {
        self.size = self
            .size
            .saturating_add(bytes)
            .saturating_add(FIELD_OVERHEAD_BYTES);
        self.fields += 1;
        (self.size, self.fields)
    }

    /// Adds everything staged since `start` as one field.
    pub(crate) fn keep_staged(&mut self, start: usize, name_bytes: usize, traits: Traits) {
        debug_assert!(start + name_bytes <= self.arena.len());
        self.spans.push(Span {
            start: start as u32,
            name_bytes: name_bytes as u32,
            value_bytes: (self.arena.len() - start - name_bytes) as u32,
            token: traits.token,
            well_formed: traits.name_well_formed & traits.value_well_formed,
        });
    }

    /// Removes everything staged since `start`.
    pub(crate) fn drop_staged(&mut self, start: usize) {
        self.arena.truncate(start);
        // A string that was far larger than all that is kept must not pin memory. Anything less is
        // left, or small strings behind it would move the arena each.
        let capacity = self.arena.capacity();
        if capacity > KEPT_BYTES_MAX && capacity / 4 > start {
            self.arena.shrink_to(KEPT_BYTES_MAX);
        }
    }

    /// Marks the list as one that exceeded these limits.
    pub(crate) fn overflow_at(&mut self, bytes_max: usize, fields_max: usize) {
        self.overflowed = Some((bytes_max, fields_max));
    }

    /// Returns the number of fields counted, kept or not.
    pub(crate) fn fields(&self) -> usize {
        self.fields
    }

    /// Returns the bytes of text decoded, kept or not.
    pub(crate) fn text_bytes(&self) -> usize {
        self.size.saturating_sub(self.fields * FIELD_OVERHEAD_BYTES)
    }

    /// Appends a field whose `bytes` are a name of `name_bytes` followed by its value.
    pub(crate) fn keep(&mut self, bytes: &[u8], name_bytes: usize, traits: Traits) {
        let start = self.arena.len();
        self.arena.extend_from_slice(bytes);
        self.keep_staged(start, name_bytes, traits);
    }
}

/// Characters of a lower-case token (RFC 9110 §5.6.2 without the capitals that RFC 9113 §8.2
/// forbids).
const NAME_CHARACTERS: [bool; 256] = {
    let mut allowed = [false; 256];
    let tokens = b"!#$%&'*+-.^_`|~0123456789abcdefghijklmnopqrstuvwxyz";
    let mut at = 0;
    while at < tokens.len() {
        allowed[tokens[at] as usize] = true;
        at += 1;
    }
    allowed
};

/// Returns `true` if `name` is valid by RFC 9113 §8.2.1: a lower-case token, after a colon for
/// pseudo-headers.
pub(crate) fn is_name(name: &[u8]) -> bool {
    let token = name.strip_prefix(b":").unwrap_or(name);
    !token.is_empty() && token.iter().all(|byte| NAME_CHARACTERS[*byte as usize])
}

/// Returns `true` if `value` is valid by RFC 9113 §8.2.1: no NUL, CR or LF. Blanks at the edges,
/// which the section also forbids, are accepted: callers send them, and gRPC asks receivers to
/// tolerate them ("may be stripped"). They are not removed, as in grpc-core and tonic.
pub(crate) fn is_value(value: &[u8]) -> bool {
    // No early exit: values are short, and a loop without one is vectorised.
    !value.iter().fold(false, |banned, byte| {
        banned | matches!(byte, 0 | b'\r' | b'\n')
    })
}
