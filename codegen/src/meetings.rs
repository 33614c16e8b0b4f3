//! Detection of items that would have the same name in Rust.
//!
//! A conflict is an error that names both items, or one item gets another name. Protobuf
//! distinguishes `GetURL` from `GetUrl` and a package from a service; Rust's case conventions do
//! not.

use crate::error::{Error, Kind};
use crate::names;
use prost_types::{DescriptorProto, EnumDescriptorProto, FileDescriptorProto};
use std::collections::{BTreeMap, BTreeSet, HashMap};

mod message;

/// Options that change the generated names.
pub(crate) struct Rules<'a> {
    /// Packages and types that are declared elsewhere, with a leading dot.
    pub(crate) extern_paths: &'a BTreeSet<String>,
    /// True if variants keep the name of their enum.
    pub(crate) retains_prefix: bool,
    /// True if packages become nested modules of one file.
    pub(crate) nests_packages: bool,
}

/// Names that are in use inside one module, method set, or variant list.
#[derive(Default)]
struct Scope(HashMap<String, Item>);

/// Declaration in a proto file, as errors describe it.
#[derive(Clone)]
struct Item {
    what: &'static str,
    full_name: String,
    file: String,
}

impl Item {
    fn text(&self) -> String {
        format!("{} {} ({})", self.what, self.full_name, self.file)
    }
}

impl Scope {
    fn claim(&mut self, rust: String, item: Item) -> Result<(), Error> {
        if rust.is_empty() {
            return Err(Kind::NoName(item.text()).into());
        }
        match self.0.get(&rust) {
            Some(first) => Err(Kind::SameName {
                first: first.text(),
                second: item.text(),
                name: rust,
            }
            .into()),
            None => {
                self.0.insert(rust, item);
                Ok(())
            }
        }
    }
}

/// Modules of all packages, each with its names. The empty path is the crate root.
#[derive(Default)]
pub(crate) struct Modules {
    scopes: BTreeMap<Vec<String>, Scope>,
    /// Modules of packages and of their parent packages.
    packages: BTreeSet<Vec<String>>,
    /// Names of modules that messages and packages use, by parent module.
    taken: BTreeMap<Vec<String>, BTreeSet<String>>,
}

/// Checks all Rust names that `files` would produce.
///
/// # Errors
/// Two items have the same name in Rust: the error gives their full names and files.
pub(crate) fn check(files: &[FileDescriptorProto], rules: &Rules<'_>) -> Result<Modules, Error> {
    let mut modules = Modules::default();
    packages(files, rules, &mut modules)?;
    for file in files {
        let path = package_path(file.package());
        let mut scope = modules.scopes.remove(&path).unwrap_or_default();
        let mut walk = Walk::new(file, rules, &mut modules);
        for message in &file.message_type {
            walk.message(message, &mut scope)?;
        }
        for enumeration in &file.enum_type {
            walk.enumeration(enumeration, &mut scope)?;
        }
        let own = walk.modules;
        modules.scopes.insert(path.clone(), scope);
        modules.taken.entry(path).or_default().extend(own);
    }
    for file in files {
        services(file, &mut modules)?;
    }
    Ok(modules)
}

impl Modules {
    /// Returns the module name of a service in `package`; adds underscores until no other item has
    /// it.
    pub(crate) fn of_service(&self, package: &str, service: &str, suffix: &str) -> String {
        let mut module = names::service_module(service, suffix);
        let taken = self.taken.get(&package_path(package));
        while taken.is_some_and(|taken| taken.contains(&module)) {
            module.push('_');
        }
        module
    }
}

/// Returns the modules of a package, outermost first.
pub(crate) fn package_path(package: &str) -> Vec<String> {
    let parts = package.split('.').filter(|part| !part.is_empty());
    parts.map(names::snake).collect()
}

fn packages(
    files: &[FileDescriptorProto],
    rules: &Rules<'_>,
    modules: &mut Modules,
) -> Result<(), Error> {
    let mut seen: BTreeMap<String, Item> = BTreeMap::new();
    let mut spelled: HashMap<Vec<String>, Item> = HashMap::new();
    for file in files {
        let mut full_name = String::new();
        for part in file.package().split('.').filter(|part| !part.is_empty()) {
            let parent = package_path(&full_name);
            full_name = joined(&full_name, part);
            if seen.contains_key(&full_name) {
                continue;
            }
            let item = Item {
                what: "package",
                full_name: full_name.clone(),
                file: file.name().to_owned(),
            };
            let path = package_path(&full_name);
            modules.packages.insert(path.clone());
            if let Some(first) = spelled.insert(path, item.clone()) {
                return Err(Kind::SameName {
                    first: first.text(),
                    second: item.text(),
                    name: names::snake(part),
                }
                .into());
            }
            let name = names::snake(part);
            if rules.nests_packages || name.is_empty() {
                let scope = modules.scopes.entry(parent.clone()).or_default();
                scope.claim(name.clone(), item.clone())?;
            }
            modules.taken.entry(parent).or_default().insert(name);
            seen.insert(full_name.clone(), item);
        }
    }
    Ok(())
}

