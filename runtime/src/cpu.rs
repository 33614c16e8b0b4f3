//! Which CPUs this process may use, and pinning to one of them.

use std::cell::Cell;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use core_affinity::CoreId;
use nix::sched::{CpuSet, sched_getaffinity, sched_setaffinity};
use nix::unistd::Pid;

use crate::error::StartError;

/// The CPUs in this thread's affinity mask, in order; at least one.
pub(crate) fn allowed() -> Vec<usize> {
    let mask = sched_getaffinity(Pid::from_raw(0));
    let cpus: Vec<usize> = match &mask {
        Ok(mask) => (0..CpuSet::count())
            .filter(|cpu| mask.is_set(*cpu).unwrap_or(false))
            .collect(),
        Err(_) => Vec::new(),
    };
    if cpus.is_empty() { vec![0] } else { cpus }
}

/// How many shards suit this process: one per allowed CPU, as far as its control group's quota
/// pays for them.
pub(crate) fn default_shards() -> usize {
    let quota = quota().unwrap_or(usize::MAX);
    allowed().len().min(quota).max(1)
}

/// The CPU of each of `shards` shards, going round `wanted` or all allowed ones.
pub(crate) fn plan(shards: usize, wanted: Option<&[usize]>) -> Result<Vec<usize>, StartError> {
    let allowed = allowed();
    let cpus = match wanted {
        Some([]) => return Err(StartError::Settings("the list of CPUs is empty".to_owned())),
        Some(wanted) => wanted,
        None => &allowed,
    };
    if let Some(cpu) = cpus.iter().find(|cpu| !allowed.contains(cpu)) {
        return Err(StartError::Pin { cpu: *cpu });
    }
    Ok((0..shards).map(|shard| cpus[shard % cpus.len()]).collect())
}

/// The mask that threads had before the first of them was pinned.
static UNPINNED: OnceLock<CpuSet> = OnceLock::new();

/// Pins the calling thread.
pub(crate) fn pin(cpu: usize) -> Result<(), StartError> {
    if let Ok(mask) = sched_getaffinity(Pid::from_raw(0)) {
        UNPINNED.get_or_init(|| mask);
    }
    if core_affinity::set_for_current(CoreId { id: cpu }) {
        Ok(())
    } else {
        Err(StartError::Pin { cpu })
    }
}

/// Lets a thread that a pinned one has started run wherever the process may: threads inherit the
/// mask, and work that blocks would take its shard's CPU. Does so once for each thread.
pub(crate) fn unpin() {
    thread_local! {
        static IS_UNPINNED: Cell<bool> = const { Cell::new(false) };
    }
    if !IS_UNPINNED.replace(true)
        && let Some(mask) = UNPINNED.get()
    {
        // A mask that has become invalid meanwhile leaves the thread where it is.
        let _ = sched_setaffinity(Pid::from_raw(0), mask);
    }
}

/// Whole CPUs that the control groups above this process leave it.
fn quota() -> Option<usize> {
    let groups = fs::read_to_string("/proc/self/cgroup").ok()?;
    let unified = groups.lines().find_map(|line| line.strip_prefix("0::"));
    let unified = unified.and_then(|group| tightest(Path::new("/sys/fs/cgroup"), group));
    unified.or_else(|| {
        let root = Path::new("/sys/fs/cgroup/cpu");
        let limit = fs::read_to_string(root.join("cpu.cfs_quota_us")).ok()?;
        let period = fs::read_to_string(root.join("cpu.cfs_period_us")).ok()?;
        whole_cpus(&format!("{} {}", limit.trim(), period.trim()))
    })
}

/// The tightest quota from `group` up to the root.
fn tightest(root: &Path, group: &str) -> Option<usize> {
    let group: PathBuf = root.join(group.trim_start_matches('/'));
    group
        .ancestors()
        .take_while(|ancestor| ancestor.starts_with(root))
        .filter_map(|ancestor| whole_cpus(&fs::read_to_string(ancestor.join("cpu.max")).ok()?))
        .min()
}

/// Reads `cpu.max`: quota and period in microseconds, or `max` for no quota.
fn whole_cpus(text: &str) -> Option<usize> {
    let (limit, period) = text.trim().split_once(' ')?;
    let limit: usize = limit.parse().ok()?;
    let period: usize = period.parse().ok()?;
    Some((limit / period.max(1)).max(1))
}

#[cfg(test)]
mod tests {
    use super::{allowed, pin, plan, unpin, whole_cpus};

    #[test]
    fn quotas_are_rounded_down_to_whole_cpus() {
        assert_eq!(whole_cpus("max 100000\n"), None);
        assert_eq!(whole_cpus("250000 100000\n"), Some(2));
        assert_eq!(whole_cpus("50000 100000"), Some(1));
        assert_eq!(whole_cpus("-1 100000"), None);
    }

    #[test]
    fn threads_of_pinned_threads_are_let_go() {
        let all = allowed();
        let first = all[0];
        let child = std::thread::spawn(move || {
            pin(first).expect("an allowed CPU");
            let inherited = || {
                let before = allowed();
                unpin();
                (before, allowed())
            };
            std::thread::spawn(inherited).join().expect("its masks")
        });
        let (before, after) = child.join().expect("a pinned thread");
        assert_eq!((before, after), (vec![first], all));
    }

    #[test]
    fn shards_go_round_the_cpus() {
        let first = allowed()[0];
        let cpus = plan(3, Some(&[first])).expect("an allowed CPU");
        assert_eq!(cpus, [first; 3]);
        let error = plan(1, Some(&[100_000])).expect_err("no such CPU");
        assert!(error.to_string().contains("100000"), "{error}");
    }
}
