//! Tests of errors and their positions.

use corespun_build::{Error, configure};
use scratch::{compile, folder};
use std::fs;

#[path = "support/scratch.rs"]
mod scratch;

fn check_error(error: &Error, expected: &str) {
    assert_eq!(error.to_string(), expected);
    assert_eq!(format!("{error:?}"), expected, "unwrap shows it as well");
}

/// Checks the error of compiling the first of `protos`; `@` in `expected` is the folder.
fn check(name: &str, protos: &[(&str, &str)], expected: &str) {
    let protos: Vec<_> = protos
        .iter()
        .map(|(file, text)| (*file, text.as_bytes()))
        .collect();
    let wanted = [protos[0].0];
    let result = scratch::compile_with(name, configure(), &protos, &wanted);
    let folder = std::path::Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
    let expected = expected.replace('@', folder.to_str().unwrap());
    check_error(&result.unwrap_err(), &expected);
}

#[test]
fn a_wrong_proto_is_named_with_line_and_column() {
    check(
        "syntax",
        &[(
            "bad.proto",
            "syntax = \"proto3\";\nmessage User {\n  int32 id;\n}\n",
        )],
        "failed to compile the protos: bad.proto:3:11: expected '=', but found ';'",
    );
    check(
        "type",
        &[(
            "bad.proto",
            "syntax = \"proto3\";\nservice S {\n  rpc Get(Nobody) returns (S);\n}\n",
        )],
        "failed to compile the protos: bad.proto:3:11: name 'Nobody' is not defined",
    );
    check(
        "cycle",
        &[
            ("a.proto", "syntax = \"proto3\";\nimport \"b.proto\";\n"),
            ("b.proto", "syntax = \"proto3\";\n\n  import \"a.proto\";\n"),
        ],
        "failed to compile the protos: b.proto:3:3: import 'a.proto' leads back to this file",
    );
    check(
        "edition",
        &[("e.proto", "// Newer.\nedition = \"2023\";\n")],
        "failed to compile the protos: e.proto:2:1: the compiler that is built in reads no \
         editions; protoc does, if Builder::protoc or the variable PROTOC names it",
    );
    check(
        "range",
        &[(
            "r.proto",
            "syntax = \"proto2\";\nmessage A { extensions 100 [verification = UNVERIFIED]; }\n",
        )],
        "failed to compile the protos: r.proto:2:28: expected 'to', ',' or ';', but found '['; \
         where Protobuf allows it, protoc does, if Builder::protoc or the variable PROTOC names it",
    );
}

#[test]
fn what_is_not_found_is_named_with_the_folders() {
    check(
        "import",
        &[("a.proto", "syntax = \"proto3\";\n\nimport \"b.proto\";\n")],
        "failed to compile the protos: a.proto:3:1: import 'b.proto' not found; looked in @",
    );
    let here = folder("absent");
    let error = |protos: &[&str], includes: &[&str]| {
        let builder = configure().out_dir(&here).emit_rerun_if_changed(false);
        builder.compile(protos, includes).unwrap_err()
    };
    let shown = here.to_str().unwrap();
    fs::write(here.join("there.proto"), "syntax = \"proto3\";\n").unwrap();
    for (proto, includes, expected) in [
        (
            "no.proto",
            vec![shown],
            format!("no.proto: no such file; looked in {shown}"),
        ),
        (
            "no.proto",
            vec![shown, "nowhere"],
            format!("no.proto: no such file; looked in {shown}, nowhere (no such folder)"),
        ),
        (
            shown,
            vec![shown],
            format!("{shown}: this is a folder, not a file; looked in {shown}"),
        ),
        (
            &format!("{shown}/there.proto"),
            vec!["src"],
            format!("{shown}/there.proto: the file is not in any include folder; looked in src"),
        ),
        (
            "no.proto",
            vec![],
            "no.proto: no such file; no folder was given to look in".to_owned(),
        ),
    ] {
        let expected = format!("failed to compile the protos: {expected}");
        check_error(&error(&[proto], &includes), &expected);
    }
    let expected = "failed to compile the protos: the list is empty";
    check_error(&error(&[], &[shown]), expected);
}

/// An absolute path on one side only and `.` components still find the file.
#[test]
fn paths_may_be_spelled_in_any_way() {
    let root = env!("CARGO_MANIFEST_DIR");
    let out = folder("spelled");
    for (proto, include) in [
        ("tests/proto/bare.proto", "tests/proto"),
        ("tests/proto/bare.proto", &*format!("{root}/tests/proto")),
        (&*format!("{root}/tests/proto/bare.proto"), "tests/proto"),
        ("./tests/./proto/bare.proto", "tests/proto/"),
        ("bare.proto", "./tests/proto"),
    ] {
        let builder = configure().out_dir(&out).emit_rerun_if_changed(false);
        let made = builder.compile(&[proto], &[include]);
        assert!(made.is_ok(), "{proto} in {include}: {made:?}");
    }
}

