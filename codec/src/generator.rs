//! Generator of deterministic inputs for property tests.

/// SplitMix64 generator: equal seeds give equal inputs on every machine.
pub(crate) struct Generator(u64);

impl Generator {
    pub(crate) fn new(seed: u64) -> Self {
        Self(seed)
    }

    pub(crate) fn number(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        mixed ^ (mixed >> 31)
    }

    /// Returns a number in `0..bound`; zero if `bound` is zero.
    pub(crate) fn below(&mut self, bound: usize) -> usize {
        (self.number() % bound.max(1) as u64) as usize
    }

    /// Returns up to `length_max` bytes, each taken from `alphabet`, or any byte if that is empty.
    pub(crate) fn bytes(&mut self, length_max: usize, alphabet: &[u8]) -> Vec<u8> {
        let length = self.below(length_max + 1);
        (0..length)
            .map(|_| match alphabet.len() {
                0 => self.number() as u8,
                choices => alphabet[self.below(choices)],
            })
            .collect()
    }

    /// Returns up to `length_max` characters: ASCII, controls, and some of every UTF-8 length.
    pub(crate) fn text(&mut self, length_max: usize) -> String {
        let length = self.below(length_max + 1);
        (0..length)
            .map(|_| match self.below(8) {
                0 => '%',
                1 => char::from(self.below(32) as u8),
                2 => ['é', 'ß', '\u{7f}', '\u{80}'][self.below(4)],
                3 => ['☺', '漢', '\u{fffd}', '😀'][self.below(4)],
                _ => char::from(0x20 + self.below(95) as u8),
            })
            .collect()
    }
}
