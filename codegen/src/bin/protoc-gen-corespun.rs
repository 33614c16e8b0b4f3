//! `protoc-gen-corespun`, a plugin for `protoc --corespun_out=FOLDER` and `buf generate`.

use std::io::{self, Read, Write};

fn main() -> io::Result<()> {
    let mut request = Vec::new();
    io::stdin().lock().read_to_end(&mut request)?;
    io::stdout()
        .lock()
        .write_all(&corespun_build::plugin::answer(&request))
}
