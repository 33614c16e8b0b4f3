//! Functions that templates can call.

use std::fmt::Write;
use std::path::Path;
use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use fastrand::Rng;

/// Accepted functions, for error texts.
const EXPECTED: &str = "expected seq, rand, uuid, now, file, base64 or csv";

/// Function of a template.
#[derive(Clone, Debug)]
pub(crate) enum Function {
    /// Number of the request, counted from here.
    Seq(u64),
    /// Random whole number in this range.
    Whole(i64, i64),
    /// Random number in this range.
    Real(f64, f64),
    Uuid,
    /// Current time in RFC 3339.
    Now,
    /// Time since 1970 in units of this many nanoseconds.
    Since(u128),
    /// Constant text.
    Constant(Arc<str>),
    /// Lines of a file in turn.
    Rows(Arc<[String]>),
}

impl Function {
    /// Parses the words of a function call. Paths start at `folder`; `form` is the escaping of file
    /// contents.
    pub(crate) fn parse(words: &[String], folder: &Path, form: Form) -> Result<Self, String> {
        let words: Vec<_> = words.iter().map(String::as_str).collect();
        let Some((&name, arguments)) = words.split_first() else {
            return Err(EXPECTED.to_owned());
        };
        match (name, arguments) {
            ("seq", []) => Ok(Self::Seq(0)),
            ("seq", [first]) => Ok(Self::Seq(number(first)?)),
            ("rand", [low, high]) => range(low, high),
            ("rand", _) => Err("rand takes two numbers".to_owned()),
            ("uuid", []) => Ok(Self::Uuid),
            ("now", []) => Ok(Self::Now),
            ("now", [unit]) => since(unit),
            ("file", [path]) => {
                let text = std::fs::read_to_string(folder.join(path));
                let text = text.map_err(|error| error.to_string())?;
                Ok(Self::Constant(form.apply(&text).into()))
            }
            ("base64", [path]) => {
                let bytes = std::fs::read(folder.join(path));
                let bytes = bytes.map_err(|error| error.to_string())?;
                Ok(Self::Constant(STANDARD.encode(bytes).into()))
            }
            ("csv", [path, column]) => column_of(&folder.join(path), column, form),
            ("csv", _) => Err("csv takes a file and a column".to_owned()),
            ("file" | "base64", _) => Err(format!("{name} takes a file")),
            ("seq" | "uuid" | "now", _) => Err(format!("{name} has no such argument")),
            _ => Err(EXPECTED.to_owned()),
        }
    }

    /// Returns true if the function gives each request a unique text.
    pub(crate) fn is_unique(&self) -> bool {
        matches!(self, Self::Seq(_) | Self::Uuid | Self::Now | Self::Since(_))
    }

    /// Returns the number of distinct texts that requests use in turn, if there is one.
    pub(crate) fn rows(&self) -> usize {
        match self {
            Self::Rows(rows) => rows.len(),
            _ => 1,
        }
    }

    /// Appends the text for request number `request`.
    pub(crate) fn write(&self, request: u64, rng: &mut Rng, out: &mut String) {
        let written = match self {
            Self::Seq(first) => write!(out, "{}", first.wrapping_add(request)),
            Self::Whole(low, high) => write!(out, "{}", rng.i64(low..=high)),
            Self::Real(low, high) => write!(out, "{}", low + (high - low) * rng.f64()),
            Self::Uuid => write_uuid(rng.u128(..), out),
            Self::Now => write!(
                out,
                "{}",
                humantime::format_rfc3339_nanos(SystemTime::now())
            ),
            Self::Since(unit) => write!(out, "{}", nanos_since_1970() / unit),
            Self::Constant(text) => {
                out.push_str(text);
                Ok(())
            }
            Self::Rows(rows) => {
                out.push_str(&rows[(request % rows.len() as u64) as usize]);
                Ok(())
            }
        };
        debug_assert!(written.is_ok(), "a string takes all that is written");
    }
}

fn number<T: std::str::FromStr>(text: &str) -> Result<T, String> {
    text.parse()
        .map_err(|_| format!("{text:?} is not a number in range"))
}

fn range(low: &str, high: &str) -> Result<Function, String> {
    let nothing = || format!("there is no number from {low} to {high}");
    if let (Ok(low), Ok(high)) = (low.parse::<i64>(), high.parse::<i64>()) {
        return (low <= high)
            .then_some(Function::Whole(low, high))
            .ok_or_else(nothing);
    }
    let (low, high) = (number::<f64>(low)?, number::<f64>(high)?);
    let span = (high - low).is_finite() && low <= high;
    span.then_some(Function::Real(low, high))
        .ok_or_else(nothing)
}

fn since(unit: &str) -> Result<Function, String> {
    match unit {
        "s" => Ok(Function::Since(1_000_000_000)),
        "ms" => Ok(Function::Since(1_000_000)),
        "us" => Ok(Function::Since(1_000)),
        "ns" => Ok(Function::Since(1)),
        _ => Err(format!("expected s, ms, us or ns, not {unit:?}")),
    }
}

fn nanos_since_1970() -> u128 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    since.map_or(0, |since| since.as_nanos())
}

/// Writes a UUID of RFC 9562 §5.4: random except for the version, 4, and the variant.
fn write_uuid(random: u128, out: &mut String) -> std::fmt::Result {
    let bits = random & !(0xf << 76) & !(0x3 << 62) | 0x4 << 76 | 0x2 << 62;
    let part = |shift: u32, digits: u32| (bits >> shift) & ((1 << (digits * 4)) - 1);
    write!(
        out,
        "{:08x}-{:04x}-{:04x}-{:04x}-{:012x}",
        part(96, 8),
        part(80, 4),
        part(64, 4),
        part(48, 4),
        part(0, 12),
    )
}

/// Escaping of file contents, by the text around the function.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Form {
    /// Escaped as within a JSON string.
    Json,
    /// Unchanged, except that line ends at the start and end are removed.
    Plain,
}

impl Form {
    fn apply(self, text: &str) -> String {
        match self {
            Self::Json => {
                let quoted = serde_json::Value::from(text).to_string();
                quoted[1..quoted.len() - 1].to_owned()
            }
            Self::Plain => text.trim().to_owned(),
        }
    }
}

fn column_of(path: &Path, column: &str, form: Form) -> Result<Function, String> {
    let failed = |error: csv::Error| error.to_string().replace('\n', " ");
    let mut reader = csv::Reader::from_path(path).map_err(failed)?;
    let names = reader.headers().map_err(failed)?.clone();
    let Some(index) = names.iter().position(|name| name == column) else {
        let known: Vec<_> = names.iter().collect();
        return Err(format!(
            "there is no column {column:?}, only {}",
            known.join(", ")
        ));
    };
    let rows = reader.records().map(|record| {
        let record = record.map_err(failed)?;
        Ok(form.apply(record.get(index).unwrap_or_default()))
    });
    let rows = rows.collect::<Result<Vec<_>, String>>()?;
    if rows.is_empty() {
        return Err("there are no rows".to_owned());
    }
    Ok(Function::Rows(rows.into()))
}
