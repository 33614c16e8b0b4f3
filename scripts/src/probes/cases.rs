//! Calls of the tools, and their expected output.

/// Call of a program.
#[derive(Clone, Copy)]
pub struct Case {
    pub name: &'static str,
    /// Arguments before the server's address.
    pub flags: &'static [&'static str],
    /// Arguments after the server's address.
    pub rest: &'static [&'static str],
    /// Input of the program.
    pub input: &'static str,
    /// Expected exit code.
    pub exit: i32,
    /// Expected words of the output, with any spacing.
    pub says: &'static [&'static str],
}

impl Case {
    /// Creates a call that succeeds.
    const fn new(name: &'static str, says: &'static [&'static str]) -> Self {
        Self {
            name,
            flags: &[],
            rest: &[],
            input: "",
            exit: 0,
            says,
        }
    }

    const fn flags(self, flags: &'static [&'static str]) -> Self {
        Self { flags, ..self }
    }

    const fn rest(self, rest: &'static [&'static str]) -> Self {
        Self { rest, ..self }
    }

    const fn reads(self, input: &'static str) -> Self {
        Self { input, ..self }
    }

    const fn exits(self, exit: i32) -> Self {
        Self { exit, ..self }
    }
}

/// File name of [`UNKNOWN_SCHEMA`].
pub const UNKNOWN_FILE: &str = "unknown.proto";

/// Schema with a method that the user service lacks, and a service that no server has.
pub const UNKNOWN_SCHEMA: &str = r#"
syntax = "proto3";
package user;
message Nothing {}
service UserService { rpc Forget(Nothing) returns (Nothing); }
service Nobody { rpc Answer(Nothing) returns (Nothing); }
"#;

const UNKNOWN: &[&str] = &["-import-path", ".", "-proto", UNKNOWN_FILE];

/// Exit codes of grpcurl: 64 plus the code of the status.
const INVALID_ARGUMENT: i32 = 64 + 3;
const DEADLINE_EXCEEDED: i32 = 64 + 4;
const NOT_FOUND: i32 = 64 + 5;
const FAILED_PRECONDITION: i32 = 64 + 9;
const UNIMPLEMENTED: i32 = 64 + 12;

