//! Crate with the generated code of a tree.

use std::fmt;
use std::fs;
use std::path::{Path, PathBuf};

use super::tree::{Mount, Tree};
use super::{Verdict, described};
use crate::failure::{Attempt, Failure};
use crate::test::Context;
use crate::workspace;

/// Numbers of files, services and methods in a tree, and of lines generated from them.
pub struct Counts {
    pub files: usize,
    pub services: usize,
    pub methods: usize,
    pub lines: usize,
}

impl fmt::Display for Counts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{} files, {} services, {} methods, {} lines generated",
            self.files, self.services, self.methods, self.lines
        )
    }
}

/// Generates, and writes down what the descriptors hold.
const BUILD: &str = r#"
use prost::Message;
use std::path::PathBuf;
use std::{env, fs};

fn main() {
    let out = PathBuf::from(env::var_os("OUT_DIR").unwrap());
    let protos = fs::read_to_string("protos.txt").unwrap();
    let protos: Vec<&str> = protos.lines().collect();
    corespun_build::configure()
        .include_file("all.rs")
        .file_descriptor_set("set.bin")
        .compile(&protos, &["include"])
        .unwrap_or_else(|error| panic!("{error}"));
    let set = fs::read(out.join("set.bin")).unwrap();
    let set = prost_types::FileDescriptorSet::decode(set.as_slice()).unwrap();
    let services = set.file.iter().flat_map(|file| &file.service);
    let methods = services.clone().map(|service| service.method.len());
    let lines = fs::read_dir(&out).unwrap().filter_map(|entry| {
        let path = entry.unwrap().path();
        path.extension().is_some_and(|name| name == "rs").then(|| {
            fs::read_to_string(path).unwrap().lines().count()
        })
    });
    let counts = [protos.len(), services.clone().count(), methods.sum(), lines.sum()];
    fs::write("counts.txt", counts.map(|count| count.to_string()).join(" ")).unwrap();
}
"#;

/// A user's crate that allows nothing.
const LIB: &str = "#![deny(warnings)]\n\
    include!(concat!(env!(\"OUT_DIR\"), \"/all.rs\"));\n";

/// Server that knows the schema and nothing else.
const MAIN: &str = r#"
fn main() {
    let set = include_bytes!(concat!(env!("OUT_DIR"), "/set.bin"));
    let server = corespun::Server::builder().listen("127.0.0.1:0").shards(1);
    let bound = server.reflection_with(&[set]).bind().unwrap();
    println!("listening on {}", bound.addresses()[0]);
    bound.run().unwrap();
}
"#;

/// Lines that are shown of what went wrong.
const SHOWN_LINES: usize = 40;

/// Crate in a workspace of its own.
pub struct UserCrate<'a> {
    context: &'a Context,
    folder: PathBuf,
    name: &'static str,
}

impl<'a> UserCrate<'a> {
    /// Writes the crate, with the files of the packages linked where imports expect them.
    pub fn write(
        context: &'a Context,
        folder: &Path,
        tree: &Tree,
        roots: &[(&Mount, PathBuf)],
    ) -> Result<Self, Failure> {
        let folder = folder.join(tree.name);
        if folder.exists() {
            fs::remove_dir_all(&folder).attempt(|| format!("clear {folder:?}"))?;
        }
        let include = folder.join("include");
        for (mount, package) in roots {
            copy_protos(&package.join(mount.from), &include.join(mount.to))?;
        }
        let protos = chosen(&include, tree)?;
        put(&folder.join("protos.txt"), &protos.join("\n"))?;
        put(&folder.join("build.rs"), BUILD)?;
        put(&folder.join("src/lib.rs"), LIB)?;
        if tree.described.is_some() {
            put(&folder.join("src/main.rs"), MAIN)?;
        }
        put(
            &folder.join("Cargo.toml"),
            &manifest(&context.root, tree.name)?,
        )?;
        let lock = folder.join("Cargo.lock");
        fs::copy(context.root.join("Cargo.lock"), &lock).attempt(|| format!("write {lock:?}"))?;
        Ok(Self {
            context,
            folder,
            name: tree.name,
        })
    }

    /// Generates and compiles the code, and runs its docs as tests.
    pub fn check(&self) -> Result<Counts, Failure> {
        // The library is compiled first, so this shows its warnings too.
        self.cargo(&["test", "--doc", "--offline"])?;
        let path = self.folder.join("counts.txt");
        let text = fs::read_to_string(&path).attempt(|| format!("read {path:?}"))?;
        let counts: Vec<usize> = text.split(' ').flat_map(str::parse).collect();
        let [files, services, methods, lines] = counts[..] else {
            return Err(Failure::new("read the counts", text));
        };
        Ok(Counts {
            files,
            services,
            methods,
            lines,
        })
    }

