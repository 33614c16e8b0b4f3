//! Page about the suites: results by section, and the cases that may fail.

use std::fmt::Write;

use super::excused::EXCUSED;
use super::report::Report;

const START: &str = "\
# Conformance

What suites that others wrote say of corespun. `cargo x conformance --write docs/conformance.md`
fetches them, runs them and writes this page; `scripts/test h2spec httpwg stories` runs them as
tests. Each figure is the number of cases that passed, of those there are.

- **h2spec** plays the client of RFC 7540 and RFC 7541 against `plain`, the server in `examples`.
  `strict` adds the case that it keeps for those who ask.
- **h2specd**, its other half, plays the server against `one-call`, a client in `examples` that
  makes one unary call and stays until its connection ends.
- **httpwg** plays the client of RFC 9113 against `plain`.
- **HPACK stories** are header lists of real sites with the blocks that 14 other encoders made of
  them (http2jp/hpack-test-case). Each is decoded; then our encoder retells it with and without
  Huffman coding and with each kind of indexing, for another decoder and for our own.

";

/// Returns the whole page.
pub fn write(reports: &[Report]) -> String {
    let mut page = START.to_owned();
    page.push_str("| suite | subject | passed |\n|---|---|---|\n");
    for report in reports {
        let (passed, total) = report.count();
        let _ = writeln!(
            page,
            "| {} | {} | {passed} of {total} |",
            report.suite, report.subject
        );
    }
    // Runs of one suite are columns of one table.
    for runs in reports.chunk_by(|a, b| a.suite == b.suite) {
        sections(&mut page, runs);
    }
    page.push_str("\n## Excused\n\nThese may fail, and nothing else may. Today ");
    let failed = reports.iter().any(|report| {
        let (passed, total) = report.count();
        passed < total
    });
    page.push_str(if failed {
        "some fail.\n\n"
    } else {
        "they pass.\n\n"
    });
    page.push_str("| suite | case | what it does | why it may fail |\n|---|---|---|---|\n");
    for case in EXCUSED {
        let (suite, place, name) = (case.suite, case.place, case.name);
        let _ = writeln!(page, "| {suite} | {place} | {name} | {} |", case.reason);
    }
    page
}

/// Appends the sections of one suite, with a column for each run.
fn sections(page: &mut String, runs: &[Report]) {
    let subjects: Vec<_> = runs.iter().map(|run| run.subject.as_str()).collect();
    let _ = writeln!(page, "\n## {}\n", runs[0].suite);
    let _ = writeln!(page, "| section | {} |", subjects.join(" | "));
    let _ = writeln!(page, "|---{}|", "|---".repeat(runs.len()));
    // The run with the most cases has every section.
    let Some(fullest) = runs.iter().max_by_key(|run| run.count().1) else {
        return;
    };
    for section in &fullest.sections {
        let cells = runs.iter().map(|run| {
            let same = run.sections.iter().find(|other| other.name == section.name);
            let (passed, total) = same.map_or((0, 0), |same| same.count());
            format!("{passed} of {total}")
        });
        let cells: Vec<_> = cells.collect();
        let _ = writeln!(page, "| {} | {} |", section.name, cells.join(" | "));
    }
}

#[cfg(test)]
mod tests {
    use super::super::report::{Case, Section, Verdict};
    use super::*;

    fn run(subject: &str, verdicts: Vec<Verdict>) -> Report {
        let case = |verdict| Case {
            name: "does".into(),
            verdict,
        };
        Report {
            suite: "suite 1.0",
            subject: subject.into(),
            expected: verdicts.len(),
            summary: String::new(),
            sections: vec![Section {
                name: "6.9".into(),
                cases: verdicts.into_iter().map(case).collect(),
            }],
        }
    }

    #[test]
    fn runs_of_one_suite_stand_side_by_side() {
        let failed = Verdict::Failed("timeout".into());
        let runs = [
            run("uring", vec![Verdict::Passed, failed]),
            run("epoll", vec![Verdict::Passed]),
        ];
        let page = write(&runs);
        let lines = [
            "| suite 1.0 | uring | 1 of 2 |",
            "| section | uring | epoll |",
            "|---|---|---|",
            "| 6.9 | 1 of 2 | 1 of 1 |",
        ];
        for line in lines {
            assert!(page.contains(line), "{line} is missing in {page}");
        }
        assert!(page.contains("Today some fail."));
    }
}
