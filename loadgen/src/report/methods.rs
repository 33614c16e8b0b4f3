//! The methods of a mix, as a report tells them.

use serde::{Deserialize, Serialize};

use super::{Packed, Percentiles, Report};
use crate::plan::Plan;
use crate::tally::{Tally, merge_all};

/// One method of a mix. Calls that were never sent count for no method.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct MethodRow {
    /// As `package.Service/Name`.
    pub name: String,
    /// Calls that ended well.
    pub ok: u64,
    /// Calls that ended otherwise.
    pub failed: u64,
    /// Calls that had not ended when the run did.
    #[serde(default)]
    pub censored: u64,
    /// Latency from the intended start, of all; of the censored their age.
    pub latency_us: Percentiles,
    /// The same in full.
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

    /// The methods of a plan, in its order.
    pub(super) fn all(plan: &Plan, tallies: &[Tally]) -> Vec<Self> {
        let calls = plan.mix.calls().iter().zip(tallies);
        calls
            .map(|(call, tally)| Self::of(call.method.name(), tally))
            .collect()
    }

    /// The methods of several runs of the same mix.
    ///
    /// # Errors
    /// When a histogram is unreadable.
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
