//! What may be chosen about a compilation, and the way from protos to files.

use crate::error::Error;
use crate::output::{self, File};
use crate::package::{self, Options};
use crate::service::Paths;
use prost::Message;
use prost_build::Config;
use prost_types::FileDescriptorSet;
use std::path::{Path, PathBuf};

const DESCRIPTOR: &str = "corespun_descriptor.bin";

/// Compiles protos. Made by [`crate::configure`].
///
/// ```no_run
/// corespun_build::configure()
///     .client(false)
///     .type_attribute("user.UserResponse", "#[derive(serde::Serialize)]")
///     .compile(&["proto/user.proto"], &["proto"])
///     .unwrap();
/// ```
#[derive(Debug)]
#[must_use]
pub struct Builder {
    config: Config,
    server: bool,
    client: bool,
    runtime_path: String,
    codec_path: Option<String>,
    prost_path: Option<String>,
    descriptor: String,
    include_file: Option<String>,
    out_dir: Option<PathBuf>,
    announce: bool,
}

impl Builder {
    pub(crate) fn new() -> Self {
        Self {
            config: Config::new(),
            server: true,
            client: true,
            runtime_path: "::corespun".to_owned(),
            codec_path: None,
            prost_path: None,
            descriptor: DESCRIPTOR.to_owned(),
            include_file: None,
            out_dir: None,
            announce: true,
        }
    }

    /// Whether to make traits and what serves them; yes by default.
    pub fn server(mut self, make: bool) -> Self {
        self.server = make;
        self
    }

    /// Whether to make clients; yes by default.
    pub fn client(mut self, make: bool) -> Self {
        self.client = make;
        self
    }

    /// Where the generated text finds the facade; `::corespun` by default.
    pub fn runtime_path(mut self, path: impl Into<String>) -> Self {
        self.runtime_path = path.into();
        self
    }

    /// Where the generated text finds `Method` and `Kind`; the runtime path by default.
    pub fn codec_path(mut self, path: impl Into<String>) -> Self {
        self.codec_path = Some(path.into());
        self
    }

    /// Where the generated text finds `prost`; `prost` in the runtime path by default. Beside it
    /// `prost_types` is looked for, when a proto uses well-known types such as `Timestamp`.
    pub fn prost_path(mut self, path: impl Into<String>) -> Self {
        self.prost_path = Some(path.into());
        self
    }

    /// Puts `attribute` above the types that `path` names, as in `.`, `user` or
    /// `user.UserResponse`.
    pub fn type_attribute(self, path: impl AsRef<str>, attribute: impl AsRef<str>) -> Self {
        self.prost(|config| config.type_attribute(path, attribute))
    }

    /// Puts `attribute` above the fields that `path` names, as in `user.UserResponse.email`.
    pub fn field_attribute(self, path: impl AsRef<str>, attribute: impl AsRef<str>) -> Self {
        self.prost(|config| config.field_attribute(path, attribute))
    }

    /// Reaches all that `prost-build` lets choose about messages, such as
    /// `.prost(|config| config.bytes(["."]))`. What this builder has a method for it sets anew.
    pub fn prost(mut self, change: impl FnOnce(&mut Config) -> &mut Config) -> Self {
        change(&mut self.config);
        self
    }

    /// The name of the descriptor set's file, `corespun_descriptor.bin` by default. Each of
    /// several calls in one build script needs its own.
    pub fn file_descriptor_set(mut self, name: impl Into<String>) -> Self {
        self.descriptor = name.into();
        self
    }

    /// Also writes a file `name` that includes all packages, each in the modules of its name.
    /// Include it in place of single packages when they refer to each other.
    pub fn include_file(mut self, name: impl Into<String>) -> Self {
        self.include_file = Some(name.into());
        self
    }

    /// The folder to write to; the `OUT_DIR` of the build script by default.
    pub fn out_dir(mut self, folder: impl Into<PathBuf>) -> Self {
        self.out_dir = Some(folder.into());
        self
    }

    /// Whether to tell Cargo, on standard output, which files to watch; yes by default.
    pub fn emit_rerun_if_changed(mut self, emit: bool) -> Self {
        self.announce = emit;
        self
    }

    /// Compiles `protos`, each found in one of the folders `includes`.
    ///
    /// # Errors
    /// When a proto is wrong: the error names the file, line and column. When the output cannot
    /// be written.
    pub fn compile(
        self,
        protos: &[impl AsRef<Path>],
        includes: &[impl AsRef<Path>],
    ) -> Result<(), Error> {
        let mut compiler = protox::Compiler::new(includes)?;
        compiler
            .include_imports(true)
            .include_source_info(true)
            .open_files(protos)?;
        if self.announce {
            compiler
                .files()
                .filter_map(|file| file.path())
                .for_each(watch);
        }
        self.compile_fds(compiler.file_descriptor_set())
    }

    /// Compiles a set that a compiler made, such as `protoc --include_imports
    /// --include_source_info -o FILE`. Without source information there are no comments.
    ///
    /// # Errors
    /// When the output cannot be written.
    pub fn compile_fds(self, set: FileDescriptorSet) -> Result<(), Error> {
        let folder = output::folder(self.out_dir.as_deref())?;
        self.generate(set)?
            .iter()
            .try_for_each(|file| output::write(&folder, file))
    }

    /// What [`Builder::compile_fds`] would write.
    ///
    /// # Errors
    /// When two methods of a service would have one name in Rust.
    pub fn generate(mut self, set: FileDescriptorSet) -> Result<Vec<File>, Error> {
        let runtime = self.runtime_path;
        let prost = self
            .prost_path
            .unwrap_or_else(|| format!("{runtime}::prost"));
        self.config
            .prost_path(&prost)
            .prost_types_path(format!("{prost}_types"));
        let options = Options {
            paths: Paths {
                codec: self.codec_path.unwrap_or_else(|| runtime.clone()),
                runtime,
            },
            server: self.server,
            client: self.client,
            descriptor: self.descriptor,
        };
        let bytes = without_source(&set).encode_to_vec();
        let packages = package::generate(&mut self.config, &options, set)?;
        let mut files = vec![File {
            name: options.descriptor,
            bytes,
        }];
        files.extend(
            self.include_file
                .map(|name| package::modules(&packages, &name)),
        );
        files.extend(packages.into_values());
        Ok(files)
    }
}

fn watch(path: &Path) {
    println!("cargo::rerun-if-changed={}", path.display());
}

/// The set without comments and places, which no program asks for at run time.
fn without_source(set: &FileDescriptorSet) -> FileDescriptorSet {
    let mut set = set.clone();
    for file in &mut set.file {
        file.source_code_info = None;
    }
    set
}
