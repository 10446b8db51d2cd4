//! What this host can give to containers.

use model::{ByteCount, Capacity, Millicores};

const REPLICAS: u32 = 250;

/// All CPUs and all memory of this host, as far as this process may use them.
#[must_use]
pub fn capacity() -> Capacity {
    let cores = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    let memory = std::fs::read_to_string("/proc/meminfo")
        .ok()
        .as_deref()
        .and_then(total_memory)
        .unwrap_or_default();
    Capacity {
        cpu: Millicores(cores as u64 * 1000),
        memory,
        replicas: REPLICAS,
    }
}

fn total_memory(meminfo: &str) -> Option<ByteCount> {
    let line = meminfo.lines().find_map(|line| line.strip_prefix("MemTotal:"))?;
    let kib: u64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    Some(ByteCount(kib * 1024))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_the_total_of_meminfo() {
        assert_eq!(
            total_memory("MemTotal:       24593412 kB\nMemFree: 1 kB\n"),
            Some(ByteCount(24_593_412 * 1024))
        );
        assert_eq!(total_memory("MemFree: 1 kB\n"), None);
        assert!(capacity().memory.0 > 0);
    }
}
