//! Attributes that users put on services, and the paths that say on which.

/// Values, each with a path of protos that it is for.
#[derive(Clone, Debug, Default)]
pub(crate) struct ByPath(Vec<(String, String)>);

impl ByPath {
    pub(crate) fn insert(&mut self, path: impl Into<String>, value: impl Into<String>) {
        self.0.push((path.into(), value.into()));
    }

    /// Values for `full_name`, which has no dot in front, in the order of their insertion.
    pub(crate) fn of(&self, full_name: &str) -> Vec<String> {
        let matching = self.0.iter().filter(|(path, _)| matches(path, full_name));
        matching.map(|(_, value)| value.clone()).collect()
    }
}

/// Returns whether `path` is for `full_name`: `.` is for everything, a path with a dot in front for
/// what it names and all within, any other for names that end so.
pub(crate) fn matches(path: &str, full_name: &str) -> bool {
    match path.strip_prefix('.') {
        Some("") => true,
        Some(path) => full_name
            .strip_prefix(path)
            .is_some_and(|rest| rest.is_empty() || rest.starts_with('.')),
        None => full_name
            .strip_suffix(path)
            .is_some_and(|rest| rest.is_empty() || rest.ends_with('.')),
    }
}

/// Attributes of one service's items, by item.
#[derive(Clone, Debug, Default)]
pub(crate) struct Attributes {
    pub(crate) server_module: Vec<String>,
    pub(crate) client_module: Vec<String>,
    pub(crate) server: Vec<String>,
    pub(crate) client: Vec<String>,
    pub(crate) the_trait: Vec<String>,
}

/// Attributes of all services.
#[derive(Clone, Debug, Default)]
pub(crate) struct ServiceAttributes {
    pub(crate) server_module: ByPath,
    pub(crate) client_module: ByPath,
    pub(crate) server: ByPath,
    pub(crate) client: ByPath,
    pub(crate) the_trait: ByPath,
}

impl ServiceAttributes {
    pub(crate) fn of(&self, full_name: &str) -> Attributes {
        Attributes {
            server_module: self.server_module.of(full_name),
            client_module: self.client_module.of(full_name),
            server: self.server.of(full_name),
            client: self.client.of(full_name),
            the_trait: self.the_trait.of(full_name),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_match_as_in_prost_build() {
        for (path, full_name, expected) in [
            (".", "a.B", true),
            (".a", "a.B", true),
            (".a.B", "a.B", true),
            (".a.B", "a.Bc", false),
            ("B", "a.B", true),
            ("a.B", "a.B", true),
            ("B", "a.aB", false),
            ("a", "a.B", false),
        ] {
            assert_eq!(matches(path, full_name), expected, "{path} {full_name}");
        }
    }
}
