//! Templates such as `{"id": {{rand 1 100}}}`.

use std::path::Path;

use fastrand::Rng;

use super::function::{Form, Function};

/// Template: a text with functions between its pieces.
///
/// | function | result |
/// |---|---|
/// | `{{seq}}` | the request's number, from 0; `{{seq 100}}` counts from 100 |
/// | `{{rand 1 100}}` | a random number from 1 to 100, whole if both ends are |
/// | `{{uuid}}` | a random UUID |
/// | `{{now}}` | the time in RFC 3339; `{{now s}}`, `ms`, `us`, `ns` since 1970 as a number |
/// | `{{file "p"}}` | the text of a file, escaped for a JSON string |
/// | `{{base64 "p"}}` | the bytes of a file, in base64, as JSON encodes bytes |
/// | `{{csv "p" "col"}}` | a column of a CSV file, one row for each request, escaped |
#[derive(Clone, Debug)]
pub struct Template {
    start: String,
    rest: Vec<(Function, String)>,
}

impl Template {
    /// Parses a JSON template. Files are read now; relative paths start at `folder`.
    ///
    /// # Errors
    /// Names the function that is invalid, or whose file cannot be used.
    pub fn parse(text: &str, folder: &Path) -> Result<Self, String> {
        Self::parse_as(text, folder, Form::Json)
    }

    /// Parses a template of plain text, such as the value of metadata.
    ///
    /// # Errors
    /// As for [`Template::parse`].
    pub(crate) fn parse_plain(text: &str, folder: &Path) -> Result<Self, String> {
        Self::parse_as(text, folder, Form::Plain)
    }

    fn parse_as(text: &str, folder: &Path, form: Form) -> Result<Self, String> {
        let mut pieces = text.split("{{");
        let start = pieces.next().unwrap_or_default().to_owned();
        let mut rest = Vec::new();
        for piece in pieces {
            let Some((place, after)) = piece.split_once("}}") else {
                return Err(format!("{{{{{piece:?} has no closing }}}}"));
            };
            let failed = |cause| format!("{{{{{place}}}}}: {cause}");
            let function = Function::parse(&words(place).map_err(failed)?, folder, form);
            rest.push((function.map_err(failed)?, after.to_owned()));
        }
        Ok(Self { start, rest })
    }

    /// Returns the paths of files that a template names, as written. An invalid template names
    /// none.
    pub fn files(text: &str) -> Vec<String> {
        let pieces = text.split("{{").skip(1);
        let places = pieces.filter_map(|piece| Some(piece.split_once("}}")?.0));
        let named = places.filter_map(|place| match words(place).ok()?.as_slice() {
            [name, path, ..] if ["file", "base64", "csv"].contains(&name.as_str()) => {
                Some(path.clone())
            }
            _ => None,
        });
        named.collect()
    }

    /// Returns true if the template calls no function with varying output.
    pub fn is_constant(&self) -> bool {
        self.rest.is_empty()
    }

    /// Returns true if each request gets a unique text: a number, an identifier, a time.
    pub(crate) fn is_unique(&self) -> bool {
        self.rest.iter().any(|(function, _)| function.is_unique())
    }

    /// Returns the largest number of lines of a file that requests use in turn.
    pub(crate) fn rows(&self) -> usize {
        let rows = self.rest.iter().map(|(function, _)| function.rows());
        rows.max().unwrap_or(1)
    }

    /// Appends the text of request number `number`.
    pub fn render(&self, number: u64, rng: &mut Rng, out: &mut String) {
        out.push_str(&self.start);
        for (function, after) in &self.rest {
            function.write(number, rng, out);
            out.push_str(after);
        }
    }
}

