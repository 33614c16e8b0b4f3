//! Metadata from the command line and from scenarios.

use base64::Engine;
use base64::alphabet::STANDARD;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use corespun_codec::MetadataMap;

use crate::error::LoadError;

/// Base64 with or without padding, as gRPC accepts it.
const BASE64: GeneralPurpose = GeneralPurpose::new(
    &STANDARD,
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

/// Adds a pair. The value of a `-bin` key is given as base64, as other tools have it.
///
/// # Errors
/// What is wrong with the pair, in words.
pub(crate) fn add(map: &mut MetadataMap, key: &str, value: &str) -> Result<(), String> {
    let added = match key.ends_with("-bin") {
        false => map.append(key, value),
        true => {
            let bytes = BASE64.decode(value);
            let bytes = bytes.map_err(|_| format!("the value of {key} is no base64: {value:?}"))?;
            map.append_bin(key, &bytes)
        }
    };
    added.map_err(|error| error.to_string())
}

/// The metadata of `--metadata`, as `key:value` or `key=value`, and of `--token`.
///
/// # Errors
/// Names the flag and its value.
pub(crate) fn read(pairs: &[String], token: Option<&str>) -> Result<MetadataMap, LoadError> {
    let mut map = MetadataMap::new();
    for pair in pairs {
        let failed = |cause: String| LoadError::flag("--metadata", pair, cause);
        let Some((key, value)) = pair.split_once([':', '=']) else {
            return Err(failed("expected KEY:VALUE".to_owned()));
        };
        add(&mut map, key.trim(), value.trim_start()).map_err(failed)?;
    }
    if let Some(given) = token {
        let failed = |cause: String| LoadError::flag("--token", given, cause);
        let bearer = format!("Bearer {}", read_token(given).map_err(failed)?);
        add(&mut map, "authorization", &bearer)
            .map_err(|_| failed("a token has no such characters".to_owned()))?;
    }
    Ok(map)
}

/// The token itself, or that of a file (`@path`) or of the environment (`env:NAME`).
pub(crate) fn read_token(given: &str) -> Result<String, String> {
    let token = if let Some(path) = given.strip_prefix('@') {
        std::fs::read_to_string(path).map_err(|error| error.to_string())?
    } else if let Some(name) = given.strip_prefix("env:") {
        std::env::var(name).map_err(|error| error.to_string())?
    } else {
        given.to_owned()
    };
    match token.trim() {
        "" => Err("the token is empty".to_owned()),
        token => Ok(token.to_owned()),
    }
}

/// What an error may show of a token: where it is, not what it is.
pub(crate) fn concealed(given: &str) -> &str {
    match given.starts_with('@') || given.starts_with("env:") {
        true => given,
        false => "…",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn map(pairs: &[&str], token: Option<&str>) -> Result<MetadataMap, LoadError> {
        let pairs: Vec<_> = pairs.iter().map(|pair| (*pair).to_owned()).collect();
        read(&pairs, token)
    }

    #[test]
    fn pairs_are_read_in_both_forms() {
        let map = map(&["x-a: b:c", "x-d=e", "k-bin:aGk=", "l-bin=aGk"], None).unwrap();
        assert_eq!((map.get("x-a"), map.get("x-d")), (Some("b:c"), Some("e")));
        assert_eq!(map.get_bin("k-bin"), Some(b"hi".to_vec()));
        assert_eq!(map.get_bin("l-bin"), Some(b"hi".to_vec()));
    }

    #[test]
    fn a_token_comes_from_the_line_a_file_or_the_environment() {
        let path = std::env::temp_dir().join(format!("corespun-token-{}", std::process::id()));
        std::fs::write(&path, "secret\n").unwrap();
        let from_file = format!("@{}", path.display());
        for (given, wanted) in [
            ("secret", "Bearer secret"),
            (from_file.as_str(), "Bearer secret"),
        ] {
            let map = map(&[], Some(given)).unwrap();
            assert_eq!(map.get("authorization"), Some(wanted), "{given}");
        }
        std::fs::remove_file(&path).unwrap();
        let from_path = map(&[], Some("env:PATH")).unwrap();
        let wanted = format!("Bearer {}", std::env::var("PATH").unwrap());
        assert_eq!(from_path.get("authorization"), Some(&*wanted));
    }

    #[test]
    fn what_is_wrong_is_named() {
        let cases: [(&[&str], Option<&str>, &str); 7] = [
            (&["nothing"], None, "--metadata \"nothing\""),
            (&["grpc-x:1"], None, "grpc-x"),
            (&["k-bin:***"], None, "no base64"),
            (&["k:v"], Some(""), "--token \"\""),
            (&[], Some("@/nowhere/token"), "No such file"),
            (&[], Some("env:NO_SUCH_NAME_HERE"), "env:NO_SUCH_NAME_HERE"),
            (&[], Some("two\nlines"), "no such characters"),
        ];
        for (pairs, token, wanted) in cases {
            let error = map(pairs, token).unwrap_err().to_string();
            assert!(error.contains(wanted), "{error}");
        }
    }
}
