//! Scenario files: mixes of methods in TOML.
//!
//! ```toml
//! [[call]]
//! method = "user.UserService/GetUser"
//! weight = 9
//! data = '{"id": {{rand 1 10000}}}'
//! timeout = "100ms"
//! metadata = { x-tenant = "blue" }
//!
//! [[call]]
//! method = "user.UserService/ListUsers"
//! data = { page = 1, page_size = 50 }
//! ```

use std::collections::BTreeMap;
use std::path::Path;

use serde::Deserialize;

use super::Order;
use super::order::folder_of;
use crate::duration;
use crate::error::LoadError;
use crate::metadata::Pair;

/// Content of the file.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    call: Vec<Entry>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Entry {
    method: String,
    #[serde(default = "one")]
    weight: u32,
    /// Data as text in the form of `--data`, or the message itself.
    data: Option<serde_json::Value>,
    #[serde(default)]
    metadata: BTreeMap<String, String>,
    timeout: Option<String>,
    messages: Option<u32>,
    turns: Option<String>,
}

const fn one() -> u32 {
    1
}

/// Reads a scenario. Omitted keys have the values of `otherwise`; metadata is added to its
/// metadata.
///
/// # Errors
/// Names the file and the mistake.
pub(crate) fn read(path: &Path, otherwise: &Order) -> Result<Vec<Order>, LoadError> {
    let failed = |cause: String| LoadError::Scenario {
        path: path.to_owned(),
        cause: cause.trim().replace('\n', " "),
    };
    let text = std::fs::read_to_string(path).map_err(|error| failed(error.to_string()))?;
    let file: File = toml::from_str(&text).map_err(|error| failed(error.message().to_owned()))?;
    if file.call.is_empty() {
        return Err(failed("it has no [[call]]".to_owned()));
    }
    let order = |entry: Entry| {
        let name = entry.method.clone();
        entry
            .order(path, otherwise)
            .map_err(|cause| failed(format!("{name}: {cause}")))
    };
    file.call.into_iter().map(order).collect()
}

impl Entry {
    fn order(self, path: &Path, otherwise: &Order) -> Result<Order, String> {
        let mut order = Order {
            method: self.method,
            folder: folder_of(path),
            weight: self.weight,
            messages: self.messages.or(otherwise.messages),
            ..otherwise.clone()
        };
        if order.weight == 0 || order.messages == Some(0) {
            return Err("weight and messages must be at least 1".to_owned());
        }
        match self.data {
            None => {}
            Some(serde_json::Value::String(text)) => order.data = text,
            Some(value) => order.data = value.to_string(),
        }
        for (key, value) in &self.metadata {
            order.metadata.push(Pair::new(key, value)?);
        }
        if let Some(text) = self.timeout {
            let timeout = duration::parse(&text).filter(|timeout| !timeout.is_zero());
            let failed = || format!("timeout {text:?}: {}", duration::EXPECTED);
            order.timeout = Some(timeout.ok_or_else(failed)?);
        }
        if let Some(text) = self.turns {
            let failed = |()| format!("turns {text:?}: expected ping-pong or free");
            order.turns = text.parse().map_err(failed)?;
        }
        Ok(order)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::call::Turns;
    use std::path::PathBuf;
    use std::time::Duration;

    fn otherwise() -> Order {
        let metadata = vec![Pair::new("x-all", "yes").unwrap()];
        Order {
            method: String::new(),
            data: "{}".to_owned(),
            folder: PathBuf::from("."),
            metadata,
            timeout: Some(Duration::from_secs(1)),
            messages: None,
            turns: Turns::PingPong,
            weight: 1,
        }
    }

    fn orders(name: &str, text: &str) -> Result<Vec<Order>, LoadError> {
        let file = format!("corespun-scenario-{}-{name}.toml", std::process::id());
        let path = std::env::temp_dir().join(file);
        std::fs::write(&path, text).unwrap();
        let orders = read(&path, &otherwise());
        std::fs::remove_file(&path).unwrap();
        orders
    }

    #[test]
    fn calls_are_read_and_what_is_missing_is_taken_over() {
        let text = r#"
            [[call]]
            method = "a.B/C"
            weight = 9
            data = '{"id": {{seq}}}'
            metadata = { x-mine = "too", k-bin = "aGk" }
            timeout = "5ms"
            [[call]]
            method = "a.B/D"
            data = { id = 1, deep = { list = [1, 2] } }
            messages = 5
            turns = "free"
        "#;
        let orders = orders("good", text).unwrap();
        let [first, second] = orders.as_slice() else {
            panic!("{orders:?}")
        };
        assert_eq!(
            (first.weight, first.data.as_str()),
            (9, r#"{"id": {{seq}}}"#)
        );
        assert_eq!(first.timeout, Some(Duration::from_millis(5)));
        assert_eq!(first.metadata.len(), 3);
        assert_eq!(first.folder, std::env::temp_dir());
        assert_eq!((second.weight, second.messages), (1, Some(5)));
        assert_eq!(
            (second.turns, second.timeout),
            (Turns::Free, Some(Duration::from_secs(1)))
        );
        let value: serde_json::Value = serde_json::from_str(&second.data).unwrap();
        assert_eq!(value["deep"]["list"][1], 2);
    }

    #[test]
    fn mistakes_are_named() {
        let cases = [
            ("call = []", "no [[call]]"),
            ("x = 1", "unknown field"),
            ("[[call]]\nweight = 1", "method"),
            (
                "[[call]]\nmethod = \"a/b\"\nwait = 1",
                "unknown field `wait`",
            ),
            ("[[call]]\nmethod = \"a/b\"\nweight = 0", "a/b: weight"),
            (
                "[[call]]\nmethod = \"a/b\"\ntimeout = \"1\"",
                "a/b: timeout \"1\"",
            ),
            (
                "[[call]]\nmethod = \"a/b\"\nturns = \"x\"",
                "a/b: turns \"x\"",
            ),
            (
                "[[call]]\nmethod = \"a/b\"\nmetadata = { \"grpc-x\" = \"1\" }",
                "grpc-x",
            ),
            ("[[call", "failed to read the scenario"),
        ];
        for (text, wanted) in cases {
            let error = orders("bad", text).unwrap_err().to_string();
            assert!(error.contains(wanted), "{text}: {error}");
            assert!(error.starts_with("failed to read the scenario "), "{error}");
            assert!(!error.contains('\n'), "{error}");
        }
    }
}
