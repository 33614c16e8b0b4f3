//! Counts of error texts.
//!
//! A server may put a number or a name into every text, so the number of distinct texts is bounded.
//! Further texts are counted by pattern, in which `#` replaces words with digits.

use std::collections::HashMap;

use crate::outcome::{OUTCOMES, Outcome};

/// Largest number of distinct texts of one outcome, and of patterns.
const DISTINCT_MAX: usize = 100;

/// Longest text in characters that is kept.
const TEXT_CHARS_MAX: usize = 200;

/// Text that counts all failures beyond the limits.
const OTHERS: &str = "others";

/// Number of calls by text.
type Counts = HashMap<String, u64>;

/// Counts of error texts by outcome.
#[derive(Clone, Debug, Default)]
pub struct Failures {
    /// Counts by the outcome's index; nothing is allocated until a call fails.
    texts: Vec<Counts>,
    patterns: Vec<Counts>,
}

impl Failures {
    /// Counts a call that failed with this text.
    pub(crate) fn add(&mut self, outcome: Outcome, text: &str) {
        self.add_many(outcome.index(), text, 1);
    }

    fn add_many(&mut self, place: usize, text: &str, calls: u64) {
        if self.texts.is_empty() {
            self.texts.resize(OUTCOMES, Counts::new());
            self.patterns.resize(OUTCOMES, Counts::new());
        }
        let texts = &mut self.texts[place];
        if let Some(count) = texts.get_mut(text) {
            *count += calls;
        } else if texts.len() < DISTINCT_MAX {
            texts.insert(text.to_owned(), calls);
        } else {
            add_pattern(&mut self.patterns[place], &pattern(text), calls);
        }
    }

    /// Adds the counts of another core.
    pub(crate) fn merge(&mut self, other: &Self) {
        for (place, texts) in other.texts.iter().enumerate() {
            texts
                .iter()
                .for_each(|(text, calls)| self.add_many(place, text, *calls));
        }
        for (place, patterns) in other.patterns.iter().enumerate() {
            for (pattern, calls) in patterns {
                add_pattern(&mut self.patterns[place], pattern, *calls);
            }
        }
    }

    /// Returns the texts with outcome and count, most frequent first. Texts beyond the limit appear
    /// as their pattern.
    pub(crate) fn all(&self) -> Vec<(&'static str, String, u64)> {
        let mut all = Vec::new();
        let places = Outcome::all().zip(self.texts.iter().zip(&self.patterns));
        for (outcome, (texts, patterns)) in places {
            let mut counts = patterns.clone();
            for (text, calls) in texts {
                let pattern = pattern(text);
                let known = patterns.contains_key(&pattern);
                let name = if known { &pattern } else { text };
                *counts.entry(name.clone()).or_default() += calls;
            }
            all.extend(
                counts
                    .into_iter()
                    .map(|(text, calls)| (outcome.name(), text, calls)),
            );
        }
        all.sort_by(|one, other| other.2.cmp(&one.2).then_with(|| one.1.cmp(&other.1)));
        all
    }
}

fn add_pattern(patterns: &mut Counts, pattern: &str, calls: u64) {
    let known = patterns.contains_key(pattern) || patterns.len() < DISTINCT_MAX;
    let name = if known { pattern } else { OTHERS };
    *patterns.entry(name.to_owned()).or_default() += calls;
}

/// Returns the text with `#` in place of every word with a digit.
fn pattern(text: &str) -> String {
    let mut pattern = String::with_capacity(text.len());
    let in_word = |letter: char| letter.is_alphanumeric() || letter == '-' || letter == '_';
    let mut rest = text;
    while let Some(first) = rest.chars().next() {
        let word = in_word(first);
        let end = rest.find(|letter| in_word(letter) != word);
        let (piece, after) = rest.split_at(end.unwrap_or(rest.len()));
        let number = word && piece.contains(|letter: char| letter.is_ascii_digit());
        pattern.push_str(if number { "#" } else { piece });
        rest = after;
    }
    pattern
}

/// Returns the text in a form for reports and terminals: of limited length, without control
/// characters.
pub(crate) fn presentable(text: &str) -> String {
    let clean = |letter: char| if letter.is_control() { ' ' } else { letter };
    let mut shown: String = text.chars().take(TEXT_CHARS_MAX).map(clean).collect();
    if text.chars().nth(TEXT_CHARS_MAX).is_some() {
        shown.push('…');
    }
    shown
}

#[cfg(test)]
mod tests {
    use super::*;
    use corespun_codec::Code;

    const NOT_FOUND: Outcome = Outcome::Status(Code::NotFound);

    fn rows(failures: &Failures) -> Vec<(String, u64)> {
        let rows = failures.all().into_iter();
        rows.map(|(status, text, calls)| (format!("{status} {text}"), calls))
            .collect()
    }

    fn row(text: &str, calls: u64) -> (String, u64) {
        (text.to_owned(), calls)
    }

    #[test]
    fn texts_are_counted_by_status() {
        let (mut one, mut other) = (Failures::default(), Failures::default());
        assert_eq!(rows(&one), []);
        one.add(NOT_FOUND, "no user 7");
        other.add(NOT_FOUND, "no user 7");
        other.add(NOT_FOUND, "no user 8");
        other.add(Outcome::MissingStatus, "no user 7");
        one.merge(&other);
        let wanted = [
            row("NOT_FOUND no user 7", 2),
            row("MISSING_STATUS no user 7", 1),
            row("NOT_FOUND no user 8", 1),
        ];
        assert_eq!(rows(&one), wanted);
    }

    #[test]
    fn many_texts_become_their_patterns() {
        let mut failures = Failures::default();
        for number in 0..DISTINCT_MAX {
            failures.add(NOT_FOUND, &format!("no user {number} at h-1"));
        }
        assert_eq!(rows(&failures).len(), DISTINCT_MAX);
        failures.add(NOT_FOUND, "no user 6f1c-02 at h-2");
        assert_eq!(rows(&failures), [row("NOT_FOUND no user # at #", 101)]);
        for word in 0..2 * DISTINCT_MAX {
            let letters = "x".repeat(word + 1);
            failures.add(NOT_FOUND, &letters);
        }
        let rows = rows(&failures);
        assert_eq!(rows.len(), DISTINCT_MAX + 1);
        assert_eq!(rows[1], row("NOT_FOUND others", 101));
        assert_eq!(rows.iter().map(|(_, calls)| calls).sum::<u64>(), 301);
    }

    #[test]
    fn texts_are_made_presentable() {
        assert_eq!(presentable("a\nb\u{1b}[31m"), "a b [31m");
        let long = presentable(&"é".repeat(TEXT_CHARS_MAX + 1));
        assert_eq!(long, format!("{}…", "é".repeat(TEXT_CHARS_MAX)));
        assert_eq!(
            presentable(&"x".repeat(TEXT_CHARS_MAX)).len(),
            TEXT_CHARS_MAX
        );
    }
}
