//! Tests of schemas that protoc accepts: names, encodings, options, comments, editions.

use corespun_build::{configure, plugin};
use corespun_descriptor::wire::{self, Field};
use scratch::{compile, compile_with, folder};
use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};

#[path = "support/protoc.rs"]
mod peer;
#[path = "support/scratch.rs"]
mod scratch;

const OPTIONS: &str = "syntax = \"proto3\"; package c05;
    import \"google/protobuf/descriptor.proto\";
    extend google.protobuf.MethodOptions { string route = 50001; }
    // A comment.
    message M { string secret = 1 [debug_redact = true]; }
    service S { rpc Go(M) returns (M) { option (route) = \"/v1/go\"; } }";
const MODERN: &str = "edition = \"2023\"; package c01;
    message Ask { string s = 1; int32 plain = 2 [features.field_presence = IMPLICIT];
      Ask inner = 3 [features.message_encoding = DELIMITED]; }
    service Ed { rpc Echo(Ask) returns (Ask); }";

/// Returns the bytes at a path of length-delimited fields, the first of each number.
fn within<'a>(mut message: &'a [u8], path: &[u64]) -> &'a [u8] {
    for number in path {
        let fields = wire::fields(message).unwrap();
        let field = fields.iter().find(|field| field.number == *number);
        message = field.map_or(b"", Field::bytes);
    }
    message
}

/// Returns the descriptor of `name` in the set that was written to `folder`.
fn descriptor(folder: &Path, name: &str) -> Vec<u8> {
    let set = fs::read(folder.join("corespun_descriptor.bin")).unwrap();
    let files = corespun_descriptor::files(&set).unwrap();
    let file = files.iter().find(|file| file.name == name).unwrap();
    file.bytes.to_vec()
}

#[test]
fn custom_options_reach_the_descriptor_set() {
    let folder = compile("options", &[("a.proto", OPTIONS.as_bytes())]).unwrap();
    let file = descriptor(&folder, "a.proto");
    // File, service, method, options.
    assert_eq!(within(&file, &[6, 2, 4]), b"\x8a\xb5\x18\x06/v1/go");
    // Message, field, options: `debug_redact`, which prost-types has no field for.
    assert_eq!(within(&file, &[4, 2, 8]), b"\x80\x01\x01");
    assert_eq!(within(&file, &[9]), b"", "no source information");
}

/// A package that a file does not import has no meaning in it, in any order of files.
#[test]
fn names_resolve_against_imports_only() {
    let other = "syntax = \"proto3\"; package x.clusters.common.other; message Unrelated {}";
    let common = "syntax = \"proto3\"; package x.common.dns; message Cache {}
        message Outer { message Inner {} }";
    let a = "syntax = \"proto3\"; package x.clusters.dfp; import \"common.proto\";
        import \"public.proto\";
        message M { common.dns.Cache c = 1; map<string, common.dns.Outer.Inner> d = 2;
          over.There e = 3; int32 common = 4; }";
    let public = "syntax = \"proto3\"; package x.over.public; import public \"there.proto\";";
    let there = "syntax = \"proto3\"; package x.over; message There {}";
    let protos: [(&str, &[u8]); 5] = [
        ("0other.proto", other.as_bytes()),
        ("common.proto", common.as_bytes()),
        ("a.proto", a.as_bytes()),
        ("public.proto", public.as_bytes()),
        ("there.proto", there.as_bytes()),
    ];
    for (name, wanted) in [
        ("relative-1", ["0other.proto", "common.proto", "a.proto"]),
        ("relative-2", ["a.proto", "common.proto", "0other.proto"]),
    ] {
        let folder = compile_with(name, configure(), &protos, &wanted).unwrap();
        let file = descriptor(&folder, "a.proto");
        assert_eq!(within(&file, &[4, 2, 6]), b".x.common.dns.Cache");
    }
    let inner = "syntax = \"proto3\"; package x.clusters; import \"common.proto\";
        import \"0other.proto\"; message M { common.dns.Cache c = 1; }";
    let protos: [(&str, &[u8]); 3] = [
        ("common.proto", common.as_bytes()),
        ("0other.proto", other.as_bytes()),
        ("a.proto", inner.as_bytes()),
    ];
    let error = compile("relative-3", &protos).unwrap_err().to_string();
    assert!(
        error.contains("a.proto:2:"),
        "protoc refuses it too: {error}"
    );
}

