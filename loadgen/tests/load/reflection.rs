//! Reflection service for tests.

use corespun_proto::reflection::{
    ErrorResponse, FileDescriptorResponse, ListServiceResponse, ServerReflectionRequest,
    ServerReflectionResponse, ServiceResponse,
    server_reflection_request::MessageRequest as Question,
    server_reflection_response::MessageResponse as Answer,
};
use prost::Message;
use prost_reflect::{DescriptorPool, FileDescriptor};

use crate::schema;

/// Returns the compiled `split.proto`, which imports another file.
pub fn pool() -> DescriptorPool {
    let file = schema().with_file_name("split.proto");
    let folder = file.parent().unwrap();
    let set = corespun_build::configure().descriptor_set(&[&file], &[folder]);
    DescriptorPool::decode(set.unwrap().as_slice()).unwrap()
}

/// Returns the answer to a request, with its prefix. It contains a single file, so that imports
/// must be requested.
pub fn answer(question: &[u8]) -> Vec<u8> {
    let question = ServerReflectionRequest::decode(question).unwrap();
    let pool = pool();
    let found = match question.message_request.unwrap() {
        Question::ListServices(_) => Answer::ListServicesResponse(services(&pool)),
        Question::FileByFilename(name) => told(pool.get_file_by_name(&name)),
        Question::FileContainingSymbol(symbol) => {
            let service = pool.get_service_by_name(&symbol);
            told(service.map(|service| service.parent_file()))
        }
        other => panic!("nobody asks {other:?}"),
    };
    let answer = ServerReflectionResponse {
        message_response: Some(found),
        ..ServerReflectionResponse::default()
    };
    let mut framed = vec![0];
    framed.extend_from_slice(&(answer.encoded_len() as u32).to_be_bytes());
    answer.encode(&mut framed).unwrap();
    framed
}

fn services(pool: &DescriptorPool) -> ListServiceResponse {
    let service = pool.services().map(|found| ServiceResponse {
        name: found.full_name().to_owned(),
    });
    ListServiceResponse {
        service: service.collect(),
    }
}

fn told(file: Option<FileDescriptor>) -> Answer {
    match file {
        Some(file) => Answer::FileDescriptorResponse(FileDescriptorResponse {
            file_descriptor_proto: vec![file.encode_to_vec()],
        }),
        None => Answer::ErrorResponse(ErrorResponse {
            error_code: 5,
            error_message: "there is no such thing".to_owned(),
        }),
    }
}
