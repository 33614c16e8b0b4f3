//! Options of a compilation, and the steps from proto files to Rust files.

mod options;

use crate::attributes::ServiceAttributes;
use crate::compiler::{self, Compiled};
use crate::error::{Error, Kind};
use crate::names::is_rooted;
use crate::output::{self, File};
use crate::package::{self, Options};
use crate::protoc;
use crate::service::Paths;
use prost::Message;
use prost_build::Config;
use prost_reflect::DescriptorPool;
use prost_types::FileDescriptorSet;
use std::collections::BTreeSet;
use std::env;
use std::path::{Path, PathBuf};

const DESCRIPTOR: &str = "corespun_descriptor.bin";

/// Compiler of proto files with options. Made by [`crate::configure`].
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
    stubs: bool,
    emits_package: bool,
    runtime_path: String,
    codec_path: Option<String>,
    prost_path: Option<String>,
    attributes: ServiceAttributes,
    silent: Vec<String>,
    extern_paths: BTreeSet<String>,
    well_known: bool,
    retains_prefix: bool,
    descriptor: String,
    unnamed: String,
    include_file: Option<String>,
    out_dir: Option<PathBuf>,
    announce: bool,
    protoc: Option<PathBuf>,
    protoc_args: Vec<String>,
    /// First option that has no valid value.
    problem: Option<String>,
}

/// Files to generate, and the form of their descriptors in the program.
pub(crate) enum Target {
    /// All files; the descriptors are written as a file of bytes.
    OutDir,
    /// Files with these names; the descriptors are Rust code, because a plugin cannot write bytes.
    Plugin(BTreeSet<String>),
}

impl Builder {
    pub(crate) fn new() -> Self {
        Self {
            config: Config::new(),
            server: true,
            client: true,
            stubs: false,
            emits_package: true,
            runtime_path: "::corespun".to_owned(),
            codec_path: None,
            prost_path: None,
            attributes: ServiceAttributes::default(),
            silent: Vec::new(),
            extern_paths: BTreeSet::new(),
            well_known: false,
            retains_prefix: false,
            descriptor: DESCRIPTOR.to_owned(),
            unnamed: "_".to_owned(),
            include_file: None,
            out_dir: None,
            announce: true,
            protoc: None,
            protoc_args: Vec::new(),
            problem: None,
        }
    }

    /// Compiles `protos`, each found in one of the folders `includes`.
    ///
    /// # Errors
    /// The list is empty. A proto file is wrong: the error names file, line and column. A file is
    /// missing: the error names the folders that were searched. Two items have the same name in
    /// Rust. An option has no valid value. The output cannot be written.
    pub fn compile(
        self,
        protos: &[impl AsRef<Path>],
        includes: &[impl AsRef<Path>],
    ) -> Result<(), Error> {
        let Compiled { set, paths } = self.compiled(protos, includes)?;
        if self.announce {
            println!("cargo::rerun-if-env-changed=PROTOC");
            for path in paths {
                println!("cargo::rerun-if-changed={}", path.display());
            }
        }
        self.compile_fds(set)
    }

    /// Returns the descriptors of `protos` and of all files that they import, as an encoded
    /// `google.protobuf.FileDescriptorSet`. Generates no code.
    ///
    /// # Errors
    /// A proto is wrong or not there, as for [`Builder::compile`].
    pub fn descriptor_set(
        &self,
        protos: &[impl AsRef<Path>],
        includes: &[impl AsRef<Path>],
    ) -> Result<Vec<u8>, Error> {
        Ok(self.compiled(protos, includes)?.set)
    }

    fn compiled(
        &self,
        protos: &[impl AsRef<Path>],
        includes: &[impl AsRef<Path>],
    ) -> Result<Compiled, Error> {
        let protos: Vec<&Path> = protos.iter().map(AsRef::as_ref).collect();
        let includes: Vec<&Path> = includes.iter().map(AsRef::as_ref).collect();
        if protos.is_empty() {
            return Err(Kind::NoProtos.into());
        }
        let from_env = || env::var_os("PROTOC").filter(|path| !path.is_empty());
        let program = self
            .protoc
            .clone()
            .or_else(|| from_env().map(PathBuf::from));
        match &program {
            Some(program) => protoc::run(program, &self.protoc_args, &protos, &includes),
            None if self.protoc_args.is_empty() => compiler::compile(&protos, &includes),
            None => {
                let text = "protoc_arg has no effect without protoc or the variable PROTOC";
                Err(Kind::Option(text.to_owned()).into())
            }
        }
    }

