//! What the schema says: the method, its request as bytes, its response as a type to check by.

use std::path::{Path, PathBuf};

use corespun_codec::message;
use prost::Message;
use prost_reflect::{DescriptorPool, DynamicMessage, MethodDescriptor};

use crate::error::LoadError;

/// A unary method together with the one request that is sent over and over.
#[derive(Clone, Debug)]
pub struct UnaryCall {
    method: MethodDescriptor,
    path: String,
    frame: Vec<u8>,
}

impl UnaryCall {
    /// Compiles the schema `file`, finds `method` (`package.Service/Name`, a leading slash
    /// allowed) and makes its request of the JSON `data` (proto3 JSON mapping).
    ///
    /// Imports are looked for in `includes`, then beside the file.
    ///
    /// # Errors
    /// When the schema does not compile, has no such method or one that streams, or when `data`
    /// does not fit the request message.
    pub fn load(
        file: &Path,
        includes: &[PathBuf],
        method: &str,
        data: &str,
    ) -> Result<Self, LoadError> {
        let pool = compile(file, includes)?;
        let method = find(&pool, method)?;
        let request = encode(&method, data)?;
        let mut frame = Vec::with_capacity(message::PREFIX_BYTES + request.len());
        message::write_prefix(&mut frame, false, request.len());
        frame.extend_from_slice(&request);
        Ok(Self {
            path: format!("/{}", path(&method)),
            frame,
            method,
        })
    }

    /// The `:path` of the call, `/package.Service/Name`.
    pub fn path(&self) -> &str {
        &self.path
    }

    /// The name as people write it, `package.Service/Name`.
    pub fn name(&self) -> &str {
        &self.path[1..]
    }

    /// The request with its length prefix, ready for DATA frames.
    pub fn frame(&self) -> &[u8] {
        &self.frame
    }

    /// Checks a response message, without its prefix, against the schema.
    ///
    /// # Errors
    /// When the bytes are not a message of the promised type. Fields that the schema does not
    /// know are no error: servers may be newer than their callers.
    pub fn check_response(&self, message: &[u8]) -> Result<(), LoadError> {
        let output = self.method.output();
        let name = output.full_name().to_owned();
        match DynamicMessage::decode(output, message) {
            Ok(_) => Ok(()),
            Err(error) => Err(LoadError::Response {
                method: self.name().to_owned(),
                message: name,
                cause: error.to_string(),
            }),
        }
    }
}

fn compile(file: &Path, includes: &[PathBuf]) -> Result<DescriptorPool, LoadError> {
    let failed = |cause: String| LoadError::Schema {
        path: file.to_owned(),
        cause,
    };
    std::fs::metadata(file).map_err(|error| failed(error.to_string()))?;
    let beside = match file.parent() {
        Some(parent) if parent != Path::new("") => parent.to_owned(),
        _ => PathBuf::from("."),
    };
    let folders = includes.iter().cloned().chain([beside]);
    let mut compiler = protox::Compiler::new(folders).map_err(|error| failed(one_line(&error)))?;
    compiler
        .open_file(file)
        .map_err(|error| failed(one_line(&error)))?;
    Ok(compiler.descriptor_pool())
}

/// The compiler's message with the place it speaks of, on one line.
fn one_line(error: &protox::Error) -> String {
    let text = error.to_string().replace('\n', " ");
    match error.file() {
        Some(file) if !text.contains(file) => format!("{file}: {text}"),
        _ => text,
    }
}

fn find(pool: &DescriptorPool, wanted: &str) -> Result<MethodDescriptor, LoadError> {
    let all = || {
        pool.services()
            .flat_map(|service| service.methods().collect::<Vec<_>>())
    };
    let name = wanted.strip_prefix('/').unwrap_or(wanted);
    let Some(method) = all().find(|method| path(method) == name) else {
        let known = all().map(|method| path(&method)).collect();
        return Err(LoadError::NoMethod {
            method: wanted.to_owned(),
            known,
        });
    };
    let kind = match (method.is_client_streaming(), method.is_server_streaming()) {
        (false, false) => return Ok(method),
        (false, true) => "server-streaming",
        (true, false) => "client-streaming",
        (true, true) => "bidi-streaming",
    };
    Err(LoadError::MethodKind {
        method: name.to_owned(),
        kind,
    })
}

