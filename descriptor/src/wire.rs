//! Fields of Protobuf's binary form, read and written one by one.

use crate::error::Error;

/// Deepest nesting of groups that is skipped.
const GROUP_DEPTH_MAX: usize = 100;

/// Value of a field.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Value<'a> {
    /// Varint: numbers, booleans, and enums.
    Varint(u64),
    /// Length-delimited: strings, bytes, and messages.
    Bytes(&'a [u8]),
    /// Field of fixed width or group; this crate does not use their content.
    Other,
}

/// One field of a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Field<'a> {
    /// Number of the field.
    pub number: u64,
    /// Value of the field.
    pub value: Value<'a>,
    /// Tag and value as encoded.
    pub raw: &'a [u8],
}

impl<'a> Field<'a> {
    /// Returns the bytes of a length-delimited field; empty for other fields.
    pub fn bytes(&self) -> &'a [u8] {
        match self.value {
            Value::Bytes(bytes) => bytes,
            _ => b"",
        }
    }

    /// Returns the value of a varint field; 0 for other fields.
    pub fn varint(&self) -> u64 {
        match self.value {
            Value::Varint(number) => number,
            _ => 0,
        }
    }
}

/// Reads the fields of one message.
///
/// # Errors
/// The bytes are not Protobuf's binary form.
pub fn fields(message: &[u8]) -> Result<Vec<Field<'_>>, Error> {
    let mut rest = message;
    let mut fields = Vec::new();
    while !rest.is_empty() {
        fields.push(next(&mut rest, 0)?.ok_or(Error::NotProtobuf)?);
    }
    Ok(fields)
}

/// Reads one field; returns `None` at the end of a group.
fn next<'a>(rest: &mut &'a [u8], depth: usize) -> Result<Option<Field<'a>>, Error> {
    let start = *rest;
    let tag = varint(rest)?;
    let number = tag >> 3;
    let value = match tag & 7 {
        0 => Value::Varint(varint(rest)?),
        1 => skip(rest, 8)?,
        2 => {
            let length = usize::try_from(varint(rest)?).map_err(|_| Error::NotProtobuf)?;
            let (bytes, after) = rest.split_at_checked(length).ok_or(Error::NotProtobuf)?;
            *rest = after;
            Value::Bytes(bytes)
        }
        3 if depth < GROUP_DEPTH_MAX => {
            while next(rest, depth + 1)?.is_some() {}
            Value::Other
        }
        4 if depth > 0 => return Ok(None),
        5 => skip(rest, 4)?,
        _ => return Err(Error::NotProtobuf),
    };
    let raw = &start[..start.len() - rest.len()];
    Ok(Some(Field { number, value, raw }))
}

fn skip<'a>(rest: &mut &'a [u8], bytes: usize) -> Result<Value<'a>, Error> {
    *rest = rest.get(bytes..).ok_or(Error::NotProtobuf)?;
    Ok(Value::Other)
}

fn varint(rest: &mut &[u8]) -> Result<u64, Error> {
    let mut number = 0;
    for shift in (0..64).step_by(7) {
        let (byte, after) = rest.split_first().ok_or(Error::NotProtobuf)?;
        *rest = after;
        number |= u64::from(byte & 0x7f) << shift;
        if byte & 0x80 == 0 {
            return Ok(number);
        }
    }
    Err(Error::NotProtobuf)
}

/// Writes a length-delimited field.
pub fn write_bytes(number: u64, bytes: &[u8], out: &mut Vec<u8>) {
    write_raw_varint(number << 3 | 2, out);
    write_raw_varint(bytes.len() as u64, out);
    out.extend_from_slice(bytes);
}

/// Writes a varint field.
pub fn write_varint(number: u64, value: u64, out: &mut Vec<u8>) {
    write_raw_varint(number << 3, out);
    write_raw_varint(value, out);
}

fn write_raw_varint(mut value: u64, out: &mut Vec<u8>) {
    while value >= 0x80 {
        out.push(value as u8 | 0x80);
        value >>= 7;
    }
    out.push(value as u8);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_are_kept_as_they_were() {
        let message = b"\x08\x96\x01\x12\x02hi\x1b\x08\x01\x1c\x25abcd\x29abcdefgh";
        let read = fields(message).unwrap();
        let numbers: Vec<_> = read.iter().map(|field| field.number).collect();
        assert_eq!(numbers, [1, 2, 3, 4, 5]);
        assert_eq!((read[0].varint(), read[1].bytes()), (150, &b"hi"[..]));
        let raw: Vec<_> = read.iter().flat_map(|field| field.raw.to_vec()).collect();
        assert_eq!(raw, message);
    }

    #[test]
    fn what_is_cut_or_wrong_is_an_error() {
        for wrong in [
            &b"\x08"[..],
            b"\x08\xff",
            b"\x12\x03hi",
            b"\x1b\x08\x01",
            b"\x1c",
            b"\x0f",
            b"\x25abc",
            b"\x08\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01",
        ] {
            assert_eq!(fields(wrong), Err(Error::NotProtobuf), "{wrong:?}");
        }
        assert_eq!(fields(&[0x0b; 1000]), Err(Error::NotProtobuf));
    }

    #[test]
    fn what_is_written_is_read() {
        let mut out = Vec::new();
        write_varint(14, 1001, &mut out);
        write_bytes(50, &[7; 300], &mut out);
        let read = fields(&out).unwrap();
        assert_eq!((read[0].number, read[0].varint()), (14, 1001));
        assert_eq!((read[1].number, read[1].bytes()), (50, &[7; 300][..]));
    }
}
