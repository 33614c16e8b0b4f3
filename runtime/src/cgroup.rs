//! Limits on memory and CPU time of a container or the machine, read from the control groups (v1
//! and v2) above this process.
//!
//! All functions take the root of the file system, so that tests can supply their own tree.

use std::fs;
use std::path::{Component, Path, PathBuf};

/// Smallest value that means "no limit": control groups v1 write the largest multiple of a page,
/// which no machine has.
const BYTES_MAX: u64 = 1 << 60;

/// Version of a control-group hierarchy.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Version {
    One,
    Two,
}

/// Directory of a control group that contains this process, or of an ancestor of that group.
struct Group {
    version: Version,
    path: PathBuf,
}

/// Returns the memory in bytes that this process may use: the lowest limit of its control groups,
/// and at most the machine's memory. `None` if neither can be read.
pub fn memory_limit() -> Option<u64> {
    memory_limit_at(Path::new("/"))
}

pub(crate) fn memory_limit_at(root: &Path) -> Option<u64> {
    let groups = groups(root, "memory");
    let limits = groups.iter().filter_map(memory_of);
    limits.chain(memory_total(root)).min()
}

/// Returns the number of whole CPUs that the tightest CPU quota above this process allows; at least
/// 1.
pub(crate) fn cpu_quota_at(root: &Path) -> Option<usize> {
    let groups = groups(root, "cpu");
    groups.iter().filter_map(quota_of).min()
}

fn memory_of(group: &Group) -> Option<u64> {
    let read = |file: &str| bytes(&fs::read_to_string(group.path.join(file)).ok()?);
    match group.version {
        // Beyond `memory.high` a process is slowed down until it stands still.
        Version::Two => read("memory.max")
            .into_iter()
            .chain(read("memory.high"))
            .min(),
        Version::One => {
            // Covers ancestors that a container cannot see.
            let stat = fs::read_to_string(group.path.join("memory.stat")).unwrap_or_default();
            let mut lines = stat.lines();
            let above = lines.find_map(|line| line.strip_prefix("hierarchical_memory_limit "));
            let above = above.and_then(bytes);
            read("memory.limit_in_bytes").into_iter().chain(above).min()
        }
    }
}

/// Parses a number of bytes; `None` for no limit.
fn bytes(text: &str) -> Option<u64> {
    text.trim().parse().ok().filter(|bytes| *bytes < BYTES_MAX)
}

/// Returns the machine's memory in bytes.
fn memory_total(root: &Path) -> Option<u64> {
    let text = fs::read_to_string(root.join("proc/meminfo")).ok()?;
    let total = text
        .lines()
        .find_map(|line| line.strip_prefix("MemTotal:"))?;
    let kib: u64 = total.trim().strip_suffix("kB")?.trim().parse().ok()?;
    kib.checked_mul(1024)
}

fn quota_of(group: &Group) -> Option<usize> {
    let read = |file: &str| fs::read_to_string(group.path.join(file)).ok();
    match group.version {
        Version::Two => whole_cpus(&read("cpu.max")?),
        Version::One => {
            let (quota, period) = (read("cpu.cfs_quota_us")?, read("cpu.cfs_period_us")?);
            whole_cpus(&format!("{} {}", quota.trim(), period.trim()))
        }
    }
}

/// Parses `cpu.max`: quota and period in microseconds, with `max` or -1 for no quota.
fn whole_cpus(text: &str) -> Option<usize> {
    let (quota, period) = text.trim().split_once(' ')?;
    let quota: usize = quota.parse().ok()?;
    let period: usize = period.parse().ok()?;
    Some((quota / period.max(1)).max(1))
}

/// Returns the groups of this process that may have `controller`, each with its ancestors.
fn groups(root: &Path, controller: &str) -> Vec<Group> {
    let read = |file: &str| fs::read_to_string(root.join(file)).unwrap_or_default();
    let (member, mounts) = (read("proc/self/cgroup"), read("proc/self/mountinfo"));
    let mut groups = Vec::new();
    for mount in mounts
        .lines()
        .filter_map(|line| Mount::parse(line, controller))
    {
        let mut lines = member.lines();
        let Some(path) = lines.find_map(|line| group_path(line, mount.version, controller)) else {
            continue;
        };
        let top = root.join(mount.point.trim_start_matches('/'));
        let lowest = top.join(below(path, mount.root));
        let ancestors = lowest.ancestors().take_while(|path| path.starts_with(&top));
        groups.extend(ancestors.map(|path| Group {
            version: mount.version,
            path: path.to_owned(),
        }));
    }
    groups
}

/// Returns the path of the group in a line of `/proc/self/cgroup`: `4:cpu,cpuacct:/a/b`, or
/// `0::/a/b` in version 2.
fn group_path<'a>(line: &'a str, version: Version, controller: &str) -> Option<&'a str> {
    let (number, rest) = line.split_once(':')?;
    let (controllers, path) = rest.split_once(':')?;
    let holds = match version {
        Version::Two => number == "0" && controllers.is_empty(),
        Version::One => controllers.split(',').any(|name| name == controller),
    };
    holds.then_some(path)
}

/// Returns the part of a group's path below the root of its mount; empty if the group is not below
/// it, as in a container that shares the host's cgroup namespace.
fn below<'a>(path: &'a str, mount_root: &str) -> &'a Path {
    let below = Path::new(path)
        .strip_prefix(mount_root)
        .unwrap_or(Path::new(""));
    let leaves = |part| !matches!(part, Component::Normal(_));
    if below.components().any(leaves) {
        Path::new("")
    } else {
        below
    }
}

/// Mount of a control-group hierarchy.
struct Mount<'a> {
    version: Version,
    /// Group that the mount shows as its root.
    root: &'a str,
    point: &'a str,
}

impl<'a> Mount<'a> {
    /// Parses a line of `/proc/self/mountinfo` (proc_pid_mountinfo(5)), if its groups may have
    /// `controller`.
    fn parse(line: &'a str, controller: &str) -> Option<Self> {
        let (mount, filesystem) = line.split_once(" - ")?;
        let mut fields = mount.split(' ').skip(3);
        let (root, point) = (fields.next()?, fields.next()?);
        let mut fields = filesystem.split(' ');
        let (kind, _source, options) = (fields.next()?, fields.next()?, fields.next()?);
        let version = match kind {
            "cgroup2" => Version::Two,
            "cgroup" if options.split(',').any(|name| name == controller) => Version::One,
            _ => return None,
        };
        Some(Self {
            version,
            root,
            point,
        })
    }
}

#[cfg(test)]
mod tests;
