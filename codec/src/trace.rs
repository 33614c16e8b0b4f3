//! Trace context of a call: W3C Trace Context, sent as `traceparent` and `tracestate`.
//!
//! A context is *current* only while its handler is polled: other code that the shard runs in
//! between does not see it. The client adds the current context to each call that it sends, so a
//! trace continues through a service whose handlers know nothing of it.

use std::cell::RefCell;
use std::fmt;
use std::future::poll_fn;
use std::mem;
use std::pin::pin;
use std::rc::Rc;

use crate::{MetadataError, MetadataMap};

/// Metadata key of the identifiers.
const TRACEPARENT: &str = "traceparent";

/// Metadata key of the vendors' additions.
const TRACESTATE: &str = "tracestate";

/// Length of `traceparent` in version 00, and of its known part in later versions.
const TRACEPARENT_BYTES: usize = 55;

/// Largest number of members in a list (Trace Context 2, 3.3.1.1).
const STATE_MEMBERS_MAX: usize = 32;

/// Largest key, and largest value, in bytes (Trace Context 2, 3.3.1.3).
const STATE_PART_BYTES_MAX: usize = 256;

thread_local! {
    static CURRENT: RefCell<Option<TraceContext>> = const { RefCell::new(None) };
}

/// Identifier of a trace: 16 bytes, not all of them zero.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct TraceId([u8; 16]);

/// Identifier of a span within its trace: 8 bytes, not all of them zero.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct SpanId([u8; 8]);

impl TraceId {
    /// Creates the identifier from its bytes; `None` if all are zero.
    pub fn from_bytes(bytes: [u8; 16]) -> Option<Self> {
        (bytes != [0; 16]).then_some(Self(bytes))
    }

    /// Returns the bytes.
    pub fn to_bytes(self) -> [u8; 16] {
        self.0
    }
}

impl SpanId {
    /// Creates the identifier from its bytes; `None` if all are zero.
    pub fn from_bytes(bytes: [u8; 8]) -> Option<Self> {
        (bytes != [0; 8]).then_some(Self(bytes))
    }

    /// Returns the bytes.
    pub fn to_bytes(self) -> [u8; 8] {
        self.0
    }
}

impl fmt::Display for TraceId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:032x}", u128::from_be_bytes(self.0))
    }
}

impl fmt::Display for SpanId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:016x}", u64::from_be_bytes(self.0))
    }
}

impl fmt::Debug for TraceId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl fmt::Debug for SpanId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// A place in a trace: the span that whatever comes next is a child of.
///
/// ```
/// use corespun_codec::{MetadataMap, TraceContext};
///
/// let mut metadata = MetadataMap::new();
/// let parent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
/// metadata.insert("traceparent", parent)?;
/// let context = TraceContext::read(&metadata).unwrap();
/// assert_eq!(context.trace_id().to_string(), "0af7651916cd43dd8448eb211c80319c");
/// assert!(context.is_sampled());
/// context.in_scope(|| assert_eq!(TraceContext::current(), Some(context.clone())));
/// assert_eq!(TraceContext::current(), None);
/// # Ok::<(), corespun_codec::MetadataError>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TraceContext {
    trace_id: TraceId,
    span_id: SpanId,
    flags: u8,
    state: Option<Rc<str>>,
}

/// Flag: the caller may have recorded the trace (`sampled`).
const SAMPLED: u8 = 1;

/// Flag: the last seven bytes of the trace's identifier are random (level 2).
const RANDOM: u8 = 2;

impl TraceContext {
    /// Creates the first span of a new trace, whose identifier is random.
    pub fn root(trace_id: TraceId, span_id: SpanId, sampled: bool) -> Self {
        Self {
            trace_id,
            span_id,
            flags: RANDOM | u8::from(sampled),
            state: None,
        }
    }

    /// Creates another span of the trace.
    pub fn child(&self, span_id: SpanId, sampled: bool) -> Self {
        Self {
            span_id,
            flags: (self.flags & RANDOM) | u8::from(sampled),
            ..self.clone()
        }
    }

    /// Reads the context from a caller's metadata. Returns `None` if there is no `traceparent`,
    /// more than one, or an invalid one: then a new trace begins. An invalid `tracestate` is left
    /// out.
    pub fn read(metadata: &MetadataMap) -> Option<Self> {
        let mut parents = metadata.get_all(TRACEPARENT);
        let (parent, None) = (parents.next()?, parents.next()) else {
            return None;
        };
        let mut context = Self::parse(parent)?;
        context.state = read_state(metadata);
        Some(context)
    }

    /// Parses a `traceparent` (Trace Context 2, 3.2 and 4.3).
    pub fn parse(traceparent: &str) -> Option<Self> {
        let bytes = traceparent.as_bytes();
        let (known, rest) = bytes.split_at_checked(TRACEPARENT_BYTES)?;
        let version = hex::<1>(&known[..2])?[0];
        let is_as_long_as_it_says = match version {
            0 => rest.is_empty(),
            0xff => false,
            _ => matches!(rest.first(), None | Some(b'-')),
        };
        let dashes = [known[2], known[35], known[52]] == [b'-'; 3];
        if !is_as_long_as_it_says || !dashes {
            return None;
        }
        Some(Self {
            trace_id: TraceId::from_bytes(hex(&known[3..35])?)?,
            span_id: SpanId::from_bytes(hex(&known[36..52])?)?,
            flags: hex::<1>(&known[53..])?[0] & (SAMPLED | RANDOM),
            state: None,
        })
    }

    /// Returns the `traceparent` of version 00.
    fn text(&self) -> [u8; TRACEPARENT_BYTES] {
        let mut text = *b"00-                                -                -  ";
        write_hex(&self.trace_id.0, &mut text[3..35]);
        write_hex(&self.span_id.0, &mut text[36..52]);
        write_hex(&[self.flags], &mut text[53..]);
        text
    }

