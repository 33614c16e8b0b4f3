//! Measurement of the generator's own stalls: delay between planned and actual time of a core.
//!
//! A core that computes, waits for its CPU or is stopped by the hypervisor adds to the latency of
//! every call in flight. This histogram shows the part of the tail that the generator may have
//! caused.

use std::rc::Rc;
use std::time::Duration;

use crate::core::CoreState;

/// Interval of the checks. A stall longer than this is always observed; a shorter one with a
/// probability proportional to its length.
const PERIOD: Duration = Duration::from_millis(2);

/// Measures stalls until the measured window has ended.
pub(crate) async fn watch(core: Rc<CoreState>) {
    let mut due = core.phases.get().measure;
    loop {
        corespun_runtime::sleep_until(due).await;
        let now = corespun_runtime::now();
        if now >= core.phases.get().end {
            return;
        }
        core.stalled(now.saturating_sub(due));
        // A look that came late is not made up for: it has already told how late it was.
        due = now + PERIOD;
    }
}
