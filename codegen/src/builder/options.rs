//! Builder methods for single options.

use super::Builder;
use crate::names::is_rooted;
use std::path::PathBuf;

/// Options for services: parts, paths, and attributes.
impl Builder {
    /// Sets whether traits and server structs are generated; default: `true`.
    pub fn server(mut self, make: bool) -> Self {
        self.server = make;
        self
    }

    /// Sets whether clients are generated; default: `true`.
    pub fn client(mut self, make: bool) -> Self {
        self.client = make;
        self
    }

    /// Sets whether trait methods have a default body that returns UNIMPLEMENTED; default: `false`.
    pub fn default_stubs(mut self, make: bool) -> Self {
        self.stubs = make;
        self
    }

    /// Sets whether service names and method paths include the package; default: `true`. Peers must
    /// use the same setting. Reflection always reports names with their package.
    pub fn emit_package(mut self, emit: bool) -> Self {
        self.emits_package = emit;
        self
    }

    /// Sets the path of the facade in generated code; default: `::corespun`. It begins with `::` or
    /// `crate::`.
    pub fn runtime_path(mut self, path: impl Into<String>) -> Self {
        self.runtime_path = path.into();
        self
    }

    /// Sets the path of the module with `Method` and `Kind`; default: the runtime path.
    pub fn codec_path(mut self, path: impl Into<String>) -> Self {
        self.codec_path = Some(path.into());
        self
    }

    /// Sets the path of `prost`; default: `prost` in the runtime path. `prost_types` must be in the
    /// same module if a proto file uses well-known types such as `Timestamp`.
    pub fn prost_path(mut self, path: impl Into<String>) -> Self {
        self.prost_path = Some(path.into());
        self
    }

    /// Adds `attribute` to the server modules of the services that `path` selects.
    pub fn server_mod_attribute(mut self, path: &str, attribute: &str) -> Self {
        self.attributes.server_module.insert(path, attribute);
        self
    }

    /// Adds `attribute` to the client modules of the services that `path` selects.
    pub fn client_mod_attribute(mut self, path: &str, attribute: &str) -> Self {
        self.attributes.client_module.insert(path, attribute);
        self
    }

    /// Adds `attribute` to the server structs of the services that `path` selects.
    pub fn server_attribute(mut self, path: &str, attribute: &str) -> Self {
        self.attributes.server.insert(path, attribute);
        self
    }

    /// Adds `attribute` to the clients of the services that `path` selects.
    pub fn client_attribute(mut self, path: &str, attribute: &str) -> Self {
        self.attributes.client.insert(path, attribute);
        self
    }

    /// Adds `attribute` to the traits of the services that `path` selects.
    pub fn trait_attribute(mut self, path: &str, attribute: &str) -> Self {
        self.attributes.the_trait.insert(path, attribute);
        self
    }
}

/// Options for messages: attributes and types. The path `.` selects everything. A path with a
/// leading dot selects a package or type and all items within. Any other path selects names that
/// end with it, as in `user.UserResponse.email`.
impl Builder {
    /// Adds `attribute` to the messages, enums, and oneofs that `path` selects.
    pub fn type_attribute(mut self, path: impl AsRef<str>, attribute: impl AsRef<str>) -> Self {
        self.config.type_attribute(path, attribute);
        self
    }

    /// Adds `attribute` to the messages that `path` selects.
    pub fn message_attribute(mut self, path: impl AsRef<str>, attribute: impl AsRef<str>) -> Self {
        self.config.message_attribute(path, attribute);
        self
    }

    /// Adds `attribute` to the enums and oneofs that `path` selects.
    pub fn enum_attribute(mut self, path: impl AsRef<str>, attribute: impl AsRef<str>) -> Self {
        self.config.enum_attribute(path, attribute);
        self
    }

    /// Adds `attribute` to the fields that `path` selects, as in `user.UserResponse.email`.
    pub fn field_attribute(mut self, path: impl AsRef<str>, attribute: impl AsRef<str>) -> Self {
        self.config.field_attribute(path, attribute);
        self
    }

