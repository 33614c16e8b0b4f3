//! Generates messages and method constants from the schemas of this crate.

fn main() -> Result<(), corespun_build::Error> {
    compile("services.bin", &["user.proto", "benchmark.proto"])?;
    // Apart from the others: every server with reflection tells of these, and its own files may
    // have the names and packages of our examples.
    let builtin = [
        "google/rpc/error_details.proto",
        "grpc/channelz/v1/channelz.proto",
        "grpc/health/v1/health.proto",
        "grpc/reflection/v1/reflection.proto",
        "grpc/reflection/v1alpha/reflection.proto",
    ];
    compile("builtin.bin", &builtin)?;
    // Nobody is told of these: we call them, on collectors.
    let traces = ["opentelemetry/proto/collector/trace/v1/trace_service.proto"];
    compile("otlp.bin", &traces)
}

fn compile(descriptor_set: &str, protos: &[&str]) -> Result<(), corespun_build::Error> {
    corespun_build::configure()
        .server(false)
        .client(false)
        .codec_path("::corespun_codec")
        .prost_path("::prost")
        .file_descriptor_set(descriptor_set)
        .compile(protos, &["."])
}
