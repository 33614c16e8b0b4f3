//! Methods of a mix in a report.

use serde::{Deserialize, Serialize};

use super::{Packed, Percentiles, Report};
use crate::plan::Plan;
use crate::tally::{Tally, merge_all};

/// Calls of one method of a mix. Calls that were never sent count for no method.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct MethodRow {
    /// Name, as `package.Service/Name`.
    pub name: String,
    /// Number of successful calls.
    pub ok: u64,
    /// Number of failed calls.
    pub failed: u64,
    /// Number of calls that had not ended when the run ended.
    #[serde(default)]
    pub censored: u64,
    /// Latency of all calls from the intended start; the age of censored calls.
    pub latency_us: Percentiles,
    /// Complete histogram of the latency.
    pub response: Packed,
}

impl MethodRow {
    fn of(name: &str, tally: &Tally) -> Self {
        Self {
            name: name.to_owned(),
            ok: tally.ok,
            failed: tally.failed,
            censored: tally.censored,
            latency_us: Percentiles::of(&tally.response),
            response: Packed::pack(&tally.response),
        }
    }

    /// Returns the methods of a plan in its order.
    pub(super) fn all(plan: &Plan, tallies: &[Tally]) -> Vec<Self> {
        let calls = plan.mix.calls().iter().zip(tallies);
        calls
            .map(|(call, tally)| Self::of(call.method.name(), tally))
            .collect()
    }

    /// Merges the methods of several runs of one mix.
    ///
    /// # Errors
    /// A histogram cannot be decoded.
    pub(super) fn merge(reports: &[Report]) -> Result<Vec<Self>, String> {
        let mut sums = Vec::new();
        for report in reports {
            let tallies = report.methods.iter().map(Self::tally);
            merge_all(&mut sums, tallies.collect::<Result<_, _>>()?);
        }
        let names = reports.iter().flat_map(|report| &report.methods);
        let rows = names.zip(&sums).map(|(row, sum)| Self::of(&row.name, sum));
        Ok(rows.collect())
    }

    fn tally(&self) -> Result<Tally, String> {
        Ok(Tally {
            ok: self.ok,
            failed: self.failed,
            censored: self.censored,
            response: self.response.unpack()?,
        })
    }
}
