//! Makes messages, traits and clients of the examples' services from the project's schemas.

fn main() -> Result<(), corespun_build::Error> {
    corespun_build::compile(
        &["../proto/user.proto", "../proto/whoami.proto"],
        &["../proto"],
    )?;
    // The README's service is no part of what the user service tells by reflection.
    corespun_build::configure()
        .file_descriptor_set("hello_descriptor.bin")
        .compile(&["proto/hello.proto"], &["proto"])?;
    // A set of its own: reflection of the user service should not tell of it.
    corespun_build::configure()
        .file_descriptor_set("interop_descriptor.bin")
        .include_file("interop.rs")
        .compile(
            &[
                "../proto/grpc/testing/test.proto",
                "../proto/xds/service/orca/v3/orca.proto",
            ],
            &["../proto"],
        )
}
