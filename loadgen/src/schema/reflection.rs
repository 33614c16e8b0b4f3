//! Schema from the server itself by gRPC server reflection, v1 or v1alpha.

use std::collections::{BTreeMap, BTreeSet};

use corespun_codec::{Code, Encoding, MetadataMap, Status};
use corespun_proto::reflection::{
    ServerReflectionRequest, ServerReflectionResponse, server_reflection_methods,
    server_reflection_request::MessageRequest as Question,
    server_reflection_response::MessageResponse as Answer,
};
use corespun_runtime::{Engine, LocalConfig, LocalShard};
use prost::Message;
use prost_reflect::DescriptorPool;
use prost_reflect::prost_types::FileDescriptorProto;

use super::inquiry::Inquiry;
use super::{Schema, split_name};
use crate::endpoint::Endpoint;
use crate::error::LoadError;

/// Path of the older protocol version, which some servers have alone; its messages are identical to
/// those of v1.
const V1ALPHA: &str = "/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo";

/// Field number of `FileDescriptorSet.file`.
const SET_FILE: u64 = 1;

/// Largest number of files that are requested for one schema.
const FILES_MAX: usize = 10_000;

/// Methods to look up, with the metadata that their calls carry.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Wanted<'a> {
    pub(crate) method: &'a str,
    pub(crate) metadata: &'a MetadataMap,
}

