//! What goes wrong is told with its place.

use corespun_build::configure;
use std::fs;
use std::path::PathBuf;

/// An empty folder of this test's own.
fn folder(name: &str) -> PathBuf {
    let folder = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(name);
    let _ = fs::remove_dir_all(&folder);
    fs::create_dir_all(&folder).unwrap();
    folder
}

fn compile(name: &str, protos: &[(&str, &str)]) -> Result<(), corespun_build::Error> {
    let folder = folder(name);
    for (file, text) in protos {
        fs::write(folder.join(file), text).unwrap();
    }
    let builder = configure().out_dir(&folder).emit_rerun_if_changed(false);
    builder.compile(&[protos[0].0], &[&folder])
}

fn check(name: &str, protos: &[(&str, &str)], expected: &str) {
    let error = compile(name, protos).unwrap_err();
    assert_eq!(error.to_string(), expected);
    assert_eq!(format!("{error:?}"), expected, "unwrap shows the same");
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
}

#[test]
fn what_is_not_found_is_named() {
    check(
        "import",
        &[("a.proto", "syntax = \"proto3\";\n\nimport \"b.proto\";\n")],
        "failed to compile the protos: a.proto:3:1: import 'b.proto' not found",
    );
    let error = configure()
        .compile(&["no.proto"], &[folder("absent")])
        .unwrap_err();
    let expected = "failed to compile the protos: file 'no.proto' is not in any include path";
    assert_eq!(error.to_string(), expected);
}

#[test]
fn methods_of_one_name_are_refused() {
    let text = "syntax = \"proto3\";\npackage p;\nmessage M {}\nservice S {\n  \
                rpc GetURL(M) returns (M);\n  rpc GetUrl(M) returns (M);\n}\n";
    check(
        "same",
        &[("same.proto", text)],
        "failed to name the methods of p.S: GetURL and GetUrl are both get_url",
    );
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
    let error = builder
        .compile_fds(corespun_build::FileDescriptorSet::default())
        .unwrap_err();
    let expected = format!(
        "failed to write {}",
        folder.join("corespun_descriptor.bin").display()
    );
    assert!(error.to_string().starts_with(&expected), "{error}");
}
