//! Metadata from the command line and from scenarios.

use std::path::Path;

use base64::Engine;
use base64::alphabet::STANDARD;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use corespun_codec::MetadataMap;
use fastrand::Rng;

use crate::data::Template;
use crate::error::LoadError;

/// Base64 decoder that accepts input with and without padding, as gRPC requires.
const BASE64: GeneralPurpose = GeneralPurpose::new(
    &STANDARD,
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

/// Adds a pair. The value of a `-bin` key is given as base64, as in other tools.
///
/// # Errors
/// The reason in words.
pub(crate) fn add(map: &mut MetadataMap, key: &str, value: &str) -> Result<(), String> {
    let added = match key.ends_with("-bin") {
        false => map.append(key, value),
        true => {
            let bytes = BASE64.decode(value);
            let bytes = bytes.map_err(|_| format!("the value of {key} is not base64"))?;
            map.append_bin(key, &bytes)
        }
    };
    added.map_err(|error| error.to_string())
}

/// Pair of metadata as the user wrote it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Pair {
    key: String,
    value: String,
    /// True if the value is not a template.
    verbatim: bool,
}

impl Pair {
    /// Checks a pair without filling in its templates.
    ///
    /// # Errors
    /// The reason that the pair cannot be sent.
    pub(crate) fn new(key: &str, value: &str) -> Result<Self, String> {
        if !value.contains("{{") {
            add(&mut MetadataMap::new(), key, value)?;
        }
        Ok(Self {
            key: key.to_owned(),
            value: value.to_owned(),
            verbatim: false,
        })
    }

    /// Returns the template text of the value, which may name files.
    pub(crate) fn text(&self) -> &str {
        if self.verbatim { "" } else { &self.value }
    }
}

/// Parses metadata from `--metadata` (`key:value` or `key=value`) and `--token`.
///
/// # Errors
/// Names the flag, but not the value, which may be a secret.
pub(crate) fn read(pairs: &[String], token: Option<&str>) -> Result<Vec<Pair>, LoadError> {
    let mut all = Vec::new();
    for pair in pairs {
        let Some((key, value)) = pair.split_once([':', '=']) else {
            return Err(LoadError::flag("--metadata", pair, "expected KEY:VALUE"));
        };
        let (key, value) = (key.trim(), value.trim_start());
        all.push(Pair::new(key, value).map_err(|cause| refused(key, cause))?);
    }
    if let Some(given) = token {
        let failed = |cause: String| LoadError::flag("--token", concealed(given), cause);
        let value = format!("Bearer {}", read_token(given).map_err(failed)?);
        add(&mut MetadataMap::new(), "authorization", &value)
            .map_err(|_| failed("it has characters that are invalid in a token".to_owned()))?;
        all.push(Pair {
            key: "authorization".to_owned(),
            value,
            verbatim: true,
        });
    }
    Ok(all)
}

/// Returns an error that does not show the value, because errors are shared like reports.
fn refused(key: &str, cause: impl Into<String>) -> LoadError {
    LoadError::flag("--metadata", format!("{key}:…"), cause)
}

/// Metadata ready to be sent.
#[derive(Clone, Debug, Default)]
pub(crate) struct Filled {
    /// Pairs that are equal in every call.
    pub(crate) fixed: MetadataMap,
    pub(crate) varying: Varying,
}

/// Pairs with templates that are filled in for each call.
#[derive(Clone, Debug, Default)]
pub struct Varying(Vec<(String, Template)>);

/// Parses the templates of values; relative paths in them start at `folder`.
///
/// # Errors
/// Names the key and the invalid template.
pub(crate) fn fill(pairs: &[Pair], folder: &Path) -> Result<Filled, LoadError> {
    let mut filled = Filled::default();
    for pair in pairs {
        let failed = |cause| refused(&pair.key, cause);
        if pair.text().contains("{{") {
            let template = Template::parse_plain(&pair.value, folder).map_err(failed)?;
            filled.varying.0.push((pair.key.clone(), template));
        } else {
            add(&mut filled.fixed, &pair.key, &pair.value).map_err(failed)?;
        }
    }
    Ok(filled)
}

impl Filled {
    /// Returns the metadata of a first call.
    ///
    /// # Errors
    /// Names the key whose value cannot be sent.
    pub(crate) fn sample(&self) -> Result<MetadataMap, LoadError> {
        let mut sample = self.fixed.clone();
        sample.append_all(&self.varying.fill(0, &mut Rng::with_seed(1))?);
        Ok(sample)
    }
}

impl Varying {
    /// Returns the pairs of call number `number`; an empty map allocates nothing.
    ///
    /// # Errors
    /// Names the key whose value cannot be sent.
    pub(crate) fn fill(&self, number: u64, rng: &mut Rng) -> Result<MetadataMap, LoadError> {
        let mut map = MetadataMap::new();
        let mut value = String::new();
        for (key, template) in &self.0 {
            value.clear();
            template.render(number, rng, &mut value);
            add(&mut map, key, &value).map_err(|cause| refused(key, cause))?;
        }
        Ok(map)
    }
}

