//! Schema of a server: its methods and the types of their messages.
//!
//! It is read from a `.proto` file, a descriptor set, or the server itself by reflection.

mod inquiry;
mod reflection;
mod source;

pub(crate) use reflection::{Wanted, reflect};

use std::path::Path;

use corespun_codec::{Encoding, Kind};
use prost_reflect::{DescriptorPool, DynamicMessage, MessageDescriptor, MethodDescriptor};

use crate::compression;
use crate::error::LoadError;

/// Methods and messages of a server.
#[derive(Clone, Debug)]
pub struct Schema {
    pool: DescriptorPool,
}

/// One method of a schema.
#[derive(Clone, Debug)]
pub struct Method {
    descriptor: MethodDescriptor,
    path: String,
}

impl Schema {
    /// Reads a descriptor set, as `protoc --include_imports --descriptor_set_out` writes it.
    ///
    /// # Errors
    /// The file cannot be read, or is not a complete descriptor set.
    pub fn read_set(file: &Path) -> Result<Self, LoadError> {
        let failed = |cause: String| failure(file, cause.replace('\n', " "));
        let bytes = std::fs::read(file).map_err(|error| failed(error.to_string()))?;
        Self::from_set(&bytes).map_err(failed)
    }

    /// Decodes an encoded descriptor set, which may contain edition files.
    ///
    /// # Errors
    /// The bytes are no set, an import is missing, or a feature has no form in proto2 and proto3.
    fn from_set(set: &[u8]) -> Result<Self, String> {
        let lowered = corespun_descriptor::lowered(set);
        let lowered = lowered.map_err(|error| error.to_string())?;
        // The bytes, not what was decoded of them, hold custom options.
        let pool = DescriptorPool::decode(lowered.as_slice());
        let pool = pool.map_err(|error| error.to_string())?;
        Ok(Self { pool })
    }

    /// Finds a method by `package.Service/Name`; a leading slash, or a dot before the name instead
    /// of the slash, is accepted.
    ///
    /// # Errors
    /// Names the existing methods.
    pub fn method(&self, wanted: &str) -> Result<Method, LoadError> {
        let all = || {
            self.pool
                .services()
                .flat_map(|service| service.methods().collect::<Vec<_>>())
        };
        let (service, name) = split_name(wanted);
        let found = all()
            .find(|method| method.name() == name && method.parent_service().full_name() == service);
        let Some(descriptor) = found else {
            let known = all().map(|method| path(&method)).collect();
            return Err(LoadError::NoMethod {
                method: wanted.to_owned(),
                known,
            });
        };
        Ok(Method {
            path: format!("/{}", path(&descriptor)),
            descriptor,
        })
    }
}

/// Splits a method into service and name; the service is empty without a slash or dot.
pub(crate) fn split_name(method: &str) -> (&str, &str) {
    let method = method.strip_prefix('/').unwrap_or(method);
    let split = method.split_once('/').or_else(|| method.rsplit_once('.'));
    split.unwrap_or(("", method))
}

impl Method {
    /// Returns the `:path` of a call, `/package.Service/Name`.
    pub fn path(&self) -> &str {
        &self.path
    }

    /// Returns the name, `package.Service/Name`.
    pub fn name(&self) -> &str {
        &self.path[1..]
    }

    /// Returns the kind of RPC: unary, or streaming on one or both sides.
    pub fn kind(&self) -> Kind {
        let method = &self.descriptor;
        Kind::of(method.is_client_streaming(), method.is_server_streaming())
    }

    /// Returns the schema of the method as a descriptor set.
    pub fn descriptor_set(&self) -> Vec<u8> {
        self.descriptor.parent_pool().encode_to_vec()
    }

    /// Returns the type of the request.
    pub fn input(&self) -> MessageDescriptor {
        self.descriptor.input()
    }

