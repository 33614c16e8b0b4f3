//! Requests ready to send, each with its length prefix.

use corespun_codec::Encoding;
use fastrand::Rng;
use prost_reflect::MessageDescriptor;

use super::{Template, json};
use crate::compression;
use crate::error::LoadError;

/// Default number of requests that are made before the run.
const POOL: usize = 1000;

/// Largest number of lines of a file that are all made into requests before the run.
const POOL_MAX: usize = 100_000;

/// Time at which templates are filled in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Mode {
    /// Automatic: `Each` if requests must be unique, else a pool that includes every line of files.
    Auto,
    /// This many times before the run; calls use the requests in turn.
    Pool(usize),
    /// For each message when it is sent, which costs the generator more CPU time.
    Each,
}

/// Template, schema and compression of requests.
#[derive(Clone, Debug)]
pub(crate) struct Recipe {
    pub(crate) template: Template,
    pub(crate) message: MessageDescriptor,
    pub(crate) encoding: Encoding,
}

/// Requests of one method.
#[derive(Clone, Debug)]
pub enum Payloads {
    /// Requests encoded before the run.
    Pool(Vec<Box<[u8]>>),
    /// Requests encoded when they are sent.
    Each(Box<Maker>),
}

/// Generator of a new request each time.
#[derive(Clone, Debug)]
pub struct Maker {
    recipe: Recipe,
    /// Number of messages in one text.
    count: usize,
}

impl Payloads {
    /// Returns the requests of a recipe, and the number of messages in one text: more than one for
    /// an array.
    ///
    /// # Errors
    /// The text is not JSON, or does not match the message.
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

    /// Returns the message with this number; a new message is written to `scratch`.
    ///
    /// # Errors
    /// The text of a template does not match the message.
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

    /// Returns the number of requests that are made before the run; `None` if each is new.
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