/// Splits at spaces outside of quotes.
fn words(place: &str) -> Result<Vec<String>, String> {
    let mut words = Vec::new();
    let mut rest = place.trim_start();
    while let Some(first) = rest.chars().next() {
        let (word, after) = if matches!(first, '"' | '\'') {
            let quoted = rest[1..].split_once(first);
            quoted.ok_or_else(|| format!("{rest:?} has no closing quote"))?
        } else {
            rest.split_once(char::is_whitespace).unwrap_or((rest, ""))
        };
        words.push(word.to_owned());
        rest = after.trim_start();
    }
    Ok(words)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn template(text: &str) -> Result<Template, String> {
        let folder = Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/data"));
        Template::parse(text, folder)
    }

    fn rendered(text: &str, number: u64) -> String {
        let mut out = String::new();
        let template = template(text).unwrap();
        template.render(number, &mut Rng::with_seed(1), &mut out);
        out
    }

    #[test]
    fn places_are_filled() {
        let cases = [
            (r#"{"id": 1}"#, r#"{"id": 1}"#),
            ("{{seq}}{{ seq 100 }}-", "7107-"),
            ("{{rand 3 3}}", "3"),
            (r#""{{file "note.txt"}}""#, r#""say \"hi\"\n""#),
            (r#""{{base64 'note.txt'}}""#, r#""c2F5ICJoaSIK""#),
            (
                r#"{{csv "users.csv" "id"}},{{csv users.csv name}}"#,
                r#"22,Grace \"Amazing\""#,
            ),
        ];
        for (text, wanted) in cases {
            assert_eq!(rendered(text, 7), wanted, "{text}");
        }
        assert!(template("{}").unwrap().is_constant());
        assert!(!template("{{seq}}").unwrap().is_constant());
        let text = r#"{{seq}}{{file "a b"}}{{csv c.csv id}}{{file}}{{base64 'd'"#;
        assert_eq!(Template::files(text), ["a b", "c.csv"]);
    }

    #[test]
    fn places_say_whether_they_vary() {
        let cases = [
            ("{}", false, 1),
            ("{{rand 1 9}}", false, 1),
            ("{{csv users.csv id}}", false, 3),
            ("{{seq}}", true, 1),
            ("{{uuid}}{{csv users.csv id}}", true, 3),
            ("{{now}}", true, 1),
            ("{{now ms}}", true, 1),
        ];
        for (text, unique, rows) in cases {
            let template = template(text).unwrap();
            assert_eq!(
                (template.is_unique(), template.rows()),
                (unique, rows),
                "{text}"
            );
        }
        let folder = Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/data"));
        let plain = Template::parse_plain("{{file note.txt}}|{{csv users.csv name}}", folder);
        let mut out = String::new();
        plain.unwrap().render(7, &mut Rng::with_seed(1), &mut out);
        assert_eq!(out, r#"say "hi"|Grace "Amazing""#);
    }

    #[test]
    fn random_values_have_their_form() {
        let mut rng = Rng::with_seed(3);
        let (whole, part) = (
            template("{{rand -2 2}}").unwrap(),
            template("{{rand 0.5 1}}").unwrap(),
        );
        let mut seen = std::collections::BTreeSet::new();
        for number in 0..1000 {
            let (mut a, mut b) = (String::new(), String::new());
            whole.render(number, &mut rng, &mut a);
            part.render(number, &mut rng, &mut b);
            seen.insert(a.parse::<i64>().unwrap());
            assert!((0.5..=1.0).contains(&b.parse::<f64>().unwrap()), "{b}");
        }
        assert_eq!(seen.into_iter().collect::<Vec<_>>(), [-2, -1, 0, 1, 2]);
        let uuid = rendered("{{uuid}}", 0);
        let parts: Vec<_> = uuid.split('-').map(str::len).collect();
        assert_eq!(parts, [8, 4, 4, 4, 12], "{uuid}");
        assert_eq!(&uuid[14..15], "4", "{uuid}");
        let now = rendered("{{now}}", 0);
        assert!(now.starts_with("20") && now.ends_with('Z'), "{now}");
        assert!(rendered("{{now ms}}", 0).parse::<u64>().unwrap() > 1_700_000_000_000);
    }

    #[test]
    fn what_cannot_be_filled_is_named() {
        let cases = [
            ("{{seq", "closing"),
            ("{{sequence}}", "{{sequence}}: expected seq, rand"),
            ("{{}}", "expected seq"),
            ("{{seq x}}", "\"x\""),
            ("{{rand 1}}", "two numbers"),
            ("{{rand 5 1}}", "from 5 to 1"),
            ("{{file \"gone.txt\"}}", "No such file"),
            ("{{file \"x}}", "closing quote"),
            (
                "{{csv users.csv shoe}}",
                "no column \"shoe\", only id, name",
            ),
            ("{{csv users.csv}}", "a file and a column"),
            ("{{now week}}", "\"week\""),
            ("{{uuid 1}}", "no such argument"),
        ];
        for (text, wanted) in cases {
            let error = template(text).unwrap_err();
            assert!(error.contains(wanted), "{text}: {error}");
        }
    }
}
