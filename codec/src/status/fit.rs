//! Fields of a status that fit the receiver's limit on a header list.
//!
//! The code is always sent. The message comes next and may be cut. Details and metadata are sent
//! whole or not at all, and the message names what was left out, so that a caller does not take a
//! part for the whole.

use super::Status;
use crate::head::{FIELD_OVERHEAD_BYTES, Field, list_bytes};
use crate::{MetadataMap, base64, percent};

const STATUS: &[u8] = b"grpc-status";
const MESSAGE: &[u8] = b"grpc-message";
const DETAILS: &[u8] = b"grpc-status-details-bin";

/// Number of bytes of a long message, as encoded, that take precedence over details and metadata.
const MESSAGE_BYTES_KEPT: usize = 1 << 10;

/// Largest note on what was left out, in bytes.
const NOTE_BYTES_MAX: usize = 200;

/// Room in a header list, in bytes as SETTINGS_MAX_HEADER_LIST_SIZE counts them (RFC 9113 §6.5.2).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ListRoom {
    /// Largest list that the receiver accepts; `usize::MAX` for no limit.
    pub limit: usize,
    /// Number of bytes taken by fields before the status.
    pub used: usize,
}

impl ListRoom {
    /// Room without a limit.
    pub const ANY: Self = Self {
        limit: usize::MAX,
        used: 0,
    };

    fn left(self) -> usize {
        self.limit.saturating_sub(self.used)
    }
}

/// Sizes of the fields of a status, in bytes; 0 for absent ones.
struct Sizes {
    code: usize,
    message: usize,
    details: usize,
    metadata: usize,
}

/// Result of [`Status::write_within`] in its scratch memory: the message and, behind it, the
/// details.
struct Written {
    message_bytes: usize,
    with_metadata: bool,
}

fn size(name: &[u8], value_bytes: usize) -> usize {
    match value_bytes {
        0 => 0,
        _ => name.len() + value_bytes + FIELD_OVERHEAD_BYTES,
    }
}