/// Requests the schema of the methods from the server, with the metadata, TLS and compression of
/// its calls. Blocks until the server has answered.
///
/// # Errors
/// The server cannot be reached, has no reflection, or does not know a service.
pub(crate) fn reflect(
    endpoint: &Endpoint,
    engine: Engine,
    encoding: Encoding,
    wanted: &[Wanted<'_>],
) -> Result<Schema, LoadError> {
    let config = LocalConfig { engine, cpu: None };
    let mut shard = LocalShard::new(config).map_err(LoadError::Start)?;
    shard.block_on(async {
        let mut files = FileMap::new();
        let mut asked: Vec<&MetadataMap> = Vec::new();
        for Wanted { metadata, .. } in wanted {
            // One call of reflection carries one set of metadata.
            if asked.contains(metadata) {
                continue;
            }
            asked.push(metadata);
            let alike = wanted.iter().filter(|other| other.metadata == *metadata);
            let methods: Vec<_> = alike.map(|other| other.method).collect();
            files.extend(ask_all(endpoint, metadata, encoding, &methods).await?);
        }
        assemble(endpoint, files)
    })
}

async fn ask_all(
    endpoint: &Endpoint,
    metadata: &MetadataMap,
    encoding: Encoding,
    methods: &[&str],
) -> Result<FileMap, LoadError> {
    let mut refusal = Status::unimplemented("");
    for path in [
        server_reflection_methods::SERVER_REFLECTION_INFO.path(),
        V1ALPHA,
    ] {
        let inquiry = Inquiry::open(endpoint, path, metadata, encoding).await;
        let inquiry = inquiry.map_err(LoadError::Connect)?;
        match collect(&inquiry, endpoint, methods).await? {
            Ok(files) => return Ok(files),
            Err(status) => refusal = status,
        }
        if refusal.code() != Code::Unimplemented {
            break;
        }
    }
    Err(failure(endpoint, &refused(&refusal)))
}

fn refused(status: &Status) -> String {
    match status.code() {
        Code::Unimplemented => {
            "the server offers no reflection; give --proto or --descriptor-set".to_owned()
        }
        code => format!("{} {}", code.name(), status.message()),
    }
}

fn failure(endpoint: &Endpoint, cause: &str) -> LoadError {
    LoadError::Reflection {
        address: endpoint.to_string(),
        cause: cause.trim().replace('\n', " "),
    }
}

/// Schema file from the server.
struct Told {
    /// Encoded `FileDescriptorProto`, with custom options and edition features.
    bytes: Vec<u8>,
    imports: Vec<String>,
}

type FileMap = BTreeMap<String, Told>;

/// Collects the files of all services and their imports, by name. Fails if the call was refused.
async fn collect(
    inquiry: &Inquiry,
    endpoint: &Endpoint,
    methods: &[&str],
) -> Result<Result<FileMap, Status>, LoadError> {
    let services: BTreeSet<_> = methods.iter().map(|method| split_name(method).0).collect();
    let mut files = FileMap::new();
    for service in services {
        let question = Question::FileContainingSymbol(service.to_owned());
        match ask(inquiry, question).await {
            Err(status) => return Ok(Err(status)),
            Ok(Some(Answer::ErrorResponse(_))) => {
                return Err(unknown(inquiry, methods, service).await);
            }
            Ok(answer) => keep(endpoint, answer, &mut files)?,
        }
    }
    while let Some(name) = missing(&files) {
        match ask(inquiry, Question::FileByFilename(name.clone())).await {
            Err(status) => return Ok(Err(status)),
            Ok(answer) => keep(endpoint, answer, &mut files)?,
        }
        if !files.contains_key(&name) || files.len() > FILES_MAX {
            let cause = format!("the server did not return the file {name:?}");
            return Err(failure(endpoint, &cause));
        }
    }
    Ok(Ok(files))
}

/// Sends a request; returns `None` if the server's answer is of an unknown type.
async fn ask(inquiry: &Inquiry, question: Question) -> Result<Option<Answer>, Status> {
    let request = ServerReflectionRequest {
        message_request: Some(question),
        ..ServerReflectionRequest::default()
    };
    let bytes = inquiry.ask(&request.encode_to_vec()).await?;
    let response = ServerReflectionResponse::decode(bytes.as_slice());
    let response = response.map_err(|error| Status::internal(error.to_string()))?;
    Ok(response.message_response)
}

fn keep(endpoint: &Endpoint, answer: Option<Answer>, files: &mut FileMap) -> Result<(), LoadError> {
    let told = match answer {
        Some(Answer::FileDescriptorResponse(told)) => told.file_descriptor_proto,
        Some(Answer::ErrorResponse(error)) => return Err(failure(endpoint, &error.error_message)),
        _ => Vec::new(),
    };
    for bytes in told {
        let file = FileDescriptorProto::decode(bytes.as_slice());
        let file = file.map_err(|error| failure(endpoint, &error.to_string()))?;
        let name = file.name().to_owned();
        let imports = file.dependency;
        files.insert(name, Told { bytes, imports });
    }
    Ok(())
}

/// Returns a file that another imports and that is missing. Well-known files are built in and not
/// requested, because some servers do not return them.
fn missing(files: &FileMap) -> Option<String> {
    let known = DescriptorPool::global();
    let mut imports = files.values().flat_map(|file| &file.imports);
    let wanted =
        |name: &&String| !files.contains_key(*name) && known.get_file_by_name(name).is_none();
    imports.find(wanted).cloned()
}

/// Returns the error for a service that the server does not know, with the services that it knows.
async fn unknown(inquiry: &Inquiry, methods: &[&str], service: &str) -> LoadError {
    let known = match ask(inquiry, Question::ListServices("*".to_owned())).await {
        Ok(Some(Answer::ListServicesResponse(services))) => services.service,
        _ => Vec::new(),
    };
    let method = methods
        .iter()
        .find(|method| split_name(method).0 == service);
    LoadError::NoMethod {
        method: method.copied().unwrap_or_default().to_owned(),
        known: known.into_iter().map(|service| service.name).collect(),
    }
}

fn assemble(endpoint: &Endpoint, files: FileMap) -> Result<Schema, LoadError> {
    let mut pool = DescriptorPool::global();
    let mut set = Vec::new();
    for (name, file) in &files {
        if pool.get_file_by_name(name).is_none() {
            corespun_descriptor::wire::write_bytes(SET_FILE, &file.bytes, &mut set);
        }
    }
    let lowered = corespun_descriptor::lowered(&set);
    let lowered = lowered.map_err(|error| failure(endpoint, &error.to_string()))?;
    let added = pool.decode_file_descriptor_set(lowered.as_slice());
    added.map_err(|error| failure(endpoint, &error.to_string()))?;
    Ok(Schema { pool })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(name: &str, imports: &[&str]) -> (String, Told) {
        let file = FileDescriptorProto {
            name: Some(name.to_owned()),
            dependency: imports.iter().map(|import| (*import).to_owned()).collect(),
            ..FileDescriptorProto::default()
        };
        told(&file)
    }

    fn told(file: &FileDescriptorProto) -> (String, Told) {
        let told = Told {
            bytes: file.encode_to_vec(),
            imports: file.dependency.clone(),
        };
        (file.name().to_owned(), told)
    }

    #[test]
    fn imports_are_asked_for_unless_everybody_has_them() {
        let mut files = FileMap::from([
            file("a", &["google/protobuf/timestamp.proto", "b"]),
            file("c", &["a"]),
        ]);
        assert_eq!(missing(&files).as_deref(), Some("b"));
        files.extend([file("b", &[])]);
        assert_eq!(missing(&files), None);
    }

    #[test]
    fn files_of_editions_are_read_or_named() {
        let endpoint = Endpoint::new("127.0.0.1:1", None).unwrap();
        let of_edition = |edition: u64| {
            let (name, mut told) = file("a.proto", &[]);
            told.bytes.clear();
            let fields: [(u64, &[u8]); 2] = [(1, b"a.proto"), (12, b"editions")];
            for (number, text) in fields {
                corespun_descriptor::wire::write_bytes(number, text, &mut told.bytes);
            }
            corespun_descriptor::wire::write_varint(14, edition, &mut told.bytes);
            assemble(&endpoint, FileMap::from([(name, told)]))
        };
        // EDITION_2023, EDITION_2024, and one that is not known.
        assert!(of_edition(1000).is_ok() && of_edition(1001).is_ok());
        let error = of_edition(99_999).unwrap_err().to_string();
        assert!(
            error.contains("127.0.0.1:1: ") && error.contains("a.proto"),
            "{error}"
        );
    }
}