#[test]
fn texts_may_have_marks_and_comments_in_other_encodings() {
    let protos: [(&str, &[u8]); 3] = [
        (
            "bom.proto",
            b"\xef\xbb\xbfsyntax = \"proto3\"; package c13; message M {}",
        ),
        (
            "latin1.proto",
            b"syntax = \"proto3\"; package c13;\n// caf\xe9\nmessage N {}",
        ),
        (
            "crlf.proto",
            b"syntax = \"proto3\";\r\npackage c13;\r\n// One.\r\n// Two.\r\nmessage C {}\r\n",
        ),
    ];
    let folder = compile("encodings", &protos).unwrap();
    let text = fs::read_to_string(folder.join("c13.rs")).unwrap();
    assert!(text.contains("/// caf\u{e9}\n"), "{text}");
    assert!(text.contains("/// One.\n/// Two.\n"), "{text}");
    let wrong = b"syntax = \"proto3\";\nmessage M { string s = 1 [json_name = \"\xe9\"]; }";
    let error = compile("encoding", &[("w.proto", wrong)])
        .unwrap_err()
        .to_string();
    let expected = "failed to compile the protos: w.proto:2:40: the text is not UTF-8, which is \
                    allowed in comments only";
    assert_eq!(error, expected);
}

#[test]
fn recent_well_known_files_do_not_get_in_the_way() {
    let recent = b"syntax = \"proto2\"; package google.protobuf;
        message FeatureSet { extensions 1000 [verification = UNVERIFIED]; }";
    let protos: [(&str, &[u8]); 2] = [
        ("google/protobuf/descriptor.proto", recent),
        ("a.proto", OPTIONS.as_bytes()),
    ];
    let made = compile_with("recent", configure(), &protos, &["a.proto"]);
    assert!(made.is_ok(), "{made:?}");
}

const COMMENTED: &str = "syntax = \"proto3\"; package c07;
    // Example:
    //
    //     service Foo { rpc Bar(Baz); }
    //
    // ```
    // {\"a\": 1}
    // ```
    //
    // <pre>
    // ```rust
    // let not: rust
    message M {
      //      let x;
      int32 a = 1; // ~~~
      oneof o {
        //\tint32 b
        int32 b = 2;
      }
      // - ```
      //   fn
      enum E { A = 0; /* # A
          let z = ; */ }
    }
    // ```
    // GET /x
    service S {
      //     $ curl -d x
      rpc Go(M) returns (M);
    }";

/// rustdoc collects the comments: each becomes the documentation of one item, and none a test.
#[test]
fn comments_are_no_doctests() {
    let folder = compile("doctests", &[("a.proto", COMMENTED.as_bytes())]).unwrap();
    let text = fs::read_to_string(folder.join("c07.rs")).unwrap();
    assert!(text.contains("let x;") && text.contains("$ curl"), "{text}");
    let mut items = String::new();
    let mut open = false;
    for line in text.lines().map(str::trim_start) {
        let is_doc = line.starts_with("///");
        if is_doc {
            items.push_str(line);
            items.push('\n');
        } else if open {
            items.push_str("const _: () = ();\n");
        }
        open = is_doc;
    }
    let items = items.replace("const _", "pub const X");
    let items: String = items
        .split("const X")
        .enumerate()
        .map(|(number, part)| {
            format!(
                "{}{part}",
                if number == 0 {
                    String::new()
                } else {
                    format!("const X{number}")
                }
            )
        })
        .collect();
    let source = folder.join("items.rs");
    fs::write(&source, items).unwrap();
    let rustdoc = Command::new("rustdoc")
        .args(["--test", "--edition", "2024"])
        .arg(&source)
        .output();
    let Ok(output) = rustdoc else {
        return eprintln!("SKIPPED comments_are_no_doctests: no rustdoc");
    };
    let told = String::from_utf8_lossy(&output.stdout);
    assert!(told.contains("running 0 tests"), "{told}");
}

