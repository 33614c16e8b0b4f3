//! Makes messages, trait and client of the user service from the project's schema.

fn main() -> Result<(), corespun_build::Error> {
    corespun_build::compile(&["../proto/user.proto"], &["../proto"])
}
