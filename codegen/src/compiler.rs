//! Built-in compiler from proto files to descriptors, compatible with protoc.
//!
//! `protox-parse` reads the text and `prost-reflect` checks it. Between these steps this module
//! resolves names against the file and its imports only.

mod includes;
mod resolve;
mod text;

pub(crate) use includes::Includes;

use crate::error::{Error, Kind};
use prost_reflect::{DescriptorError, DescriptorPool};
use prost_types::FileDescriptorProto;
use protox_parse::ParseError;
use resolve::Symbols;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// Hint in errors about features that protoc has and the built-in compiler lacks.
const WAY_ROUND: &str = "protoc does, if Builder::protoc or the variable PROTOC names it";
/// Field number of `FileDescriptorProto.dependency`.
const DEPENDENCY: i32 = 3;

/// Result of the built-in compiler: descriptors, and the files to watch for changes.
pub(crate) struct Compiled {
    /// Encoded `google.protobuf.FileDescriptorSet`.
    pub(crate) set: Vec<u8>,
    pub(crate) paths: Vec<PathBuf>,
}

/// Compiles `protos` and all files that they import.
///
/// # Errors
/// A file is missing or wrong.
pub(crate) fn compile(protos: &[&Path], includes: &[&Path]) -> Result<Compiled, Error> {
    let mut compiler = Compiler {
        includes: Includes::new(includes),
        pool: DescriptorPool::new(),
        builtin: DescriptorPool::global(),
        symbols: Symbols::default(),
        states: BTreeMap::new(),
        paths: Vec::new(),
    };
    for proto in protos {
        let name = compiler.includes.locate(proto)?.name;
        compiler.add(&name, None)?;
    }
    Ok(Compiled {
        set: compiler.pool.encode_to_vec(),
        paths: compiler.paths,
    })
}

struct Compiler {
    includes: Includes,
    pool: DescriptorPool,
    /// Descriptors of the well-known files.
    builtin: DescriptorPool,
    symbols: Symbols,
    states: BTreeMap<String, State>,
    paths: Vec<PathBuf>,
}

/// Progress of one file.
#[derive(PartialEq)]
enum State {
    /// The file's imports are being added.
    Open,
    Done,
}

/// Import statement that requests a file.
struct Asking<'a> {
    file: &'a FileDescriptorProto,
    index: usize,
}

impl Compiler {
    /// Adds a file after all of its imports.
    fn add(&mut self, name: &str, asking: Option<&Asking<'_>>) -> Result<(), Error> {
        match self.states.get(name) {
            Some(State::Done) => return Ok(()),
            Some(State::Open) => {
                let text = format!("import '{name}' leads back to this file");
                return Err(Kind::Proto(prefixed(asking, &text)).into());
            }
            None => {}
        }
        self.states.insert(name.to_owned(), State::Open);
        let mut file = self.read(name, asking)?;
        for (index, import) in file.dependency.iter().enumerate() {
            let asking = Asking { file: &file, index };
            if file.dependency[..index].contains(import) {
                let text = prefixed(Some(&asking), &format!("import '{import}' is listed twice"));
                return Err(Kind::Proto(text).into());
            }
            self.add(import, Some(&asking))?;
        }
        self.symbols.add(&file);
        self.symbols.resolve(&mut file);
        let added = self.pool.add_file_descriptor_proto(file);
        added.map_err(|error| Kind::Proto(descriptor_error(&error)))?;
        self.states.insert(name.to_owned(), State::Done);
        Ok(())
    }

    fn read(
        &mut self,
        name: &str,
        asking: Option<&Asking<'_>>,
    ) -> Result<FileDescriptorProto, Error> {
        // Copies in folders may be newer than what the parser reads.
        if let Some(file) = self.builtin.get_file_by_name(name) {
            return Ok(file.file_descriptor_proto().clone());
        }
        let Some(path) = self.includes.find(name) else {
            let path = match asking {
                Some(asking) => asking.place(),
                None => name.to_owned(),
            };
            let cause = match asking {
                Some(_) => format!("import '{name}' not found"),
                None => "no such file".to_owned(),
            };
            return Err(self.includes.not_found(path, cause));
        };
        let bytes = std::fs::read(&path).map_err(|error| Kind::NotFound {
            path: path.display().to_string(),
            cause: error.to_string(),
            folders: Vec::new(),
        })?;
        self.paths.push(path);
        let source = text::decoded(bytes).map_err(|(line, column)| {
            let text = "the text is not UTF-8, which is allowed in comments only";
            Kind::Proto(format!("{name}:{line}:{column}: {text}"))
        })?;
        let parsed = protox_parse::parse(name, &source);
        parsed.map_err(|error| Kind::Proto(parse_error(&error, &source)).into())
    }
}

impl Asking<'_> {
    /// Returns file, line and column of the import.
    fn place(&self) -> String {
        let path = [DEPENDENCY, i32::try_from(self.index).unwrap_or_default()];
        let locations = self
            .file
            .source_code_info
            .iter()
            .flat_map(|info| &info.location);
        let span = locations.clone().find(|location| location.path == path);
        match span.map(|location| location.span.as_slice()) {
            Some([line, column, ..]) => {
                format!("{}:{}:{}", self.file.name(), line + 1, column + 1)
            }
            _ => self.file.name().to_owned(),
        }
    }
}

fn prefixed(asking: Option<&Asking<'_>>, text: &str) -> String {
    match asking {
        Some(asking) => format!("{}: {text}", asking.place()),
        None => text.to_owned(),
    }
}

fn descriptor_error(error: &DescriptorError) -> String {
    let file = error.file().unwrap_or("descriptor set");
    match (error.line(), error.column()) {
        (Some(line), Some(column)) => format!("{file}:{}:{}: {error}", line + 1, column + 1),
        _ => format!("{file}: {error}"),
    }
}

fn parse_error(error: &ParseError, source: &str) -> String {
    let file = error.file();
    let Some(span) = error.span() else {
        return format!("{file}: {error}");
    };
    let (line, column) = text::place(source, span.start);
    let place = format!("{file}:{line}:{column}");
    let text = error.to_string();
    let is_edition = source.get(span.clone()).is_some_and(|at| at == "edition");
    if is_edition {
        return format!("{place}: the compiler that is built in reads no editions; {WAY_ROUND}");
    }
    let is_limit = text.contains("may not be negative") || text.contains("but found '['");
    if is_limit {
        return format!("{place}: {text}; where Protobuf allows it, {WAY_ROUND}");
    }
    format!("{place}: {text}")
}
