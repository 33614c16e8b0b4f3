//! Inputs of one target as text: one per line, in hexadecimal, so that a diff shows them.

use std::fs;
use std::path::Path;

use crate::failure::{Attempt, Failure};

/// Largest size of a target's file without its faults, in bytes.
const TEXT_BYTES_MAX: usize = 32 << 10;

/// Prefix of an input that once violated an invariant; such an input is kept for good.
const FAULT: &str = "fault ";

/// Inputs of a target that are kept.
#[derive(Debug, Default, PartialEq)]
pub struct Corpus {
    /// Inputs that together reach all covered code.
    pub inputs: Vec<Vec<u8>>,
    /// Inputs that each found a fault.
    pub faults: Vec<Vec<u8>>,
}

/// Reads the corpus at `path`; returns an empty one if there is none.
pub fn read(path: &Path) -> Result<Corpus, Failure> {
    match fs::read_to_string(path) {
        Ok(text) => parse(&text)
            .ok_or_else(|| Failure::new(format!("read {path:?}"), "a line is not in hexadecimal")),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(Corpus::default()),
        Err(error) => Err(Failure::new(format!("read {path:?}"), error)),
    }
}

fn parse(text: &str) -> Option<Corpus> {
    let mut corpus = Corpus::default();
    for line in text.lines() {
        match line.strip_prefix(FAULT) {
            Some(digits) => corpus.faults.push(bytes(digits)?),
            None => corpus.inputs.push(bytes(line)?),
        }
    }
    Some(corpus)
}

fn bytes(digits: &str) -> Option<Vec<u8>> {
    let pairs = digits.as_bytes().chunks(2);
    pairs
        .map(|pair| u8::from_str_radix(str::from_utf8(pair).ok()?, 16).ok())
        .collect()
}

/// Formats an input as its line.
pub fn line(input: &[u8]) -> String {
    input.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Writes the corpus, faults first, then the shortest inputs that fit.
pub fn write(path: &Path, corpus: &mut Corpus) -> Result<(), Failure> {
    shorten(corpus);
    fs::write(path, text(corpus)).attempt(|| format!("write {path:?}"))
}

fn shorten(corpus: &mut Corpus) {
    for inputs in [&mut corpus.inputs, &mut corpus.faults] {
        inputs.sort_by(|a, b| (a.len(), a).cmp(&(b.len(), b)));
        inputs.dedup();
    }
    let mut room = TEXT_BYTES_MAX;
    corpus.inputs.retain(|input| {
        let taken = 2 * input.len() + 1;
        let fits = taken <= room && !input.is_empty();
        room -= if fits { taken } else { 0 };
        fits
    });
}

fn text(corpus: &Corpus) -> String {
    let faults = corpus
        .faults
        .iter()
        .map(|input| format!("{FAULT}{}\n", line(input)));
    let inputs = corpus
        .inputs
        .iter()
        .map(|input| format!("{}\n", line(input)));
    faults.chain(inputs).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_corpus_is_read_as_it_was_written() {
        let mut corpus = Corpus {
            inputs: vec![vec![1, 2, 255], vec![0], vec![0]],
            faults: vec![vec![7, 7]],
        };
        shorten(&mut corpus);
        let written = text(&corpus);
        assert_eq!(written, "fault 0707\n00\n0102ff\n");
        assert_eq!(parse(&written), Some(corpus));
        assert_eq!(parse("0g"), None);
    }

    #[test]
    fn the_longest_inputs_go_first() {
        let inputs = (0..TEXT_BYTES_MAX / 64).map(|at| vec![at as u8; at]);
        let mut corpus = Corpus {
            inputs: inputs.collect(),
            faults: Vec::new(),
        };
        shorten(&mut corpus);
        assert!(text(&corpus).len() <= TEXT_BYTES_MAX);
        assert_eq!(corpus.inputs[0].len(), 1);
    }
}
