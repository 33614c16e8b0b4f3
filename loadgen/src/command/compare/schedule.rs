//! Order of turns: blocks of four in mirrored order, with a random choice of the first side.

use fastrand::Rng;

use super::Side;
use crate::error::LoadError;
use crate::stats::SAMPLES_MIN;

/// Number of pairs in a block.
const PAIRS: usize = 2;

/// Planned turn.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Turn {
    /// Number of the pair, from 0; pairs for the noise floor are counted separately.
    pub(super) pair: usize,
    /// True for turns of A and A, which measure the noise floor.
    pub(super) noise: bool,
    /// Target that is called.
    pub(super) target: Side,
    /// Side that the turn counts for.
    pub(super) side: Side,
}

/// Returns all turns: first those of A and A, then those of A and B.
///
/// # Errors
/// A number of pairs is odd, or too small for an estimate.
pub(super) fn turns(noise: usize, pairs: usize, seed: u64) -> Result<Vec<Turn>, LoadError> {
    let mut random = Rng::with_seed(seed);
    let mut turns = Vec::new();
    for (flag, count, noise) in [("--noise-pairs", noise, true), ("--pairs", pairs, false)] {
        let min = SAMPLES_MIN.next_multiple_of(PAIRS);
        if count % PAIRS != 0 || count < min {
            let cause = format!("expected an even number of at least {min}");
            return Err(LoadError::flag(flag, count.to_string(), cause));
        }
        for block in 0..count / PAIRS {
            let order = match random.bool() {
                true => [Side::A, Side::B, Side::B, Side::A],
                false => [Side::B, Side::A, Side::A, Side::B],
            };
            let turn = |(place, side)| Turn {
                pair: block * PAIRS + place / 2,
                noise,
                target: if noise { Side::A } else { side },
                side,
            };
            turns.extend(order.into_iter().enumerate().map(turn));
        }
    }
    Ok(turns)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn blocks_are_mirrored_and_both_images_are_drawn() {
        let turns = turns(8, 40, 5).unwrap();
        assert_eq!(turns.len(), 2 * (8 + 40));
        let (noise, both) = turns.split_at(16);
        assert!(
            noise
                .iter()
                .all(|turn| turn.noise && turn.target == Side::A)
        );
        assert!(
            both.iter()
                .all(|turn| !turn.noise && turn.target == turn.side)
        );
        let mut first = Vec::new();
        for block in both.chunks(4) {
            let sides: Vec<_> = block.iter().map(|turn| turn.side).collect();
            assert_eq!((sides[0], sides[1]), (sides[3], sides[2]));
            assert_ne!(sides[0], sides[1]);
            first.push(sides[0]);
        }
        assert!(first.contains(&Side::A) && first.contains(&Side::B));
    }

    #[test]
    fn too_few_pairs_are_refused() {
        for (noise, pairs, wanted) in [(8, 7, "--pairs \"7\""), (2, 8, "--noise-pairs \"2\"")] {
            let error = turns(noise, pairs, 1).unwrap_err().to_string();
            assert!(error.contains(wanted), "{error}");
        }
    }
}
