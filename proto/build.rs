//! Makes messages and method constants of the schemas beside this file.

fn main() -> Result<(), corespun_build::Error> {
    let protos = [
        "user.proto",
        "benchmark.proto",
        "grpc/channelz/v1/channelz.proto",
        "grpc/health/v1/health.proto",
        "grpc/reflection/v1/reflection.proto",
        "opentelemetry/proto/collector/trace/v1/trace_service.proto",
    ];
    corespun_build::configure()
        .server(false)
        .client(false)
        .codec_path("::corespun_codec")
        .prost_path("::prost")
        .compile(&protos, &["."])
}