#[test]
fn a_file_that_imports_do_not_reach_is_refused() {
    let here = folder("shadowed");
    for inner in ["first", "second"] {
        fs::create_dir_all(here.join(inner)).unwrap();
        fs::write(here.join(inner).join("a.proto"), "syntax = \"proto3\";\n").unwrap();
    }
    let (first, second) = (here.join("first"), here.join("second"));
    let error = configure()
        .emit_rerun_if_changed(false)
        .compile(&[second.join("a.proto")], &[&first, &second])
        .unwrap_err();
    let (first, second) = (first.display(), second.display());
    check_error(
        &error,
        &format!(
            "failed to compile the protos: {second}/a.proto: imports of 'a.proto' lead to \
             {first}/a.proto instead; looked in {first}, {second}"
        ),
    );
}

#[test]
fn options_that_cannot_be_followed_are_refused() {
    let check = |builder: corespun_build::Builder, expected: &str| {
        let made = scratch::compile_with(
            "options",
            builder,
            &[("a.proto", b"syntax = \"proto3\"; message M {}")],
            &["a.proto"],
        );
        check_error(
            &made.unwrap_err(),
            &format!("failed to configure the build: {expected}"),
        );
    };
    check(
        configure().protoc_arg("--x"),
        "protoc_arg has no effect without protoc or the variable PROTOC",
    );
    check(
        configure().extern_path("a.b", "::c"),
        "extern_path must begin with a dot, not be a.b",
    );
    check(
        configure().extern_path(".a.b", "c::d"),
        "extern_path of .a.b must begin with :: or crate::, not be c::d",
    );
    check(
        configure().runtime_path("corespun"),
        "runtime_path must begin with :: or crate::, not be corespun",
    );
}

#[test]
fn sets_that_are_wrong_are_no_panic() {
    let check = |set: &[u8], expected: &str| {
        let error = configure().generate(set).unwrap_err().to_string();
        let expected = format!("failed to read descriptors: {expected}");
        assert!(error.starts_with(&expected), "{error}");
    };
    check(b"\xff", "the bytes are no descriptor set");
    // Message M with a field of type .N, which is nowhere.
    let set = b"\x0a\x21\x0a\x07a.proto\x22\x16\x0a\x01M\x12\x11\x0a\x01f\x18\x01\x20\x01\x28\x0b\
        \x32\x02.N\x52\x01f";
    let error = configure().generate(set).unwrap_err().to_string();
    assert!(error.contains("failed to read descriptors"), "{error}");
    let edition = b"\x0a\x16\x0a\x07a.proto\x62\x08editions\x70\xea\x07";
    check(edition, "a.proto: edition 1002 is not supported");
}

#[test]
fn a_second_call_may_not_replace_what_the_first_wrote() {
    let folder = folder("twice");
    let text = |name: &str| format!("syntax = \"proto3\";\npackage {name};\nmessage M {{}}\n");
    let call = |name: &str, descriptor: &str| {
        let proto = format!("{name}.proto");
        fs::write(folder.join(&proto), text(name)).unwrap();
        let builder = configure().out_dir(&folder).emit_rerun_if_changed(false);
        builder
            .file_descriptor_set(descriptor)
            .compile(&[proto], &[&folder])
    };
    call("a", "set.bin").unwrap();
    call("a", "set.bin").unwrap();
    let error = call("b", "set.bin").unwrap_err().to_string();
    assert!(
        error.contains("set.bin: an earlier compile call wrote other text"),
        "{error}"
    );
    call("b", "other.bin").unwrap();
    assert!(
        fs::read_to_string(folder.join("b.rs"))
            .unwrap()
            .contains("pub struct M")
    );
}

#[test]
fn an_output_that_cannot_be_written_is_named() {
    let folder = folder("unwritable").join("absent");
    let builder = configure().out_dir(&folder).emit_rerun_if_changed(false);
    let error = builder.compile_fds([]).unwrap_err();
    let expected = format!(
        "failed to write {}",
        folder.join("corespun_descriptor.bin").display()
    );
    assert!(error.to_string().starts_with(&expected), "{error}");
}

#[test]
fn a_protoc_that_is_not_there_is_named() {
    let made = scratch::compile_with(
        "no-protoc",
        configure().protoc("/nowhere/protoc"),
        &[("a.proto", b"syntax = \"proto3\"; message M {}")],
        &["a.proto"],
    );
    let error = made.unwrap_err().to_string();
    assert!(
        error.starts_with("failed to run /nowhere/protoc: "),
        "{error}"
    );
    assert!(
        compile(
            "with-none",
            &[("a.proto", b"syntax = \"proto3\"; message M {}")]
        )
        .is_ok()
    );
}
