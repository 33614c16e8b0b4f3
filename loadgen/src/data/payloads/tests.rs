//! Tests of pools, new requests, arrays, compression, and invalid JSON.

use std::path::Path;

use super::*;
use crate::schema::Schema;

fn recipe(text: &str, encoding: Encoding) -> Recipe {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/schemas/user.proto");
    let schema = Schema::compile(&[path], &[]).unwrap();
    let method = schema.method("user.UserService/GetUser").unwrap();
    Recipe {
        template: Template::parse(text, Path::new(".")).unwrap(),
        message: method.input(),
        encoding,
    }
}

fn payloads(text: &str, mode: Mode) -> Result<(Payloads, usize), LoadError> {
    Payloads::new(recipe(text, Encoding::Identity), mode, 1)
}

fn frames(text: &str, mode: Mode, count: u64) -> Vec<Vec<u8>> {
    let (payloads, _) = payloads(text, mode).unwrap();
    let (mut rng, mut scratch) = (Rng::with_seed(1), Vec::new());
    let frame = |number| {
        payloads
            .frame(number, &mut rng, &mut scratch)
            .map(<[u8]>::to_vec)
    };
    (0..count).map(frame).collect::<Result<_, _>>().unwrap()
}

/// Returns a request for user `id`, which is 1 to 127.
fn user(id: u8) -> Vec<u8> {
    vec![0, 0, 0, 0, 2, 8, id]
}

#[test]
fn constant_requests_are_encoded_once_and_arrays_rotate() {
    assert_eq!(frames(r#"{"id": 7}"#, Mode::Each, 2), [user(7), user(7)]);
    let two = r#"[{"id": 1}, {"id": 2}]"#;
    assert_eq!(frames(two, Mode::Pool(9), 3), [user(1), user(2), user(1)]);
    assert_eq!(
        frames("{\"id\":1}\n{\"id\":2}", Mode::Pool(1), 2),
        [user(1), user(2)]
    );
    assert_eq!(payloads(two, Mode::Pool(1)).unwrap().1, 2);
}

#[test]
fn templates_fill_a_pool_or_are_made_anew() {
    let text = r#"{"id": {{seq 1}}}"#;
    let pool = frames(text, Mode::Pool(2), 3);
    assert_eq!(pool, [user(1), user(2), user(1)]);
    assert_eq!(frames(text, Mode::Each, 3), [user(1), user(2), user(3)]);
    let pair = r#"[{"id": {{seq 1}}}, {"id": {{seq 50}}}]"#;
    let wanted = [user(1), user(50), user(2), user(51)];
    for mode in [Mode::Each, Mode::Auto, Mode::Pool(2)] {
        assert_eq!(frames(pair, mode, 4), wanted, "{mode:?}");
    }
}

#[test]
fn places_that_vary_are_never_repeated_by_default() {
    let distinct = |text: &str, count| {
        let frames = frames(text, Mode::Auto, count);
        frames
            .into_iter()
            .collect::<std::collections::HashSet<_>>()
            .len()
    };
    assert_eq!(distinct(r#"{"id": {{seq 1}}}"#, 2500), 2500);
    let rows: String = (0..1500).map(|row| format!("{row}\n")).collect();
    let path = std::env::temp_dir().join(format!("load-rows-{}.csv", std::process::id()));
    std::fs::write(&path, format!("id\n{rows}")).unwrap();
    let text = format!(r#"{{"id": {{{{csv "{}" "id"}}}}}}"#, path.display());
    assert_eq!(distinct(&text, 3000), 1500);
    std::fs::remove_file(&path).unwrap();
    let (payloads, _) = payloads(r#"{"id": {{rand 1 9}}}"#, Mode::Auto).unwrap();
    assert_eq!(payloads.pool(), Some(1000));
}

#[test]
fn compressed_requests_can_be_read_back() {
    let long = format!(r#"{{"id": {}}}"#, i32::MAX);
    let (payloads, _) = Payloads::new(recipe(&long, Encoding::Gzip), Mode::Each, 1).unwrap();
    let (mut rng, mut scratch) = (Rng::with_seed(1), Vec::new());
    let frame = payloads.frame(0, &mut rng, &mut scratch).unwrap();
    let (prefix, packed) = frame.split_at(corespun_codec::message::PREFIX_BYTES);
    assert_eq!((prefix[0], prefix[4] as usize), (1, packed.len()));
    let plain = compression::decompress(Encoding::Gzip, packed).unwrap();
    assert_eq!(plain, b"\x08\xff\xff\xff\xff\x07");
}

#[test]
fn json_that_does_not_fit_is_refused() {
    let cases = [
        (r#"{"idd": 7}"#, "idd"),
        (r#"{"id": "x"}"#, "column"),
        (r#"{"id": 7"#, "EOF"),
        (r#"{} nonsense"#, "expected"),
        ("[]", "no message"),
        ("", "no message"),
        (r#"[{"id": 1}, {"id": "x"}]"#, "message 1"),
        ("{\"id\": \"{{uuid}}\"}", "column"),
    ];
    for (text, word) in cases {
        let error = payloads(text, Mode::Pool(1)).unwrap_err().to_string();
        assert!(
            error.contains("user.UserRequest") && error.contains(word),
            "{text}: {error}"
        );
        assert!(!error.contains('\n'), "{error}");
    }
}
