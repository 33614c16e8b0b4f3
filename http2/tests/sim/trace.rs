//! The steps of a run: a hash of all of them, and their text where someone will read it.

use std::collections::VecDeque;
use std::collections::hash_map::DefaultHasher;
use std::fmt::{Arguments, Write};
use std::hash::Hasher;

/// Steps that a failure shows.
const LAST: usize = 50;

/// Record of the steps so far.
#[derive(Default)]
pub(crate) struct Trace {
    hasher: DefaultHasher,
    last: VecDeque<String>,
    record: bool,
    print: bool,
}

/// Text that is only hashed.
struct Hashed<'a>(&'a mut DefaultHasher);

impl Write for Hashed<'_> {
    fn write_str(&mut self, text: &str) -> std::fmt::Result {
        self.0.write(text.as_bytes());
        Ok(())
    }
}

impl Trace {
    pub(crate) fn new(print: bool) -> Trace {
        Trace {
            print,
            record: print,
            ..Trace::default()
        }
    }

    /// Keeps the last steps as text.
    pub(crate) fn recording() -> Trace {
        Trace {
            record: true,
            ..Trace::default()
        }
    }

    pub(crate) fn step(&mut self, line: Arguments<'_>) {
        let hashed = Hashed(&mut self.hasher).write_fmt(line);
        assert!(hashed.is_ok(), "text can be hashed");
        self.hasher.write_u8(b'\n');
        if !self.record {
            return;
        }
        let line = line.to_string();
        if self.print {
            println!("{line}");
        }
        if self.last.len() == LAST {
            self.last.pop_front();
        }
        self.last.push_back(line);
    }

    /// Bytes belong to what must be the same each time.
    pub(crate) fn bytes(&mut self, bytes: &[u8]) {
        self.hasher.write(bytes);
    }

    pub(crate) fn last_steps(&self) -> String {
        self.last.iter().map(|line| format!("{line}\n")).collect()
    }

    pub(crate) fn hash(&self) -> u64 {
        self.hasher.finish()
    }
}
