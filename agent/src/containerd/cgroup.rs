//! What the cgroup of a container has counted, read from the host's own files: of either version of cgroups.

use std::fs;
use std::path::Path;

use model::ByteCount;

use crate::runtime::OutOfMemory;

const ROOT: &str = "/sys/fs/cgroup";

/// Whether something in a container was killed for want of memory, as long as its cgroup is there.
pub(super) fn out_of_memory(parent: &str, id: &str) -> Option<OutOfMemory> {
    let below = Path::new(parent.trim_start_matches('/')).join(id);
    let unified = Path::new(ROOT).join(&below);
    let of_memory = Path::new(ROOT).join("memory").join(&below);
    look(&unified, "memory.events", "memory.max")
        .or_else(|| look(&of_memory, "memory.oom_control", "memory.limit_in_bytes"))
}

fn look(folder: &Path, events: &str, limit: &str) -> Option<OutOfMemory> {
    let events = fs::read_to_string(folder.join(events)).ok()?;
    if kills(&events) == 0 {
        return None;
    }
    let limit = fs::read_to_string(folder.join(limit)).ok();
    let limit = limit.and_then(|text| text.trim().parse().ok()).map(ByteCount);
    Some(OutOfMemory { limit })
}

/// Both versions count them on a line of this name.
fn kills(events: &str) -> u64 {
    let count = events.lines().find_map(|line| line.strip_prefix("oom_kill "));
    count.and_then(|it| it.trim().parse().ok()).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kills_are_counted_in_both_versions() {
        assert_eq!(kills("low 0\nhigh 0\nmax 12\noom 3\noom_kill 2\n"), 2);
        assert_eq!(kills("oom_kill_disable 0\nunder_oom 0\noom_kill 1\n"), 1);
        assert_eq!(kills("oom_kill_disable 0\nunder_oom 0\n"), 0);
    }

    #[test]
    fn the_limit_is_told_with_it() {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("memory.events"), "oom_kill 1\n").unwrap();
        let found = look(folder.path(), "memory.events", "memory.max");
        assert_eq!(found, Some(OutOfMemory { limit: None }));
        fs::write(folder.path().join("memory.max"), "67108864\n").unwrap();
        let found = look(folder.path(), "memory.events", "memory.max");
        let limit = Some(ByteCount(64 << 20));
        assert_eq!(found, Some(OutOfMemory { limit }));
        fs::write(folder.path().join("memory.events"), "oom_kill 0\n").unwrap();
        assert_eq!(look(folder.path(), "memory.events", "memory.max"), None);
    }
}
