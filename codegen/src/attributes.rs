//! Attributes that users add to services, and the paths that select the services.

/// List of values, each with the proto path that it applies to.
#[derive(Clone, Debug, Default)]
pub(crate) struct ByPath(Vec<(String, String)>);

impl ByPath {
    pub(crate) fn insert(&mut self, path: impl Into<String>, value: impl Into<String>) {
        self.0.push((path.into(), value.into()));
    }

    /// Returns the values for `full_name` (without a leading dot) in insertion order.
    pub(crate) fn of(&self, full_name: &str) -> Vec<String> {
        let matching = self.0.iter().filter(|(path, _)| matches(path, full_name));
        matching.map(|(_, value)| value.clone()).collect()
    }
}

/// Returns true if `path` selects `full_name`. The path `.` selects everything. A path with a
/// leading dot selects that item and all items within. Any other path selects names that end with
/// it.
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

/// Attributes of the generated items of one service.
#[derive(Clone, Debug, Default)]
pub(crate) struct Attributes {
    pub(crate) server_module: Vec<String>,
    pub(crate) client_module: Vec<String>,
    pub(crate) server: Vec<String>,
    pub(crate) client: Vec<String>,
    pub(crate) the_trait: Vec<String>,
}

/// Attributes for all services of a build.
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
