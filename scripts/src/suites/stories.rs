//! HPACK stories, which a test of `http2` decodes and encodes again.

use std::time::Duration;

use super::report::{Case, Report, Verdict};
use super::tool;
use crate::failure::Failure;
use crate::test::{Context, Stage};
use crate::workspace;

/// Number of stories.
const CASES: usize = 446;

/// Longest time of compiling and running.
const RUN_MAX: Duration = Duration::from_secs(400);

/// Runs the test and counts its stories.
pub fn run(context: &Context, _stage: &mut Stage) -> Result<Vec<Report>, Failure> {
    let mut cargo = workspace::cargo(&context.root);
    cargo.args([
        "test",
        "--workspace",
        "--test",
        "stories",
        "--",
        "--nocapture",
    ]);
    let log = context.logs.join("stories-test.log");
    let report = read(&tool::output(&mut cargo, &log, RUN_MAX)?);
    if report.summary.is_empty() {
        let why = format!("it did not get to its end; see {}", log.display());
        return Err(Failure::new("run the stories", why));
    }
    Ok(vec![report])
}

/// Parses the lines `story ENCODER/NAME: ok`, or the fault in its place, and `stories: N of M`.
fn read(text: &str) -> Report {
    let mut report = Report {
        suite: "HPACK stories",
        subject: "decoder and encoder".into(),
        expected: CASES,
        summary: String::new(),
        sections: Vec::new(),
    };
    for line in text.lines() {
        if let Some((place, outcome)) = story(line) {
            let (section, name) = place;
            let verdict = match outcome {
                "ok" => Verdict::Passed,
                fault => Verdict::Failed(fault.to_owned()),
            };
            let name = name.to_owned();
            report.section(section).cases.push(Case { name, verdict });
        } else if let Some(count) = line.strip_prefix("stories: ") {
            report.summary = format!("{count} stories");
        }
    }
    report
}

fn story(line: &str) -> Option<((&str, &str), &str)> {
    let (place, outcome) = line.strip_prefix("story ")?.split_once(": ")?;
    Some((place.split_once('/')?, outcome))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn its_text_is_read() {
        let text = "\
running 1 test
story nghttp2/story_00: ok
story nghttp2/story_01: case 7: a: b instead of c: d
story go-hpack/story_00: ok
stories: 2 of 3
";
        let report = read(text);
        assert_eq!(report.summary, "2 of 3 stories");
        assert_eq!(report.count(), (2, 3));
        let failed = &report.sections[0].cases[1];
        let why = "case 7: a: b instead of c: d";
        assert_eq!(failed.verdict, Verdict::Failed(why.into()));
    }
}
