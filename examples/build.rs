//! Generates messages, traits and clients of the example services from the project's schemas.

fn main() -> Result<(), corespun_build::Error> {
    corespun_build::compile(
        &["../proto/user.proto", "../proto/whoami.proto"],
        &["../proto"],
    )?;
    // Separate sets, so that reflection of the user service does not include the others.
    corespun_build::configure()
        .file_descriptor_set("hello_descriptor.bin")
        .compile(&["proto/hello.proto"], &["proto"])?;
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