impl Status {
    /// Returns the fields to send as trailers: `grpc-status`, `grpc-message` and
    /// `grpc-status-details-bin` unless they are empty, then the metadata. `scratch` holds the
    /// encoded texts; its earlier content is lost.
    pub fn fields<'a>(
        &'a self,
        scratch: &'a mut Vec<u8>,
    ) -> impl Iterator<Item = Field<'a>> + Clone {
        self.fields_within(MetadataMap::EMPTY, ListRoom::ANY, scratch)
    }

    /// Returns the fields to send as trailers of an error, with `more` metadata behind the
    /// status's own, within `room`.
    ///
    /// A message that is too long is cut at a character. Details and metadata that have no room
    /// next to the first KiB of the message are left out, each as a whole. The message then ends
    /// in a note about them. The code is always sent.
    pub fn fields_within<'a>(
        &'a self,
        more: &'a MetadataMap,
        room: ListRoom,
        scratch: &'a mut Vec<u8>,
    ) -> impl Iterator<Item = Field<'a>> + Clone {
        let written = self.write_within(more, room, scratch);
        let (message, details) = scratch.split_at(written.message_bytes);
        let message = (!message.is_empty()).then_some((MESSAGE, message));
        let details = (!details.is_empty()).then_some((DETAILS, details));
        let (own, more) = match written.with_metadata {
            true => (self.metadata(), more),
            false => (MetadataMap::EMPTY, MetadataMap::EMPTY),
        };
        std::iter::once((STATUS, self.code.as_bytes()))
            .chain(message)
            .chain(details)
            .chain(own.fields())
            .chain(more.fields())
    }

    fn write_within(&self, more: &MetadataMap, room: ListRoom, scratch: &mut Vec<u8>) -> Written {
        scratch.clear();
        percent::encode(&self.message, scratch);
        let message_bytes = scratch.len();
        base64::encode(self.details(), scratch);
        let sizes = Sizes {
            code: list_bytes(std::iter::once((STATUS, self.code.as_bytes()))),
            message: size(MESSAGE, message_bytes),
            details: size(DETAILS, scratch.len() - message_bytes),
            metadata: self.metadata().list_bytes() + more.list_bytes(),
        };
        if sizes.code + sizes.message + sizes.details + sizes.metadata <= room.left() {
            return Written {
                message_bytes,
                with_metadata: true,
            };
        }
        self.cut(&sizes, message_bytes, room, scratch)
    }

    #[cold]
    fn cut(
        &self,
        sizes: &Sizes,
        message_bytes: usize,
        room: ListRoom,
        scratch: &mut Vec<u8>,
    ) -> Written {
        let mut left = room
            .left()
            .saturating_sub(sizes.code + size(MESSAGE, 1) - 1);
        let reserved = message_bytes.min(MESSAGE_BYTES_KEPT) + NOTE_BYTES_MAX;
        let mut keeps = |bytes: usize| {
            let has_room = left >= reserved + bytes;
            left -= if has_room { bytes } else { 0 };
            has_room
        };
        let keeps_details = keeps(sizes.details);
        let keeps_metadata = keeps(sizes.metadata);
        let mut omitted = Vec::new();
        if !keeps_details {
            omitted.push(format!("details of {} bytes", sizes.details));
        }
        if !keeps_metadata {
            omitted.push(format!("metadata of {} bytes", sizes.metadata));
        }
        let mut note = note(&omitted, room.limit);
        if message_bytes + note.len() > left {
            omitted.insert(0, format!("the end of {message_bytes} bytes"));
            note = self::note(&omitted, room.limit);
        }
        if note.len() > left {
            note.clear();
        }
        let kept = beginning(&self.message, left - note.len());
        let text = match note.is_empty() {
            // A blank at the end would take three bytes.
            true => kept.trim_end_matches(' ').to_owned(),
            false => format!("{kept}{note}"),
        };
        scratch.clear();
        percent::encode(&text, scratch);
        let message_bytes = scratch.len();
        if keeps_details {
            base64::encode(self.details(), scratch);
        }
        Written {
            message_bytes,
            with_metadata: keeps_metadata,
        }
    }
}

fn note(omitted: &[String], limit: usize) -> String {
    match omitted {
        [] => String::new(),
        _ => format!(
            " [left out: {}; the caller takes header lists of up to {limit} bytes]",
            omitted.join(", ")
        ),
    }
}

