//! Header lists: the fields of one header block, in wire order, in one flat arena.
//!
//! A list is cleared and refilled for every block, so a warm connection decodes without touching
//! the heap. Names that the protocols above care about carry a [`Token`], so nobody compares
//! strings twice.

use alloc::vec::Vec;
use core::fmt;

#[cfg(test)]
mod tests;

/// What every field costs besides its name and value (RFC 9113 §10.5.1, RFC 7541 §4.1), in bytes.
pub const FIELD_OVERHEAD_BYTES: usize = 32;

/// Arenas larger than this are given back on [`HeaderList::clear`], so that one huge block does
/// not pin memory for the rest of the connection's life.
const KEPT_BYTES_MAX: usize = 16 * 1024;

/// As [`KEPT_BYTES_MAX`], for the number of fields.
const KEPT_FIELDS_MAX: usize = 256;

/// A field name the protocols above ask about, recognised once when the field is decoded.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum Token {
    /// Any name without a token of its own, pseudo-header names nobody defined included.
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
    /// The token of `name`, which must be lower case; [`Token::Other`] when it has none.
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

/// One field of a [`HeaderList`], borrowed from its arena.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Header<'a> {
    /// The name's token, [`Token::Other`] when it has none.
    pub token: Token,
    /// The name as it came, pseudo-headers with their colon.
    pub name: &'a [u8],
    /// The value as it came.
    pub value: &'a [u8],
    /// Whether name and value hold only characters RFC 9113 §8.2.1 allows. It says nothing about
    /// the field's place: pseudo-headers nobody defined are well formed too. Nor does it about
    /// blanks at the edges of the value, which receivers bear: see [`Header::is_trimmed`].
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

/// Excess of a header list over the soft limits of [`crate::Limits`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Overflow {
    /// Size of the whole list, in bytes as RFC 9113 §10.5.1 counts them. A string of more than
    /// 32 KiB may count as it was encoded.
    pub bytes: usize,
    /// Fields of the whole list.
    pub fields: usize,
    /// The limit on `bytes`.
    pub limit: usize,
    /// The limit on `fields`.
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

/// What a name and a value are found to be once, and remembered by dynamic-table entries.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Traits {
    pub(crate) token: Token,
    pub(crate) name_well_formed: bool,
    pub(crate) value_well_formed: bool,
}

impl Traits {
    /// Looks at every character of `name` and `value`.
    pub(crate) fn of(name: &[u8], value: &[u8]) -> Traits {
        Traits {
            token: Token::of(name),
            name_well_formed: is_name(name),
            value_well_formed: is_value(value),
        }
    }
}

/// Where one field lies in the arena; its value follows its name.
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
    /// The limits on bytes and fields that the block went over.
    overflowed: Option<(usize, usize)>,
}

impl HeaderList {
    /// An empty list that owns no memory yet.
    pub const fn new() -> HeaderList {
        HeaderList {
            arena: Vec::new(),
            spans: Vec::new(),
            size: 0,
            fields: 0,
            overflowed: None,
        }
    }

    /// Forgets all fields but keeps the memory for the next block, unless there is a lot of it.
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

    /// How many fields the list holds; those dropped for a limit are not counted.
    pub fn len(&self) -> usize {
        self.spans.len()
    }

    /// Whether the list holds no field.
    pub fn is_empty(&self) -> bool {
        self.spans.is_empty()
    }

    /// The size RFC 9113 §10.5.1 defines, in bytes: name + value + 32 for every field of the
    /// block, those dropped for a limit included.
    pub fn size(&self) -> usize {
        self.size
    }

    /// Whether fields were dropped because the block went over a soft limit.
    pub fn overflowed(&self) -> bool {
        self.overflowed.is_some()
    }

    /// The size of a list of which fields were dropped, beside the limits; `None` of a whole one.
    pub fn overflow(&self) -> Option<Overflow> {
        self.overflowed.map(|(limit, fields_limit)| Overflow {
            bytes: self.size,
            fields: self.fields,
            limit,
            fields_limit,
        })
    }

    /// The fields in wire order.
    pub fn iter(&self) -> impl DoubleEndedIterator<Item = Header<'_>> + ExactSizeIterator + Clone {
        self.spans.iter().map(|span| self.header(span))
    }

    /// The value of the first field with `token`.
    pub fn first(&self, token: Token) -> Option<&[u8]> {
        let span = self.spans.iter().find(|span| span.token == token)?;
        Some(self.header(span).value)
    }

    /// Appends a field; `token` should be what [`Token::of`] says of `name`. No limit applies.
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

/// The decoder's side: a field is staged at the arena's end, then kept or dropped.
impl HeaderList {
    /// The arena, for a field's name and value to be appended.
    pub(crate) fn staged(&mut self) -> &mut Vec<u8> {
        &mut self.arena
    }

    /// Counts a field of `bytes` (name + value), kept or not; answers the block's size in bytes
    /// and its number of fields so far.
    pub(crate) fn charge(&mut self, bytes: usize) -> (usize, usize) {
        self.size = self
            .size
            .saturating_add(bytes)
            .saturating_add(FIELD_OVERHEAD_BYTES);
        self.fields += 1;
        (self.size, self.fields)
    }

    /// Makes a field of everything staged since `start`.
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

    /// Forgets everything staged since `start`.
    pub(crate) fn drop_staged(&mut self, start: usize) {
        self.arena.truncate(start);
        // A string that was far larger than all that is kept must not pin memory. Anything less is
        // left, or small strings behind it would move the arena each.
        let capacity = self.arena.capacity();
        if capacity > KEPT_BYTES_MAX && capacity / 4 > start {
            self.arena.shrink_to(KEPT_BYTES_MAX);
        }
    }

    /// Marks the list as one that went over these limits.
    pub(crate) fn overflow_at(&mut self, bytes_max: usize, fields_max: usize) {
        self.overflowed = Some((bytes_max, fields_max));
    }

    /// Fields that were counted, kept or not.
    pub(crate) fn fields(&self) -> usize {
        self.fields
    }

    /// Bytes of text that were decoded, kept or not.
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

/// Characters of a lower-case token (RFC 9110 §5.6.2 without the capitals RFC 9113 §8.2 bans).
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

/// RFC 9113 §8.2.1, names: a lower-case token, after a colon for pseudo-headers.
pub(crate) fn is_name(name: &[u8]) -> bool {
    let token = name.strip_prefix(b":").unwrap_or(name);
    !token.is_empty() && token.iter().all(|byte| NAME_CHARACTERS[*byte as usize])
}

/// RFC 9113 §8.2.1, values: no NUL, CR or LF anywhere. Blanks at the edges, which the section bans
/// too, are taken: callers send them, and gRPC has receivers bear them ("may be stripped"). They
/// stay, as they do in grpc-core and tonic.
pub(crate) fn is_value(value: &[u8]) -> bool {
    // No early exit: values are short, and a loop without one is vectorised.
    !value.iter().fold(false, |banned, byte| {
        banned | matches!(byte, 0 | b'\r' | b'\n')
    })
}
