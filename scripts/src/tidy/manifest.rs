//! The few facts that tidy needs from a `Cargo.toml`: its dependencies and its lints.

/// Kind of dependency that a line declares.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Kind {
    /// Linked into what users run.
    Normal,
    /// Linked into `build.rs`.
    Build,
    /// Linked into tests and benches only.
    Dev,
}

/// One declared dependency.
#[derive(Debug, PartialEq)]
pub struct Dependency {
    /// The package's name, also where the manifest renames it.
    pub package: String,
    /// Normal, build or dev.
    pub kind: Kind,
    /// Counted from one.
    pub line: usize,
}

/// A manifest, read.
pub struct Manifest {
    /// `package.name`, empty in a virtual manifest.
    pub package: String,
    /// In the order of the file.
    pub dependencies: Vec<Dependency>,
    /// True if the workspace's lints apply.
    pub inherits_lints: bool,
}

impl Manifest {
    /// Reads the subset of TOML that manifests are written in: sections and `key = value` lines.
    pub fn parse(text: &str) -> Self {
        let mut manifest = Self {
            package: String::new(),
            dependencies: Vec::new(),
            inherits_lints: false,
        };
        let mut section = String::new();
        for (number, line) in (1..).zip(text.lines()) {
            let line = line.trim();
            if let Some(name) = line.strip_prefix('[') {
                section = name.trim_end_matches(']').to_owned();
                // `[dependencies.name]` is a section of one dependency.
                if let Some((kind, name)) = table_of_one(&section) {
                    let package = name.to_owned();
                    manifest.dependencies.push(Dependency {
                        package,
                        kind,
                        line: number,
                    });
                }
            } else if !line.starts_with('#')
                && let Some((key, value)) = line.split_once('=')
            {
                manifest.entry(&section, key.trim(), value.trim(), number);
            }
        }
        manifest
    }

    fn entry(&mut self, section: &str, key: &str, value: &str, line: usize) {
        if section == "package" && key == "name" {
            self.package = value.trim_matches('"').to_owned();
        } else if (section == "lints" && key == "workspace")
            || (section.is_empty() && key == "lints.workspace")
        {
            self.inherits_lints = value == "true";
        } else if let Some(kind) = kind_of(section) {
            let name = key.split('.').next().unwrap_or(key).trim_matches('"');
            let package = renamed(value).unwrap_or(name).to_owned();
            self.dependencies.push(Dependency {
                package,
                kind,
                line,
            });
        }
    }
}

fn kind_of(section: &str) -> Option<Kind> {
    match section.rsplit('.').next()? {
        "dependencies" if section.starts_with("workspace") => None,
        "dependencies" => Some(Kind::Normal),
        "build-dependencies" => Some(Kind::Build),
        "dev-dependencies" => Some(Kind::Dev),
        _ => None,
    }
}

fn table_of_one(section: &str) -> Option<(Kind, &str)> {
    let (table, name) = section.rsplit_once('.')?;
    Some((kind_of(table)?, name))
}

/// The real name in `{ package = "name", … }`.
fn renamed(value: &str) -> Option<&str> {
    let (_, rest) = value.split_once("package")?;
    rest.split('"').nth(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, expected: &[(&str, Kind, usize)]) {
        let manifest = Manifest::parse(text);
        let found: Vec<_> = manifest
            .dependencies
            .iter()
            .map(|d| (d.package.as_str(), d.kind, d.line))
            .collect();
        assert_eq!(found, expected, "in {text:?}");
    }

    #[test]
    fn dependencies_of_all_forms() {
        check(
            "[dependencies]\na.workspace = true\nb = \"1\"\n",
            &[("a", Kind::Normal, 2), ("b", Kind::Normal, 3)],
        );
        check(
            "[dev-dependencies]\n# a = 1\nx = { package = \"y\", path = \"y\" }\n",
            &[("y", Kind::Dev, 3)],
        );
        check(
            "[build-dependencies.c]\npath = \"c\"\n",
            &[("c", Kind::Build, 1)],
        );
        check(
            "[target.'cfg(unix)'.dependencies]\nd = \"1\"\n",
            &[("d", Kind::Normal, 2)],
        );
        check(
            "[workspace.dependencies]\ne = \"1\"\n[features]\nf = []\n",
            &[],
        );
    }

    #[test]
    fn name_and_lints() {
        let manifest = Manifest::parse("[package]\nname = \"a\"\n\n[lints]\nworkspace = true\n");
        assert_eq!(manifest.package, "a");
        assert!(manifest.inherits_lints);
        assert!(!Manifest::parse("[package]\nname = \"a\"\n").inherits_lints);
    }
}