/// Returns the beginning of a text that has at most `bytes_max` bytes when percent-encoded.
fn beginning(text: &str, bytes_max: usize) -> &str {
    let mut encoded = 0;
    for (at, character) in text.char_indices() {
        let is_plain = matches!(character, '\x20'..='\x7e') && character != '%';
        encoded += match character {
            ' ' if at == 0 => 3,
            _ if is_plain => 1,
            _ => 3 * character.len_utf8(),
        };
        if encoded > bytes_max {
            return &text[..at];
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Code;

    /// Returns the fields within `limit`, their size, and the status that a receiver reads from
    /// them.
    fn sent(status: &Status, more: &MetadataMap, room: ListRoom) -> (usize, Status) {
        let mut scratch = b"left over".to_vec();
        let fields = status.fields_within(more, room, &mut scratch);
        let bytes = list_bytes(fields.clone());
        assert!(bytes <= room.left().max(STATUS.len() + 2 + 32), "{bytes}");
        (bytes, Status::from_trailers(fields))
    }

    fn room(limit: usize) -> ListRoom {
        ListRoom { limit, used: 0 }
    }

    fn metadata(bytes: usize) -> MetadataMap {
        let mut metadata = MetadataMap::new();
        metadata.append("x-a", &"v".repeat(bytes - 35)).unwrap();
        assert_eq!(metadata.list_bytes(), bytes);
        metadata
    }

    #[test]
    fn all_that_fits_goes_out() {
        let mut status = Status::with_details(Code::NotFound, "no user ", vec![1, 2, 3]);
        *status.metadata_mut() = metadata(100);
        let more = metadata(50);
        let mut scratch = Vec::new();
        let whole = list_bytes(status.fields(&mut scratch)) + more.list_bytes();
        let (bytes, read) = sent(&status, &more, room(whole));
        assert_eq!((bytes, read.message()), (whole, "no user "));
        assert_eq!((read.details(), read.metadata().len()), (&[1, 2, 3][..], 2));
        let ahead = ListRoom {
            limit: whole + 7,
            used: 7,
        };
        assert_eq!(sent(&status, &more, ahead).1.metadata().len(), 2);
        let (_, read) = sent(&status, &more, room(whole - 1));
        assert_eq!((read.code(), read.metadata().len()), (Code::NotFound, 0));
    }

    #[test]
    fn a_long_message_loses_its_end() {
        for (text, limit) in [("m", 8192), ("é", 8192), ("%", 500), ("☺", 301)] {
            let status = Status::internal(text.repeat(20_000));
            let (bytes, read) = sent(&status, MetadataMap::EMPTY, room(limit));
            assert_eq!(read.code(), Code::Internal);
            assert!(read.message().starts_with(&text.repeat(5)), "{read}");
            let (kept, note) = read.message().split_once(" [left out: ").unwrap();
            assert_eq!(kept.replace(text, ""), "", "no character is cut");
            assert!(note.contains(&format!("up to {limit} bytes")), "{note}");
            assert!(
                bytes + 3 * text.len() > limit,
                "{bytes} of {limit} are used"
            );
        }
        let note = |bytes: usize| {
            let status = Status::internal("m".repeat(bytes));
            let read = sent(&status, MetadataMap::EMPTY, room(8192)).1;
            read.message().contains("left out: the end of 8105 bytes")
        };
        let fits = 8192 - (11 + 2 + 32) - (12 + 32);
        assert_eq!((fits, note(fits), note(fits + 2)), (8103, false, true));
    }

    #[test]
    fn details_and_metadata_go_whole_or_not_at_all() {
        let details = |bytes: usize| vec![7; (bytes - 55) / 4 * 3];
        for (message, details_bytes, metadata_bytes, kept) in [
            (100, 7000, 100, (true, true)),
            (100, 7000, 5000, (true, false)),
            (100, 17_000, 5000, (false, true)),
            (100, 17_000, 40_000, (false, false)),
            (20_000, 5000, 1500, (true, true)),
            (20_000, 5000, 2500, (true, false)),
            (20_000, 7000, 2500, (false, true)),
        ] {
            let text = "m".repeat(message);
            let mut status = Status::with_details(Code::Aborted, text, details(details_bytes));
            *status.metadata_mut() = metadata(metadata_bytes / 2);
            let more = metadata(metadata_bytes / 2);
            let read = sent(&status, &more, room(8192)).1;
            let shown = read.message();
            let found = (!read.details().is_empty(), !read.metadata().is_empty());
            assert_eq!(found, kept, "{shown}");
            assert_eq!(read.code(), Code::Aborted);
            assert!(shown.starts_with(&"m".repeat(message.min(1000))), "{shown}");
            assert_eq!(shown.contains("details of"), !kept.0, "{shown}");
            assert_eq!(shown.contains("metadata of"), !kept.1, "{shown}");
            assert!([0, 2].contains(&read.metadata().len()), "never a part");
        }
    }

    #[test]
    fn the_code_goes_out_in_any_case() {
        let status = Status::with_details(Code::DataLoss, "gone for good ", vec![0; 100]);
        for limit in [0, 1, 44, 45, 88, 89, 90, 91, 96, 100, 250] {
            let (_, read) = sent(&status, &metadata(100), room(limit));
            assert_eq!(read.code(), Code::DataLoss, "{limit}");
            let shown = read.message().split(" [").next().unwrap();
            assert!("gone for good ".starts_with(shown), "{limit}: {shown}");
        }
    }
}
