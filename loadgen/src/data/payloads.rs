//! Requests ready to send, each behind its length prefix.

use corespun_codec::{Encoding, message};
use fastrand::Rng;
use prost_reflect::MessageDescriptor;

use super::{Template, json};
use crate::compression;
use crate::error::LoadError;

/// When templates are filled in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Mode {
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
pub struct Maker(Recipe);

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
        let renderings = match mode {
            Mode::Each if count > 1 => {
                let cause = "an array cannot be made anew for each call; use --data-mode pool";
                return Err(recipe.failure(cause));
            }
            Mode::Each if !recipe.template.is_constant() => {
                return Ok((Self::Each(Box::new(Maker(recipe))), count));
            }
            Mode::Pool(renderings) if !recipe.template.is_constant() => renderings as u64,
            Mode::Each | Mode::Pool(_) => 1,
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
                scratch.clear();
                for frame in maker.0.frames(number, rng)? {
                    scratch.extend_from_slice(&frame);
                }
                Ok(scratch)
            }
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
        let mut frame = Vec::with_capacity(message::PREFIX_BYTES + bytes.len());
        match compression::compress(self.encoding, bytes) {
            Some(packed) => {
                message::write_prefix(&mut frame, true, packed.len());
                frame.extend_from_slice(&packed);
            }
            None => {
                message::write_prefix(&mut frame, false, bytes.len());
                frame.extend_from_slice(bytes);
            }
        }
        frame.into()
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
