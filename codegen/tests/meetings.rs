//! Tests of name conflicts: the error gives both items and their files.

use corespun_build::configure;

#[path = "support/scratch.rs"]
mod scratch;

/// Checks the error for `a` and `b`, which are in files of these names.
fn check(name: &str, a: &str, b: &str, expected: &str) {
    let [a, b] = [a, b].map(|text| match text.strip_prefix("proto2 ") {
        Some(text) => format!("syntax = \"proto2\"; {text}"),
        None => format!("syntax = \"proto3\"; {text}"),
    });
    let protos = [("a.proto", a.as_bytes()), ("b.proto", b.as_bytes())];
    let builder = configure().include_file("mod.rs");
    let made = scratch::compile_with(name, builder, &protos, &["a.proto", "b.proto"]);
    let error = made.unwrap_err().to_string();
    assert_eq!(error, format!("failed to name {expected}"), "{name}");
}

#[test]
fn items_of_packages_are_both_named() {
    for (name, a, b, expected) in [
        (
            "messages",
            "package p; message HTTPProxy {}",
            "package p; message HttpProxy {}",
            "message p.HttpProxy (b.proto): it is HttpProxy in Rust, as message p.HTTPProxy \
             (a.proto) is",
        ),
        (
            "enum",
            "package p; message foo_bar {}",
            "package p; enum FooBar { A = 0; }",
            "enum p.FooBar (b.proto): it is FooBar in Rust, as message p.foo_bar (a.proto) is",
        ),
        (
            "modules",
            "package p; message A { message X {} }",
            "package p.a; message X {}",
            "message p.a.X (b.proto): it is X in Rust, as message p.A.X (a.proto) is",
        ),
        (
            "packages",
            "package p.fooBar; message X {}",
            "package p.foo_bar; message Y {}",
            "package p.foo_bar (b.proto): it is foo_bar in Rust, as package p.fooBar (a.proto) is",
        ),
        (
            "services",
            "package p; message M {} service HTTPProxy { rpc A(M) returns (M); }",
            "package p; service HttpProxy {}",
            "service p.HttpProxy (b.proto): it is http_proxy_methods in Rust, as service \
             p.HTTPProxy (a.proto) is",
        ),
    ] {
        check(&format!("meet-{name}"), a, b, expected);
    }
}

#[test]
fn items_within_others_are_both_named() {
    let m = "package p; message M {}";
    for (name, a, b, expected) in [
        (
            "methods",
            m,
            "package p; import \"a.proto\"; service S { rpc GetURL(M) returns (M); rpc GetUrl(M) \
             returns (M); }",
            "method p.S.GetUrl (b.proto): it is get_url in Rust, as method p.S.GetURL (b.proto) is",
        ),
        (
            "fields",
            m,
            "proto2 package p; message F { optional int32 a_b = 1; optional int32 A_B = 2; }",
            "field p.F.A_B (b.proto): it is a_b in Rust, as field p.F.a_b (b.proto) is",
        ),
        (
            "derived",
            m,
            "package p; message F { K kind = 1; optional int32 set_kind = 2; } enum K { A = 0; }",
            "field p.F.set_kind (b.proto): it is set_kind in Rust, as field p.F.kind (b.proto) is",
        ),
        (
            "variants",
            m,
            "package p; enum K { K_A = 0; A = 1; }",
            "enum value p.A (b.proto): it is A in Rust, as enum value p.K_A (b.proto) is",
        ),
        (
            "oneofs",
            m,
            "package p; message F { oneof x { int32 a = 1; } oneof X { int32 b = 2; } }",
            "oneof p.F.X (b.proto): it is x in Rust, as oneof p.F.x (b.proto) is",
        ),
        (
            "nothing",
            m,
            "package p; message _ {}",
            "message p._ (b.proto): nothing of it is left in Rust",
        ),
    ] {
        check(&format!("meet-{name}"), a, b, expected);
    }
}

#[test]
fn what_does_not_meet_is_made() {
    let file = |text: &str| format!("syntax = \"proto3\"; {text}").into_bytes();
    let (a, b) = (
        file("package p; message A { message X {} }"),
        file("package p.a; message Y {}"),
    );
    let protos: [(&str, &[u8]); 2] = [("a.proto", &a), ("b.proto", &b)];
    assert!(scratch::compile("apart-packages", &protos).is_ok());
    let builder = configure().include_file("mod.rs");
    let made = scratch::compile_with("shared-module", builder, &protos, &["a.proto", "b.proto"]);
    let text = std::fs::read_to_string(made.unwrap().join("p.rs")).unwrap();
    assert!(
        text.contains("pub mod a {\ninclude!(\"p.a.rs\");\n"),
        "{text}"
    );
    let b = file("package p; message HttpProxy {}");
    let a = file("package p; message HTTPProxy {}");
    let protos: [(&str, &[u8]); 2] = [("a.proto", &a), ("b.proto", &b)];
    let builder = configure().extern_path(".p.HTTPProxy", "::other::HttpProxy");
    let made = scratch::compile_with("apart-extern", builder, &protos, &["a.proto", "b.proto"]);
    assert!(made.is_ok(), "{made:?}");
    let values = file("package p; enum K { K_A = 0; A = 1; }");
    let protos: [(&str, &[u8]); 1] = [("a.proto", &values)];
    let builder = configure().retain_enum_prefix();
    let made = scratch::compile_with("apart-prefix", builder, &protos, &["a.proto"]);
    assert!(made.is_ok(), "{made:?}");
}