    /// Compares the custom options of a method, named by its file and full name, with what protoc
    /// writes of them.
    pub fn describe(&self, method: (&str, &str)) -> Result<Verdict, Failure> {
        self.cargo(&["build", "--bins", "--offline"])?;
        let program = format!("debug/schemas-{}", self.name);
        let program = self.context.target.join(program);
        described::check(self.context, &program, &self.folder.join("include"), method)
    }

    fn cargo(&self, arguments: &[&str]) -> Result<(), Failure> {
        let what = format!("cargo {} for {}", arguments[0], self.name);
        let mut command = workspace::cargo(&self.context.root);
        command
            .args(arguments)
            .current_dir(&self.folder)
            .env("CARGO_TARGET_DIR", &self.context.target);
        let output = command.output().attempt(|| what.clone())?;
        if output.status.success() {
            return Ok(());
        }
        // Compilers speak on standard error, tests on standard output.
        let said = [output.stderr, output.stdout].concat();
        let said = String::from_utf8_lossy(&said);
        let is_progress = |line: &&str| {
            let line = line.trim_start();
            line.starts_with("Compiling") || line.starts_with("Checking")
        };
        let told: Vec<&str> = said
            .lines()
            .filter(|line| !is_progress(line))
            .take(SHOWN_LINES)
            .collect();
        Err(Failure::new(what, told.join("\n")))
    }
}

fn put(path: &Path, text: &str) -> Result<(), Failure> {
    if let Some(folder) = path.parent() {
        fs::create_dir_all(folder).attempt(|| format!("make {folder:?}"))?;
    }
    fs::write(path, text).attempt(|| format!("write {path:?}"))
}

/// The crate's manifest. Its dependencies are built as in our own workspace, by the same profile,
/// so that nothing of them is built twice.
fn manifest(root: &Path, name: &str) -> Result<String, Failure> {
    let ours = workspace::read(root, "Cargo.toml")?;
    let profiles: Vec<&str> = ours.split("\n\n").filter(|part| is_profile(part)).collect();
    let profile = profiles.join("\n\n");
    Ok(format!(
        "[package]\nname = \"schemas-{name}\"\nversion = \"0.0.0\"\nedition = \"2024\"\n\
         publish = false\n\n[workspace]\n\n[dependencies]\n\
         corespun = {{ path = {corespun:?} }}\nprost = \"*\"\nprost-types = \"*\"\n\n\
         [build-dependencies]\ncorespun-build = {{ path = {build:?} }}\n\
         prost = \"*\"\nprost-types = \"*\"\n\n{profile}",
        corespun = root.join("corespun"),
        build = root.join("codegen"),
    ))
}

/// True for a part of our manifest that says how dependencies of a user's crate are built.
fn is_profile(part: &str) -> bool {
    let named = |name: &str| part.lines().any(|line| line == name);
    named("[profile.dev.package.\"*\"]") || named("[profile.dev.package.corespun-http2]")
}

/// Copies the protos below a folder, a file alone included.
fn copy_protos(from: &Path, to: &Path) -> Result<(), Failure> {
    let entries = fs::read_dir(from).attempt(|| format!("list {from:?}"))?;
    for entry in entries {
        let path = entry.attempt(|| format!("list {from:?}"))?.path();
        let Some(name) = path.file_name() else {
            continue;
        };
        let target = to.join(name);
        if path.is_dir() {
            copy_protos(&path, &target)?;
        } else if path
            .extension()
            .is_some_and(|extension| extension == "proto")
        {
            fs::create_dir_all(to).attempt(|| format!("make {to:?}"))?;
            fs::copy(&path, &target).attempt(|| format!("copy {path:?}"))?;
        }
    }
    Ok(())
}

/// The files of a tree that are compiled, as paths from the crate's folder, sorted.
fn chosen(include: &Path, tree: &Tree) -> Result<Vec<String>, Failure> {
    let files = workspace::files(include)?;
    let is_chosen = |file: &&String| {
        let path = Path::new(file.as_str());
        (tree.compiled.is_empty() || tree.compiled.iter().any(|part| path.starts_with(part)))
            && !tree.left_out.iter().any(|part| file.contains(part))
    };
    Ok(files
        .iter()
        .filter(is_chosen)
        .map(|file| format!("include/{file}"))
        .collect())
}
