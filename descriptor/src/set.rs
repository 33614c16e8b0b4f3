//! Files of a `google.protobuf.FileDescriptorSet`.

use crate::error::Error;
use crate::wire;

/// Number of `FileDescriptorSet.file`.
pub(crate) const SET_FILE: u64 = 1;
/// Number of `FileDescriptorProto.name`.
pub(crate) const FILE_NAME: u64 = 1;
/// Number of `FileDescriptorProto.source_code_info`.
const FILE_SOURCE_CODE_INFO: u64 = 9;

/// One file of a set.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct File<'a> {
    /// Name as imports use it.
    pub name: String,
    /// The `google.protobuf.FileDescriptorProto`.
    pub bytes: &'a [u8],
}

/// Splits a set into its files.
///
/// # Errors
/// The bytes are no descriptor set.
pub fn files(set: &[u8]) -> Result<Vec<File<'_>>, Error> {
    let fields = wire::fields(set)?;
    let files = fields.iter().filter(|field| field.number == SET_FILE);
    files
        .map(|file| {
            let bytes = file.bytes();
            Ok(File {
                name: name(bytes)?,
                bytes,
            })
        })
        .collect()
}

/// Returns the file name in the `FileDescriptorProto` `file`.
pub(crate) fn name(file: &[u8]) -> Result<String, Error> {
    let fields = wire::fields(file)?;
    let name = fields.iter().rfind(|field| field.number == FILE_NAME);
    let name = name.map_or(&b""[..], wire::Field::bytes).to_vec();
    String::from_utf8(name).map_err(|_| Error::NotProtobuf)
}

/// Removes comments and positions from all files of a set; all else stays byte for byte.
///
/// # Errors
/// The bytes are no descriptor set.
pub fn without_source_info(set: &[u8]) -> Result<Vec<u8>, Error> {
    let mut out = Vec::with_capacity(set.len());
    for field in wire::fields(set)? {
        if field.number != SET_FILE {
            out.extend_from_slice(field.raw);
            continue;
        }
        let parts = wire::fields(field.bytes())?;
        let kept = parts
            .iter()
            .filter(|part| part.number != FILE_SOURCE_CODE_INFO);
        let file: Vec<u8> = kept.flat_map(|part| part.raw.iter().copied()).collect();
        wire::write_bytes(SET_FILE, &file, &mut out);
    }
    Ok(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_source_information_is_removed() {
        // Fields 50 and 3 are unknown to everyone.
        let file = b"\x0a\x01a\x4a\x02\x0a\x00\x92\x03\x01x";
        let mut set = Vec::new();
        wire::write_bytes(SET_FILE, file, &mut set);
        set.extend_from_slice(b"\x18\x07");
        let bare = without_source_info(&set).unwrap();
        assert_eq!(bare, b"\x0a\x07\x0a\x01a\x92\x03\x01x\x18\x07");
        assert_eq!(files(&bare).unwrap()[0].name, "a");
        assert_eq!(without_source_info(&bare).unwrap(), bare);
    }

    #[test]
    fn what_is_no_set_is_an_error() {
        for wrong in [&b"\xff"[..], b"\x0a\x02\x0a\x05", b"\x0a\x03\x0a\x01\xff"] {
            assert_eq!(files(wrong), Err(Error::NotProtobuf), "{wrong:?}");
        }
        assert_eq!(files(b""), Ok(Vec::new()));
    }
}
