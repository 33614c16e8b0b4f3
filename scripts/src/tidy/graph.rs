//! Permitted dependencies between crates. This table keeps the core free of I/O.

use super::manifest::{Dependency, Kind, Manifest};
use super::source::{Source, words};
use super::{Finding, is_exempt};

/// One crate of the workspace: its folder, its package, and what it may import of ours.
struct Room {
    folder: &'static str,
    package: &'static str,
    imports: &'static [&'static str],
    build: &'static [&'static str],
}

const fn room(
    folder: &'static str,
    package: &'static str,
    imports: &'static [&'static str],
) -> Room {
    Room {
        folder,
        package,
        imports,
        build: &[],
    }
}

const FOUNDATIONS: &[&str] = &[
    "corespun-runtime",
    "corespun-http2",
    "corespun-codec",
    "corespun-descriptor",
    "corespun-proto",
    "corespun-tls",
];
const ANYTHING: &[&str] = &[
    "corespun",
    "corespun-auth",
    "corespun-build",
    "corespun-client",
    "corespun-codec",
    "corespun-descriptor",
    "corespun-http2",
    "corespun-load",
    "corespun-otel",
    "corespun-proto",
    "corespun-runtime",
    "corespun-server",
    "corespun-tls",
];

/// The crate graph; ARCHITECTURE.md explains it.
const ROOMS: &[Room] = &[
    room("runtime", "corespun-runtime", &[]),
    room("http2", "corespun-http2", &[]),
    room("codec", "corespun-codec", &[]),
    Room {
        build: &["corespun-build"],
        ..room("proto", "corespun-proto", &["corespun-codec"])
    },
    room("tls", "corespun-tls", &["corespun-runtime"]),
    room(
        "auth",
        "corespun-auth",
        &["corespun-codec", "corespun-runtime", "corespun-server"],
    ),
    room("server", "corespun-server", FOUNDATIONS),
    room("client", "corespun-client", FOUNDATIONS),
    room(
        "otel",
        "corespun-otel",
        &[
            "corespun-client",
            "corespun-codec",
            "corespun-proto",
            "corespun-runtime",
            "corespun-server",
        ],
    ),
    room("descriptor", "corespun-descriptor", &[]),
    room("codegen", "corespun-build", &["corespun-descriptor"]),
    room(
        "corespun",
        "corespun",
        &[
            "corespun-auth",
            "corespun-client",
            "corespun-codec",
            "corespun-otel",
            "corespun-proto",
            "corespun-runtime",
            "corespun-server",
            "corespun-tls",
        ],
    ),
    Room {
        build: &["corespun-build"],
        ..room(
            "loadgen",
            "corespun-load",
            &[
                "corespun",
                "corespun-build",
                "corespun-codec",
                "corespun-descriptor",
                "corespun-http2",
                "corespun-proto",
                "corespun-runtime",
                "corespun-tls",
            ],
        )
    },
    Room {
        build: ANYTHING,
        ..room("examples", "corespun-examples", ANYTHING)
    },
    Room {
        build: ANYTHING,
        ..room("benches", "corespun-benches", ANYTHING)
    },
    room("scripts", "corespun-scripts", &[]),
];

impl Room {
    fn of(path: &str) -> Option<&'static Self> {
        let folder = path.split('/').next()?;
        ROOMS.iter().find(|room| room.folder == folder)
    }

    fn allows(&self, dependency: &Dependency) -> bool {
        let package = dependency.package.as_str();
        match dependency.kind {
            Kind::Normal => self.imports.contains(&package),
            Kind::Build => self.build.contains(&package),
            // A test may look at its crate from any side.
            Kind::Dev => true,
        }
    }
}

fn is_ours(package: &str) -> bool {
    ROOMS.iter().any(|room| room.package == package)
}

/// Checks one crate's manifest, and that it inherits the lints (`missing_docs` among them).
pub fn check_manifest(path: &str, text: &str, findings: &mut Vec<Finding>) {
    let manifest = Manifest::parse(text);
    let Some(room) = Room::of(path) else {
        let what = "this crate is not in the crate graph of scripts/src/tidy/graph.rs".into();
        return findings.push(Finding::new(path, 1, what));
    };
    if manifest.package != room.package {
        let what = format!(
            "package `{}` should be `{}`",
            manifest.package, room.package
        );
        findings.push(Finding::new(path, 1, what));
    }
    for dependency in &manifest.dependencies {
        if is_ours(&dependency.package) && !room.allows(dependency) {
            let what = format!("`{}` must not import `{}`", room.folder, dependency.package);
            findings.push(Finding::new(path, dependency.line, what));
        }
    }
    if !manifest.inherits_lints {
        let what = "`[lints] workspace = true` is missing, so public items go undocumented".into();
        findings.push(Finding::new(path, 1, what));
    }
}

