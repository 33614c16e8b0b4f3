//! The generated text, file by file, against what was blessed. `CORESPUN_BLESS=1` blesses anew.

use corespun_build::{Builder, FileDescriptorSet};
use std::path::Path;
use std::{env, fs};

/// All that `protos`, found in `include`, become under `golden/<folder>`.
fn check(folder: &str, builder: Builder, include: &str, protos: &[&str]) {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let golden = root.join("tests/golden").join(folder);
    let files = builder
        .generate(compiled(&root.join(include), protos))
        .unwrap();
    if env::var_os("CORESPUN_BLESS").is_some() {
        fs::create_dir_all(&golden).unwrap();
        for file in &files {
            fs::write(golden.join(&file.name), &file.bytes).unwrap();
        }
    }
    for file in &files {
        let blessed = fs::read(golden.join(&file.name)).unwrap_or_default();
        let (blessed, made) = (
            String::from_utf8_lossy(&blessed),
            String::from_utf8_lossy(&file.bytes),
        );
        let (name, bless) = (&file.name, "CORESPUN_BLESS=1 blesses it");
        for (number, (blessed, made)) in blessed.lines().zip(made.lines()).enumerate() {
            assert_eq!(made, blessed, "{folder}/{name}:{}: {bless}", number + 1);
        }
        assert!(
            blessed == made,
            "{folder}/{name} is longer or shorter: {bless}"
        );
    }
    let present = fs::read_dir(&golden).unwrap().count();
    assert_eq!(
        present,
        files.len(),
        "{folder} has files that are not made any more"
    );
}

fn compiled(include: &Path, protos: &[&str]) -> FileDescriptorSet {
    protox::compile(protos, [include]).unwrap()
}

#[test]
fn user() {
    check(
        "user",
        corespun_build::configure(),
        "../proto",
        &["user.proto"],
    );
}

#[test]
fn messages_and_constants_alone() {
    let builder = corespun_build::configure()
        .server(false)
        .client(false)
        .codec_path("::codec");
    check("constants", builder, "../proto", &["user.proto"]);
}

/// `compiled.rs` compiles these.
#[test]
fn kinds() {
    let builder = corespun_build::configure()
        .runtime_path("crate::facade")
        .prost(|config| config.bytes(["com.acme"]))
        .file_descriptor_set("descriptor.bin")
        .include_file("modules.rs");
    check(
        "kinds",
        builder,
        "tests/proto",
        &["kinds.proto", "bare.proto"],
    );
}
