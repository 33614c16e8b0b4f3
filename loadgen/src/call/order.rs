//! Call as the user describes it, and its preparation for the run.

use std::path::{Path, PathBuf};
use std::time::Duration;

use corespun_codec::{Encoding, MetadataMap, head, timeout};

use super::{Call, Turns};
use crate::compression;
use crate::data::{self, Mode, Payloads, Recipe, Template};
use crate::endpoint::Endpoint;
use crate::error::LoadError;
use crate::metadata::{Filled, Pair};
use crate::schema::Schema;

/// Requested call.
#[derive(Clone, Debug)]
pub(crate) struct Order {
    pub(crate) method: String,
    /// Data as JSON, or `@file`; see [`crate::data`].
    pub(crate) data: String,
    /// Folder that relative paths in `data` start at.
    pub(crate) folder: PathBuf,
    pub(crate) metadata: Vec<Pair>,
    pub(crate) timeout: Option<Duration>,
    /// Number of requests in each call; by default the number of messages in the data, if the
    /// client streams.
    pub(crate) messages: Option<u32>,
    pub(crate) turns: Turns,
    pub(crate) weight: u32,
}

/// Settings that all calls of a run share.
pub(crate) struct Defaults<'a> {
    pub(crate) endpoint: &'a Endpoint,
    pub(crate) mode: Mode,
    pub(crate) encoding: Encoding,
    pub(crate) seed: u64,
}

impl Order {
    /// Finds the method and encodes the requests.
    ///
    /// # Errors
    /// The method does not exist, or the data does not match its request message.
    pub(crate) fn prepare(
        &self,
        schema: &Schema,
        all: &Defaults<'_>,
        metadata: Filled,
    ) -> Result<Call, LoadError> {
        let method = schema.method(&self.method)?;
        let kind = method.kind();
        let text = data::text(&self.data, &self.folder)?;
        let failed = |cause| LoadError::Data {
            message: method.input().full_name().to_owned(),
            cause,
        };
        let template = Template::parse(&text, &self.folder).map_err(failed)?;
        let unique = template.is_unique();
        let recipe = Recipe {
            template,
            message: method.input(),
            encoding: all.encoding,
        };
        let (payloads, count) = Payloads::new(recipe, all.mode, all.seed)?;
        let messages = match (kind.client_streams(), self.messages) {
            (true, None) => count as u32,
            (true, Some(messages)) => messages,
            (false, None | Some(1)) => 1,
            (false, Some(messages)) => {
                let cause = format!("{} takes one request", method.name());
                return Err(LoadError::flag("--messages", messages.to_string(), cause));
            }
        };
        Ok(Call {
            fields: self.fields(method.path(), all, &metadata.fixed),
            varying: metadata.varying,
            repeats_after: payloads.pool().filter(|_| unique),
            method,
            kind,
            payloads,
            messages,
            turns: self.turns,
            timeout: self.timeout,
            weight: self.weight,
        })
    }

    fn fields(
        &self,
        path: &str,
        all: &Defaults<'_>,
        metadata: &MetadataMap,
    ) -> Vec<(Vec<u8>, Vec<u8>)> {
        let target = head::Target {
            scheme: all.endpoint.scheme(),
            authority: all.endpoint.authority(),
            path,
        };
        let limit = self.timeout.map(|limit| {
            let mut text = Vec::new();
            timeout::write(limit, &mut text);
            text
        });
        let fields = head::request_fields(target, limit.as_deref(), metadata)
            .chain(compression::fields(all.encoding))
            .map(|(name, value)| (name.to_vec(), value.to_vec()));
        fields.collect()
    }
}

/// Returns the folder that relative paths in a file start at.
pub(super) fn folder_of(file: &Path) -> PathBuf {
    match file.parent() {
        Some(parent) if parent != Path::new("") => parent.to_owned(),
        _ => PathBuf::from("."),
    }
}
