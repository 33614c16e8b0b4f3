//! Location and format of the stories.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde::Deserialize;

/// A field's name and value.
pub type Pair = (Vec<u8>, Vec<u8>);

/// The header lists of one connection, in order.
#[derive(Deserialize)]
pub struct Story {
    pub cases: Vec<Case>,
}

/// One header list and the block that an encoder made of it.
#[derive(Deserialize)]
pub struct Case {
    wire: String,
    headers: Vec<BTreeMap<String, String>>,
    /// The table size in bytes that the decoder announced ahead of this block.
    pub header_table_size: Option<usize>,
}

impl Case {
    /// The block's bytes.
    pub fn block(&self) -> Vec<u8> {
        let digit = |byte: u8| (byte as char).to_digit(16).unwrap() as u8;
        let pairs = self.wire.as_bytes().chunks_exact(2);
        pairs
            .map(|pair| digit(pair[0]) << 4 | digit(pair[1]))
            .collect()
    }

    /// The fields in order.
    pub fn pairs(&self) -> Vec<Pair> {
        let fields = self.headers.iter().flatten();
        fields
            .map(|(name, value)| (name.clone().into_bytes(), value.clone().into_bytes()))
            .collect()
    }
}

/// All story files, sorted.
pub fn paths() -> Vec<PathBuf> {
    let entries = |folder: &Path| -> Vec<PathBuf> {
        let entries = fs::read_dir(folder).unwrap();
        entries.map(|entry| entry.unwrap().path()).collect()
    };
    let folders = entries(&package().join("fixtures"));
    let files = folders.iter().filter(|path| path.is_dir());
    let mut stories: Vec<_> = files.flat_map(|folder| entries(folder)).collect();
    stories.retain(|path| {
        path.extension()
            .is_some_and(|extension| extension == "json")
    });
    stories.sort();
    stories
}

/// Returns the encoder's name and the story's: `nghttp2/story_00`.
pub fn name_of(path: &Path) -> String {
    let encoder = path.parent().and_then(Path::file_name).unwrap();
    let story = path.file_stem().unwrap();
    format!("{}/{}", encoder.display(), story.display())
}

/// Reads one story.
pub fn read(path: &Path) -> Story {
    let text = fs::read(path).unwrap();
    serde_json::from_slice(&text).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// The folder that cargo has unpacked the stories' package into.
fn package() -> PathBuf {
    // Packages for other platforms need not be there.
    let platform = format!("{}-unknown-linux-gnu", std::env::consts::ARCH);
    let output = Command::new(env!("CARGO"))
        .args(["metadata", "--locked", "--format-version=1"])
        .args(["--filter-platform", &platform, "--manifest-path"])
        .arg(concat!(env!("CARGO_MANIFEST_DIR"), "/Cargo.toml"))
        .output()
        .unwrap();
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{errors}");
    let metadata: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    let mut packages = metadata["packages"].as_array().unwrap().iter();
    let found = packages.find(|package| package["name"] == "httlib-hpack");
    let manifest = found.unwrap()["manifest_path"].as_str().unwrap();
    Path::new(manifest).parent().unwrap().to_owned()
}
