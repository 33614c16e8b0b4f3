//! The generator's own stalls: how late a core comes to what it wanted to do at a certain moment.
//!
//! A core that computes, waits for its CPU or is stopped by the hypervisor makes every call in
//! flight look slow. This histogram says how much of the tail may be the generator's own.

use std::rc::Rc;
use std::time::Duration;

use crate::core::CoreState;

/// How often a core looks. A stall longer than this is seen for certain; a shorter one with the
/// share of the time that it takes.
const PERIOD: Duration = Duration::from_millis(2);

/// Looks until the measured window has ended.
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
