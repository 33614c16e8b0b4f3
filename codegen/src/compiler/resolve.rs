//! Resolution of type and option names as in protoc: against a file and its imports.
//!
//! A relative name is looked for in its scope, then in each scope around that. The first scope that
//! has the name's first part decides. Source: `DescriptorBuilder::LookupSymbol` of protoc.

mod walk;

use prost_types::{DescriptorProto, FileDescriptorProto};
use std::collections::{BTreeSet, HashMap};

/// Declarations of all files read so far.
#[derive(Default)]
pub(super) struct Symbols {
    /// Declarations by full name, without fields and enum values.
    declared: HashMap<String, Declared>,
    files: HashMap<String, FileInfo>,
}

struct Declared {
    file: String,
    kind: SymbolKind,
}

/// Kinds of symbols that lookup distinguishes.
#[derive(Clone, Copy, PartialEq)]
enum SymbolKind {
    Message,
    Enum,
    Service,
    Extension,
}

struct FileInfo {
    package: String,
    imports: Vec<String>,
    public_imports: Vec<String>,
}

/// Files whose declarations are visible to one file.
struct Visible<'a> {
    symbols: &'a Symbols,
    files: BTreeSet<&'a str>,
    packages: BTreeSet<&'a str>,
}

/// Kind of the name that is searched for.
#[derive(Clone, Copy, PartialEq)]
enum Sought {
    Type,
    Extension,
}

/// Result of a search in one scope.
enum Found {
    No,
    /// Symbol that contains other names.
    Scope,
    /// Symbol of the searched kind.
    Yes,
}

impl Symbols {
    pub(super) fn add(&mut self, file: &FileDescriptorProto) {
        let public = file.public_dependency.iter();
        let public = public.filter_map(|index| file.dependency.get(usize::try_from(*index).ok()?));
        let info = FileInfo {
            package: file.package().to_owned(),
            imports: file.dependency.clone(),
            public_imports: public.cloned().collect(),
        };
        self.files.insert(file.name().to_owned(), info);
        for message in &file.message_type {
            self.message(file.name(), file.package(), message);
        }
        for enumeration in &file.enum_type {
            self.declare(
                file.name(),
                file.package(),
                enumeration.name(),
                SymbolKind::Enum,
            );
        }
        for service in &file.service {
            self.declare(
                file.name(),
                file.package(),
                service.name(),
                SymbolKind::Service,
            );
        }
        for extension in &file.extension {
            self.declare(
                file.name(),
                file.package(),
                extension.name(),
                SymbolKind::Extension,
            );
        }
    }

    fn message(&mut self, file: &str, scope: &str, message: &DescriptorProto) {
        self.declare(file, scope, message.name(), SymbolKind::Message);
        let scope = joined(scope, message.name());
        for nested in &message.nested_type {
            self.message(file, &scope, nested);
        }
        for nested in &message.enum_type {
            self.declare(file, &scope, nested.name(), SymbolKind::Enum);
        }
        for extension in &message.extension {
            self.declare(file, &scope, extension.name(), SymbolKind::Extension);
        }
    }

    fn declare(&mut self, file: &str, scope: &str, name: &str, kind: SymbolKind) {
        let file = file.to_owned();
        self.declared
            .insert(joined(scope, name), Declared { file, kind });
    }

    /// Makes all names in `file` absolute that can be resolved. Other names are left for the
    /// checker to report.
    pub(super) fn resolve(&self, file: &mut FileDescriptorProto) {
        let visible = self.visible(file.name());
        walk::file(file, &visible);
    }

    fn visible<'a>(&'a self, file: &str) -> Visible<'a> {
        let mut files = BTreeSet::new();
        let info = self.files.get_key_value(file);
        let mut waiting: Vec<&String> = info
            .map(|(_, info)| &info.imports)
            .into_iter()
            .flatten()
            .collect();
        while let Some(import) = waiting.pop() {
            if files.insert(import.as_str()) {
                let public = self.files.get(import).map(|info| &info.public_imports);
                waiting.extend(public.into_iter().flatten());
            }
        }
        files.extend(info.map(|(name, _)| name.as_str()));
        let mut packages = BTreeSet::new();
        for file in files.iter().filter_map(|file| self.files.get(*file)) {
            let package = file.package.as_str();
            packages.extend(package.match_indices('.').map(|(end, _)| &package[..end]));
            packages.insert(package);
        }
        Visible {
            symbols: self,
            files,
            packages,
        }
    }
}

impl Visible<'_> {
    /// Returns the absolute form of `name` as written within `scope`.
    fn absolute(&self, scope: &str, name: &str, sought: Sought) -> Option<String> {
        if name.starts_with('.') {
            return None;
        }
        let first = name.split('.').next().unwrap_or(name);
        let mut scope = Some(scope);
        while let Some(within) = scope {
            let full_name = joined(within, name);
            let found = matches!(self.find(&full_name, sought), Found::Yes);
            let is_scope = || !matches!(self.find(&joined(within, first), Sought::Type), Found::No);
            if found && (first == name || is_scope()) {
                return Some(format!(".{full_name}"));
            }
            if first != name && is_scope() {
                return None;
            }
            scope = match within.rsplit_once('.') {
                Some((outer, _)) => Some(outer),
                None if within.is_empty() => None,
                None => Some(""),
            };
        }
        None
    }

    fn find(&self, full_name: &str, sought: Sought) -> Found {
        let declared = self.symbols.declared.get(full_name);
        let declared = declared.filter(|one| self.files.contains(one.file.as_str()));
        match (declared.map(|one| one.kind), sought) {
            (Some(SymbolKind::Message | SymbolKind::Enum), Sought::Type) => Found::Yes,
            (Some(SymbolKind::Extension), Sought::Extension) => Found::Yes,
            (Some(SymbolKind::Extension), Sought::Type) => Found::No,
            (Some(_), _) => Found::Scope,
            (None, _) if self.packages.contains(full_name) => Found::Scope,
            (None, _) => Found::No,
        }
    }
}

fn joined(scope: &str, name: &str) -> String {
    match scope {
        "" => name.to_owned(),
        scope => format!("{scope}.{name}"),
    }
}