/// Parts of metadata names whose values are treated as credentials.
const SECRET_NAMES: [&str; 8] = [
    "auth",
    "token",
    "key",
    "secret",
    "passw",
    "cookie",
    "credential",
    "session",
];

/// Returns the credentials in metadata: values of keys with such a name, and the part after their
/// scheme.
pub(crate) fn secrets<'a>(all: impl Iterator<Item = &'a MetadataMap>) -> Vec<String> {
    /// Shortest credential in bytes that is hidden; shorter ones occur in any text by chance.
    const BYTES_MIN: usize = 4;
    let mut secrets = Vec::new();
    for (name, value) in all.flat_map(MetadataMap::iter) {
        let Ok(value) = std::str::from_utf8(value) else {
            continue;
        };
        if SECRET_NAMES.iter().any(|word| name.contains(word)) {
            let bare = value.split_once(' ').map_or(value, |(_, bare)| bare);
            let long = [value, bare]
                .into_iter()
                .filter(|text| text.len() >= BYTES_MIN);
            secrets.extend(long.map(str::to_owned));
        }
    }
    // Longer ones first, so that a part is not replaced before its whole.
    secrets.sort_by(|one, other| other.len().cmp(&one.len()).then(one.cmp(other)));
    secrets.dedup();
    secrets
}

/// Returns a token: the text itself, the content of a file (`@path`), or an environment variable
/// (`env:NAME`).
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

/// Returns the part of a token flag that errors may show: its source, not its value.
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
        fill(&read(&pairs, token)?, Path::new(".")).map(|filled| filled.fixed)
    }

    #[test]
    fn places_are_filled_in_for_each_call() {
        let pairs = [
            "x-id:{{seq 5}}",
            "x-key:{{uuid}}",
            "k-bin:{{base64 Cargo.toml}}",
            "x-a:b",
        ];
        let folder = Path::new(env!("CARGO_MANIFEST_DIR"));
        let filled = fill(
            &read(&pairs.map(str::to_owned), Some("{{t}}")).unwrap(),
            folder,
        );
        let filled = filled.unwrap();
        assert_eq!(filled.fixed.get("authorization"), Some("Bearer {{t}}"));
        assert_eq!(
            (filled.fixed.len(), filled.fixed.get("x-a")),
            (2, Some("b"))
        );
        let mut rng = Rng::with_seed(1);
        let calls = [0, 1].map(|number| filled.varying.fill(number, &mut rng).unwrap());
        assert_eq!(
            calls.each_ref().map(|call| call.get("x-id")),
            [Some("5"), Some("6")]
        );
        assert_ne!(calls[0].get("x-key"), calls[1].get("x-key"));
        let file = std::fs::read(folder.join("Cargo.toml")).unwrap();
        assert_eq!(calls[0].get_bin("k-bin"), Some(file));
        assert_eq!(filled.sample().unwrap().len(), 5);
        for (pair, wanted) in [
            ("x-a:{{nope}}", "\"x-a:…\": {{nope}}: expected seq"),
            ("x-a:{{seq", "no closing"),
            ("k-bin:{{uuid}}", "not base64"),
        ] {
            let pairs = read(&[pair.to_owned()], None).unwrap();
            let error = fill(&pairs, folder)
                .and_then(|filled| filled.sample())
                .unwrap_err();
            assert!(error.to_string().contains(wanted), "{error}");
        }
    }

    #[test]
    fn pairs_are_read_in_both_forms() {
        let map = map(&["x-a: b:c", "x-d=e", "k-bin:aGk=", "l-bin=aGk"], None).unwrap();
        assert_eq!((map.get("x-a"), map.get("x-d")), (Some("b:c"), Some("e")));
        assert_eq!(map.get_bin("k-bin"), Some(b"hi".to_vec()));
        assert_eq!(map.get_bin("l-bin"), Some(b"hi".to_vec()));
    }

    #[test]
    fn credentials_are_known_by_their_names() {
        let map = map(
            &[
                "x-api-key:hunter2",
                "x-tenant:blue",
                "x-auth:abc",
                "k-bin:aGk=",
            ],
            Some("s3cret"),
        )
        .unwrap();
        let found = secrets([&map, &map].into_iter());
        assert_eq!(found, ["Bearer s3cret", "hunter2", "s3cret"]);
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
            (&["k-bin:***"], None, "not base64"),
            (&["k:v"], Some(""), "the token is empty"),
            (&[], Some("@/nowhere/token"), "No such file"),
            (&[], Some("env:NO_SUCH_NAME_HERE"), "env:NO_SUCH_NAME_HERE"),
            (&[], Some("two\nlines"), "invalid in a token"),
        ];
        for (pairs, token, wanted) in cases {
            let error = map(pairs, token).unwrap_err().to_string();
            assert!(error.contains(wanted), "{error}");
        }
    }
}
