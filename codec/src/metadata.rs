//! Metadata: the key-value pairs that accompany the messages of a call.

use crate::MetadataError;
use crate::base64;
use crate::head::FIELD_OVERHEAD_BYTES;
use std::fmt;
use std::ops::Range;

/// Metadata of a call: pairs of key and value, in order, with duplicates.
///
/// Keys are `[0-9a-z_.-]`. Values are ASCII text, or bytes where the key ends in `-bin`. All of
/// it lies in one buffer, so an empty map owns no memory and a cleared one is refilled without
/// any. Look-ups scan: calls carry few pairs. Keys are looked up without regard to case.
///
/// ```
/// # use corespun_codec::{MetadataError, MetadataMap};
/// let mut metadata = MetadataMap::new();
/// metadata.append("authorization", "Bearer abc")?;
/// metadata.append_bin("trace-bin", &[1, 2, 255])?;
/// assert_eq!(metadata.get("authorization"), Some("Bearer abc"));
/// assert_eq!(metadata.get_bin("trace-bin"), Some(vec![1, 2, 255]));
/// assert!(metadata.append("grpc-timeout", "1S").is_err());
/// # Ok::<(), MetadataError>(())
/// ```
#[derive(Clone, Default, PartialEq, Eq)]
pub struct MetadataMap {
    /// Keys and values of all entries, one after the other without gaps.
    bytes: Vec<u8>,
    entries: Vec<Entry>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
struct Entry {
    key_start: u32,
    value_start: u32,
    end: u32,
}

impl Entry {
    fn key(self) -> Range<usize> {
        self.key_start as usize..self.value_start as usize
    }

    fn value(self) -> Range<usize> {
        self.value_start as usize..self.end as usize
    }
}

impl MetadataMap {
    /// Empty map, for functions that return a reference.
    pub const EMPTY: &'static Self = &Self::new();

    /// Creates an empty map that owns no memory.
    pub const fn new() -> Self {
        Self {
            bytes: Vec::new(),
            entries: Vec::new(),
        }
    }

    /// Returns the number of pairs.
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// Returns `true` if there are no pairs.
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// Returns the size of all pairs as header fields, in bytes: key, value and 32 for each, as
    /// SETTINGS_MAX_HEADER_LIST_SIZE counts them (RFC 9113 §6.5.2).
    pub fn list_bytes(&self) -> usize {
        self.bytes.len() + self.entries.len() * FIELD_OVERHEAD_BYTES
    }

    /// Removes all pairs and keeps the memory.
    pub fn clear(&mut self) {
        self.bytes.clear();
        self.entries.clear();
    }

    /// Appends a pair with a text value.
    ///
    /// # Errors
    /// When `key` is not a metadata key, is reserved (`grpc-…`, `content-type`, …) or ends in
    /// `-bin`, or when `value` is not printable ASCII without spaces at its edges.
    pub fn append(&mut self, key: &str, value: &str) -> Result<(), MetadataError> {
        check_text(key, value)?;
        self.push(key, |bytes| bytes.extend_from_slice(value.as_bytes()))
    }

    /// Appends a pair with a binary value.
    ///
    /// # Errors
    /// When `key` is not a metadata key, is reserved or does not end in `-bin`.
    pub fn append_bin(&mut self, key: &str, value: &[u8]) -> Result<(), MetadataError> {
        check_bin(key)?;
        self.push(key, |bytes| base64::encode(value, bytes))
    }

    /// Appends all pairs of `other`.
    pub fn append_all(&mut self, other: &Self) {
        if self.is_empty() {
            self.clone_from(other);
            return;
        }
        for (key, value) in other.iter() {
            // Only a map of 4 GiB refuses.
            drop(self.push(key, |bytes| bytes.extend_from_slice(value)));
        }
    }

    /// Replaces all pairs of the key with one pair.
    ///
    /// # Errors
    /// As [`MetadataMap::append`]; then nothing is removed.
    pub fn insert(&mut self, key: &str, value: &str) -> Result<(), MetadataError> {
        check_text(key, value)?;
        self.remove(key);
        self.append(key, value)
    }

