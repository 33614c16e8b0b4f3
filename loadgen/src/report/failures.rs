//! Error texts in a report.

use serde::{Deserialize, Serialize};

use super::Report;
use crate::failures::Failures;

/// Largest number of texts in a report; calls with any other text count under `others`.
const ROWS_MAX: usize = 20;

const OTHERS: &str = "others";

/// Error text with the number of calls.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FailureRow {
    /// Name of the status, such as `NOT_FOUND`.
    pub status: String,
    /// Text: the server's `grpc-message`, or an explanation if there was no status.
    pub text: String,
    /// Number of calls.
    pub calls: u64,
}

impl FailureRow {
    /// Returns the rows of a run, most frequent first, without secrets.
    pub(super) fn all(failures: &Failures, secrets: &[String]) -> Vec<Self> {
        let rows = failures
            .all()
            .into_iter()
            .map(|(status, text, calls)| Self {
                status: status.to_owned(),
                text: without(text, secrets),
                calls,
            });
        bounded(rows)
    }

    /// Merges the rows of several runs.
    pub(super) fn merge(reports: &[Report]) -> Vec<Self> {
        bounded(reports.iter().flat_map(|report| report.failures.clone()))
    }
}

/// Removes secrets from a text, because a server may repeat them.
fn without(text: String, secrets: &[String]) -> String {
    secrets
        .iter()
        .fold(text, |text, secret| text.replace(secret.as_str(), "…"))
}

/// Adds up equal rows, and keeps the most frequent.
fn bounded(rows: impl Iterator<Item = FailureRow>) -> Vec<FailureRow> {
    let mut sums: Vec<FailureRow> = Vec::new();
    let mut add = |row: FailureRow| {
        let alike = |sum: &&mut FailureRow| sum.status == row.status && sum.text == row.text;
        match sums.iter_mut().find(alike) {
            Some(sum) => sum.calls += row.calls,
            None => sums.push(row),
        }
    };
    rows.for_each(&mut add);
    sums.sort_by_key(|row| (row.text == OTHERS, std::cmp::Reverse(row.calls)));
    if sums.len() <= ROWS_MAX {
        return sums;
    }
    let rest = sums.split_off(ROWS_MAX);
    for row in rest {
        let alike = |sum: &&mut FailureRow| sum.status == row.status && sum.text == OTHERS;
        match sums.iter_mut().find(alike) {
            Some(sum) => sum.calls += row.calls,
            None => sums.push(FailureRow {
                text: OTHERS.to_owned(),
                ..row
            }),
        }
    }
    sums
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::outcome::Outcome;
    use corespun_codec::Code;

    #[test]
    fn rare_texts_count_as_others_and_secrets_are_left_out() {
        let mut failures = Failures::default();
        for number in 0..30 {
            let text = format!("text {}", "x".repeat(number));
            failures.add(Outcome::Status(Code::Internal), &text);
        }
        let denied = Outcome::Status(Code::Unauthenticated);
        failures.add(denied, "who is Bearer s3cret?");
        failures.add(denied, "who is Bearer s3cret?");
        let rows = FailureRow::all(&failures, &["s3cret".to_owned()]);
        assert_eq!(rows[0].text, "who is Bearer …?");
        assert_eq!(
            (rows[0].status.as_str(), rows[0].calls),
            ("UNAUTHENTICATED", 2)
        );
        assert_eq!(rows.len(), ROWS_MAX + 1);
        assert_eq!((rows[20].text.as_str(), rows[20].calls), (OTHERS, 11));
        let mut report = crate::report::tests::report("", 10);
        report.failures = rows;
        let merged = FailureRow::merge(&[report.clone(), report]);
        assert_eq!(merged.len(), ROWS_MAX + 1);
        assert_eq!(merged.iter().map(|row| row.calls).sum::<u64>(), 64);
    }
}