/// Cases of grpcurl with the user service.
pub const USERS: &[Case] = &[
    Case::new(
        "list",
        &[
            "grpc.channelz.v1.Channelz",
            "grpc.health.v1.Health",
            "grpc.reflection.v1.ServerReflection",
            "grpc.reflection.v1alpha.ServerReflection",
            "user.UserService",
        ],
    )
    .rest(&["list"]),
    Case::new("list_methods", &["user.UserService.ListUsers"]).rest(&["list", "user.UserService"]),
    Case::new(
        "describe",
        &[
            "rpc GetServers (",
            "rpc Watch (",
            ".grpc.reflection.v1.ServerReflectionRequest",
            ".grpc.reflection.v1alpha.ServerReflectionRequest",
            "rpc Lookup ( stream .user.UserRequest ) returns ( stream .user.UserResponse );",
        ],
    )
    .rest(&["describe"]),
    Case::new(
        "describe_message",
        &["message UserRequest { int32 id = 1; }"],
    )
    .rest(&["describe", "user.UserRequest"]),
    Case::new("template", &[r#"{ "id": 0, "name": "", "email": "" }"#])
        .flags(&["-msg-template"])
        .rest(&["describe", "user.UserResponse"]),
    Case::new(
        "unary",
        &[r#"{ "id": 1, "name": "John Doe", "email": "john@example.com" }"#],
    )
    .flags(&["-d", r#"{"id": 1}"#])
    .rest(&["user.UserService/GetUser"]),
    Case::new("not_found", &["Code: NotFound", "no user has id 999999999"])
        .flags(&["-d", r#"{"id": 999999999}"#])
        .rest(&["user.UserService/GetUser"])
        .exits(NOT_FOUND),
    Case::new(
        "details",
        &[
            "Code: InvalidArgument",
            "Message: id must be positive, not -1",
            r#""@type": "type.googleapis.com/google.rpc.BadRequest""#,
            r#""field": "id""#,
        ],
    )
    .flags(&["-d", r#"{"id": -1}"#])
    .rest(&["user.UserService/GetUser"])
    .exits(INVALID_ARGUMENT),
    Case::new(
        "server_streaming",
        &[r#""id": 1,"#, r#""id": 2,"#, r#""id": 3,"#],
    )
    .flags(&["-d", r#"{"page_size": 3}"#])
    .rest(&["user.UserService/ListUsers"]),
    Case::new("bidi_streaming", &[r#""id": 7,"#, r#""name": "John Doe""#])
        .flags(&["-d", "@"])
        .reads(r#"{"id": 7} {"id": 1}"#)
        .rest(&["user.UserService/Lookup"]),
    Case::new(
        "max_time",
        &[r#""status": "SERVING""#, "Code: DeadlineExceeded"],
    )
    .flags(&["-max-time", "2"])
    .rest(&["grpc.health.v1.Health/Watch"])
    .exits(DEADLINE_EXCEEDED),
    Case::new("unknown_method", &["Code: Unimplemented", "Forget"])
        .flags(UNKNOWN)
        .rest(&["user.UserService/Forget"])
        .exits(UNIMPLEMENTED),
    Case::new("unknown_service", &["Code: Unimplemented", "user.Nobody"])
        .flags(UNKNOWN)
        .rest(&["user.Nobody/Answer"])
        .exits(UNIMPLEMENTED),
    Case::new(
        "health",
        &[r#""user.UserService": { "status": "SERVING" }"#],
    )
    .rest(&["grpc.health.v1.Health/List"]),
    Case::new("channelz", &[r#""callsStarted""#, r#""listenSocket""#])
        .rest(&["grpc.channelz.v1.Channelz/GetServers"]),
    Case::new("channelz_sockets", &[r#""socketRef""#, r#""end": true"#])
        .flags(&["-d", r#"{"server_id": 1}"#])
        .rest(&["grpc.channelz.v1.Channelz/GetServerSockets"]),
    Case::new("reflection_v1", &[r#""name": "user.UserService""#])
        .flags(&["-d", r#"{"list_services": ""}"#])
        .rest(&["grpc.reflection.v1.ServerReflection/ServerReflectionInfo"]),
    Case::new("reflection_v1alpha", &[r#""name": "user.UserService""#])
        .flags(&["-d", r#"{"list_services": ""}"#])
        .rest(&["grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo"]),
];

/// Cases of grpcurl with the service of the interoperability tests, which echoes metadata.
pub const ECHOED: &[Case] = &[
    Case::new(
        "metadata",
        &[
            "Response headers received: content-type: application/grpc \
             x-grpc-test-echo-initial: one",
            "Response trailers received: x-grpc-test-echo-trailing-bin: AAEC",
            r#""body": "AAAA""#,
        ],
    )
    .flags(&[
        "-v",
        "-H",
        "x-grpc-test-echo-initial: one",
        "-H",
        "x-grpc-test-echo-trailing-bin: AAEC",
        "-d",
        r#"{"response_size": 3}"#,
    ])
    .rest(&["grpc.testing.TestService/UnaryCall"]),
    Case::new(
        "metadata_of_a_failure",
        &[
            "Response trailers received: content-type: application/grpc \
             x-grpc-test-echo-trailing-bin: AAEC",
            "Code: FailedPrecondition Message: not naïve enough",
        ],
    )
    .flags(&[
        "-v",
        "-H",
        "x-grpc-test-echo-trailing-bin: AAEC",
        "-d",
        r#"{"response_status": {"code": 9, "message": "not naïve enough"}}"#,
    ])
    .rest(&["grpc.testing.TestService/UnaryCall"])
    .exits(FAILED_PRECONDITION),
    Case::new("client_streaming", &[r#""aggregatedPayloadSize": 6"#])
        .flags(&["-d", "@"])
        .reads(r#"{"payload": {"body": "AAEC"}} {"payload": {"body": "AAEC"}}"#)
        .rest(&["grpc.testing.TestService/StreamingInputCall"]),
    Case::new("deadline_of_a_stream", &["Code: DeadlineExceeded"])
        .flags(&[
            "-max-time",
            "1",
            "-d",
            r#"{"response_parameters": [{"size": 1, "interval_us": 600000000}]}"#,
        ])
        .rest(&["grpc.testing.TestService/StreamingOutputCall"])
        .exits(DEADLINE_EXCEEDED),
];

/// Exit codes of the health probe: no connection, the call failed, the status is not SERVING.
const UNREACHABLE: i32 = 2;
const CALL_FAILED: i32 = 3;
const UNHEALTHY: i32 = 4;

/// Cases of the health probe with the user service.
pub const HEALTH: &[Case] = &[
    Case::new("serving", &["status: SERVING"]),
    Case::new("service", &["status: SERVING"]).flags(&["-service", "user.UserService"]),
    Case::new("gzip", &["status: SERVING"]).flags(&["-gzip"]),
    Case::new("unknown_service", &["code = NotFound", "no.Such"])
        .flags(&["-service", "no.Such"])
        .exits(CALL_FAILED),
];

/// Cases of the health probe with a server without the health service.
pub const NO_HEALTH: &[Case] =
    &[Case::new("not_implemented", &["does not implement"]).exits(CALL_FAILED)];

/// Case of the health probe while the server is about to drain.
pub const DRAINING: Case =
    Case::new("not_serving", &[r#"responded with "NOT_SERVING""#]).exits(UNHEALTHY);

/// Cases of the health probe with a server that is not reachable, or not with these TLS settings.
pub const GONE: &[Case] = &[Case::new("no_connection", &["failed to connect"])
    .flags(&["-connect-timeout", "500ms"])
    .exits(UNREACHABLE)];

/// Cases of grpcurl with a server that is not reachable, or not with these TLS settings.
pub const REFUSED: &[Case] = &[Case::new("no_connection", &["Failed to dial"])
    .flags(&["-connect-timeout", "5"])
    .rest(&["list"])
    .exits(1)];
