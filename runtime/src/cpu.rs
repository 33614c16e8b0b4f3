//! CPUs that this process may use, the default number of shards, and pinning.

use std::cell::Cell;
use std::fs;
use std::path::Path;
use std::sync::{Once, OnceLock};
use std::thread;

use core_affinity::CoreId;
use nix::sched::{CpuSet, sched_getaffinity, sched_setaffinity};
use nix::unistd::Pid;

use crate::cgroup;
use crate::cpu_list::CpuList;
use crate::error::StartError;

/// Memory that a process should have for each shard, in bytes: receive buffers (8 MiB), the pool of
/// output buffers (4 MiB), the calls of one request of the largest size, and the memory of
/// handlers.
const SHARD_MEMORY: u64 = 64 << 20;

/// Returns the CPUs in this thread's affinity mask, in order. `None` if the system refuses to tell,
/// as under a strict seccomp profile.
pub(crate) fn allowed() -> Option<Vec<usize>> {
    let mask = sched_getaffinity(Pid::from_raw(0)).ok()?;
    let cpus = (0..CpuSet::count()).filter(|cpu| mask.is_set(*cpu).unwrap_or(false));
    Some(cpus.collect()).filter(|cpus: &Vec<usize>| !cpus.is_empty())
}

/// Returns the default number of shards: one per allowed CPU, limited by the control groups' CPU
/// quota and memory limit.
pub(crate) fn default_shards() -> usize {
    let cpus = match allowed() {
        Some(cpus) => cpus.len(),
        None => thread::available_parallelism().map_or(1, usize::from),
    };
    let root = Path::new("/");
    let quota = cgroup::cpu_quota_at(root);
    shards_for(cpus, quota, cgroup::memory_limit_at(root))
}

fn shards_for(cpus: usize, quota: Option<usize>, memory_bytes: Option<u64>) -> usize {
    let quota = quota.unwrap_or(usize::MAX);
    let memory = memory_bytes.map_or(usize::MAX, |bytes| (bytes / SHARD_MEMORY) as usize);
    cpus.min(quota).min(memory).max(1)
}

/// Returns the CPU to pin each of `shards` shards to; `None` leaves a shard to the scheduler.
///
/// A CPU of `wanted` that this process may not use is ignored, with one warning.
pub(crate) fn plan(
    shards: usize,
    wanted: Option<&[usize]>,
) -> Result<Vec<Option<usize>>, StartError> {
    if wanted == Some(&[]) {
        return Err(StartError::Settings("the list of CPUs is empty".to_owned()));
    }
    let allowed = allowed();
    let pins = place(shards, wanted, allowed.as_deref(), online());
    let used = wanted.unwrap_or_default().iter().take(shards);
    let refused: Vec<_> = used.filter(|cpu| !pins.contains(&Some(**cpu))).collect();
    if !refused.is_empty() {
        tracing::warn!(
            ?refused,
            ?allowed,
            "this process may not use all requested CPUs: shards of the others are not pinned"
        );
    }
    Ok(pins)
}

/// Assigns the requested CPUs to shards in turn. Without a request, shards are pinned only if the
/// affinity mask is smaller than the machine and the shards fill it evenly: otherwise two processes
/// would share the first CPUs while others stay idle.
fn place(
    shards: usize,
    wanted: Option<&[usize]>,
    allowed: Option<&[usize]>,
    online: Option<usize>,
) -> Vec<Option<usize>> {
    let is_allowed = |cpu: &usize| allowed.is_none_or(|allowed| allowed.contains(cpu));
    let cpus = match (wanted, allowed, online) {
        (Some(wanted), ..) => wanted,
        (None, Some(allowed), Some(online))
            if allowed.len() < online && shards.is_multiple_of(allowed.len()) =>
        {
            allowed
        }
        _ => return vec![None; shards],
    };
    let cpus = cpus.iter().cycle().take(shards);
    cpus.map(|cpu| Some(*cpu).filter(is_allowed)).collect()
}

/// Returns the number of CPUs online.
fn online() -> Option<usize> {
    let text = fs::read_to_string("/sys/devices/system/cpu/online").ok()?;
    let list: CpuList = text.trim().parse().ok()?;
    Some(list.as_slice().len())
}

/// Affinity mask of the threads before the first of them was pinned.
static UNPINNED: OnceLock<CpuSet> = OnceLock::new();

