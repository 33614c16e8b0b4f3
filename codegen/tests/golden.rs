//! Compares generated files with the golden files. `CORESPUN_BLESS=1` rewrites the golden files.

use corespun_build::Builder;
use std::path::{Path, PathBuf};
use std::{env, fs};

/// Checks the generated files of `protos`, found in `include`, against `golden/<folder>`.
fn check(folder: &str, builder: Builder, include: &str, protos: &[&str]) {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let golden = root.join("tests/golden").join(folder);
    let made = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(format!("golden-{folder}"));
    let _ = fs::remove_dir_all(&made);
    fs::create_dir_all(&made).unwrap();
    let builder = builder.out_dir(&made).emit_rerun_if_changed(false);
    builder.compile(protos, &[root.join(include)]).unwrap();
    let files = files(&made);
    if env::var_os("CORESPUN_BLESS").is_some() {
        let _ = fs::remove_dir_all(&golden);
        fs::create_dir_all(&golden).unwrap();
        for (name, bytes) in &files {
            fs::write(golden.join(name), bytes).unwrap();
        }
    }
    for (name, bytes) in &files {
        let blessed = fs::read(golden.join(name)).unwrap_or_default();
        let (blessed, made) = (
            String::from_utf8_lossy(&blessed),
            String::from_utf8_lossy(bytes),
        );
        let bless = "CORESPUN_BLESS=1 blesses it";
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

fn files(folder: &Path) -> Vec<(String, Vec<u8>)> {
    let entries = fs::read_dir(folder).unwrap();
    entries
        .map(|entry| {
            let path = entry.unwrap().path();
            let name = path.file_name().unwrap().to_str().unwrap().to_owned();
            (name, fs::read(&path).unwrap())
        })
        .collect()
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

/// Golden files that `compiled.rs` compiles.
#[test]
fn kinds() {
    let builder = corespun_build::configure()
        .runtime_path("crate::facade")
        .bytes(&["com.acme"])
        .file_descriptor_set("descriptor.bin")
        .include_file("modules.rs");
    check(
        "kinds",
        builder,
        "tests/proto",
        &["kinds.proto", "bare.proto"],
    );
}

/// Golden files that `hostile.rs` compiles.
#[test]
fn hostile() {
    let builder = corespun_build::configure()
        .runtime_path("crate::facade")
        .default_stubs(true)
        .include_file("modules.rs");
    let protos = [
        "hostile.proto",
        "below.proto",
        "bare.proto",
        "invoices.proto",
    ];
    check("hostile", builder, "tests/proto/hostile", &protos);
}
