//! The schema and the answers, without a call around them.

use corespun_proto::{health, user};
use prost::Message;
use prost_types::FileDescriptorProto;

use super::*;

fn schema() -> Schema {
    let sets = [user::FILE_DESCRIPTOR_SET, health::FILE_DESCRIPTOR_SET];
    Schema::new(&sets, &["user.UserService"]).unwrap()
}

/// The names of the files in an answer, or the code of its error.
fn files(answer: MessageResponse) -> Result<Vec<String>, i32> {
    match answer {
        MessageResponse::FileDescriptorResponse(files) => Ok(files
            .file_descriptor_proto
            .iter()
            .map(|bytes| {
                let file = FileDescriptorProto::decode(&bytes[..]).unwrap();
                file.name().to_owned()
            })
            .collect()),
        MessageResponse::ErrorResponse(error) => Err(error.error_code),
        other => panic!("neither files nor an error: {other:?}"),
    }
}

#[test]
fn services_are_listed_with_our_own() {
    let schema = schema();
    let MessageResponse::ListServicesResponse(list) = schema.list() else {
        panic!("no list");
    };
    let names: Vec<_> = list.service.iter().map(|s| s.name.as_str()).collect();
    assert_eq!(names, [method::NAME, V1ALPHA, "user.UserService"]);
}

/// Files of the user's may have the names and packages of those that we ship beside the builtin
/// services.
#[test]
fn only_builtin_services_are_told_of_unasked() {
    let schema = Schema::new(&[], &[]).unwrap();
    let names: Vec<_> = schema
        .pool
        .files()
        .map(|file| file.name().to_owned())
        .collect();
    let foreign =
        |name: &&String| !name.starts_with("grpc/") && !name.starts_with("google/protobuf/");
    assert_eq!(names.iter().find(foreign), None);
    assert!(
        names.contains(&"grpc/health/v1/health.proto".to_owned()),
        "{names:?}"
    );
}

#[test]
fn symbols_lead_to_their_file() {
    let schema = schema();
    let check = |symbol: &str, expected: Result<&str, i32>| {
        let mut dialogue = Dialogue {
            schema: &schema,
            sent: HashSet::new(),
        };
        let question = MessageRequest::FileContainingSymbol(symbol.to_owned());
        let found = files(dialogue.answer(&question)).map(|files| files[0].clone());
        assert_eq!(found.as_deref().map_err(|code| *code), expected, "{symbol}");
    };
    let unknown = Err(Code::NotFound as i32);
    check("user.UserService", Ok("user.proto"));
    check("user.UserService.GetUser", Ok("user.proto"));
    check("user.UserService.GetUserr", unknown);
    check("user.UserRequest", Ok("user.proto"));
    check("user.UserRequest.id", Ok("user.proto"));
    check("user.UserRequest.no", unknown);
    let health = "grpc/health/v1/health.proto";
    check(
        "grpc.health.v1.HealthCheckResponse.ServingStatus",
        Ok(health),
    );
    check("UserService", unknown);
    check("", unknown);
    check(".", unknown);
}

#[test]
fn imports_come_once() {
    let schema = schema();
    let mut dialogue = Dialogue {
        schema: &schema,
        sent: HashSet::new(),
    };
    let file = MessageRequest::FileByFilename("grpc/channelz/v1/channelz.proto".into());
    assert_eq!(files(dialogue.answer(&file)).unwrap().len(), 4);
    assert_eq!(files(dialogue.answer(&file)).unwrap().len(), 1);
    let import = MessageRequest::FileByFilename("google/protobuf/any.proto".into());
    assert_eq!(files(dialogue.answer(&import)).unwrap().len(), 1);
    let missing = MessageRequest::FileByFilename("no.proto".into());
    assert_eq!(files(dialogue.answer(&missing)), Err(Code::NotFound as i32));
}

#[test]
fn extensions_of_a_type_without_any_are_an_empty_list() {
    let schema = schema();
    let MessageResponse::AllExtensionNumbersResponse(numbers) =
        schema.extension_numbers("user.UserRequest").unwrap()
    else {
        panic!("no numbers");
    };
    assert_eq!(numbers.extension_number, []);
    assert!(schema.extension_numbers("user.Nobody").is_none());
    let wanted = ExtensionRequest {
        containing_type: "user.UserRequest".into(),
        extension_number: -1,
    };
    assert!(schema.file_of_extension(&wanted).is_none());
}

#[test]
fn a_set_that_is_none_is_refused() {
    let error = Schema::new(&[b"\xff\xff"], &[]).unwrap_err().to_string();
    assert!(error.starts_with("failed to offer reflection: "), "{error}");
}