/// Pins the calling thread. If that is denied, warns once per process.
pub(crate) fn pin(cpu: usize) {
    static WARNED: Once = Once::new();
    if let Err(error) = try_pin(cpu) {
        WARNED.call_once(|| tracing::warn!(%error, "shards are not pinned"));
    }
}

/// Pins the calling thread.
pub(crate) fn try_pin(cpu: usize) -> Result<(), StartError> {
    if let Ok(mask) = sched_getaffinity(Pid::from_raw(0)) {
        UNPINNED.get_or_init(|| mask);
    }
    if core_affinity::set_for_current(CoreId { id: cpu }) {
        Ok(())
    } else {
        Err(StartError::Pin { cpu })
    }
}

/// Removes the pinning of a thread that a pinned thread has started: threads inherit the mask, and
/// blocking work would take its shard's CPU. Does so once for each thread.
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

#[cfg(test)]
mod tests {
    use super::{allowed, place, plan, shards_for, try_pin, unpin};

    #[test]
    fn shards_follow_cpus_quota_and_memory() {
        const MIB: u64 = 1 << 20;
        for (cpus, quota, memory, expected) in [
            (4, None, None, 4),
            (4, Some(2), None, 2),
            (4, Some(8), Some(1024 * MIB), 4),
            (4, None, Some(128 * MIB), 2),
            (4, None, Some(128 * MIB - 1), 1),
            (4, Some(1), Some(MIB), 1),
        ] {
            let shards = shards_for(cpus, quota, memory);
            assert_eq!(shards, expected, "{cpus} {quota:?} {memory:?}");
        }
    }

    #[test]
    fn threads_of_pinned_threads_are_let_go() {
        let all = allowed().expect("a mask");
        let first = all[0];
        let child = std::thread::spawn(move || {
            try_pin(first).expect("an allowed CPU");
            let inherited = || {
                let before = allowed();
                unpin();
                (before, allowed())
            };
            std::thread::spawn(inherited).join().expect("its masks")
        });
        let (before, after) = child.join().expect("a pinned thread");
        assert_eq!((before, after), (Some(vec![first]), Some(all)));
    }

    fn check_place(
        shards: usize,
        wanted: Option<&[usize]>,
        allowed: &[usize],
        online: usize,
        expected: &[Option<usize>],
    ) {
        let pins = place(shards, wanted, Some(allowed), Some(online));
        assert_eq!(pins, expected, "{shards} {wanted:?} {allowed:?} {online}");
    }

    #[test]
    fn shards_are_pinned_when_asked_or_when_they_fill_a_smaller_mask() {
        let none = None::<usize>;
        // The whole machine is left to the scheduler, however many shards there are.
        check_place(1, None, &[0, 1], 2, &[none]);
        check_place(2, None, &[0, 1], 2, &[none, none]);
        check_place(4, None, &[0, 1], 2, &[none; 4]);
        // A mask of its own is filled evenly, or left to the scheduler.
        check_place(2, None, &[4, 6], 8, &[Some(4), Some(6)]);
        check_place(4, None, &[4, 6], 8, &[Some(4), Some(6), Some(4), Some(6)]);
        check_place(1, None, &[4, 6], 8, &[none]);
        check_place(3, None, &[4, 6], 8, &[none; 3]);
        check_place(1, None, &[1], 2, &[Some(1)]);
        // Asked for, in turn.
        check_place(1, Some(&[1]), &[0, 1], 2, &[Some(1)]);
        check_place(3, Some(&[1, 0]), &[0, 1], 2, &[Some(1), Some(0), Some(1)]);
        check_place(2, Some(&[1, 9]), &[0, 1], 2, &[Some(1), none]);
        // Nothing known: nothing assumed.
        assert_eq!(place(2, None, None, Some(2)), [none; 2]);
        assert_eq!(place(2, None, Some(&[0]), None), [none; 2]);
        assert_eq!(place(1, Some(&[7]), None, None), [Some(7)]);
    }

    #[test]
    fn an_impossible_cpu_leaves_its_shard_unpinned() {
        let first = allowed().expect("a mask")[0];
        assert_eq!(plan(3, Some(&[first])).expect("a plan"), [Some(first); 3]);
        assert_eq!(plan(1, Some(&[100_000])).expect("a plan"), [None]);
        assert!(plan(1, Some(&[])).is_err());
    }
}