#[test]
fn comments_can_be_left_out() {
    let text = |name: &str, paths: &[&str]| {
        let builder = configure().disable_comments(paths);
        let protos: [(&str, &[u8]); 1] = [("a.proto", COMMENTED.as_bytes())];
        let folder = compile_with(name, builder, &protos, &["a.proto"]).unwrap();
        fs::read_to_string(folder.join("c07.rs")).unwrap()
    };
    let none = text("silent", &["."]);
    for word in ["Example", "let x", "GET", "curl", "let z"] {
        assert!(!none.contains(word), "{word} in {none}");
    }
    let some = text("silent-method", &["c07.S.Go"]);
    assert!(some.contains("GET") && !some.contains("curl"), "{some}");
    let some = text("silent-service", &[".c07.S"]);
    assert!(
        some.contains("Example") && !some.contains("GET") && !some.contains("curl"),
        "{some}"
    );
}

#[test]
fn options_reach_services() {
    let builder = configure()
        .emit_package(false)
        .default_stubs(true)
        .default_package_filename("root")
        .server_mod_attribute("S", "#[cfg(feature = \"a\")]")
        .client_mod_attribute("c05.S", "#[cfg(feature = \"b\")]")
        .server_attribute(".c05", "#[derive(Debug)]")
        .client_attribute(".", "#[derive(Eq)]")
        .trait_attribute("S", "#[must_use]")
        .trait_attribute("T", "#[never]");
    let bare = b"syntax = \"proto3\"; message Bare {}";
    let protos: [(&str, &[u8]); 2] = [("a.proto", OPTIONS.as_bytes()), ("b.proto", bare)];
    let folder = compile_with("attributes", builder, &protos, &["a.proto", "b.proto"]).unwrap();
    let text = fs::read_to_string(folder.join("c05.rs")).unwrap();
    for expected in [
        "#[cfg(feature = \"a\")]\npub mod s_server {",
        "#[cfg(feature = \"b\")]\npub mod s_client {",
        "    #[derive(Debug)]\n    pub struct SServer<T> {",
        "    #[derive(Eq)]\n    pub struct SClient {",
        "    #[must_use]\n    pub trait S: 'static {",
        "\"/S/Go\"",
        "::corespun::Status::unimplemented(\"/S/Go is not implemented\")",
    ] {
        assert!(text.contains(expected), "{expected} in {text}");
    }
    assert!(!text.contains("#[never]"), "{text}");
    assert!(folder.join("root.rs").exists());
}

#[test]
fn editions_come_in_through_protoc() {
    let Some(protoc) = peer::protoc() else {
        return println!("SKIPPED editions_come_in_through_protoc: no protoc");
    };
    let builder = configure().protoc(&protoc);
    let protos: [(&str, &[u8]); 1] = [("a.proto", MODERN.as_bytes())];
    let made = compile_with("editions", builder, &protos, &["a.proto"]);
    let folder = made.unwrap();
    let text = fs::read_to_string(folder.join("c01.rs")).unwrap();
    assert!(text.contains("pub s: ::core::option::Option<"), "{text}");
    assert!(text.contains("pub plain: i32"), "{text}");
    assert!(
        text.contains("#[prost(group, optional, boxed, tag = \"3\")]"),
        "{text}"
    );
    let file = descriptor(&folder, "a.proto");
    assert_eq!(
        within(&file, &[12]),
        b"editions",
        "the set stays as protoc wrote it"
    );
}

