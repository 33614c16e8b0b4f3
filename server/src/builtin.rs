//! Built-in services about the server itself: health, reflection and channelz.

pub(crate) mod channelz;
pub(crate) mod health;
mod probes;
mod reflection;

use std::sync::{Arc, Mutex, PoisonError};

use crate::error::Error;
use crate::routes::Routes;
use channelz::Channelz;
use health::Health;
use probes::Probes;
use reflection::{Reflection, ReflectionAlpha, Schema};

/// Built-in services that a server offers.
#[derive(Clone, Default)]
pub(crate) struct Builtin {
    pub(crate) health: Option<Health>,
    /// True if plain HTTP probes are answered with the same statuses.
    pub(crate) probes: bool,
    pub(crate) reflection: Option<Offer>,
    pub(crate) channelz: Option<Channelz>,
}

/// Reflection as requested. The first shard builds the schema, and all shards share it.
#[derive(Clone, Default)]
pub(crate) struct Offer {
    sets: Vec<&'static [u8]>,
    schema: Arc<Mutex<Option<Schema>>>,
}

impl Offer {
    pub(crate) fn new(sets: &[&'static [u8]]) -> Self {
        Self {
            sets: sets.to_vec(),
            schema: Arc::default(),
        }
    }

    fn schema(&self, routes: &Routes) -> Result<Schema, Error> {
        let lock = self.schema.lock();
        let mut made = lock.unwrap_or_else(PoisonError::into_inner);
        if let Some(schema) = &*made {
            return Ok(schema.clone());
        }
        let sets = [routes.schemas(), &self.sets].concat();
        let schema = Schema::new(&sets, routes.services())?;
        Ok(made.insert(schema).clone())
    }
}

impl Builtin {
    /// Adds the requested built-in services to a shard, after all services of the user.
    pub(crate) fn add_to(&self, routes: &mut Routes) -> Result<(), Error> {
        if let Some(health) = &self.health {
            health.add_services(routes.services());
            routes.add(health.clone());
            if self.probes {
                let probes = Probes::new(health.clone(), routes.plain_handler().cloned());
                routes.plain(move |request| probes.answer(request));
            }
        }
        if let Some(channelz) = &self.channelz {
            routes.add(channelz.clone());
        }
        if let Some(offer) = &self.reflection {
            let schema = offer.schema(routes)?;
            routes.add(Reflection(schema.clone()));
            routes.add(ReflectionAlpha(schema));
        }
        Ok(())
    }

    /// Marks the server as draining.
    pub(crate) fn close(&self) {
        if let Some(health) = &self.health {
            health.close();
        }
    }
}
