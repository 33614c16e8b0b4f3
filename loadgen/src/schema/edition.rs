//! Files of an edition, which the descriptors that are used here cannot hold.

use prost_reflect::prost_types::FileDescriptorProto;

/// Checks that every file is of proto2 or proto3.
///
/// # Errors
/// Names the first file of an edition, whose features would be lost.
pub(super) fn lower<'a>(
    files: impl IntoIterator<Item = &'a FileDescriptorProto>,
) -> Result<(), String> {
    let edition = |file: &&FileDescriptorProto| !matches!(file.syntax(), "" | "proto2" | "proto3");
    match files.into_iter().find(edition) {
        None => Ok(()),
        Some(file) => Err(format!(
            "{} has the syntax {:?}: files of edition 2023 or later are not supported",
            file.name(),
            file.syntax()
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_of_an_edition_is_named() {
        let file = |syntax: Option<&str>| FileDescriptorProto {
            name: Some("a.proto".to_owned()),
            syntax: syntax.map(str::to_owned),
            ..FileDescriptorProto::default()
        };
        for syntax in [None, Some(""), Some("proto2"), Some("proto3")] {
            assert_eq!(lower(&[file(syntax)]), Ok(()), "{syntax:?}");
        }
        for syntax in ["editions", "proto4"] {
            let error = lower(&[file(None), file(Some(syntax))]).unwrap_err();
            assert!(
                error.contains("a.proto") && error.contains("edition 2023"),
                "{error}"
            );
        }
    }
}
