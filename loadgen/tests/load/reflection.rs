//! The server's side of reflection, as far as tests ask.

use prost::Message;
use prost_reflect::DescriptorPool;

use crate::schema;

#[derive(Clone, PartialEq, Message)]
struct Question {
    #[prost(string, optional, tag = "3")]
    file: Option<String>,
    #[prost(string, optional, tag = "4")]
    symbol: Option<String>,
    #[prost(string, optional, tag = "7")]
    list: Option<String>,
}

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
    service: Vec<Name>,
}

#[derive(Clone, PartialEq, Message)]
struct Name {
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

/// The compiled `split.proto`, which imports another file.
pub fn pool() -> DescriptorPool {
    let file = schema().with_file_name("split.proto");
    let folder = file.parent().unwrap();
    let mut compiler = protox::Compiler::new([folder]).unwrap();
    compiler.include_imports(true).open_file(&file).unwrap();
    compiler.descriptor_pool()
}

/// The answer to a question, behind its length prefix. Files are told one at a time, so that
/// what they import must be asked for.
pub fn answer(question: &[u8]) -> Vec<u8> {
    let question = Question::decode(question).unwrap();
    let pool = pool();
    let file = match (&question.file, &question.symbol) {
        (Some(name), _) => pool.get_file_by_name(name),
        (None, Some(symbol)) => pool
            .get_service_by_name(symbol)
            .map(|found| found.parent_file()),
        (None, None) => None,
    };
    let mut answer = Answer::default();
    if question.list.is_some() {
        let service = pool.services().map(|found| Name {
            name: found.full_name().to_owned(),
        });
        answer.services = Some(Services {
            service: service.collect(),
        });
    } else if let Some(file) = file {
        answer.files = Some(Files {
            descriptors: vec![file.encode_to_vec()],
        });
    } else {
        answer.error = Some(Failure {
            code: 5,
            message: "there is no such thing".to_owned(),
        });
    }
    let mut framed = vec![0];
    framed.extend_from_slice(&(answer.encoded_len() as u32).to_be_bytes());
    answer.encode(&mut framed).unwrap();
    framed
}
