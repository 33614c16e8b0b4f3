//! Faults planted for the rules on unsafe code.

use super::*;

const NO_NOTE: &str = "unsafe code without a `// SAFETY:` note right above";

fn check(path: &str, text: &str, sites: usize, expected: &[&str]) {
    let mut findings = Vec::new();
    let mut counts = Counts::new();
    super::check(&Source::new(path, text), &mut counts, &mut findings);
    let found: Vec<_> = findings.iter().map(ToString::to_string).collect();
    assert_eq!(found, expected, "in {text:?}");
    assert_eq!(
        counts.get(path).copied().unwrap_or(0),
        sites,
        "sites in {text:?}"
    );
}

fn check_noted(text: &str, sites: usize) {
    check("runtime/src/op/recv.rs", text, sites, &[]);
}

fn check_bare(text: &str, line: usize, sites: usize) {
    let found = format!("runtime/src/op/recv.rs:{line}: {NO_NOTE}");
    check("runtime/src/op/recv.rs", text, sites, &[&found]);
}

#[test]
fn notes_stand_right_above() {
    check_noted("// SAFETY: x owns it.\nunsafe { a() };\n", 1);
    check_noted(
        "// SAFETY: x owns it\n// until y.\nlet a =\n    unsafe { a() };\n",
        1,
    );
    check_noted("// SAFETY: x\n#[inline]\nunsafe impl Send for A {}\n", 1);
    check_noted(
        "/// Does.\n///\n/// # Safety\n/// You.\npub unsafe fn a() {}\n",
        1,
    );
    check_bare("unsafe { a() };\n", 1, 1);
    check_bare("// SAFETY: x\n\nunsafe { a() };\n", 3, 1);
    check_bare("// SAFETY: x\nunsafe { a() };\nunsafe { b() };\n", 3, 2);
    check_bare("/// # Safety\nunsafe impl Send for A {}\n", 2, 1);
    check_bare("// A remark.\nunsafe { a() };\n", 2, 1);
}

#[test]
fn words_and_types_are_no_sites() {
    check_noted("// unsafe\nlet a = \"unsafe\"; // unsafe {}\n", 0);
    check_noted("#![deny(unsafe_code, unsafe_op_in_unsafe_fn)]\n", 0);
    check_noted(
        "type A = unsafe fn(*const ());\ntype B = unsafe extern \"C\" fn();\n",
        0,
    );
}

#[test]
fn rooms_are_kept() {
    let outside = |path: &str| {
        let what = format!("{path}:2: unsafe code outside of {}", ROOMS.join(", "));
        check(path, "// SAFETY: x\nunsafe { a() };\n", 1, &[&what]);
    };
    outside("runtime/src/shard.rs");
    outside("runtime/src/opera/x.rs");
    outside("http2/src/flow.rs");
    check(
        "runtime/src/buffer.rs",
        "// SAFETY: x\nunsafe { a() };\n",
        1,
        &[],
    );
}

#[test]
fn crates_forbid_it() {
    let bare = &["http2/src/lib.rs:1: `#![forbid(unsafe_code)]` is missing"];
    check("http2/src/lib.rs", "//! x\n", 0, bare);
    check(
        "http2/src/lib.rs",
        "//! x\n#![forbid(unsafe_code)]\n",
        0,
        &[],
    );
    check("runtime/src/lib.rs", "//! x\n", 0, &[]);
}

#[test]
fn the_ledger_is_exact() {
    let counts = Counts::from([("a.rs".to_owned(), 2), ("b.rs".to_owned(), 1)]);
    let check = |text: &str, expected: usize| {
        let mut findings = Vec::new();
        check_ledger(text, &counts, &mut findings);
        assert_eq!(findings.len(), expected, "in {text:?}: {findings:?}");
    };
    check(&ledger(&counts), 0);
    check("a.rs 1\nb.rs 1\n", 1);
    check("a.rs 2\nb.rs 1\nc.rs 4\n", 1);
    check("", 2);
}
