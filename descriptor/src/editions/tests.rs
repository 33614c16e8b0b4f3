//! Tests of single features, each in the form that protoc writes.

use super::*;
use crate::wire::{write_bytes, write_varint};

/// A message of Protobuf under construction.
#[derive(Clone, Default)]
struct Build(Vec<u8>);

impl Build {
    fn named(name: &str) -> Self {
        Self::default().bytes(NAME, name.as_bytes())
    }

    fn bytes(mut self, number: u64, bytes: &[u8]) -> Self {
        write_bytes(number, bytes, &mut self.0);
        self
    }

    fn number(mut self, number: u64, value: u64) -> Self {
        write_varint(number, value, &mut self.0);
        self
    }

    fn with(self, number: u64, inner: Self) -> Self {
        self.bytes(number, &inner.0)
    }
}

fn features(number: u64, feature: u64, value: u64) -> Build {
    Build::default().with(number, Build::default().number(feature, value))
}

/// Returns the field `f` with this label, type and feature.
fn field(label: u64, kind: u64, feature: Option<(u64, u64)>) -> Build {
    let field = Build::named("f")
        .number(3, 1)
        .number(4, label)
        .number(5, kind);
    match feature {
        Some((feature, value)) => field.with(8, features(21, feature, value)),
        None => field,
    }
}

/// Returns a set with one edition file, which has message `M` with one field.
fn set(edition: u64, options: Build, field: Build) -> Vec<u8> {
    let message = Build::named("M").with(2, field);
    let file = Build::named("a.proto").bytes(2, b"p").with(4, message);
    let file = file
        .with(8, options)
        .bytes(12, b"editions")
        .number(14, edition);
    Build::default().with(1, file).0
}

/// Returns the syntax of the converted file and the field's label, type, packed and optional
/// values.
fn shape(set: &[u8]) -> (String, [u64; 4]) {
    let set = lowered(set).unwrap();
    let files = crate::files(&set).unwrap();
    let file = wire::fields(files[0].bytes).unwrap();
    fn last<'a>(fields: &[Field<'a>], number: u64) -> Option<Field<'a>> {
        fields.iter().rfind(|field| field.number == number).copied()
    }
    let syntax = last(&file, FILE_SYNTAX).unwrap().bytes();
    let message = wire::fields(last(&file, FILE_MESSAGE).unwrap().bytes()).unwrap();
    let field = wire::fields(last(&message, 2).unwrap().bytes()).unwrap();
    let options = last(&field, 8).map_or(&b""[..], |options| options.bytes());
    let packed = last(&wire::fields(options).unwrap(), 2).map_or(9, |packed| packed.varint());
    let number = |number| last(&field, number).map_or(0, |field| field.varint());
    let shape = [number(4), number(5), packed, number(17)];
    let oneofs = message.iter().filter(|field| field.number == 8).count() as u64;
    assert_eq!(oneofs, number(17), "a oneof for each optional field");
    (String::from_utf8(syntax.to_vec()).unwrap(), shape)
}

type Case = (&'static str, Build, Build, &'static str, [u64; 4]);

/// Returns cases: options of the file and the field, and the expected shape.
fn presence_cases() -> Vec<Case> {
    let none = Build::default;
    let implicit = || features(50, 1, 2);
    vec![
        (
            "explicit",
            none(),
            field(1, 9, None),
            "proto2",
            [1, 9, 9, 0],
        ),
        (
            "implicit file",
            implicit(),
            field(1, 9, None),
            "proto3",
            [1, 9, 9, 0],
        ),
        (
            "implicit field",
            none(),
            field(1, 5, Some((1, 2))),
            "proto3",
            [1, 5, 9, 0],
        ),
        (
            "required",
            none(),
            field(1, 5, Some((1, 3))),
            "proto2",
            [2, 5, 9, 0],
        ),
        (
            "unverified",
            none(),
            field(1, 9, Some((4, 3))),
            "proto2",
            [1, 9, 9, 0],
        ),
        (
            "message",
            implicit(),
            field(1, 11, None),
            "proto2",
            [1, 11, 9, 0],
        ),
        (
            "another language",
            none(),
            field(1, 9, Some((1000, 5))),
            "proto2",
            [1, 9, 9, 0],
        ),
    ]
}

fn form_cases() -> Vec<Case> {
    let none = Build::default;
    vec![
        ("packed", none(), field(3, 5, None), "proto2", [3, 5, 1, 0]),
        (
            "expanded",
            none(),
            field(3, 5, Some((3, 2))),
            "proto2",
            [3, 5, 0, 0],
        ),
        ("strings", none(), field(3, 9, None), "proto2", [3, 9, 9, 0]),
        (
            "delimited",
            none(),
            field(1, 11, Some((5, 2))),
            "proto2",
            [1, 10, 9, 0],
        ),
        (
            "delimited file",
            features(50, 5, 2),
            field(3, 11, None),
            "proto2",
            [3, 10, 9, 0],
        ),
    ]
}

