//! Test cases that may fail, because RFC 9113 no longer requires what they test. No other case is
//! listed.

/// Test case that may pass or fail.
pub struct Excused {
    /// Suite of the case.
    pub suite: &'static str,
    /// Section and number of the case.
    pub place: &'static str,
    /// Title of the case.
    pub name: &'static str,
    /// Requirement of RFC 9113 that the case contradicts.
    pub reason: &'static str,
}

/// All excused cases.
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

/// Returns the entry of the case of `suite` at `place`, if it may fail.
pub fn find(suite: &str, place: &str) -> Option<&'static Excused> {
    let mut all = EXCUSED.iter();
    all.find(|excused| excused.suite == suite && excused.place == place)
}
