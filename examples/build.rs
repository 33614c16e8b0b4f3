//! Makes messages, traits and clients of the examples' services from the project's schemas.

fn main() -> Result<(), corespun_build::Error> {
    corespun_build::compile(
        &["../proto/user.proto", "../proto/whoami.proto"],
        &["../proto"],
    )
}
