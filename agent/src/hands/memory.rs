//! Whether the kernel killed something here for its memory, as the control group of the hands'
//! container counts it. Where no limit is set, or hands share their group with others, nothing is
//! known and nothing is said.
//!
//! Files and fields: <https://docs.kernel.org/admin-guide/cgroup-v2.html> (`memory.events`) and
//! <https://docs.kernel.org/admin-guide/cgroup-v1/memory.html> (`memory.oom_control`).

use std::fs;

/// The counters of a container's own group, of version 2 and of version 1.
const COUNTERS: [&str; 2] = [
    "/sys/fs/cgroup/memory.events",
    "/sys/fs/cgroup/memory/memory.oom_control",
];

/// How many processes were killed here for memory so far.
pub(super) fn kills() -> Option<u64> {
    let texts = COUNTERS
        .iter()
        .filter_map(|path| fs::read_to_string(path).ok());
    texts.into_iter().find_map(|text| counted(&text))
}

fn counted(text: &str) -> Option<u64> {
    let mut lines = text.lines();
    lines.find_map(|line| line.strip_prefix("oom_kill ")?.trim().parse().ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_versions_are_read() {
        let two = "low 0\nhigh 0\nmax 7\noom 2\noom_kill 3\noom_group_kill 0\n";
        assert_eq!(counted(two), Some(3));
        let one = "oom_kill_disable 0\nunder_oom 0\noom_kill 4\n";
        assert_eq!(counted(one), Some(4));
        assert_eq!(counted("oom_kill_disable 0\n"), None);
    }
}