    /// Writes this context into metadata, in place of an earlier one.
    ///
    /// # Errors
    /// The metadata is full.
    pub fn write(&self, metadata: &mut MetadataMap) -> Result<(), MetadataError> {
        let text = self.text();
        metadata.insert(TRACEPARENT, &String::from_utf8_lossy(&text))?;
        match &self.state {
            Some(state) => metadata.insert(TRACESTATE, state),
            None => {
                metadata.remove(TRACESTATE);
                Ok(())
            }
        }
    }

    /// Returns `true` if metadata already has a trace context.
    pub fn is_in(metadata: &MetadataMap) -> bool {
        metadata.contains_key(TRACEPARENT)
    }

    /// Returns the identifier of the trace.
    pub fn trace_id(&self) -> TraceId {
        self.trace_id
    }

    /// Returns the identifier of the span.
    pub fn span_id(&self) -> SpanId {
        self.span_id
    }

    /// Returns `true` if the span is recorded.
    pub fn is_sampled(&self) -> bool {
        self.flags & SAMPLED != 0
    }

    /// Returns the byte of flags, with only the known ones.
    pub fn flags(&self) -> u8 {
        self.flags
    }

    /// Returns the vendors' additions, in the form of `tracestate`; empty if there are none.
    pub fn state(&self) -> &str {
        self.state.as_deref().unwrap_or_default()
    }

    /// Returns the context of the code that runs now on this thread, if there is one.
    pub fn current() -> Option<Self> {
        CURRENT.with_borrow(Clone::clone)
    }

    /// Makes `context` the current one and returns the previous one, for code that polls a future
    /// of another call. Restore the previous context when the poll returns.
    pub fn swap_current(context: Option<Self>) -> Option<Self> {
        CURRENT.with_borrow_mut(|current| mem::replace(current, context))
    }

    /// Runs `work` with this context as the current one.
    pub fn in_scope<T>(&self, work: impl FnOnce() -> T) -> T {
        let _scope = Scope(Self::swap_current(Some(self.clone())));
        work()
    }

    /// Polls `work` with this context as the current one: for a task that a handler starts, which
    /// would otherwise have none.
    pub async fn follow<F: Future>(self, work: F) -> F::Output {
        let mut work = pin!(work);
        poll_fn(|context| self.in_scope(|| work.as_mut().poll(context))).await
    }
}

/// Guard that restores the context that was current before.
struct Scope(Option<TraceContext>);

impl Drop for Scope {
    fn drop(&mut self) {
        drop(TraceContext::swap_current(self.0.take()));
    }
}

/// Formats the context as a `traceparent` of version 00.
impl fmt::Display for TraceContext {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&String::from_utf8_lossy(&self.text()))
    }
}

/// Writes two lower-case hexadecimal digits for each byte. Each traced call does this, and `fmt`
/// would take ten times as long.
fn write_hex(bytes: &[u8], text: &mut [u8]) {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    for (pair, byte) in text.chunks_exact_mut(2).zip(bytes) {
        pair[0] = DIGITS[usize::from(byte >> 4)];
        pair[1] = DIGITS[usize::from(byte & 15)];
    }
}

/// Parses lower-case hexadecimal digits.
fn hex<const N: usize>(digits: &[u8]) -> Option<[u8; N]> {
    let digit = |byte: u8| match byte {
        b'0'..=b'9' => Some(byte - b'0'),
        b'a'..=b'f' => Some(byte - b'a' + 10),
        _ => None,
    };
    let mut bytes = [0; N];
    let (pairs, []) = digits.as_chunks::<2>() else {
        return None;
    };
    if pairs.len() != N {
        return None;
    }
    for (byte, [high, low]) in bytes.iter_mut().zip(pairs) {
        *byte = digit(*high)? << 4 | digit(*low)?;
    }
    Some(bytes)
}

/// Joins the members of all `tracestate` fields in one list; `None` if none is valid.
fn read_state(metadata: &MetadataMap) -> Option<Rc<str>> {
    let mut keys: Vec<&str> = Vec::new();
    let mut state = String::new();
    for list in metadata.get_all(TRACESTATE) {
        for member in list
            .split(',')
            .map(|member| member.trim_matches([' ', '\t']))
        {
            if member.is_empty() {
                continue;
            }
            let (key, value) = member.split_once('=')?;
            let is_new = is_state_key(key) && is_state_value(value) && !keys.contains(&key);
            if !is_new || keys.len() == STATE_MEMBERS_MAX {
                return None;
            }
            keys.push(key);
            if !state.is_empty() {
                state.push(',');
            }
            state.push_str(member);
        }
    }
    (!state.is_empty()).then(|| state.into())
}

/// Returns `true` for a valid key: a small letter or digit, then more of these and `_-*/@` (Trace
/// Context 2, 3.3.1.3.1).
fn is_state_key(key: &str) -> bool {
    let is_first = |byte: &u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
    let is_rest = |byte: &u8| is_first(byte) || b"_-*/@".contains(byte);
    key.len() <= STATE_PART_BYTES_MAX
        && key.as_bytes().first().is_some_and(is_first)
        && key.as_bytes().iter().all(is_rest)
}

/// Returns `true` for a valid value: printable ASCII except `,` and `=` (Trace Context 2,
/// 3.3.1.3.2).
fn is_state_value(value: &str) -> bool {
    let is_part = |byte: u8| matches!(byte, 0x20..=0x7e) && byte != b'=';
    (1..=STATE_PART_BYTES_MAX).contains(&value.len()) && value.bytes().all(is_part)
}

#[cfg(test)]
mod tests;
