//! Huffman code of RFC 7541 Appendix B, and the tables that the compiler builds from it.
//!
//! The code is canonical: codes of equal length are in the order of their symbols. So the lengths
//! define the code, and the table can be compared with the appendix at a glance.

/// End-of-string symbol, which is never sent; its leading ones serve as padding.
pub(crate) const END_OF_STRING: usize = 256;

/// Width of the decoder's window in bits; each value of it yields up to two symbols.
pub(crate) const WINDOW_BITS: u32 = 12;

/// Longest code, in bits; END_OF_STRING and others have it.
pub(crate) const CODE_BITS_MAX: usize = 30;

const SYMBOLS: usize = 257;

/// Length of each symbol's code, in bits, 16 symbols to a row.
#[rustfmt::skip]
const CODE_BITS: [u8; SYMBOLS] = [
    13, 23, 28, 28, 28, 28, 28, 28, 28, 24, 30, 28, 28, 30, 28, 28,
    28, 28, 28, 28, 28, 28, 30, 28, 28, 28, 28, 28, 28, 28, 28, 28,
     6, 10, 10, 12, 13,  6,  8, 11, 10, 10,  8, 11,  8,  6,  6,  6,
     5,  5,  5,  6,  6,  6,  6,  6,  6,  6,  7,  8, 15,  6, 12, 10,
    13,  6,  7,  7,  7,  7,  7,  7,  7,  7,  7,  7,  7,  7,  7,  7,
     7,  7,  7,  7,  7,  7,  7,  7,  8,  7,  8, 13, 19, 13, 14,  6,
    15,  5,  6,  5,  6,  5,  6,  6,  6,  5,  7,  7,  6,  6,  6,  5,
     6,  7,  6,  5,  5,  6,  7,  7,  7,  7,  7, 15, 11, 14, 13, 28,
    20, 22, 20, 20, 22, 22, 22, 23, 22, 23, 23, 23, 23, 23, 24, 23,
    24, 24, 22, 23, 24, 23, 23, 23, 23, 21, 22, 23, 22, 23, 23, 24,
    22, 21, 20, 22, 22, 23, 23, 21, 23, 22, 22, 24, 21, 22, 23, 23,
    21, 21, 22, 21, 23, 22, 23, 23, 20, 22, 22, 22, 23, 22, 22, 23,
    26, 26, 20, 19, 22, 23, 22, 25, 26, 26, 26, 27, 27, 26, 24, 25,
    19, 21, 26, 27, 27, 26, 27, 24, 21, 21, 26, 26, 28, 27, 27, 27,
    20, 24, 20, 21, 22, 21, 21, 23, 22, 22, 25, 25, 24, 24, 26, 23,
    26, 27, 26, 26, 27, 27, 27, 27, 27, 28, 27, 27, 27, 27, 27, 26,
    30,
];

/// Huffman code of one symbol.
#[derive(Clone, Copy)]
pub(crate) struct Code {
    /// Bits of the code, in the low end.
    pub(crate) bits: u32,
    /// Length of the code, in bits.
    pub(crate) length: u8,
}

/// The canonical code, split by length.
struct Canonical {
    /// Symbols in the order of their codes.
    symbols: [u16; SYMBOLS],
    /// First code of each length.
    first: [u32; CODE_BITS_MAX + 1],
    /// Index in `symbols` of the first symbol of each length.
    offset: [u16; CODE_BITS_MAX + 1],
    /// First 32-bit window that is too large for each length.
    end: [u64; CODE_BITS_MAX + 1],
}

const fn canonical() -> Canonical {
    let mut built = Canonical {
        symbols: [0; SYMBOLS],
        first: [0; CODE_BITS_MAX + 1],
        offset: [0; CODE_BITS_MAX + 1],
        end: [0; CODE_BITS_MAX + 1],
    };
    let (mut code, mut placed, mut length) = (0u32, 0, 1);
    while length <= CODE_BITS_MAX {
        code <<= 1;
        built.first[length] = code;
        built.offset[length] = placed as u16;
        let mut symbol = 0;
        while symbol < SYMBOLS {
            if CODE_BITS[symbol] as usize == length {
                built.symbols[placed] = symbol as u16;
                placed += 1;
                code += 1;
            }
            symbol += 1;
        }
        built.end[length] = (code as u64) << (32 - length);
        length += 1;
    }
    // A complete code leaves no window without a symbol.
    assert!(placed == SYMBOLS && code == 1 << CODE_BITS_MAX);
    built
}

