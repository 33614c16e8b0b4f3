//! `grpc.reflection.v1.ServerReflection`: the schema of the server, for tools without its `.proto`
//! files.
//!
//! Files are served byte for byte as their compiler wrote them, with custom options and fields that
//! are newer than this program. The pool beside them is only an index.
//!
//! `v1alpha` differs only in its package name, so one handler serves both. The schema includes the
//! types of error details, which no method refers to. Semantics: gRPC `doc/server-reflection.md`.

use std::collections::{HashMap, HashSet};
use std::rc::Rc;
use std::sync::Arc;

use corespun_codec::{Code, Kind, Method, Sender, Status, Streaming};
use corespun_proto::reflection::server_reflection_methods as method;
use corespun_proto::reflection::server_reflection_request::MessageRequest;
use corespun_proto::reflection::server_reflection_response::MessageResponse;
use corespun_proto::reflection::{
    ErrorResponse, ExtensionNumberResponse, ExtensionRequest, FILE_DESCRIPTOR_SET,
    FileDescriptorResponse, ListServiceResponse, ServerReflectionRequest, ServerReflectionResponse,
    ServiceResponse,
};
use prost_reflect::{DescriptorPool, FileDescriptor};

use crate::error::Error;
use crate::routes::Routes;
use crate::service::Service;

const V1ALPHA: &str = "grpc.reflection.v1alpha.ServerReflection";
const V1ALPHA_INFO: Method<ServerReflectionRequest, ServerReflectionResponse> = Method::new(
    "/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo",
    Kind::BidiStreaming,
);

/// All schemas of a server, and the names of its services.
#[derive(Clone, Debug)]
pub(crate) struct Schema {
    /// Index; files of an edition are in it as proto2 or proto3.
    pool: DescriptorPool,
    /// Files by name, as they came.
    files: Arc<HashMap<String, Vec<u8>>>,
    services: Arc<[String]>,
}

impl Schema {
    /// Merges descriptor sets with the built-in ones; the first copy of a file takes precedence.
    ///
    /// # Errors
    ///
    /// A set is not a `google.protobuf.FileDescriptorSet`, misses an import, or contradicts
    /// another.
    pub(crate) fn new(sets: &[&[u8]], services: &[&str]) -> Result<Self, Error> {
        let mut pool = DescriptorPool::new();
        let mut files = HashMap::new();
        let failed = |error: corespun_descriptor::Error| Error::Reflection(error.to_string());
        for set in sets.iter().filter(|set| **set != FILE_DESCRIPTOR_SET) {
            let lowered = corespun_descriptor::lowered(set).map_err(failed)?;
            pool.decode_file_descriptor_set(&*lowered)
                .map_err(|error| Error::Reflection(error.to_string()))?;
            for file in corespun_descriptor::files(set).map_err(failed)? {
                let bytes = file.bytes.to_vec();
                files.entry(file.name).or_insert(bytes);
            }
        }
        add_builtin(&mut pool, &mut files)?;
        let own = [method::NAME, V1ALPHA];
        let names = services.iter().chain(&own).map(|name| (*name).to_owned());
        let mut services: Vec<_> = names.collect();
        services.sort_unstable();
        services.dedup();
        Ok(Self {
            pool,
            files: files.into(),
            services: services.into(),
        })
    }

    fn list(&self) -> MessageResponse {
        let services = self.services.iter();
        MessageResponse::ListServicesResponse(ListServiceResponse {
            service: services
                .map(|name| ServiceResponse { name: name.clone() })
                .collect(),
        })
    }

    /// Returns the file that declares a symbol: a type, a service, an extension, or a member of
    /// one.
    fn file_of_symbol(&self, symbol: &str) -> Option<FileDescriptor> {
        let pool = &self.pool;
        let outer = |name: &str| {
            let message = || Some(pool.get_message_by_name(name)?.parent_file());
            let enumeration = || Some(pool.get_enum_by_name(name)?.parent_file());
            let service = || Some(pool.get_service_by_name(name)?.parent_file());
            let extension = || Some(pool.get_extension_by_name(name)?.parent_file());
            message()
                .or_else(enumeration)
                .or_else(service)
                .or_else(extension)
        };
        outer(symbol).or_else(|| {
            let (parent, name) = symbol.rsplit_once('.')?;
            self.declares(parent, name).then(|| outer(parent))?
        })
    }

    /// Returns true if the type or service `parent` has a field, oneof, value or method `name`.
    fn declares(&self, parent: &str, name: &str) -> bool {
        let pool = &self.pool;
        let in_message = |message: prost_reflect::MessageDescriptor| {
            message.get_field_by_name(name).is_some()
                || message.oneofs().any(|oneof| oneof.name() == name)
        };
        pool.get_message_by_name(parent).is_some_and(in_message)
            || pool
                .get_enum_by_name(parent)
                .is_some_and(|e| e.get_value_by_name(name).is_some())
            || pool
                .get_service_by_name(parent)
                .is_some_and(|s| s.methods().any(|method| method.name() == name))
    }