fn path(method: &MethodDescriptor) -> String {
    format!("{}/{}", method.parent_service().full_name(), method.name())
}

fn encode(method: &MethodDescriptor, data: &str) -> Result<Vec<u8>, LoadError> {
    let input = method.input();
    let message = input.full_name().to_owned();
    let failed = |error: serde_json::Error| LoadError::Data {
        message: message.clone(),
        cause: error.to_string(),
    };
    let mut json = serde_json::Deserializer::from_str(data);
    let request = DynamicMessage::deserialize(input, &mut json).map_err(failed)?;
    json.end().map_err(failed)?;
    Ok(request.encode_to_vec())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn schema() -> PathBuf {
        Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/schemas/user.proto")
    }

    fn load(method: &str, data: &str) -> Result<UnaryCall, LoadError> {
        UnaryCall::load(&schema(), &[], method, data)
    }

    fn failure(method: &str, data: &str) -> String {
        load(method, data).unwrap_err().to_string()
    }

    #[test]
    fn a_unary_call_is_framed_and_its_response_checked() {
        let call = load("user.UserService/GetUser", r#"{"id": 7}"#).unwrap();
        assert_eq!(call.path(), "/user.UserService/GetUser");
        assert_eq!(call.name(), "user.UserService/GetUser");
        assert_eq!(call.frame(), b"\0\0\0\0\x02\x08\x07");
        call.check_response(b"\x08\x07\x12\x03Ada").unwrap();
        let error = call
            .check_response(b"\x12\xffshort")
            .unwrap_err()
            .to_string();
        assert!(error.contains("user.UserResponse"), "{error}");
        let slash = load("/user.UserService/GetUser", "{}").unwrap();
        assert_eq!(slash.frame(), b"\0\0\0\0\0");
    }

    #[test]
    fn what_cannot_be_called_is_named() {
        let error = failure("user.UserService/Nope", "{}");
        assert!(
            error.contains("user.UserService/GetUser, user.UserService/ListUsers"),
            "{error}"
        );
        let kinds = [
            ("ListUsers", "server-streaming"),
            ("ImportUsers", "client-streaming"),
            ("Lookup", "bidi-streaming"),
        ];
        for (method, kind) in kinds {
            let error = failure(&format!("user.UserService/{method}"), "{}");
            assert!(error.contains(method) && error.contains(kind), "{error}");
        }
    }

    #[test]
    fn json_that_does_not_fit_is_refused() {
        let cases = [
            (r#"{"idd": 7}"#, "idd"),
            (r#"{"id": "x"}"#, "column"),
            (r#"{"id": 7"#, "EOF"),
            (r#"{} {}"#, "trailing"),
        ];
        for (data, word) in cases {
            let error = failure("user.UserService/GetUser", data);
            assert!(
                error.contains("user.UserRequest") && error.contains(word),
                "{error}"
            );
        }
    }

    #[test]
    fn a_schema_that_is_missing_or_broken_is_named() {
        let gone = UnaryCall::load(Path::new("/nowhere/x.proto"), &[], "a/b", "{}").unwrap_err();
        assert!(
            gone.to_string().contains("/nowhere/x.proto: No such file"),
            "{gone}"
        );
        let broken = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/schemas/broken.proto");
        let error = UnaryCall::load(&broken, &[], "a/b", "{}")
            .unwrap_err()
            .to_string();
        assert!(
            error.contains("broken.proto") && !error.contains('\n'),
            "{error}"
        );
    }
}
