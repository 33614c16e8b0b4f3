//! The door for libFuzzer: `CORESPUN_FUZZ_TARGET` names the function that gets the inputs.
#![no_main]

use std::sync::OnceLock;

use corespun_codec_fuzz::{TARGETS, Target};

static TARGET: OnceLock<Target> = OnceLock::new();

fn chosen() -> Target {
    let name = std::env::var("CORESPUN_FUZZ_TARGET").unwrap_or_default();
    let found = TARGETS.iter().find(|(target, _)| *target == name);
    let names: Vec<_> = TARGETS.iter().map(|(name, _)| name).collect();
    found
        .unwrap_or_else(|| panic!("CORESPUN_FUZZ_TARGET is {name:?}, not one of {names:?}"))
        .1
}

libfuzzer_sys::fuzz_target!(init: { TARGET.get_or_init(chosen); }, |data: &[u8]| {
    TARGET.get_or_init(chosen)(data)
});
