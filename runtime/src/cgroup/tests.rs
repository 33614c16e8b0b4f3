//! Tests with file trees as containers and hosts have them.

use std::fs;
use std::path::PathBuf;
use std::sync::atomic::{AtomicU32, Ordering};

use super::{cpu_quota_at, memory_limit_at, whole_cpus};

const V2: &str = "31 23 0:28 / /sys/fs/cgroup rw - cgroup2 cgroup2 rw,nsdelegate\n";
const V1: &str = "\
32 31 0:29 / /sys/fs/cgroup/cpu,cpuacct rw shared:9 - cgroup cgroup rw,cpu,cpuacct
35 31 0:32 / /sys/fs/cgroup/memory rw - cgroup cgroup rw,memory
";
const MIB: u64 = 1 << 20;

/// Root of a file system, removed at the end of its test.
struct Tree(PathBuf);

impl Tree {
    fn new(files: &[(&str, &str)]) -> Self {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let name = format!("corespun-cgroup-{}-{number}", std::process::id());
        let root = std::env::temp_dir().join(name);
        fs::create_dir_all(&root).expect("a folder");
        for (path, text) in files {
            let path = root.join(path);
            fs::create_dir_all(path.parent().expect("a folder")).expect("a folder");
            fs::write(path, text).expect("a file");
        }
        Self(root)
    }
}