    /// Compiles an encoded descriptor set that another compiler made, such as `protoc
    /// --include_imports --include_source_info -o FILE`. Without source information the code has no
    /// comments. Files of editions 2023 and 2024 are accepted.
    ///
    /// # Errors
    /// The bytes are no descriptor set, or one that lacks an import. A feature of an edition cannot
    /// be expressed: the error names file and feature. Otherwise as for [`Builder::compile`].
    pub fn compile_fds(self, set: impl AsRef<[u8]>) -> Result<(), Error> {
        let folder = output::folder(self.out_dir.as_deref())?;
        self.generate(set)?
            .iter()
            .try_for_each(|file| output::write(&folder, file))
    }

    /// Returns the files that [`Builder::compile_fds`] would write.
    ///
    /// # Errors
    /// As for [`Builder::compile_fds`], except that nothing is written.
    pub fn generate(self, set: impl AsRef<[u8]>) -> Result<Vec<File>, Error> {
        self.generate_for(set.as_ref(), Target::OutDir)
    }

    pub(crate) fn generate_for(mut self, set: &[u8], target: Target) -> Result<Vec<File>, Error> {
        let bytes = corespun_descriptor::without_source_info(set)?;
        let lowered = corespun_descriptor::lowered(set)?;
        let files = checked(&lowered)?;
        let options = self.options(&target)?;
        let (packages, tree) = package::generate(&mut self.config, &options, files)?;
        let mut files = vec![match target {
            Target::OutDir => File {
                name: self.descriptor,
                bytes,
            },
            Target::Plugin(_) => output::rust_bytes(self.descriptor, &bytes),
        }];
        files.extend(self.include_file.map(|name| File {
            name,
            bytes: format!("// This file is @generated by corespun-build.\n{tree}").into_bytes(),
        }));
        files.extend(packages);
        Ok(files)
    }

    /// Checks the options and passes them to prost-build.
    fn options(&mut self, target: &Target) -> Result<Options, Error> {
        if let Some(problem) = self.problem.take() {
            return Err(Kind::Option(problem).into());
        }
        let runtime = self.runtime_path.clone();
        let codec = self.codec_path.clone().unwrap_or_else(|| runtime.clone());
        let prost = self.prost_path.clone();
        let prost = prost.unwrap_or_else(|| format!("{runtime}::prost"));
        for (option, path) in [
            ("runtime_path", &runtime),
            ("codec_path", &codec),
            ("prost_path", &prost),
        ] {
            if !is_rooted(path) {
                let text = format!("{option} must begin with :: or crate::, not be {path}");
                return Err(Kind::Option(text).into());
            }
        }
        self.config
            .prost_path(&prost)
            .prost_types_path(format!("{prost}_types"));
        if !self.well_known {
            self.extern_paths.insert(".google.protobuf".to_owned());
        }
        let (macro_name, wanted) = match target {
            Target::OutDir => ("include_bytes", None),
            Target::Plugin(wanted) => ("include", Some(wanted.clone())),
        };
        Ok(Options {
            paths: Paths { runtime, codec },
            server: self.server,
            client: self.client,
            stubs: self.stubs,
            emits_package: self.emits_package,
            attributes: self.attributes.clone(),
            silent: self.silent.clone(),
            extern_paths: self.extern_paths.clone(),
            retains_prefix: self.retains_prefix,
            nests_packages: self.include_file.is_some(),
            unnamed: self.unnamed.clone(),
            wanted,
            descriptor: format!("::core::{macro_name}!({:?})", self.descriptor),
        })
    }
}

/// Decodes a set and checks that it is complete, because prost-build does not check references.
fn checked(set: &[u8]) -> Result<Vec<prost_types::FileDescriptorProto>, Error> {
    let failed = |text: String| Error::from(Kind::Descriptors(text.replace('\n', " ")));
    DescriptorPool::decode(set).map_err(|error| failed(error.to_string()))?;
    let set = FileDescriptorSet::decode(set).map_err(|error| failed(error.to_string()))?;
    Ok(set.file)
}
