//! Generates the code of both bench services from the project's schemas, without protoc.

use std::error::Error;
use std::path::{Path, PathBuf};
use std::{env, fs};

const SCHEMAS: &str = "../proto";
const FILES: [&str; 2] = ["../proto/user.proto", "../proto/benchmark.proto"];
/// Field that carries payloads.
const PAYLOAD: &str = ".grpc.testing.Payload.body";

fn main() -> Result<(), Box<dyn Error>> {
    for file in FILES {
        println!("cargo::rerun-if-changed={file}");
    }
    let out = PathBuf::from(env::var_os("OUT_DIR").ok_or("failed to read OUT_DIR: not set")?);
    generate_tonic(&out.join("tonic"))?;
    generate_corespun()
}

/// Generates payloads as `Bytes`, so that constant responses are not copied before they are sent.
fn generate_corespun() -> Result<(), Box<dyn Error>> {
    corespun_build::configure()
        .client(false)
        .bytes(&[PAYLOAD])
        .compile(&FILES, &[SCHEMAS])?;
    Ok(())
}

/// Generates payloads as `Bytes`, the fastest form of tonic: neither side copies them out of its
/// buffer.
fn generate_tonic(out: &Path) -> Result<(), Box<dyn Error>> {
    fs::create_dir_all(out)?;
    let descriptors = protox::compile(FILES, [SCHEMAS])?;
    tonic_prost_build::configure()
        .build_client(false)
        .bytes(PAYLOAD)
        .out_dir(out)
        .compile_fds(descriptors)?;
    Ok(())
}