impl Drop for Tree {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

fn check_memory(files: &[(&str, &str)], expected: Option<u64>) {
    let tree = Tree::new(files);
    assert_eq!(memory_limit_at(&tree.0), expected, "{files:?}");
}

fn check_cpus(files: &[(&str, &str)], expected: Option<usize>) {
    let tree = Tree::new(files);
    assert_eq!(cpu_quota_at(&tree.0), expected, "{files:?}");
}

#[test]
fn the_lowest_limit_of_version_2_counts() {
    let base = [
        ("proc/self/cgroup", "0::/a/b\n"),
        ("proc/self/mountinfo", V2),
        ("proc/meminfo", "MemTotal:  1048576 kB\nMemFree: 1 kB\n"),
    ];
    let with = |files: &[(&'static str, &'static str)]| [&base[..], files].concat();
    check_memory(&base, Some(1024 * MIB));
    check_memory(&base[..2], None);
    check_memory(
        &with(&[("sys/fs/cgroup/a/b/memory.max", "max\n")]),
        Some(1024 * MIB),
    );
    check_memory(
        &with(&[("sys/fs/cgroup/a/b/memory.max", "67108864\n")]),
        Some(64 * MIB),
    );
    check_memory(
        &with(&[
            ("sys/fs/cgroup/a/b/memory.max", "67108864\n"),
            ("sys/fs/cgroup/a/memory.max", "33554432\n"),
            ("sys/fs/cgroup/c/memory.max", "1\n"),
        ]),
        Some(32 * MIB),
    );
    check_memory(
        &with(&[
            ("sys/fs/cgroup/a/b/memory.max", "67108864\n"),
            ("sys/fs/cgroup/a/b/memory.high", "50331648\n"),
        ]),
        Some(48 * MIB),
    );
    // A limit beyond the machine's memory is none.
    check_memory(
        &with(&[("sys/fs/cgroup/a/memory.max", "2147483648\n")]),
        Some(1024 * MIB),
    );
}

#[test]
fn limits_of_version_1_count_in_nested_groups() {
    let base = [
        (
            "proc/self/cgroup",
            "5:memory:/a/b\n4:cpu,cpuacct:/a/b\n0::/\n",
        ),
        ("proc/self/mountinfo", V1),
    ];
    let with = |files: &[(&'static str, &'static str)]| [&base[..], files].concat();
    check_memory(&base, None);
    let unlimited = "9223372036854771712\n";
    check_memory(
        &with(&[("sys/fs/cgroup/memory/memory.limit_in_bytes", unlimited)]),
        None,
    );
    check_memory(
        &with(&[
            ("sys/fs/cgroup/memory/a/b/memory.limit_in_bytes", unlimited),
            ("sys/fs/cgroup/memory/a/memory.limit_in_bytes", "67108864\n"),
        ]),
        Some(64 * MIB),
    );
    check_memory(
        &with(&[
            ("sys/fs/cgroup/memory/a/b/memory.limit_in_bytes", unlimited),
            (
                "sys/fs/cgroup/memory/a/b/memory.stat",
                "cache 0\nhierarchical_memory_limit 4096\n",
            ),
        ]),
        Some(4096),
    );
    check_cpus(&base, None);
    check_cpus(
        &with(&[
            ("sys/fs/cgroup/cpu,cpuacct/a/b/cpu.cfs_quota_us", "-1\n"),
            (
                "sys/fs/cgroup/cpu,cpuacct/a/b/cpu.cfs_period_us",
                "100000\n",
            ),
            ("sys/fs/cgroup/cpu,cpuacct/a/cpu.cfs_quota_us", "200000\n"),
            ("sys/fs/cgroup/cpu,cpuacct/a/cpu.cfs_period_us", "100000\n"),
        ]),
        Some(2),
    );
}

#[test]
fn a_container_sees_its_group_as_the_top_of_the_mount() {
    let mounts = "35 31 0:32 /docker/ab /sys/fs/cgroup/memory ro - cgroup cgroup rw,memory\n\
                  36 31 0:33 /docker/ab /sys/fs/cgroup/cpu ro - cgroup cgroup rw,cpu\n";
    for group in ["/docker/ab", "/docker/ab/inner", "/", "/../other"] {
        let member = format!("5:memory:{group}\n4:cpu:{group}\n");
        let files = [
            ("proc/self/cgroup", &*member),
            ("proc/self/mountinfo", mounts),
            ("sys/fs/cgroup/memory/memory.limit_in_bytes", "67108864\n"),
            ("sys/fs/cgroup/cpu/cpu.cfs_quota_us", "300000\n"),
            ("sys/fs/cgroup/cpu/cpu.cfs_period_us", "100000\n"),
        ];
        check_memory(&files, Some(64 * MIB));
        check_cpus(&files, Some(3));
    }
    let inner = [
        ("proc/self/cgroup", "5:memory:/docker/ab/inner\n"),
        ("proc/self/mountinfo", mounts),
        ("sys/fs/cgroup/memory/inner/memory.limit_in_bytes", "4096\n"),
    ];
    check_memory(&inner, Some(4096));
}

#[test]
fn both_versions_count_side_by_side() {
    let mounts = format!("{V1}41 31 0:38 / /sys/fs/cgroup/unified rw - cgroup2 cgroup2 rw\n");
    let files = [
        ("proc/self/cgroup", "5:memory:/a\n4:cpu:/a\n0::/b\n"),
        ("proc/self/mountinfo", &*mounts),
        ("sys/fs/cgroup/memory/a/memory.limit_in_bytes", "67108864\n"),
        ("sys/fs/cgroup/unified/b/memory.max", "33554432\n"),
        ("sys/fs/cgroup/unified/b/cpu.max", "max 100000\n"),
        ("sys/fs/cgroup/cpu,cpuacct/a/cpu.cfs_quota_us", "50000\n"),
        ("sys/fs/cgroup/cpu,cpuacct/a/cpu.cfs_period_us", "100000\n"),
    ];
    check_memory(&files, Some(32 * MIB));
    check_cpus(&files, Some(1));
}

#[test]
fn what_cannot_be_read_is_no_limit() {
    check_memory(&[], None);
    check_cpus(&[], None);
    check_memory(&[("proc/self/cgroup", "0::/\n")], None);
    check_memory(
        &[
            ("proc/self/cgroup", "nonsense"),
            ("proc/self/mountinfo", "x - y\n - "),
        ],
        None,
    );
    check_memory(&[("proc/meminfo", "MemTotal: much kB\n")], None);
}

#[test]
fn quotas_are_rounded_down_to_whole_cpus() {
    assert_eq!(whole_cpus("max 100000\n"), None);
    assert_eq!(whole_cpus("250000 100000\n"), Some(2));
    assert_eq!(whole_cpus("200000 100000\n"), Some(2));
    assert_eq!(whole_cpus("199999 100000\n"), Some(1));
    assert_eq!(whole_cpus("50000 100000"), Some(1));
    assert_eq!(whole_cpus("-1 100000"), None);
}
