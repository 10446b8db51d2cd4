//! A cgroup for each host in every hierarchy, so that a host has a root of its own and can be capped as a whole.
//!
//! Works with version 1, version 2, and both side by side.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::thread;
use std::time::{Duration, Instant};

use super::LabError;
use crate::command::run;

const ROOT: &str = "goblins-lab";
/// Processes that have just been killed leave their cgroup a moment later.
const EMPTYING_DEADLINE: Duration = Duration::from_secs(3);

/// One mounted cgroup file system.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Hierarchy {
    /// Where it is mounted.
    pub mount: PathBuf,
    /// What `mount -o` takes to mount it again; empty for version 2.
    pub options: String,
}

impl Hierarchy {
    pub(super) fn is_v2(&self) -> bool {
        self.options.is_empty()
    }
}

/// All that are mounted here, as seen by this process.
pub(super) fn hierarchies() -> Vec<Hierarchy> {
    parse(&fs::read_to_string("/proc/self/mountinfo").unwrap_or_default())
}

/// Version 2 only: then it holds the controllers, and a group with children may hold no process of its own.
pub(super) fn unified(hierarchies: &[Hierarchy]) -> bool {
    hierarchies.iter().all(Hierarchy::is_v2)
}

fn parse(mountinfo: &str) -> Vec<Hierarchy> {
    let mut found: Vec<Hierarchy> = Vec::new();
    for line in mountinfo.lines() {
        let Some((mount, source)) = line.split_once(" - ") else {
            continue;
        };
        let (Some(point), mut source) = (mount.split(' ').nth(4), source.split(' ')) else {
            continue;
        };
        let (kind, options) = (source.next(), source.nth(1).unwrap_or_default());
        let options = match kind {
            Some("cgroup") => options
                .split(',')
                .filter(|option| {
                    !matches!(*option, "rw" | "ro" | "xattr" | "seclabel") && !option.starts_with("release_agent")
                })
                .map(|option| {
                    if option.starts_with("name=") {
                        format!("none,{option}")
                    } else {
                        option.to_owned()
                    }
                })
                .collect::<Vec<_>>()
                .join(","),
            Some("cgroup2") => String::new(),
            _ => continue,
        };
        if !found.iter().any(|known| known.options == options) {
            found.push(Hierarchy {
                mount: point.into(),
                options,
            });
        }
    }
    found
}

/// Side by side, `crun` refuses to work while a controller it wants is left in version 2: gives each its own hierarchy.
pub(super) fn prepare() {
    let hierarchies = hierarchies();
    let Some(v2) = hierarchies.iter().find(|hierarchy| hierarchy.is_v2()) else {
        return;
    };
    if unified(&hierarchies) {
        return;
    }
    let left = fs::read_to_string(v2.mount.join("cgroup.controllers")).unwrap_or_default();
    for controller in left.split_whitespace() {
        let point = Path::new("/sys/fs/cgroup").join(controller);
        // A machine that does not allow it can still run `runc`.
        if fs::create_dir_all(&point).is_ok() {
            let _ = run(Command::new("mount")
                .args(["-t", "cgroup", "-o", controller, "cgroup"])
                .arg(&point));
        }
    }
}

/// Makes the host's groups. Gives the files into which a process writes its id to belong to the host.
pub(super) fn create(number: u8, host: u8) -> Result<Vec<PathBuf>, LabError> {
    let hierarchies = hierarchies();
    for hierarchy in &hierarchies {
        let mut group = hierarchy.mount.clone();
        for part in path_of(number, Some(host)).iter() {
            if unified(&hierarchies) {
                delegate(&group);
            }
            let parent = group.clone();
            group.push(part);
            fs::create_dir_all(&group).map_err(LabError::file("make the cgroup", &group))?;
            for file in ["cpuset.cpus", "cpuset.mems"] {
                // Version 1 starts a group with no processors at all, and then lets no process in.
                if hierarchy.options.contains("cpuset")
                    && let Ok(inherited) = fs::read_to_string(parent.join(file))
                {
                    fs::write(group.join(file), inherited).map_err(LabError::file("write", &group.join(file)))?;
                }
            }
        }
    }
    Ok(join_files(number, host, false))
}

