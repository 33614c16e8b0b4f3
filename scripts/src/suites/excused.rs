//! Cases that may fail, because they test what RFC 9113 no longer asks for. Nothing else is here.

/// A case that may pass or fail.
pub struct Excused {
    /// The suite that has it.
    pub suite: &'static str,
    /// Its section and number.
    pub place: &'static str,
    /// What it does.
    pub name: &'static str,
    /// What RFC 9113 says instead.
    pub reason: &'static str,
}

/// All of them.
pub const EXCUSED: &[Excused] = &[
    Excused {
        suite: super::h2spec::SERVER,
        place: "http2/5.3.1/1",
        name: "Sends HEADERS frame that depends on itself",
        reason: "RFC 9113 section 5.3.2 deprecates priorities and has no rule on dependencies",
    },
    Excused {
        suite: super::h2spec::SERVER,
        place: "http2/5.3.1/2",
        name: "Sends PRIORITY frame that depend on itself",
        reason: "RFC 9113 section 5.3.2 deprecates priorities and has no rule on dependencies",
    },
];

/// Why the case of `suite` at `place` may fail, if it may.
pub fn find(suite: &str, place: &str) -> Option<&'static Excused> {
    let mut all = EXCUSED.iter();
    all.find(|excused| excused.suite == suite && excused.place == place)
}
