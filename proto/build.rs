//! Makes messages and method constants of the schemas beside this file.

fn main() -> Result<(), corespun_build::Error> {
    corespun_build::configure()
        .server(false)
        .client(false)
        .codec_path("::corespun_codec")
        .prost_path("::prost")
        .compile(&["user.proto", "benchmark.proto"], &["."])
}
