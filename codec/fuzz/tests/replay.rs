//! Every input that was worth keeping, once more.

use std::fs;
use std::path::Path;

use corespun_codec_fuzz::TARGETS;

/// The bytes of one line: hexadecimal, behind `fault` if it once found one.
fn input(line: &str) -> Vec<u8> {
    let digits = line.strip_prefix("fault ").unwrap_or(line).trim();
    assert!(digits.len().is_multiple_of(2), "half a byte in {line}");
    let byte = |at| u8::from_str_radix(&digits[at..at + 2], 16).expect("two digits");
    (0..digits.len()).step_by(2).map(byte).collect()
}

#[test]
fn the_corpus_holds() {
    let corpus = Path::new(env!("CARGO_MANIFEST_DIR")).join("corpus");
    for (name, target) in TARGETS {
        let path = corpus.join(format!("{name}.txt"));
        let text = fs::read_to_string(&path).unwrap_or_else(|error| panic!("{path:?}: {error}"));
        let inputs: Vec<_> = text.lines().map(input).collect();
        assert!(!inputs.is_empty(), "{path:?} holds no input");
        println!("{name}: {} inputs", inputs.len());
        inputs.iter().for_each(|input| target(input));
    }
}
