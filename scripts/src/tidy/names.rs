//! One word per thing: rooms that name nothing, synonyms, and calls that have a home elsewhere.

use super::source::{Source, words};
use super::{Finding, is_exempt};

/// Rooms with these names collect what nobody wanted to name.
const ROOMS: &[&str] = &[
    "util", "utils", "common", "helper", "helpers", "manager", "imp",
];

/// The crates whose words are the project's own; the others speak of foreign things too.
const STRICT: &[&str] = &[
    "runtime/src/",
    "http2/src/",
    "codec/src/",
    "tls/src/",
    "auth/src/",
    "server/src/",
    "client/src/",
];

/// Words that have a better one here.
const SYNONYMS: &[(&str, &str)] = &[
    ("Reactor", "Shard"),
    ("reactor", "shard"),
    ("Worker", "Shard"),
    ("worker", "shard"),
    ("HeaderMap", "HeaderList"),
    ("header_map", "header_list"),
];

/// The `get_` names that tonic's users know; every other getter is named after what it gives.
const GETTERS: &[&str] = &["get_ref", "get_mut", "get_all", "get_bin", "get_all_bin"];

/// The crates to which time is an argument and threads do not exist.
const PURE: &[&str] = &[
    "http2/src/",
    "codec/src/",
    "tls/src/",
    "server/src/",
    "client/src/",
];

/// Functions that only `runtime` may call.
const RUNTIME_ONLY: &[(&str, &str)] = &[
    ("Instant::now", "time is passed in as `now`"),
    ("SystemTime::now", "time is passed in as `now`"),
    ("thread::spawn", "threads belong to the runtime"),
];

/// Checks the names of rooms, the words and the homes of calls.
pub fn check(source: &Source, findings: &mut Vec<Finding>) {
    if is_exempt(&source.path) {
        return;
    }
    check_rooms(source, findings);
    if STRICT.iter().any(|folder| source.path.starts_with(folder)) {
        check_synonyms(source, findings);
    }
    if PURE.iter().any(|folder| source.path.starts_with(folder)) {
        check_homes(source, findings);
    }
}

fn check_rooms(source: &Source, findings: &mut Vec<Finding>) {
    let path = source.path.trim_end_matches(".rs");
    for room in path.split('/').filter(|room| ROOMS.contains(room)) {
        let what = format!("a room named `{room}` names nothing");
        findings.push(Finding::new(&source.path, 1, what));
    }
    for (number, line) in source.code_lines() {
        let mut previous = "";
        for word in words(line) {
            if previous == "mod" && line.contains('{') && ROOMS.contains(&word) {
                let what = format!("a room named `{word}` names nothing");
                findings.push(Finding::new(&source.path, number, what));
            }
            previous = word;
        }
    }
}

fn check_synonyms(source: &Source, findings: &mut Vec<Finding>) {
    for (number, line) in source.code_lines() {
        for word in words(line) {
            if let Some((_, better)) = SYNONYMS.iter().find(|(banned, _)| *banned == word) {
                let what = format!("`{word}` is called `{better}` here");
                findings.push(Finding::new(&source.path, number, what));
            }
            let is_getter = word.starts_with("get_") && !GETTERS.contains(&word);
            if is_getter && line.contains(&format!("fn {word}")) && line.contains("pub") {
                let what = format!("`{word}`: name a getter after what it gives, without `get_`");
                findings.push(Finding::new(&source.path, number, what));
            }
        }
    }
}

fn check_homes(source: &Source, findings: &mut Vec<Finding>) {
    if source.path.ends_with("tests.rs") || source.path.contains("/tests/") {
        return;
    }
    let tests_from = source.tests_from();
    for (number, line) in source
        .code_lines()
        .take_while(|(number, _)| *number < tests_from)
    {
        for (call, why) in RUNTIME_ONLY.iter().filter(|(call, _)| line.contains(call)) {
            findings.push(Finding::new(
                &source.path,
                number,
                format!("`{call}`: {why}"),
            ));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(path: &str, text: &str, expected: &[&str]) {
        let mut findings = Vec::new();
        super::check(&Source::new(path, text), &mut findings);
        let found: Vec<_> = findings.iter().map(ToString::to_string).collect();
        assert_eq!(found, expected, "in {text:?}");
    }

    #[test]
    fn rooms() {
        check(
            "a/src/util.rs",
            "",
            &["a/src/util.rs:1: a room named `util` names nothing"],
        );
        let folder = "a/src/common/x.rs";
        check(
            folder,
            "",
            &["a/src/common/x.rs:1: a room named `common` names nothing"],
        );
        let inline = &["a/src/x.rs:2: a room named `imp` names nothing"];
        check("a/src/x.rs", "\nmod imp { }\n", inline);
        check("a/src/utility.rs", "mod common_sense { }\n", &[]);
    }

    #[test]
    fn synonyms() {
        let found = &["http2/src/x.rs:1: `HeaderMap` is called `HeaderList` here"];
        check("http2/src/x.rs", "struct HeaderMap;\n", found);
        check("benches/src/x.rs", "struct HeaderMap;\n", &[]);
        check(
            "http2/src/x.rs",
            "// a HeaderMap elsewhere\nlet MyHeaderMap = 1;\n",
            &[],
        );
    }

    #[test]
    fn getters() {
        let found =
            &["codec/src/x.rs:1: `get_code`: name a getter after what it gives, without `get_`"];
        check("codec/src/x.rs", "pub fn get_code(&self) {}\n", found);
        check("codec/src/x.rs", "pub fn get_ref(&self) {}\n", &[]);
        check("codec/src/x.rs", "async fn get_user(&self) {}\n", &[]);
    }

    #[test]
    fn homes() {
        let found = &["server/src/x.rs:1: `Instant::now`: time is passed in as `now`"];
        check(
            "server/src/x.rs",
            "let t = std::time::Instant::now();\n",
            found,
        );
        check(
            "server/src/x.rs",
            "#[cfg(test)]\nmod tests { Instant::now() }\n",
            &[],
        );
        check("runtime/src/clock.rs", "Instant::now()\n", &[]);
    }
}
