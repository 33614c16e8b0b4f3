//! Tests of collections of results.

use super::*;
use crate::command::Sweep;
use crate::report::tests::report;

fn run(name: &str, flags: &str, calls: u64) -> Finding {
    finding(name, Body::Run(Box::new(report(flags, calls))))
}

fn finding(name: &str, body: Body) -> Finding {
    Finding {
        name: name.to_owned(),
        finding: Document::from(body),
    }
}

fn names(collection: &Collection) -> Vec<&str> {
    let findings = collection.findings.iter();
    findings.map(|found| found.name.as_str()).collect()
}

#[test]
fn findings_of_a_collection_count_singly_and_are_told_apart() {
    let sweep = Sweep::of(Vec::new(), None);
    let inner = Collection::of(
        vec![
            run("a", "", 50),
            finding("grid", Body::Sweep(Box::new(sweep))),
        ],
        None,
    );
    let inner = finding("both", Body::Collection(Box::new(inner)));
    let all = Collection::of(vec![run("a", "", 50), inner, run("a", "", 50)], None);
    assert_eq!(names(&all), ["a", "a (2)", "grid", "a (3)"]);
    assert_eq!(all.census(), "3 runs and 1 sweep");
    assert_eq!((all.runs().count(), all.others().count()), (3, 1));
}

#[test]
fn warnings_name_the_runs_that_they_are_about() {
    let mut other = run("b", "", 50);
    if let Body::Run(report) = &mut other.finding.body {
        report.warnings.push("only here: yes".to_owned());
    }
    let both = Collection::of(vec![run("a", "", 50), other], None);
    let starts = |start: &str| both.warnings.iter().any(|text| text.starts_with(start));
    assert!(starts("not in turns: "), "{:?}", both.warnings);
    assert!(starts("closed loop (a, b): "), "{:?}", both.warnings);
    assert!(starts("only here (b): yes"), "{:?}", both.warnings);
    let alone = Collection::of(vec![run("a", "", 50)], None);
    assert!(!alone.warnings.iter().any(|text| text.contains("turns")));
}

#[test]
fn unlike_loads_are_told() {
    let told = |findings| {
        let collection = Collection::of(findings, None);
        let mut warnings = collection.warnings.into_iter();
        warnings.find(|text| text.starts_with("different loads: "))
    };
    let open = |name, calls| run(name, "--rate 9", calls);
    assert_eq!(told(vec![open("a", 1000), open("b", 1001)]), None);
    let text = told(vec![open("a", 1000), open("b", 2000)]).unwrap();
    assert!(text.contains("501 to 1001"), "{text}");
    let text = told(vec![open("a", 1000), run("b", "", 1000)]).unwrap();
    assert!(text.contains("closed loop"), "{text}");
    assert_eq!(told(vec![run("a", "", 10), run("b", "", 99)]), None);
}