/// Checks that the root manifest denies what every crate inherits.
pub fn check_root(text: &str, findings: &mut Vec<Finding>) {
    for lint in [
        "missing_docs",
        "unsafe_op_in_unsafe_fn",
        "undocumented_unsafe_blocks",
    ] {
        if !text
            .lines()
            .any(|line| line.trim() == format!("{lint} = \"deny\""))
        {
            let what = format!("[workspace.lints] does not deny `{lint}`");
            findings.push(Finding::new("Cargo.toml", 1, what));
        }
    }
}

/// Checks the imports that one file makes, against the table and its crate's dev-dependencies.
pub fn check_source(source: &Source, manifest: &Manifest, findings: &mut Vec<Finding>) {
    let Some(room) = Room::of(&source.path) else {
        return;
    };
    // Generated text speaks to whoever will compile it.
    if is_exempt(&source.path) {
        return;
    }
    let is_dev = |package: &str| {
        let mut dependencies = manifest.dependencies.iter();
        dependencies.any(|d| d.package == package && d.kind == Kind::Dev)
    };
    for (number, line) in source.code_lines() {
        for word in words(line).filter(|word| word.starts_with("corespun")) {
            let package = word.replace('_', "-");
            let is_import = is_ours(&package) && line.contains(&format!("{word}::"));
            let allowed = package == room.package
                || room.imports.contains(&package.as_str())
                || (source.path.ends_with("build.rs") && room.build.contains(&package.as_str()))
                || is_dev(&package);
            if is_import && !allowed {
                let what = format!("`{}` must not import `{package}`", room.folder);
                findings.push(Finding::new(&source.path, number, what));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LINTS: &str = "[lints]\nworkspace = true\n";

    fn shown(findings: &[Finding]) -> Vec<String> {
        findings.iter().map(ToString::to_string).collect()
    }

    fn check_manifest(path: &str, text: &str, expected: &[&str]) {
        let mut findings = Vec::new();
        super::check_manifest(path, &format!("{text}{LINTS}"), &mut findings);
        assert_eq!(shown(&findings), expected, "in {text:?}");
    }

    fn check_source(path: &str, manifest: &str, text: &str, expected: &[&str]) {
        let mut findings = Vec::new();
        let source = Source::new(path, text);
        super::check_source(&source, &Manifest::parse(manifest), &mut findings);
        assert_eq!(shown(&findings), expected, "in {text:?}");
    }

    #[test]
    fn manifests_against_the_graph() {
        let http2 = "[package]\nname = \"corespun-http2\"\n";
        let import = format!("{http2}[dependencies]\ncorespun-runtime.workspace = true\n");
        let found = &["http2/Cargo.toml:4: `http2` must not import `corespun-runtime`"];
        check_manifest("http2/Cargo.toml", &import, found);
        check_manifest("http2/Cargo.toml", &import.replace("[dep", "[dev-dep"), &[]);
        let proto = "[package]\nname = \"corespun-proto\"\n[build-dependencies]\n";
        check_manifest(
            "proto/Cargo.toml",
            &format!("{proto}corespun-build = \"*\"\n"),
            &[],
        );
        check_manifest(
            "proto/Cargo.toml",
            &format!("{proto}corespun-server = \"*\"\n"),
            &["proto/Cargo.toml:4: `proto` must not import `corespun-server`"],
        );
    }

    #[test]
    fn strangers_and_bare_lints() {
        let mut findings = Vec::new();
        super::check_manifest("new/Cargo.toml", LINTS, &mut findings);
        assert!(shown(&findings)[0].contains("not in the crate graph"));
        findings.clear();
        super::check_manifest(
            "http2/Cargo.toml",
            "[package]\nname = \"corespun-http2\"",
            &mut findings,
        );
        assert!(shown(&findings)[0].contains("`[lints] workspace = true` is missing"));
        findings.clear();
        check_root(
            "[workspace.lints.rust]\nmissing_docs = \"warn\"\n",
            &mut findings,
        );
        assert_eq!(findings.len(), 3);
    }

    #[test]
    fn sources_against_the_graph() {
        let found = &["client/src/x.rs:1: `client` must not import `corespun-server`"];
        check_source(
            "client/src/x.rs",
            "",
            "use corespun_server::Server;\n",
            found,
        );
        check_source("client/src/x.rs", "", "use corespun_http2::Event;\n", &[]);
        check_source("client/src/x.rs", "", "// corespun_server::Server\n", &[]);
        let dev = "[dev-dependencies]\ncorespun-server = \"*\"\n";
        check_source(
            "client/tests/x.rs",
            dev,
            "use corespun_server::Server;\n",
            &[],
        );
        check_source(
            "codegen/src/x.rs",
            "",
            "out.push(\"::corespun::Method\");\n",
            &[],
        );
        check_source(
            "server/src/x.rs",
            "",
            "use corespun::Server;\n",
            &["server/src/x.rs:1: `server` must not import `corespun`"],
        );
    }
}