/// The files to write a process's id to; `later` is for processes that come after the host's first one.
pub(super) fn join_files(number: u8, host: u8, later: bool) -> Vec<PathBuf> {
    let hierarchies = hierarchies();
    let leaf = if later && unified(&hierarchies) {
        "init/cgroup.procs"
    } else {
        "cgroup.procs"
    };
    let group = path_of(number, Some(host)).join(leaf);
    hierarchies
        .iter()
        .map(|hierarchy| hierarchy.mount.join(&group))
        .collect()
}

/// Hands all controllers of a version 2 group on to its children, as far as the machine allows.
pub(super) fn delegate(group: &Path) {
    let controllers = fs::read_to_string(group.join("cgroup.controllers")).unwrap_or_default();
    for controller in controllers.split_whitespace() {
        let _ = fs::write(group.join("cgroup.subtree_control"), format!("+{controller}"));
    }
}

/// All processes in the lab's groups, wherever they came from.
pub(super) fn members(number: u8) -> Vec<i32> {
    let mut pids = Vec::new();
    for hierarchy in hierarchies() {
        for group in groups_below(&hierarchy.mount.join(path_of(number, None))) {
            let procs = fs::read_to_string(group.join("cgroup.procs")).unwrap_or_default();
            pids.extend(
                procs
                    .lines()
                    .filter_map(|line| line.parse::<i32>().ok())
                    .filter(|pid| *pid > 1),
            );
        }
    }
    pids.sort_unstable();
    pids.dedup();
    pids
}

/// Removes the groups of a host, or of the whole lab, as soon as they are empty.
pub(super) fn remove(number: u8, host: Option<u8>) {
    let end = Instant::now() + EMPTYING_DEADLINE;
    for hierarchy in hierarchies() {
        let top = hierarchy.mount.join(path_of(number, host));
        while top.exists() && Instant::now() < end {
            for group in groups_below(&top) {
                let _ = fs::remove_dir(group);
            }
            if top.exists() {
                thread::sleep(Duration::from_millis(5));
            }
        }
        if host.is_none() {
            // Fails, rightly, while another lab is up.
            let _ = fs::remove_dir(hierarchy.mount.join(ROOT));
        }
    }
}

fn path_of(number: u8, host: Option<u8>) -> PathBuf {
    let lab = Path::new(ROOT).join(number.to_string());
    host.map_or(lab.clone(), |host| lab.join(format!("h{host}")))
}

/// A group and all below it, the deepest first.
fn groups_below(top: &Path) -> Vec<PathBuf> {
    let mut found = vec![top.to_owned()];
    let mut next = 0;
    while let Some(group) = found.get(next) {
        let children = fs::read_dir(group).into_iter().flatten().flatten();
        let folders = children.filter(|entry| entry.file_type().is_ok_and(|kind| kind.is_dir()));
        let folders: Vec<PathBuf> = folders.map(|entry| entry.path()).collect();
        found.extend(folders);
        next += 1;
    }
    found.reverse();
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hierarchy(mount: &str, options: &str) -> Hierarchy {
        Hierarchy {
            mount: mount.into(),
            options: options.to_owned(),
        }
    }

    #[test]
    fn hierarchies_side_by_side_are_told_apart() {
        let mountinfo = "\
31 23 0:28 / /sys/fs/cgroup rw,relatime - tmpfs tmpfs rw,mode=755
32 31 0:29 / /sys/fs/cgroup/cpu,cpuacct rw,nosuid shared:9 - cgroup cgroup rw,cpu,cpuacct
40 31 0:37 / /sys/fs/cgroup/systemd rw - cgroup cgroup rw,xattr,release_agent=/x,name=systemd
41 31 0:38 / /sys/fs/cgroup/unified rw,relatime - cgroup2 cgroup2 rw,nsdelegate
";
        let expected = [
            hierarchy("/sys/fs/cgroup/cpu,cpuacct", "cpu,cpuacct"),
            hierarchy("/sys/fs/cgroup/systemd", "none,name=systemd"),
            hierarchy("/sys/fs/cgroup/unified", ""),
        ];
        assert_eq!(parse(mountinfo), expected);
        assert!(!unified(&expected));
    }

    #[test]
    fn version_two_alone_is_known() {
        let found = parse("30 23 0:26 / /sys/fs/cgroup rw,nosuid shared:4 - cgroup2 cgroup2 rw,nsdelegate\n");
        assert_eq!(found, [hierarchy("/sys/fs/cgroup", "")]);
        assert!(unified(&found));
    }
}