static CANONICAL: Canonical = canonical();

/// Codes by symbol.
pub(crate) static CODES: [Code; SYMBOLS] = {
    let canonical = canonical();
    let mut codes = [Code { bits: 0, length: 0 }; SYMBOLS];
    let mut place = 0;
    while place < SYMBOLS {
        let symbol = canonical.symbols[place] as usize;
        let length = CODE_BITS[symbol];
        let rank = place as u32 - canonical.offset[length as usize] as u32;
        codes[symbol] = Code {
            bits: canonical.first[length as usize] + rank,
            length,
        };
        place += 1;
    }
    codes
};

/// Symbols at the start of a 12-bit window. From the lowest bit: total length of the symbols' codes
/// (6 bits, so that a 64-bit shift needs no mask), number of symbols (2 bits), first symbol (8),
/// second symbol (8).
#[derive(Clone, Copy)]
pub(crate) struct Window(u32);

impl Window {
    /// A window that starts with a code longer than the window.
    const LONG: Window = Window(0);

    const fn one(symbol: u8, bits: u8) -> Window {
        Window(bits as u32 | 1 << 6 | (symbol as u32) << 8)
    }

    const fn two(first: Window, second: Window) -> Window {
        let bits = first.bits() + second.bits();
        let symbols = (first.symbols()[0] as u32) << 8 | (second.symbols()[0] as u32) << 16;
        Window(bits | 2 << 6 | symbols)
    }

    /// Returns the number of symbols that end within the window; 0 for a code longer than it.
    #[inline]
    pub(crate) const fn count(self) -> usize {
        (self.0 >> 6 & 3) as usize
    }

    /// Returns the total length of the symbols' codes, in bits.
    #[inline]
    pub(crate) const fn bits(self) -> u32 {
        self.0 & 0x3f
    }

    /// Returns the first and, if `count` is 2, the second symbol.
    #[inline]
    pub(crate) const fn symbols(self) -> [u8; 2] {
        [(self.0 >> 8) as u8, (self.0 >> 16) as u8]
    }
}

/// Symbols at the start of every 12-bit window, 16 KiB.
pub(crate) static WINDOWS: [Window; 1 << WINDOW_BITS] = pairs(singles());

const fn singles() -> [Window; 1 << WINDOW_BITS] {
    let mut windows = [Window::LONG; 1 << WINDOW_BITS];
    let canonical = canonical();
    let mut place = 0;
    let mut at = 0;
    // Codes ascend when aligned to the left, so the short ones fill the windows in order.
    while place < SYMBOLS {
        let symbol = canonical.symbols[place];
        let length = CODE_BITS[symbol as usize];
        if length as u32 > WINDOW_BITS {
            break;
        }
        let end = at + (1 << (WINDOW_BITS - length as u32));
        while at < end {
            windows[at] = Window::one(symbol as u8, length);
            at += 1;
        }
        place += 1;
    }
    windows
}

const fn pairs(singles: [Window; 1 << WINDOW_BITS]) -> [Window; 1 << WINDOW_BITS] {
    let mut windows = singles;
    let mut at = 0;
    while at < windows.len() {
        let first = singles[at];
        let second = singles[(at << first.bits()) & (windows.len() - 1)];
        let both = first.count() == 1 && second.count() == 1;
        if both && first.bits() + second.bits() <= WINDOW_BITS {
            windows[at] = Window::two(first, second);
        }
        at += 1;
    }
    windows
}

/// Returns the symbol at the start of a 32-bit window and its length in bits, for codes over 12
/// bits.
pub(crate) fn long_symbol(window: u32) -> (usize, u32) {
    let mut length = WINDOW_BITS as usize + 1;
    while u64::from(window) >= CANONICAL.end[length] && length < CODE_BITS_MAX {
        length += 1;
    }
    let rank = (window >> (32 - length)) - CANONICAL.first[length];
    let place = usize::from(CANONICAL.offset[length]) + rank as usize;
    (usize::from(CANONICAL.symbols[place]), length as u32)
}