fn services(file: &FileDescriptorProto, modules: &mut Modules) -> Result<(), Error> {
    for service in &file.service {
        let full_name = joined(file.package(), service.name());
        let item = |what, full_name| Item {
            what,
            full_name,
            file: file.name().to_owned(),
        };
        if names::camel(service.name()).is_empty() {
            return Err(Kind::NoName(item("service", full_name).text()).into());
        }
        let own = ["methods", "server", "client"]
            .map(|suffix| modules.of_service(file.package(), service.name(), suffix));
        let scope = modules.scopes.entry(package_path(file.package()));
        let scope = scope.or_default();
        for module in own {
            scope.claim(module, item("service", full_name.clone()))?;
        }
        let mut methods = Scope::default();
        for method in &service.method {
            let full_name = joined(&full_name, method.name());
            methods.claim(names::snake(method.name()), item("method", full_name))?;
        }
    }
    Ok(())
}

/// Walk over the names of one file.
struct Walk<'a> {
    rules: &'a Rules<'a>,
    file: &'a str,
    package: &'a str,
    /// Full name of the current item, without a leading dot.
    path: String,
    /// Modules of the file's messages.
    modules: BTreeSet<String>,
    /// Names of other files and packages.
    others: &'a mut Modules,
}

impl<'a> Walk<'a> {
    fn new(file: &'a FileDescriptorProto, rules: &'a Rules<'a>, others: &'a mut Modules) -> Self {
        Self {
            rules,
            others,
            package: file.package(),
            file: file.name(),
            path: file.package().to_owned(),
            modules: BTreeSet::new(),
        }
    }

    fn item(&self, what: &'static str, name: &str) -> Item {
        Item {
            what,
            full_name: joined(&self.path, name),
            file: self.file.to_owned(),
        }
    }

    /// Returns true if `name` is declared in Rust elsewhere.
    fn is_extern(&self, name: &str) -> bool {
        let full_name = format!(".{}", joined(&self.path, name));
        let ends = full_name.match_indices('.').skip(1).map(|(end, _)| end);
        ends.chain([full_name.len()])
            .any(|end| self.rules.extern_paths.contains(&full_name[..end]))
    }

    fn message(&mut self, message: &DescriptorProto, scope: &mut Scope) -> Result<(), Error> {
        if self.is_extern(message.name()) {
            return Ok(());
        }
        let item = self.item("message", message.name());
        scope.claim(names::camel(message.name()), item.clone())?;
        let module = names::snake(message.name());
        let shared = self.shared(&module);
        let mut nested = match &shared {
            Some(path) => self.others.scopes.remove(path).unwrap_or_default(),
            None => Scope::default(),
        };
        let outer = std::mem::replace(&mut self.path, item.full_name.clone());
        let inner = message::walk(self, message, &mut nested);
        self.path = outer;
        let inner = inner?;
        if inner {
            self.modules.insert(module.clone());
        }
        match shared {
            Some(path) => drop(self.others.scopes.insert(path, nested)),
            None if inner => scope.claim(module, item)?,
            None => {}
        }
        Ok(())
    }

    /// Returns the path of the package that is included in the module of a message of this package.
    fn shared(&self, module: &str) -> Option<Vec<String>> {
        let is_outermost = self.path == self.package;
        let path = [package_path(self.package), vec![module.to_owned()]].concat();
        let nests = self.rules.nests_packages && is_outermost;
        (nests && self.others.packages.contains(&path)).then_some(path)
    }

    fn enumeration(
        &mut self,
        enumeration: &EnumDescriptorProto,
        scope: &mut Scope,
    ) -> Result<(), Error> {
        if self.is_extern(enumeration.name()) {
            return Ok(());
        }
        let name = names::camel(enumeration.name());
        scope.claim(name.clone(), self.item("enum", enumeration.name()))?;
        let mut variants = Scope::default();
        let mut numbers = BTreeSet::new();
        for value in &enumeration.value {
            // A second name for a number makes no variant.
            if numbers.insert(value.number()) {
                let variant = names::variant(&name, value.name(), !self.rules.retains_prefix);
                variants.claim(variant, self.item("enum value", value.name()))?;
            }
        }
        Ok(())
    }
}

fn joined(scope: &str, name: &str) -> String {
    match scope {
        "" => name.to_owned(),
        scope => format!("{scope}.{name}"),
    }
}
