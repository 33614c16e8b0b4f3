//! Requests ready to send, each behind its length prefix.

use corespun_codec::Encoding;
use fastrand::Rng;
use prost_reflect::MessageDescriptor;

use super::{Template, json};
use crate::compression;
use crate::error::LoadError;

/// Requests that are made before the run by default.
const POOL: usize = 1000;

/// Most rows of a file that are all made into requests before the run.
const POOL_MAX: usize = 100_000;

/// When templates are filled in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Mode {
    /// As the places ask: `Each` if every request is to get a text of its own, else a pool that has
    /// every row of files.
    Auto,
    /// So often before the run; calls take turns at what came out.
    Pool(usize),
    /// For each message, when it is sent: each is new, and the generator works harder.
    Each,
}

/// What requests are made of.
#[derive(Clone, Debug)]
pub(crate) struct Recipe {
    pub(crate) template: Template,
    pub(crate) message: MessageDescriptor,
    pub(crate) encoding: Encoding,
}

/// The requests of one method.
#[derive(Clone, Debug)]
pub enum Payloads {
    /// Encoded before the run.
    Pool(Vec<Box<[u8]>>),
    /// Encoded for each message.
    Each(Box<Maker>),
}

/// Makes a request anew each time.
#[derive(Clone, Debug)]
pub struct Maker {
    recipe: Recipe,
    /// Messages that one text holds.
    count: usize,
}

impl Payloads {
    /// Requests by this recipe, and how many of them one text holds: more than one if it is an
    /// array.
    ///
    /// # Errors
    /// When what comes out is no JSON, or does not fit the message.
    pub(crate) fn new(recipe: Recipe, mode: Mode, seed: u64) -> Result<(Self, usize), LoadError> {
        let mut rng = Rng::with_seed(seed);
        let first = recipe.frames(0, &mut rng)?;
        let count = first.len();
        let template = &recipe.template;
        let mode = match mode {
            Mode::Auto if template.is_unique() || template.rows() > POOL_MAX => Mode::Each,
            Mode::Auto => Mode::Pool(template.rows().max(POOL)),
            asked => asked,
        };
        let renderings = match mode {
            _ if template.is_constant() => 1,
            Mode::Each | Mode::Auto => {
                let maker = Maker { recipe, count };
                return Ok((Self::Each(Box::new(maker)), count));
            }
            Mode::Pool(renderings) => renderings as u64,
        };
        let mut pool = first;
        for number in 1..renderings {
            pool.extend(recipe.frames(number, &mut rng)?);
        }
        Ok((Self::Pool(pool), count))
    }

    /// The message of this number; one that is made anew comes to lie in `scratch`.
    ///
    /// # Errors
    /// When a template makes something that does not fit the message.
    pub(crate) fn frame<'a>(
        &'a self,
        number: u64,
        rng: &mut Rng,
        scratch: &'a mut Vec<u8>,
    ) -> Result<&'a [u8], LoadError> {
        match self {
            Self::Pool(pool) if pool.len() == 1 => Ok(&pool[0]),
            Self::Pool(pool) => Ok(&pool[(number % pool.len() as u64) as usize]),
            Self::Each(maker) => {
                let count = maker.count as u64;
                let mut frames = maker.recipe.frames(number / count, rng)?;
                let place = (number % count) as usize % frames.len();
                scratch.clear();
                scratch.extend_from_slice(&frames.swap_remove(place));
                Ok(scratch)
            }
        }
    }

    /// Number of requests after which they repeat, if they are made before the run.
    pub(crate) fn pool(&self) -> Option<usize> {
        match self {
            Self::Pool(pool) => Some(pool.len()),
            Self::Each(_) => None,
        }
    }
}

impl Recipe {
    fn frames(&self, number: u64, rng: &mut Rng) -> Result<Vec<Box<[u8]>>, LoadError> {
        let mut text = String::new();
        self.template.render(number, rng, &mut text);
        let messages = json::messages(&text, &self.message);
        let messages = messages.map_err(|cause| self.failure(&cause))?;
        Ok(messages.iter().map(|bytes| self.frame(bytes)).collect())
    }

    fn frame(&self, bytes: &[u8]) -> Box<[u8]> {
        compression::frame(self.encoding, bytes).into()
    }

    fn failure(&self, cause: &str) -> LoadError {
        LoadError::Data {
            message: self.message.full_name().to_owned(),
            cause: cause.replace('\n', " "),
        }
    }
}

#[cfg(test)]
mod tests;