    /// Sets the Rust path of a package or type that is declared elsewhere. The proto path begins
    /// with a dot, the Rust path with `::` or `crate::`.
    pub fn extern_path(mut self, proto: impl Into<String>, rust: impl Into<String>) -> Self {
        let (proto, rust) = (proto.into(), rust.into());
        if !proto.starts_with('.') {
            self.refuse(format!("extern_path must begin with a dot, not be {proto}"));
        } else if !is_rooted(&rust) {
            self.refuse(format!(
                "extern_path of {proto} must begin with :: or crate::, not be {rust}"
            ));
        } else {
            self.config.extern_path(&proto, rust);
            self.extern_paths.insert(proto);
        }
        self
    }

    /// Uses `BTreeMap` instead of `HashMap` for the maps that `paths` select.
    pub fn btree_map(mut self, paths: &[impl AsRef<str>]) -> Self {
        self.config.btree_map(paths);
        self
    }

    /// Uses `Bytes` instead of `Vec<u8>` for the `bytes` fields that `paths` select.
    pub fn bytes(mut self, paths: &[impl AsRef<str>]) -> Self {
        self.config.bytes(paths);
        self
    }

    /// Puts the field that `path` selects into a `Box`.
    pub fn boxed(mut self, path: impl AsRef<str>) -> Self {
        self.config.boxed(path);
        self
    }

    /// Leaves out `Debug` of the types that `paths` select.
    pub fn skip_debug(mut self, paths: &[impl AsRef<str>]) -> Self {
        self.config.skip_debug(paths);
        self
    }

    /// Leaves out the comments of the messages, fields, services, and methods that `paths` select.
    pub fn disable_comments(mut self, paths: &[impl AsRef<str>]) -> Self {
        let owned = paths.iter().map(|path| path.as_ref().to_owned());
        self.silent.extend(owned);
        self.config.disable_comments(paths);
        self
    }

    /// Keeps the name of an enum at the start of its variants.
    pub fn retain_enum_prefix(mut self) -> Self {
        self.retains_prefix = true;
        self.config.retain_enum_prefix();
        self
    }

    /// Implements `prost::Name` for all messages.
    pub fn enable_type_names(mut self) -> Self {
        self.config.enable_type_names();
        self
    }

    /// Sets the domain of type URLs of the messages that `paths` select.
    pub fn type_name_domain(mut self, paths: &[impl AsRef<str>], domain: &str) -> Self {
        self.config.type_name_domain(paths, domain);
        self
    }

    /// Generates well-known types such as `Timestamp` like all others, instead of using those of
    /// `prost_types`.
    pub fn compile_well_known_types(mut self) -> Self {
        self.well_known = true;
        self.config.compile_well_known_types();
        self
    }
}

/// Options for input and output.
impl Builder {
    /// Sets the file name of the descriptor set; default: `corespun_descriptor.bin`. Several calls
    /// in one build script need different names.
    pub fn file_descriptor_set(mut self, name: impl Into<String>) -> Self {
        self.descriptor = name.into();
        self
    }

    /// Sets the file name, without `.rs`, for proto files without a package; default: `_`.
    pub fn default_package_filename(mut self, name: impl Into<String>) -> Self {
        self.unnamed = name.into();
        self
    }

    /// Also writes a file `name` that includes all packages in nested modules. Packages that refer
    /// to each other need this file instead of single includes.
    pub fn include_file(mut self, name: impl Into<String>) -> Self {
        self.include_file = Some(name.into());
        self
    }

    /// Sets the folder to write to; default: the `OUT_DIR` of the build script.
    pub fn out_dir(mut self, folder: impl Into<PathBuf>) -> Self {
        self.out_dir = Some(folder.into());
        self
    }

    /// Sets whether the files to watch are reported to Cargo on standard output; default: `true`.
    pub fn emit_rerun_if_changed(mut self, emit: bool) -> Self {
        self.announce = emit;
        self
    }

    /// Sets a `protoc` that replaces the built-in compiler; default: the environment variable
    /// `PROTOC`, if set. It can read edition files in source form.
    pub fn protoc(mut self, program: impl Into<PathBuf>) -> Self {
        self.protoc = Some(program.into());
        self
    }

    /// Adds an argument for `protoc`, such as `--experimental_editions`.
    pub fn protoc_arg(mut self, argument: impl Into<String>) -> Self {
        self.protoc_args.push(argument.into());
        self
    }

    fn refuse(&mut self, problem: String) {
        self.problem.get_or_insert(problem);
    }
}
