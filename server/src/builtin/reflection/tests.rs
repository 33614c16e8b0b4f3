//! Reflection schema and responses, without a call around them.

use std::collections::HashMap;
use std::time::Duration;

use corespun_codec::details::{ErrorDetails, ResourceInfo};
use corespun_proto::{health, user};
use prost::Message;
use prost_reflect::DynamicMessage;
use prost_types::{Any, DescriptorProto, FileDescriptorProto, FileDescriptorSet};

use super::*;

fn schema() -> Schema {
    let sets = [user::FILE_DESCRIPTOR_SET, health::FILE_DESCRIPTOR_SET];
    Schema::new(&sets, &["user.UserService"]).unwrap()
}

/// Returns the file names in a response, or its error code.
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

/// Checks that the user's files may share names and packages with built-in files.
#[test]
fn only_builtin_services_are_told_of_unasked() {
    let schema = Schema::new(&[], &[]).unwrap();
    let names: Vec<_> = schema
        .pool
        .files()
        .map(|file| file.name().to_owned())
        .collect();
    let ours = ["grpc/", "google/protobuf/", "google/rpc/"];
    let foreign = |name: &&String| !ours.iter().any(|folder| name.starts_with(folder));
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

/// Checks that every built-in service has a schema: tools that describe all services stop at the
/// first one without.
#[test]
fn all_builtin_services_have_a_schema() {
    let schema = Schema::new(&[], &[health::health_methods::NAME]).unwrap();
    for service in schema.services.iter() {
        assert!(schema.file_of_symbol(service).is_some(), "{service}");
        let method = schema.pool.get_service_by_name(service).unwrap();
        assert_ne!(method.methods().len(), 0, "{service}");
    }
}

/// Part of a status trailer that this test reads.
#[derive(Clone, PartialEq, Message)]
struct Details {
    #[prost(message, repeated, tag = "3")]
    list: Vec<Any>,
}

#[test]
fn details_of_statuses_can_be_shown() {
    let mut details = ErrorDetails::new();
    details
        .set_error_info("A", "b", HashMap::from([("c".to_owned(), "d".to_owned())]))
        .set_retry_info(Duration::from_secs(7))
        .set_debug_info(vec!["main".to_owned()], "e")
        .add_quota_failure_violation("f", "g")
        .add_precondition_failure_violation("H", "i", "j")
        .add_bad_request_violation("k", "l")
        .set_request_info("m", "n")
        .add_help_link("o", "p")
        .set_localized_message("de", "q");
    details.resource_info = Some(ResourceInfo {
        resource_type: "r".to_owned(),
        resource_name: "s".to_owned(),
        owner: "t".to_owned(),
        description: "u".to_owned(),
    });
    let status = Status::with_error_details(Code::Unknown, "", details);
    let list = Details::decode(status.details()).unwrap().list;
    assert_eq!(list.len(), 10);
    let schema = schema();
    for detail in list {
        let name = detail.type_url.rsplit('/').next().unwrap();
        let of = schema.pool.get_message_by_name(name).expect(name);
        let shown = DynamicMessage::decode(of, &*detail.value).unwrap();
        assert_eq!(shown.unknown_fields().count(), 0, "{shown:?}");
        assert_eq!(shown.encode_to_vec(), detail.value, "{name}");
    }
}

#[test]
fn files_of_the_user_with_our_types_come_first() {
    let file = FileDescriptorProto {
        name: Some("mine/details.proto".to_owned()),
        package: Some("google.rpc".to_owned()),
        message_type: vec![DescriptorProto {
            name: Some("BadRequest".to_owned()),
            ..DescriptorProto::default()
        }],
        ..FileDescriptorProto::default()
    };
    let set = FileDescriptorSet { file: vec![file] }.encode_to_vec();
    let schema = Schema::new(&[FILE_DESCRIPTOR_SET, &set], &[]).unwrap();
    let file_of = |symbol: &str| Some(schema.file_of_symbol(symbol)?.name().to_owned());
    assert_eq!(
        file_of("google.rpc.BadRequest").as_deref(),
        Some("mine/details.proto")
    );
    assert_eq!(file_of("google.rpc.ErrorInfo"), None);
    assert!(file_of(method::NAME).is_some());
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

/// Fields of a file that no type here knows, and a file of an edition, come back as they were.
#[test]
fn files_are_told_byte_for_byte() {
    let mut options = FileDescriptorProto {
        name: Some("a.proto".to_owned()),
        package: Some("a".to_owned()),
        ..FileDescriptorProto::default()
    }
    .encode_to_vec();
    // Message option 50001 of a message `M`, then field 99 of the file.
    options.extend(b"\x22\x0b\x0a\x01M\x3a\x06\x8a\xb5\x18\x02hi\x98\x06\x07");
    let edition =
        b"\x0a\x07e.proto\x12\x01e\x22\x0e\x0a\x01E\x12\x09\x0a\x01f\x18\x01\x20\x01\x28\x05\
        \x62\x08editions\x70\xe8\x07"
            .to_vec();
    let mut set = Vec::new();
    for file in [&options, &edition] {
        corespun_descriptor::wire::write_bytes(1, file, &mut set);
    }
    let schema = Schema::new(&[&set], &[]).unwrap();
    for (name, expected) in [("a.proto", &options), ("e.proto", &edition)] {
        let mut dialogue = Dialogue {
            schema: &schema,
            sent: HashSet::new(),
        };
        let question = MessageRequest::FileByFilename(name.to_owned());
        let MessageResponse::FileDescriptorResponse(answer) = dialogue.answer(&question) else {
            panic!("no file {name}");
        };
        assert_eq!(
            answer.file_descriptor_proto,
            std::slice::from_ref(expected),
            "{name}"
        );
    }
    assert!(schema.file_of_symbol("e.E.f").is_some());
}