/// Input that the built-in compiler refuses; the error suggests protoc.
#[test]
fn protoc_reads_what_the_built_in_compiler_lacks() {
    let range = "syntax = \"proto2\"; package c26;
        message A { extensions 100 [verification = UNVERIFIED]; }";
    let negative = "syntax = \"proto3\"; package c26b; import \"google/protobuf/descriptor.proto\";
        message O { double d = 1; } extend google.protobuf.MessageOptions { O o = 50001; }
        message A { option (o).d = -inf; }";
    let modern = "edition = \"2024\"; package c24; message A { string s = 1; }";
    for (name, text) in [("range", range), ("negative", negative), ("modern", modern)] {
        let protos: [(&str, &[u8]); 1] = [("a.proto", text.as_bytes())];
        let error = compile(&format!("lack-{name}"), &protos)
            .unwrap_err()
            .to_string();
        assert!(
            error.contains("a.proto:") && error.contains("PROTOC"),
            "{error}"
        );
        let (Some(protoc), Some(known)) = (peer::protoc(), peer::grpc_tools_includes()) else {
            println!("SKIPPED protoc_reads_what_the_built_in_compiler_lacks: no protoc");
            continue;
        };
        let folder = folder(&format!("lack-protoc-{name}"));
        fs::write(folder.join("a.proto"), text).unwrap();
        let builder = configure().protoc(protoc).out_dir(&folder);
        let builder = builder.emit_rerun_if_changed(false);
        let made = builder.compile(&["a.proto"], &[&folder, &known]);
        assert!(made.is_ok(), "{name}: {made:?}");
    }
}

/// The method's options equal those that protoc writes, byte for byte.
#[test]
fn protoc_writes_the_same_options() {
    let (Some(protoc), Some(known)) = (peer::protoc(), peer::grpc_tools_includes()) else {
        return println!("SKIPPED protoc_writes_the_same_options: no protoc");
    };
    let own = compile("options-own", &[("a.proto", OPTIONS.as_bytes())]).unwrap();
    let theirs = folder("options-protoc");
    let builder = configure().protoc(protoc).out_dir(&theirs);
    let made = builder
        .emit_rerun_if_changed(false)
        .compile(&[own.join("a.proto")], &[&own, &known]);
    made.unwrap();
    let (own, theirs) = (descriptor(&own, "a.proto"), descriptor(&theirs, "a.proto"));
    for path in [&[6, 2, 4][..], &[4, 2, 8], &[7]] {
        assert_eq!(within(&own, path), within(&theirs, path), "{path:?}");
    }
}

#[test]
fn the_plugin_answers_requests() {
    let folder = compile("plugin-set", &[("a.proto", OPTIONS.as_bytes())]).unwrap();
    let set = fs::read(folder.join("corespun_descriptor.bin")).unwrap();
    let mut request = Vec::new();
    wire::write_bytes(1, b"a.proto", &mut request);
    wire::write_bytes(2, b"client=false,include_file=mod.rs", &mut request);
    for file in corespun_descriptor::files(&set).unwrap() {
        wire::write_bytes(15, file.bytes, &mut request);
    }
    let response = plugin::answer(&request);
    let fields = wire::fields(&response).unwrap();
    let files = fields.iter().filter(|field| field.number == 15);
    let files: Vec<_> = files
        .map(|file| {
            [1, 15].map(|part| String::from_utf8(within(file.bytes(), &[part]).to_vec()).unwrap())
        })
        .collect();
    let names: Vec<_> = files.iter().map(|[name, _]| name.as_str()).collect();
    assert_eq!(names, ["corespun_descriptor.rs", "mod.rs", "c05.rs"]);
    let text = &files[2][1];
    assert!(
        text.contains("pub mod s_server") && !text.contains("pub mod s_client"),
        "{text}"
    );
    assert!(
        text.contains("include!(\"corespun_descriptor.rs\")"),
        "{text}"
    );
}

#[test]
fn protoc_runs_the_plugin() {
    let Some(protoc) = peer::protoc() else {
        return println!("SKIPPED protoc_runs_the_plugin: no protoc");
    };
    let folder = compile(
        "plugin-run",
        &[(
            "m.proto",
            b"syntax = \"proto3\"; package m; message M {}
        service S { rpc Go(M) returns (M); }",
        )],
    )
    .unwrap();
    let plugin = env!("CARGO_BIN_EXE_protoc-gen-corespun");
    let out = folder.join("out");
    fs::create_dir_all(&out).unwrap();
    let status = Command::new(protoc)
        .arg(format!("--plugin=protoc-gen-corespun={plugin}"))
        .arg(format!("--corespun_out={}", out.display()))
        .args(["--corespun_opt=server=false", "m.proto", "-I."])
        .current_dir(&folder)
        .stdin(Stdio::null())
        .status();
    assert!(status.unwrap().success());
    assert!(
        fs::read_to_string(out.join("m.rs"))
            .unwrap()
            .contains("pub struct SClient")
    );
}