    /// Replaces all pairs of the key with one pair that has a binary value.
    ///
    /// # Errors
    /// As [`MetadataMap::append_bin`]; then nothing is removed.
    pub fn insert_bin(&mut self, key: &str, value: &[u8]) -> Result<(), MetadataError> {
        check_bin(key)?;
        self.remove(key);
        self.append_bin(key, value)
    }

    /// Removes all pairs with `key`. Returns whether there was one.
    pub fn remove(&mut self, key: &str) -> bool {
        if !self.contains_key(key) {
            return false;
        }
        let old = std::mem::take(self);
        self.bytes.reserve(old.bytes.len());
        self.entries.reserve(old.entries.len());
        for (kept, value) in old.fields().filter(|(kept, _)| !same(kept, key)) {
            let start = self.bytes.len() as u32;
            self.bytes.extend_from_slice(kept);
            self.bytes.extend_from_slice(value);
            self.entries.push(Entry {
                key_start: start,
                value_start: start + kept.len() as u32,
                end: self.bytes.len() as u32,
            });
        }
        true
    }

    /// Returns `true` if there is a pair with `key`.
    pub fn contains_key(&self, key: &str) -> bool {
        self.values(key).next().is_some()
    }

    /// Returns the first text value of `key`. Returns `None` for a `-bin` key and for a value that
    /// is not UTF-8: use [`MetadataMap::get_bin`] and [`MetadataMap::raw`] for those.
    pub fn get(&self, key: &str) -> Option<&str> {
        self.get_all(key).next()
    }

    /// Iterates over all text values of `key`, in order.
    pub fn get_all(&self, key: &str) -> impl Iterator<Item = &str> + Clone {
        let text = !is_bin(key.as_bytes());
        self.values(key)
            .filter(move |_| text)
            .filter_map(|value| std::str::from_utf8(value).ok())
    }

    /// Returns the first value of a `-bin` key, decoded.
    pub fn get_bin(&self, key: &str) -> Option<Vec<u8>> {
        self.get_all_bin(key).next()
    }

    /// Iterates over all values of a `-bin` key, decoded, in order.
    pub fn get_all_bin(&self, key: &str) -> impl Iterator<Item = Vec<u8>> + Clone {
        let bin = is_bin(key.as_bytes());
        self.values(key)
            .filter(move |_| bin)
            .filter_map(base64::decode)
    }

    /// Returns the first value of `key` as on the wire: base64 for a `-bin` key.
    pub fn raw(&self, key: &str) -> Option<&[u8]> {
        self.values(key).next()
    }

    /// Iterates over all pairs in order, with values as on the wire: base64 for a `-bin` key.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = (&str, &[u8])> + Clone {
        self.entries.iter().map(|entry| {
            let key = std::str::from_utf8(&self.bytes[entry.key()]).unwrap_or_default();
            (key, &self.bytes[entry.value()])
        })
    }

    /// Iterates over all pairs in order, as header fields to send.
    pub fn fields(&self) -> impl ExactSizeIterator<Item = (&[u8], &[u8])> + Clone {
        self.entries
            .iter()
            .map(|entry| (&self.bytes[entry.key()], &self.bytes[entry.value()]))
    }

    fn values(&self, key: &str) -> impl Iterator<Item = &[u8]> + Clone {
        self.fields()
            .filter(move |(name, _)| same(name, key))
            .map(|(_, value)| value)
    }

    /// Appends a header field from the wire, leniently: `grpc-` names that gRPC may add later are
    /// kept, texts may have all bytes that HTTP allows, and names that belong to HTTP are dropped.
    /// The value of a `-bin` name is split at commas, because intermediaries may have joined
    /// several.
    pub(crate) fn receive(&mut self, name: &[u8], value: &[u8]) -> Result<(), MetadataError> {
        let Some(key) = received_key(name) else {
            return Ok(());
        };
        if !is_bin(name) {
            return self.push(key, |bytes| bytes.extend_from_slice(value));
        }
        for part in value.split(|&byte| byte == b',') {
            let part = part.trim_ascii();
            if !base64::is_valid(part) {
                return Err(MetadataError::Value(key.into()));
            }
            self.push(key, |bytes| bytes.extend_from_slice(part))?;
        }
        Ok(())
    }

