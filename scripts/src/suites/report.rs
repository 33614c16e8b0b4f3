//! Result of a suite: its cases by section, and its own summary.

use super::excused::{self, Excused};
use crate::test::Stage;

/// One run of a suite.
pub struct Report {
    /// Suite with its version.
    pub suite: &'static str,
    /// Subject of the test, such as `server on uring`.
    pub subject: String,
    /// Number of cases of the suite.
    pub expected: usize,
    /// Summary that the suite prints.
    pub summary: String,
    /// Sections of the suite, in order.
    pub sections: Vec<Section>,
}

/// Cases of one section.
#[derive(Debug, PartialEq)]
pub struct Section {
    /// Number or name of the section, such as `http2/6.9.1`.
    pub name: String,
    /// Cases of the section, in order.
    pub cases: Vec<Case>,
}

/// Test case.
#[derive(Debug, PartialEq)]
pub struct Case {
    /// Title of the case.
    pub name: String,
    /// Result of the case.
    pub verdict: Verdict,
}

/// Result of a case.
#[derive(Debug, PartialEq)]
pub enum Verdict {
    /// The case passed.
    Passed,
    /// The case failed, with the message of the suite.
    Failed(String),
    /// The suite skipped the case.
    Skipped,
}

impl Section {
    /// Returns the number of passed cases, and of all cases.
    pub fn count(&self) -> (usize, usize) {
        let passed = self
            .cases
            .iter()
            .filter(|case| case.verdict == Verdict::Passed);
        (passed.count(), self.cases.len())
    }
}

impl Report {
    /// Returns the section of this name; creates it if there is none.
    pub fn section(&mut self, name: &str) -> &mut Section {
        let at = self
            .sections
            .iter()
            .position(|section| section.name == name);
        let at = at.unwrap_or_else(|| {
            let (name, cases) = (name.to_owned(), Vec::new());
            self.sections.push(Section { name, cases });
            self.sections.len() - 1
        });
        &mut self.sections[at]
    }

    /// Returns the number of passed cases, and of all cases.
    pub fn count(&self) -> (usize, usize) {
        let counts = self.sections.iter().map(Section::count);
        counts.fold((0, 0), |sum, (passed, total)| {
            (sum.0 + passed, sum.1 + total)
        })
    }

    /// Writes every case to the log of `stage`, where it is counted.
    pub fn tell(&self, stage: &mut Stage) {
        for section in &self.sections {
            for (number, case) in section.cases.iter().enumerate() {
                let place = format!("{}/{}", section.name, number + 1);
                self.tell_case(stage, &place, case);
            }
        }
        stage.remark(format!(
            "{}, {}: {}",
            self.suite, self.subject, self.summary
        ));
        let (_, total) = self.count();
        if total != self.expected {
            let (suite, subject, expected) = (self.suite, &self.subject, self.expected);
            stage.fault(format!("{suite}, {subject}: {total} cases, not {expected}"));
        }
    }

    fn tell_case(&self, stage: &Stage, place: &str, case: &Case) {
        let line = format!("{}, {}, {place}: {}", self.suite, self.subject, case.name);
        match (&case.verdict, excused::find(self.suite, place)) {
            (Verdict::Passed, _) => stage.note(format!("ok {line}")),
            (Verdict::Failed(why), Some(Excused { reason, .. })) => {
                stage.note(format!("excused {line}: {why} ({reason})"));
            }
            (Verdict::Failed(why), None) => stage.note(format!("FAILED {line}: {why}")),
            (Verdict::Skipped, _) => stage.skip(&line, "the suite left it out"),
        }
    }
}
