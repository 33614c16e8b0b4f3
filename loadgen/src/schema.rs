//! What the schema says: the methods there are, and what their messages look like.
//!
//! It comes from a `.proto` file, a descriptor set, or the server itself, by reflection.

mod inquiry;
mod reflection;

pub(crate) use reflection::reflect;

use std::path::{Path, PathBuf};

use corespun_codec::{Encoding, Kind};
use prost_reflect::{DescriptorPool, DynamicMessage, MessageDescriptor, MethodDescriptor};

use crate::compression;
use crate::error::LoadError;

/// The methods and messages of a server.
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
    /// Compiles a `.proto` file. Imports are looked for in `includes`, then beside the file.
    ///
    /// # Errors
    /// When it cannot be read or does not compile.
    pub fn compile(file: &Path, includes: &[PathBuf]) -> Result<Self, LoadError> {
        let failed = |cause: String| failure(file, cause);
        std::fs::metadata(file).map_err(|error| failed(error.to_string()))?;
        let beside = match file.parent() {
            Some(parent) if parent != Path::new("") => parent.to_owned(),
            _ => PathBuf::from("."),
        };
        let folders = includes.iter().cloned().chain([beside]);
        let mut compiler =
            protox::Compiler::new(folders).map_err(|error| failed(one_line(&error)))?;
        compiler
            .open_file(file)
            .map_err(|error| failed(one_line(&error)))?;
        Ok(Self {
            pool: compiler.descriptor_pool(),
        })
    }

    /// Reads a descriptor set, as `protoc --include_imports --descriptor_set_out` writes it.
    ///
    /// # Errors
    /// When it cannot be read, or is no descriptor set that is complete.
    pub fn read_set(file: &Path) -> Result<Self, LoadError> {
        let bytes = std::fs::read(file).map_err(|error| failure(file, error.to_string()))?;
        let pool = DescriptorPool::decode(bytes.as_slice());
        pool.map(|pool| Self { pool })
            .map_err(|error| failure(file, error.to_string().replace('\n', " ")))
    }

    /// Finds a method by `package.Service/Name`; a leading slash, or a dot before the name instead
    /// of the slash, is allowed.
    ///
    /// # Errors
    /// Names the methods that there are.
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

/// Service and name of a method as people write it; no service if there is neither slash nor dot.
pub(crate) fn split_name(method: &str) -> (&str, &str) {
    let method = method.strip_prefix('/').unwrap_or(method);
    let split = method.split_once('/').or_else(|| method.rsplit_once('.'));
    split.unwrap_or(("", method))
}

impl Method {
    /// The `:path` of a call, `/package.Service/Name`.
    pub fn path(&self) -> &str {
        &self.path
    }

    /// The name as people write it, `package.Service/Name`.
    pub fn name(&self) -> &str {
        &self.path[1..]
    }

    /// Which side streams.
    pub fn kind(&self) -> Kind {
        let method = &self.descriptor;
        Kind::of(method.is_client_streaming(), method.is_server_streaming())
    }

    /// The schema that it is of, as a descriptor set.
    pub fn descriptor_set(&self) -> Vec<u8> {
        self.descriptor.parent_pool().encode_to_vec()
    }

    /// The type of the request.
    pub fn input(&self) -> MessageDescriptor {
        self.descriptor.input()
    }

    /// Checks a response message, without its prefix, against the schema. One that came in an
    /// encoding is decoded first.
    ///
    /// # Errors
    /// When the bytes are not a message of the promised type. Fields that the schema does not
    /// know are no error: servers may be newer than their callers.
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

/// The compiler's message with the place it speaks of, on one line.
fn one_line(error: &protox::Error) -> String {
    let text = error.to_string().replace('\n', " ");
    match error.file() {
        Some(file) if !text.contains(file) => format!("{file}: {text}"),
        _ => text,
    }
}

fn path(method: &MethodDescriptor) -> String {
    format!("{}/{}", method.parent_service().full_name(), method.name())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn folder() -> PathBuf {
        Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/schemas")
    }

    fn schema() -> Schema {
        Schema::compile(&folder().join("user.proto"), &[]).unwrap()
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

    #[test]
    fn a_schema_that_is_missing_or_broken_is_named() {
        let gone = Schema::compile(Path::new("/nowhere/x.proto"), &[]).unwrap_err();
        let wanted = "/nowhere/x.proto: No such file";
        assert!(gone.to_string().contains(wanted), "{gone}");
        let error = Schema::compile(&folder().join("broken.proto"), &[]).unwrap_err();
        let error = error.to_string();
        assert!(
            error.contains("broken.proto") && !error.contains('\n'),
            "{error}"
        );
    }
}