    /// Checks a response message, without its prefix, against the schema. A compressed message is
    /// decompressed first.
    ///
    /// # Errors
    /// The bytes are not a message of this type. Unknown fields are accepted, because servers may
    /// be newer than their schema here.
    pub fn check_response(
        &self,
        message: &[u8],
        encoding: Option<Encoding>,
    ) -> Result<(), LoadError> {
        let output = self.descriptor.output();
        let name = output.full_name().to_owned();
        let failed = |cause: String| LoadError::Response {
            method: self.name().to_owned(),
            message: name.clone(),
            cause,
        };
        let plain;
        let bytes = match encoding {
            None => message,
            Some(encoding) => {
                plain = compression::decompress(encoding, message)
                    .map_err(|error| failed(error.to_string()))?;
                &plain
            }
        };
        DynamicMessage::decode(output, bytes)
            .map(drop)
            .map_err(|error| failed(error.to_string()))
    }
}

fn failure(file: &Path, cause: String) -> LoadError {
    LoadError::Schema {
        path: file.to_owned(),
        cause,
    }
}

fn path(method: &MethodDescriptor) -> String {
    format!("{}/{}", method.parent_service().full_name(), method.name())
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;

    use super::*;

    fn folder() -> PathBuf {
        Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/schemas")
    }

    fn schema() -> Schema {
        Schema::compile(&[folder().join("user.proto")], &[]).unwrap()
    }

    #[test]
    fn methods_are_found_with_their_kinds() {
        let schema = schema();
        let kinds = [
            ("user.UserService/GetUser", Kind::Unary),
            ("/user.UserService/ListUsers", Kind::ServerStreaming),
            ("user.UserService.ImportUsers", Kind::ClientStreaming),
            ("user.UserService/Lookup", Kind::BidiStreaming),
        ];
        for (name, kind) in kinds {
            let method = schema.method(name).unwrap();
            assert_eq!(method.kind(), kind, "{name}");
            assert!(method.path().starts_with("/user.UserService/"), "{name}");
        }
        for name in [
            "user.UserService/Nope",
            "GetUser",
            "UserService/GetUser",
            "",
        ] {
            let error = schema.method(name).unwrap_err().to_string();
            let known = "user.UserService/GetUser, user.UserService/ListUsers";
            assert!(error.contains(known), "{error}");
        }
    }

    #[test]
    fn responses_are_checked() {
        let method = schema().method("user.UserService/GetUser").unwrap();
        let good = b"\x08\x07\x12\x03Ada".as_slice();
        method.check_response(good, None).unwrap();
        let packed = compression::compress(Encoding::Gzip, good).unwrap();
        method
            .check_response(&packed, Some(Encoding::Gzip))
            .unwrap();
        for (bytes, encoding) in [(&b"\x12\xffshort"[..], None), (good, Some(Encoding::Gzip))] {
            let error = method
                .check_response(bytes, encoding)
                .unwrap_err()
                .to_string();
            assert!(error.contains("user.UserResponse"), "{error}");
        }
    }

    #[test]
    fn a_descriptor_set_of_an_edition_serves_or_is_named() {
        use corespun_descriptor::wire::{write_bytes, write_varint};
        let of_edition = |edition: u64| {
            let mut file = Vec::new();
            write_bytes(1, b"a.proto", &mut file);
            write_bytes(12, b"editions", &mut file);
            write_varint(14, edition, &mut file);
            let mut set = schema().pool.encode_to_vec();
            write_bytes(1, &file, &mut set);
            Schema::from_set(&set)
        };
        assert!(of_edition(1000).is_ok());
        let error = of_edition(99_999).unwrap_err();
        assert!(error.contains("a.proto"), "{error}");
    }

    #[test]
    fn a_descriptor_set_serves_as_well() {
        let set = std::env::temp_dir().join(format!("corespun-{}.binpb", std::process::id()));
        std::fs::write(&set, schema().pool.encode_to_vec()).unwrap();
        let read = Schema::read_set(&set);
        std::fs::remove_file(&set).unwrap();
        let method = read.unwrap().method("user.UserService/Lookup").unwrap();
        assert_eq!(method.kind(), Kind::BidiStreaming);
        let error = Schema::read_set(&folder().join("user.proto")).unwrap_err();
        assert!(error.to_string().contains("user.proto"), "{error}");
    }
}
