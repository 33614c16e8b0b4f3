//! Static table, RFC 7541 Appendix A, and its look-ups.

use crate::headers::{Token, Traits};

/// Number of entries in the static table; indices of the dynamic table start after it.
pub(crate) const ENTRIES: usize = 61;

/// Names and values in the order of their indices, the first of which is 1.
#[rustfmt::skip]
static FIELDS: [(&str, &str); ENTRIES] = [
    (":authority", ""),
    (":method", "GET"),
    (":method", "POST"),
    (":path", "/"),
    (":path", "/index.html"),
    (":scheme", "http"),
    (":scheme", "https"),
    (":status", "200"),
    (":status", "204"),
    (":status", "206"),
    (":status", "304"),
    (":status", "400"),
    (":status", "404"),
    (":status", "500"),
    ("accept-charset", ""),
    ("accept-encoding", "gzip, deflate"),
    ("accept-language", ""),
    ("accept-ranges", ""),
    ("accept", ""),
    ("access-control-allow-origin", ""),
    ("age", ""),
    ("allow", ""),
    ("authorization", ""),
    ("cache-control", ""),
    ("content-disposition", ""),
    ("content-encoding", ""),
    ("content-language", ""),
    ("content-length", ""),
    ("content-location", ""),
    ("content-range", ""),
    ("content-type", ""),
    ("cookie", ""),
    ("date", ""),
    ("etag", ""),
    ("expect", ""),
    ("expires", ""),
    ("from", ""),
    ("host", ""),
    ("if-match", ""),
    ("if-modified-since", ""),
    ("if-none-match", ""),
    ("if-range", ""),
    ("if-unmodified-since", ""),
    ("last-modified", ""),
    ("link", ""),
    ("location", ""),
    ("max-forwards", ""),
    ("proxy-authenticate", ""),
    ("proxy-authorization", ""),
    ("range", ""),
    ("referer", ""),
    ("refresh", ""),
    ("retry-after", ""),
    ("server", ""),
    ("set-cookie", ""),
    ("strict-transport-security", ""),
    ("transfer-encoding", ""),
    ("user-agent", ""),
    ("vary", ""),
    ("via", ""),
    ("www-authenticate", ""),
];

/// Length of all names and values, in bytes.
const BYTES: usize = {
    let (mut bytes, mut at) = (0, 0);
    while at < ENTRIES {
        bytes += FIELDS[at].0.len() + FIELDS[at].1.len();
        at += 1;
    }
    bytes
};

/// Text of all names and values, one after the other, so that a field is copied in one piece.
static TEXT: [u8; BYTES] = {
    let mut text = [0; BYTES];
    let (mut filled, mut at) = (0, 0);
    while at < ENTRIES {
        filled = append(&mut text, filled, FIELDS[at].0.as_bytes());
        filled = append(&mut text, filled, FIELDS[at].1.as_bytes());
        at += 1;
    }
    text
};

const fn append(text: &mut [u8; BYTES], filled: usize, piece: &[u8]) -> usize {
    let mut at = 0;
    while at < piece.len() {
        text[filled + at] = piece[at];
        at += 1;
    }
    filled + piece.len()
}

#[derive(Clone, Copy)]
struct Entry {
    start: u16,
    name_bytes: u8,
    value_bytes: u8,
    token: Token,
}

static TABLE: [Entry; ENTRIES] = {
    let mut table = [Entry {
        start: 0,
        name_bytes: 0,
        value_bytes: 0,
        token: Token::Other,
    }; ENTRIES];
    let (mut start, mut at) = (0, 0);
    while at < ENTRIES {
        let (name, value) = FIELDS[at];
        table[at] = Entry {
            start: start as u16,
            name_bytes: name.len() as u8,
            value_bytes: value.len() as u8,
            token: Token::of(name.as_bytes()),
        };
        start += name.len() + value.len();
        at += 1;
    }
    table
};

/// Returns the entry with `index`, 1 to 61: name and value in one slice, the name's length, its
/// traits.
#[inline]
pub(crate) fn field(index: usize) -> Option<(&'static [u8], usize, Traits)> {
    let entry = TABLE.get(index.wrapping_sub(1))?;
    let (start, name_bytes) = (usize::from(entry.start), usize::from(entry.name_bytes));
    let text = &TEXT[start..start + name_bytes + usize::from(entry.value_bytes)];
    let traits = Traits {
        token: entry.token,
        name_well_formed: true,
        value_well_formed: true,
    };
    Some((text, name_bytes, traits))
}

/// Longest name of the table, in bytes.
const NAME_BYTES_MAX: usize = 27;

/// First indices of the names of each length, padded with 0.
const BY_LENGTH: [[u8; 6]; NAME_BYTES_MAX + 1] = {
    let mut by_length = [[0; 6]; NAME_BYTES_MAX + 1];
    let mut at = 0;
    while at < ENTRIES {
        let name = FIELDS[at].0.as_bytes();
        // Entries with equal names are neighbours.
        if at == 0 || !equal(name, FIELDS[at - 1].0.as_bytes()) {
            let mut place = 0;
            while by_length[name.len()][place] != 0 {
                place += 1;
            }
            by_length[name.len()][place] = at as u8 + 1;
        }
        at += 1;
    }
    by_length
};

const fn equal(a: &[u8], b: &[u8]) -> bool {
    let mut at = 0;
    while at < a.len() && at < b.len() && a[at] == b[at] {
        at += 1;
    }
    at == a.len() && at == b.len()
}

/// Returns the index of the first entry named `name`.
pub(crate) fn find_name(name: &[u8]) -> Option<usize> {
    let indices = BY_LENGTH
        .get(name.len())?
        .iter()
        .map(|index| usize::from(*index));
    indices
        .take_while(|index| *index != 0)
        .find(|index| FIELDS[index - 1].0.as_bytes() == name)
}

/// Returns the index of the entry with `name` and `value`, given the first entry with that name.
pub(crate) fn find_value(first: usize, name: &[u8], value: &[u8]) -> Option<usize> {
    let same_name = |index: &usize| FIELDS[index - 1].0.as_bytes() == name;
    let mut indices = (first..=ENTRIES).take_while(same_name);
    indices.find(|index| FIELDS[index - 1].1.as_bytes() == value)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_entry_is_found_by_name_and_by_value() {
        for index in 1..=ENTRIES {
            let (text, name_bytes, traits) = field(index).unwrap();
            let (name, value) = text.split_at(name_bytes);
            assert_eq!(
                (name, value),
                (
                    FIELDS[index - 1].0.as_bytes(),
                    FIELDS[index - 1].1.as_bytes()
                )
            );
            assert_eq!(traits, Traits::of(name, value));
            let first = find_name(name).unwrap();
            assert!(first <= index);
            assert_eq!(find_value(first, name, value), Some(index));
            assert_eq!(find_value(first, name, b"no such value"), None);
        }
        assert!(field(0).is_none() && field(ENTRIES + 1).is_none());
        assert_eq!(find_name(b"grpc-status"), None);
        assert_eq!(find_name(&[b'a'; 300]), None);
        assert_eq!(find_name(b""), None);
    }

    #[test]
    fn a_few_indices_by_heart() {
        assert_eq!(find_name(b":authority"), Some(1));
        assert_eq!(find_name(b":status"), Some(8));
        assert_eq!(find_name(b"content-type"), Some(31));
        assert_eq!(find_name(b"www-authenticate"), Some(61));
    }
}