#[test]
fn features_become_what_older_syntaxes_have() {
    for (name, options, field, syntax, expected) in [presence_cases(), form_cases()].concat() {
        for edition in [EDITION_2023, EDITION_2024] {
            let shape = shape(&set(edition, options.clone(), field.clone()));
            assert_eq!(shape, (syntax.to_owned(), expected), "{name} {edition}");
        }
    }
}

#[test]
fn presence_is_said_per_field_beside_implicit_ones() {
    let message = Build::named("M")
        .with(2, field(1, 5, Some((1, 2))))
        .with(2, field(1, 11, Some((5, 2))))
        .with(8, Build::named("_f"))
        .with(2, field(1, 5, None));
    let file = Build::named("a")
        .with(4, message)
        .bytes(12, b"editions")
        .number(14, 1000);
    let set = lowered(&Build::default().with(1, file).0).unwrap();
    let file = crate::files(&set).unwrap()[0].bytes;
    let message = wire::fields(file).unwrap()[1].bytes();
    let fields = wire::fields(message).unwrap();
    let of = |field: &Field<'_>| {
        let parts = wire::fields(field.bytes()).unwrap();
        let part = |number| parts.iter().find(|p| p.number == number).map(Field::varint);
        (part(5), part(9), part(17))
    };
    let presence: Vec<_> = fields.iter().filter(|f| f.number == 2).map(of).collect();
    let group = (Some(10), Some(1), Some(1));
    assert_eq!(
        presence,
        [(Some(5), None, None), group, (Some(5), Some(2), Some(1))]
    );
    let oneofs = fields.iter().filter(|field| field.number == 8);
    let names: Vec<_> = oneofs.map(|oneof| name(oneof.bytes()).unwrap()).collect();
    assert_eq!(names, ["_f", "X_f", "XX_f"]);
}

#[test]
fn maps_keep_their_form() {
    let entry = Build::named("FEntry").with(7, Build::default().number(7, 1));
    let entry = entry.with(2, field(1, 11, None));
    let map = field(3, 11, None).bytes(6, b".p.M.FEntry");
    let message = Build::named("M").with(2, map).with(3, entry);
    let file = Build::named("a")
        .with(4, message)
        .with(8, features(50, 5, 2));
    let file = file.bytes(12, b"editions").number(14, 1000);
    let set = lowered(&Build::default().with(1, file).0).unwrap();
    assert!(
        !set.windows(2).any(|pair| pair == [5 << 3, 10]),
        "a group: {set:?}"
    );
}

#[test]
fn what_cannot_be_lowered_is_named() {
    let check = |set: &[u8], expected: &str| {
        assert_eq!(lowered(set).unwrap_err().to_string(), expected);
    };
    let plain = || field(1, 5, None);
    for edition in [999, 1002] {
        check(
            &set(edition, Build::default(), plain()),
            &format!(
                "a.proto: edition {edition} is not supported; 1000 (2023) and 1001 (2024) are"
            ),
        );
    }
    check(
        &set(1000, features(50, 9, 1), plain()),
        "a.proto: the feature number 9 = 1 has no equivalent in proto2 and proto3",
    );
    check(
        &set(1000, Build::default(), field(1, 5, Some((1, 7)))),
        "a.proto: p.M.f: the feature field_presence = 7 has no equivalent in proto2 and proto3",
    );
    let value = Build::named("ONE").number(2, 1);
    let closed = Build::named("E").with(2, value).with(3, features(7, 2, 2));
    let file =
        Build::named("a.proto").with(4, Build::named("M").with(2, field(1, 5, Some((1, 2)))));
    let file = file.with(5, closed).bytes(12, b"editions").number(14, 1000);
    check(
        &Build::default().with(1, file).0,
        "a.proto: E: the feature enum_type = CLOSED without a zero, beside field_presence = \
         IMPLICIT, has no equivalent in proto2 and proto3",
    );
}

#[test]
fn other_files_stay_as_they_are() {
    for syntax in [&b"proto2"[..], b"proto3", b""] {
        let file = Build::named("a").bytes(12, syntax).number(14, 1000);
        let set = Build::default().with(1, file).bytes(9, b"unknown").0;
        assert_eq!(lowered(&set).unwrap(), set);
    }
    assert_eq!(lowered(b"\xff"), Err(Error::NotProtobuf));
}
