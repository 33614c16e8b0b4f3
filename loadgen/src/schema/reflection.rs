//! The schema from the server itself (gRPC server reflection, v1 and v1alpha).

use std::collections::{BTreeMap, BTreeSet};

use corespun_codec::{Code, Status};
use corespun_runtime::{Engine, LocalConfig, LocalShard};
use prost::Message;
use prost_reflect::DescriptorPool;
use prost_reflect::prost_types::{FileDescriptorProto, FileDescriptorSet};

use super::inquiry::Inquiry;
use super::{Schema, split_name};
use crate::endpoint::Endpoint;
use crate::error::LoadError;

/// Newest first: v1alpha is what servers have that are older than 2023.
const PATHS: [&str; 2] = [
    "/grpc.reflection.v1.ServerReflection/ServerReflectionInfo",
    "/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo",
];

/// More files than any service's schema has.
const FILES_MAX: usize = 10_000;

/// A question to the server, one of these; both versions have the same messages.
#[derive(Clone, PartialEq, Message)]
struct Question {
    #[prost(string, optional, tag = "3")]
    file_by_filename: Option<String>,
    #[prost(string, optional, tag = "4")]
    file_containing_symbol: Option<String>,
    #[prost(string, optional, tag = "7")]
    list_services: Option<String>,
}

/// The answer: one of these.
#[derive(Clone, PartialEq, Message)]
struct Answer {
    #[prost(message, optional, tag = "4")]
    files: Option<Files>,
    #[prost(message, optional, tag = "6")]
    services: Option<Services>,
    #[prost(message, optional, tag = "7")]
    error: Option<Failure>,
}

#[derive(Clone, PartialEq, Message)]
struct Files {
    #[prost(bytes = "vec", repeated, tag = "1")]
    descriptors: Vec<Vec<u8>>,
}

#[derive(Clone, PartialEq, Message)]
struct Services {
    #[prost(message, repeated, tag = "1")]
    service: Vec<Service>,
}

#[derive(Clone, PartialEq, Message)]
struct Service {
    #[prost(string, tag = "1")]
    name: String,
}

#[derive(Clone, PartialEq, Message)]
struct Failure {
    #[prost(int32, tag = "1")]
    code: i32,
    #[prost(string, tag = "2")]
    message: String,
}

/// Asks the server for all that it takes to call `methods`. Blocks until it has answered.
///
/// # Errors
/// When it cannot be reached, offers no reflection, or does not know a service.
pub(crate) fn reflect(
    endpoint: &Endpoint,
    engine: Engine,
    methods: &[&str],
) -> Result<Schema, LoadError> {
    let config = LocalConfig { engine, cpu: None };
    let mut shard = LocalShard::new(config).map_err(LoadError::Start)?;
    shard.block_on(async {
        let mut refusal = Status::unimplemented("");
        for path in PATHS {
            let inquiry = Inquiry::open(endpoint, path).await;
            let inquiry = inquiry.map_err(LoadError::Connect)?;
            match collect(&inquiry, endpoint, methods).await? {
                Ok(files) => return assemble(endpoint, files),
                Err(status) => refusal = status,
            }
            if refusal.code() != Code::Unimplemented {
                break;
            }
        }
        Err(failure(endpoint, &refused(&refusal)))
    })
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

type FileMap = BTreeMap<String, FileDescriptorProto>;

/// The files of all services and what they import, by name; or how the call was refused.
async fn collect(
    inquiry: &Inquiry,
    endpoint: &Endpoint,
    methods: &[&str],
) -> Result<Result<FileMap, Status>, LoadError> {
    let services: BTreeSet<_> = methods.iter().map(|method| split_name(method).0).collect();
    let mut files = FileMap::new();
    for service in services {
        let question = Question {
            file_containing_symbol: Some(service.to_owned()),
            ..Question::default()
        };
        match ask(inquiry, &question).await {
            Err(status) => return Ok(Err(status)),
            Ok(Answer { error: Some(_), .. }) => {
                return Err(unknown(inquiry, methods, service).await);
            }
            Ok(answer) => keep(endpoint, answer, &mut files)?,
        }
    }
    while let Some(name) = missing(&files) {
        let question = Question {
            file_by_filename: Some(name.clone()),
            ..Question::default()
        };
        match ask(inquiry, &question).await {
            Err(status) => return Ok(Err(status)),
            Ok(answer) => keep(endpoint, answer, &mut files)?,
        }
        if !files.contains_key(&name) || files.len() > FILES_MAX {
            let cause = format!("the server does not tell the file {name:?}");
            return Err(failure(endpoint, &cause));
        }
    }
    Ok(Ok(files))
}

async fn ask(inquiry: &Inquiry, question: &Question) -> Result<Answer, Status> {
    let bytes = inquiry.ask(&question.encode_to_vec()).await?;
    Answer::decode(bytes.as_slice()).map_err(|error| Status::internal(error.to_string()))
}

fn keep(endpoint: &Endpoint, answer: Answer, files: &mut FileMap) -> Result<(), LoadError> {
    if let Some(error) = answer.error {
        return Err(failure(endpoint, &error.message));
    }
    for bytes in answer.files.unwrap_or_default().descriptors {
        let file = FileDescriptorProto::decode(bytes.as_slice());
        let file = file.map_err(|error| failure(endpoint, &error.to_string()))?;
        files.insert(file.name().to_owned(), file);
    }
    Ok(())
}

/// A file that another imports, and that is not there yet. What everybody has is not asked for:
/// not every server tells it.
fn missing(files: &FileMap) -> Option<String> {
    let known = DescriptorPool::global();
    let mut imports = files.values().flat_map(|file| &file.dependency);
    let wanted =
        |name: &&String| !files.contains_key(*name) && known.get_file_by_name(name).is_none();
    imports.find(wanted).cloned()
}

/// The server does not know the service: what it does know is told instead.
async fn unknown(inquiry: &Inquiry, methods: &[&str], service: &str) -> LoadError {
    let question = Question {
        list_services: Some("*".to_owned()),
        ..Question::default()
    };
    let known = match ask(inquiry, &question).await {
        Ok(answer) => answer.services.unwrap_or_default().service,
        Err(_) => Vec::new(),
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
    let news = |file: &FileDescriptorProto| pool.get_file_by_name(file.name()).is_none();
    let set = FileDescriptorSet {
        file: files.into_values().filter(news).collect(),
    };
    let added = pool.add_file_descriptor_set(set);
    added.map_err(|error| failure(endpoint, &error.to_string()))?;
    Ok(Schema { pool })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(name: &str, imports: &[&str]) -> (String, FileDescriptorProto) {
        let file = FileDescriptorProto {
            name: Some(name.to_owned()),
            dependency: imports.iter().map(|import| (*import).to_owned()).collect(),
            ..FileDescriptorProto::default()
        };
        (name.to_owned(), file)
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
}