    /// Appends a field that the public methods reserve for gRPC itself.
    pub(crate) fn push_reserved(&mut self, key: &'static str, value: &[u8]) {
        // Only a map of 4 GiB refuses, and then an optional field is what is best left out.
        drop(self.push(key, |bytes| bytes.extend_from_slice(value)));
    }

    fn push(&mut self, key: &str, value: impl FnOnce(&mut Vec<u8>)) -> Result<(), MetadataError> {
        let start = self.bytes.len();
        self.bytes.extend_from_slice(key.as_bytes());
        let value_start = self.bytes.len();
        value(&mut self.bytes);
        let Ok(end) = u32::try_from(self.bytes.len()) else {
            self.bytes.truncate(start);
            return Err(MetadataError::Full(key.into()));
        };
        self.entries.push(Entry {
            key_start: start as u32,
            value_start: value_start as u32,
            end,
        });
        Ok(())
    }
}

impl fmt::Debug for MetadataMap {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let pairs = self
            .iter()
            .map(|(key, value)| (key, String::from_utf8_lossy(value)));
        f.debug_map().entries(pairs).finish()
    }
}

fn same(name: &[u8], key: &str) -> bool {
    name.eq_ignore_ascii_case(key.as_bytes())
}

fn is_bin(name: &[u8]) -> bool {
    name.len() >= 4 && name[name.len() - 4..].eq_ignore_ascii_case(b"-bin")
}

/// Returns a name from the wire as a key, unless it belongs to HTTP or to the call, or is not a
/// valid name.
fn received_key(name: &[u8]) -> Option<&str> {
    let legal = |byte: &u8| matches!(byte, 0x21..=0x7E) && !byte.is_ascii_uppercase();
    let reserved = belongs_to_http(name) || belongs_to_call(name);
    if name.is_empty() || name[0] == b':' || reserved || !name.iter().all(legal) {
        return None;
    }
    std::str::from_utf8(name).ok()
}

/// Returns `true` for names that control the HTTP exchange itself: passed on as metadata they would
/// corrupt the next exchange.
fn belongs_to_http(name: &[u8]) -> bool {
    matches!(
        name,
        b"content-type"
            | b"content-length"
            | b"te"
            | b"host"
            | b"connection"
            | b"keep-alive"
            | b"proxy-connection"
            | b"transfer-encoding"
            | b"upgrade"
    )
}

/// Returns `true` for names that gRPC itself uses, such as `grpc-status`: in a request they have no
/// meaning, and metadata that is passed on must not change how another call ends.
fn belongs_to_call(name: &[u8]) -> bool {
    name.starts_with(b"grpc-")
        && matches!(
            &name[b"grpc-".len()..],
            b"status"
                | b"message"
                | b"status-details-bin"
                | b"timeout"
                | b"encoding"
                | b"accept-encoding"
        )
}

fn check_key(key: &str) -> Result<(), MetadataError> {
    let legal = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b"_.-".contains(&b);
    if key.is_empty() || !key.bytes().all(legal) {
        return Err(MetadataError::Key(key.into()));
    }
    if key.starts_with("grpc-") || belongs_to_http(key.as_bytes()) {
        return Err(MetadataError::Reserved(key.into()));
    }
    Ok(())
}

fn check_text(key: &str, value: &str) -> Result<(), MetadataError> {
    check_key(key)?;
    if is_bin(key.as_bytes()) {
        return Err(MetadataError::Kind(key.into()));
    }
    let edges = value.starts_with(' ') || value.ends_with(' ');
    if edges || !value.bytes().all(|byte| matches!(byte, 0x20..=0x7E)) {
        return Err(MetadataError::Value(key.into()));
    }
    Ok(())
}

fn check_bin(key: &str) -> Result<(), MetadataError> {
    check_key(key)?;
    match is_bin(key.as_bytes()) {
        true => Ok(()),
        false => Err(MetadataError::Kind(key.into())),
    }
}

#[cfg(test)]
mod tests;
