//! The schema on its way to agents, which have no files of the coordinator's.

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};

use super::wire::File;
use crate::args::RunArgs;
use crate::error::LoadError;

/// More than this is no schema.
const BYTES_MAX: usize = 2 << 20;

/// The schema that the command line names, and every file that it imports and that lies in one of
/// the folders where imports are looked for.
pub(super) fn gather(args: &RunArgs) -> Result<Vec<File>, LoadError> {
    let failed = |cause: String| LoadError::Schema {
        path: args.proto.clone(),
        cause,
    };
    let parent = args.proto.parent().unwrap_or(Path::new("."));
    let folders: Vec<&Path> = match args.includes.is_empty() {
        true => vec![parent],
        false => args.includes.iter().map(PathBuf::as_path).collect(),
    };
    let set = protox::compile([&args.proto], &folders);
    let set = set.map_err(|error| failed(error.to_string()))?;
    // The compiler lists what is imported before what imports it.
    let names = set
        .file
        .iter()
        .rev()
        .filter_map(|file| file.name.as_deref());
    let found = names.filter_map(|name| {
        let mut paths = folders.iter().map(|folder| folder.join(name));
        let path = paths.find(|path| path.is_file())?;
        Some((name.to_owned(), path))
    });
    let mut files = Vec::new();
    for (name, path) in found {
        let content = std::fs::read(&path).map_err(|error| failed(error.to_string()))?;
        files.push(File { name, content });
    }
    let bytes: usize = files.iter().map(|file| file.content.len()).sum();
    if bytes > BYTES_MAX {
        return Err(failed(format!(
            "its {bytes} bytes are too many for an agent"
        )));
    }
    Ok(files)
}

/// Files from a coordinator, in a folder of their own that goes when this does.
#[derive(Debug)]
pub(super) struct Unpacked {
    folder: PathBuf,
    /// The schema itself.
    pub(super) schema: PathBuf,
}

impl Unpacked {
    /// Writes the files among the system's temporary ones.
    ///
    /// # Errors
    /// When there is none, a name leads out of the folder, or the system refuses.
    pub(super) fn write(files: &[File]) -> Result<Self, String> {
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let name = format!("corespun-load-agent-{}-{number}", std::process::id());
        let folder = std::env::temp_dir().join(name);
        let first = files.first().ok_or("no schema came")?;
        let unpacked = Self {
            schema: folder.join(&first.name),
            folder,
        };
        for file in files {
            let path = Path::new(&file.name);
            let inside = |part| matches!(part, std::path::Component::Normal(_));
            if file.name.is_empty() || !path.components().all(inside) {
                return Err(format!("{:?} is no name of a schema", file.name));
            }
            let path = unpacked.folder.join(path);
            let parent = path.parent().unwrap_or(&unpacked.folder);
            let made = std::fs::create_dir_all(parent);
            made.and_then(|()| std::fs::write(&path, &file.content))
                .map_err(|error| format!("{}: {error}", path.display()))?;
        }
        Ok(unpacked)
    }

    /// Where imports start from.
    pub(super) fn folder(&self) -> &Path {
        &self.folder
    }
}

impl Drop for Unpacked {
    fn drop(&mut self) {
        // What is left over is a small folder among temporary ones.
        let _ = std::fs::remove_dir_all(&self.folder);
    }
}