    fn file_of_extension(&self, wanted: &ExtensionRequest) -> Option<FileDescriptor> {
        let message = self.pool.get_message_by_name(&wanted.containing_type)?;
        let number = u32::try_from(wanted.extension_number).ok()?;
        Some(message.get_extension(number)?.parent_file())
    }

    fn extension_numbers(&self, name: &str) -> Option<MessageResponse> {
        let message = self.pool.get_message_by_name(name)?;
        let mut numbers: Vec<_> = message.extensions().map(|e| e.number() as i32).collect();
        numbers.sort_unstable();
        Some(MessageResponse::AllExtensionNumbersResponse(
            ExtensionNumberResponse {
                base_type_name: name.to_owned(),
                extension_number: numbers,
            },
        ))
    }
}

/// Adds the built-in files to those of the user. Where both define the same types, such as error
/// details or health, those of the user take precedence.
fn add_builtin(
    pool: &mut DescriptorPool,
    files: &mut HashMap<String, Vec<u8>>,
) -> Result<(), Error> {
    let builtin = corespun_descriptor::files(FILE_DESCRIPTOR_SET)
        .map_err(|error| Error::Reflection(error.to_string()))?;
    for file in builtin {
        let name = file.name;
        match pool.decode_file_descriptor_proto(file.bytes) {
            Err(error) => tracing::debug!(name, %error, "reflection goes without a file of ours"),
            Ok(()) => drop(files.entry(name).or_insert(file.bytes.to_vec())),
        }
    }
    Ok(())
}

/// State of one reflection call: the files already sent, which are not repeated.
struct Dialogue<'a> {
    schema: &'a Schema,
    sent: HashSet<String>,
}

impl Dialogue<'_> {
    fn answer(&mut self, question: &MessageRequest) -> MessageResponse {
        let schema = self.schema;
        let found = match question {
            MessageRequest::ListServices(_) => return schema.list(),
            MessageRequest::AllExtensionNumbersOfType(name) => {
                let numbers = schema.extension_numbers(name);
                return numbers.unwrap_or_else(|| missing("message type", name));
            }
            MessageRequest::FileByFilename(name) => schema
                .pool
                .get_file_by_name(name)
                .ok_or_else(|| missing("file", name)),
            MessageRequest::FileContainingSymbol(name) => schema
                .file_of_symbol(name)
                .ok_or_else(|| missing("symbol", name)),
            MessageRequest::FileContainingExtension(wanted) => {
                schema.file_of_extension(wanted).ok_or_else(|| {
                    let (name, number) = (&wanted.containing_type, wanted.extension_number);
                    missing("extension", &format!("{number} of {name}"))
                })
            }
        };
        found.map_or_else(|error| error, |file| self.files(file))
    }

    /// Returns a file, and those of its imports that this call has not sent yet.
    fn files(&mut self, file: FileDescriptor) -> MessageResponse {
        let mut files = Vec::new();
        self.sent.insert(file.name().to_owned());
        let mut waiting = vec![file];
        while let Some(file) = waiting.pop() {
            files.extend(self.schema.files.get(file.name()).cloned());
            for import in file.dependencies() {
                if self.sent.insert(import.name().to_owned()) {
                    waiting.push(import);
                }
            }
        }
        MessageResponse::FileDescriptorResponse(FileDescriptorResponse {
            file_descriptor_proto: files,
        })
    }
}

fn missing(what: &str, name: &str) -> MessageResponse {
    MessageResponse::ErrorResponse(ErrorResponse {
        error_code: Code::NotFound as i32,
        error_message: format!("unknown {what} {name}"),
    })
}

/// Answers the requests of one call in order.
async fn converse(
    schema: Rc<Schema>,
    mut requests: Streaming<ServerReflectionRequest>,
    mut out: Sender<ServerReflectionResponse>,
) -> Result<(), Status> {
    let mut dialogue = Dialogue {
        schema: &schema,
        sent: HashSet::new(),
    };
    while let Some(request) = requests.message().await? {
        let Some(question) = &request.message_request else {
            return Err(Status::invalid_argument("the request asks nothing"));
        };
        let answer = dialogue.answer(question);
        let response = ServerReflectionResponse {
            valid_host: request.host.clone(),
            message_response: Some(answer),
            original_request: Some(request),
        };
        out.send(response).await?;
    }
    Ok(())
}

/// Reflection service under its current name, `v1`.
pub(crate) struct Reflection(pub(crate) Schema);

impl Service for Reflection {
    const NAME: &'static str = method::NAME;
    const DESCRIPTOR_SET: &'static [u8] = FILE_DESCRIPTOR_SET;

    fn register(self, routes: &mut Routes) {
        let schema = Rc::new(self.0);
        routes.bidi_streaming(method::SERVER_REFLECTION_INFO, &schema, converse);
    }
}

/// Reflection service under the name that older tools use, `v1alpha`.
pub(crate) struct ReflectionAlpha(pub(crate) Schema);

impl Service for ReflectionAlpha {
    const NAME: &'static str = V1ALPHA;

    fn register(self, routes: &mut Routes) {
        let schema = Rc::new(self.0);
        routes.bidi_streaming(V1ALPHA_INFO, &schema, converse);
    }
}

#[cfg(test)]
mod tests;
