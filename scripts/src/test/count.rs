//! Counts of cases in the output of a stage: passed, failed, skipped.

use std::ops::AddAssign;

/// Numbers of cases of one stage, or of all stages.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Count {
    /// Number of cases that passed.
    pub passed: usize,
    /// Number of cases that failed.
    pub failed: usize,
    /// Number of cases that were left out without a message, such as `#[ignore]`.
    pub ignored: usize,
    /// Lines `SKIPPED name: reason`.
    pub skipped: Vec<String>,
}

impl Count {
    /// Parses the summaries of cargo's test programs, or if there are none, criterion's `Success`
    /// lines in test mode and our own `ok` and `FAILED` lines. Counts `SKIPPED` lines in any case.
    pub fn read(output: &str) -> Self {
        // Output of a test is not a case, so a test summary takes precedence over the other forms.
        let has_summaries = output.lines().any(|line| line.starts_with("test result: "));
        let mut count = Self::default();
        for line in output.lines() {
            if let Some(result) = line.strip_prefix("test result: ") {
                count.passed += number_before(result, "passed");
                count.failed += number_before(result, "failed");
                count.ignored += number_before(result, "ignored");
            } else if !has_summaries && (line.trim() == "Success" || line.starts_with("ok ")) {
                count.passed += 1;
            } else if !has_summaries && line.starts_with("FAILED ") {
                count.failed += 1;
            } else if line.starts_with("SKIPPED ") && line.contains(':') {
                count.add_skipped([line.to_owned()]);
            }
        }
        count
    }

    /// Adds lines `SKIPPED name: reason`. A test that is skipped twice in one stage counts once.
    pub fn add_skipped(&mut self, lines: impl IntoIterator<Item = String>) {
        for line in lines {
            if !self.skipped.contains(&line) {
                self.skipped.push(line);
            }
        }
    }

    /// Returns true if there is no case at all, not even a skipped one.
    pub fn is_empty(&self) -> bool {
        self.passed + self.failed + self.ignored == 0 && self.skipped.is_empty()
    }

    /// Returns the summary line of the whole run.
    pub fn summary(&self) -> String {
        let skipped = self.skipped.len() + self.ignored;
        format!(
            "{} passed, {} failed, {skipped} skipped",
            self.passed, self.failed
        )
    }
}

impl AddAssign<&Self> for Count {
    fn add_assign(&mut self, other: &Self) {
        self.passed += other.passed;
        self.failed += other.failed;
        self.ignored += other.ignored;
        self.skipped.extend(other.skipped.iter().cloned());
    }
}

fn number_before(text: &str, word: &str) -> usize {
    let mut previous = "";
    for part in text.split([' ', ';', '.']).filter(|part| !part.is_empty()) {
        if part == word {
            return previous.parse().unwrap_or(0);
        }
        previous = part;
    }
    0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn summaries_shut_out_what_tests_print() {
        let output = "\
running 3 tests
test a ... ok
ok this is what a test printed
test result: ok. 12 passed; 0 failed; 1 ignored; 0 measured; 0 filtered out; finished in 0.1s
test result: FAILED. 3 passed; 2 failed; 0 ignored; 0 measured; 4 filtered out
SKIPPED multishot: the kernel is old
";
        let count = Count::read(output);
        assert_eq!((count.passed, count.failed, count.ignored), (15, 2, 1));
        assert_eq!(count.summary(), "15 passed, 2 failed, 2 skipped");
    }

    #[test]
    fn cases_and_benches_are_counted() {
        let output = "\
Testing decode
Success
ok user_by_id
FAILED list_users: x
SKIPPED uring: the kernel refuses it
SKIPPED uring: the kernel refuses it
";
        let count = Count::read(output);
        assert_eq!((count.passed, count.failed), (2, 1));
        assert_eq!(count.skipped, ["SKIPPED uring: the kernel refuses it"]);
        let mut total = Count::default();
        total += &count;
        total += &count;
        assert_eq!(total.summary(), "4 passed, 2 failed, 2 skipped");
    }
}
