//! Generates messages, trait and client of the protocol between coordinator and agents.

fn main() -> Result<(), corespun_build::Error> {
    corespun_build::compile(&["proto/agent.proto"], &["proto"])
}
