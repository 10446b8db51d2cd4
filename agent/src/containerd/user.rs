//! Which user a container runs as, looked up in the image's own files.

use std::fs::File;
use std::io::Read;
use std::path::Path;

use containerd_client::types::Mount;
use nix::fcntl::{OFlag, OpenHow, ResolveFlag, openat2};

const LARGEST_FILE: u64 = 1024 * 1024;

/// Numbers of a user and its group; by default root.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Ids {
    pub uid: u32,
    pub gid: u32,
}

/// Resolves `user`, `user:group` or their numbers. The error says what is missing.
pub(super) fn look_up(name: &str, mounts: &[Mount]) -> Result<Ids, String> {
    let read = |file: &str| {
        mounts
            .iter()
            .flat_map(layers)
            .find_map(|layer| read_in(layer, file))
            .unwrap_or_default()
    };
    resolve(name, || read("etc/passwd"), || read("etc/group"))
}

fn resolve(name: &str, passwd: impl FnOnce() -> String, group: impl FnOnce() -> String) -> Result<Ids, String> {
    let (user, wanted_group) = name
        .split_once(':')
        .map_or((name, None), |(user, group)| (user, Some(group)));
    let passwd = passwd();
    let known = passwd
        .lines()
        .map(|line| line.split(':').collect::<Vec<_>>())
        .find(|it| it.len() > 3 && (it[0] == user || (user.parse::<u32>().is_ok() && it[2] == user)));
    let number = |text: &str| text.parse::<u32>().ok();
    let uid = number(user).or_else(|| known.as_ref().and_then(|it| number(it[2])));
    let uid = uid.ok_or_else(|| {
        format!(
            "the image is to run as user `{user}`, which is not in its /etc/passwd; add it, or name the user by number"
        )
    })?;
    let gid = match wanted_group {
        None => known.as_ref().and_then(|it| number(it[3])).unwrap_or(0),
        Some(wanted) => number(wanted)
            .or_else(|| {
                let group = group();
                let line = group
                    .lines()
                    .map(|line| line.split(':').collect::<Vec<_>>())
                    .find(|it| it[0] == wanted);
                line.and_then(|it| it.get(2).and_then(|text| number(text)))
            })
            .ok_or_else(|| format!("the image is to run as group `{wanted}`, which is not in its /etc/group"))?,
    };
    Ok(Ids { uid, gid })
}

/// The folders that a mount shows, the one on top first.
fn layers(mount: &Mount) -> Vec<&Path> {
    let option = |key| mount.options.iter().find_map(move |option| option.strip_prefix(key));
    let mut found: Vec<_> = option("upperdir=").map(Path::new).into_iter().collect();
    found.extend(
        option("lowerdir=")
            .unwrap_or_default()
            .split(':')
            .filter(|it| !it.is_empty())
            .map(Path::new),
    );
    if found.is_empty() {
        found.push(Path::new(&mount.source));
    }
    found
}

/// A file of an image. Links in it lead nowhere outside of it.
fn read_in(layer: &Path, file: &str) -> Option<String> {
    let root = File::open(layer).ok()?;
    let how = OpenHow::new()
        .flags(OFlag::O_RDONLY | OFlag::O_CLOEXEC)
        .resolve(ResolveFlag::RESOLVE_IN_ROOT);
    let mut text = String::new();
    File::from(openat2(&root, file, how).ok()?)
        .take(LARGEST_FILE)
        .read_to_string(&mut text)
        .ok()?;
    Some(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    const PASSWD: &str = "root:x:0:0:root:/root:/bin/sh\nweb:x:101:102::/:/bin/false\n";
    const GROUP: &str = "root:x:0:\nlog:x:7:\n";

    fn ids(name: &str) -> Result<(u32, u32), String> {
        resolve(name, || PASSWD.to_owned(), || GROUP.to_owned()).map(|it| (it.uid, it.gid))
    }

    #[test]
    fn users_are_found_by_name_and_number() {
        assert_eq!(ids("web"), Ok((101, 102)));
        assert_eq!(ids("101"), Ok((101, 102)));
        assert_eq!(ids("1000"), Ok((1000, 0)));
        assert_eq!(ids("web:log"), Ok((101, 7)));
        assert_eq!(ids("web:5"), Ok((101, 5)));
        assert!(ids("nobody").unwrap_err().contains("`nobody`"));
        assert!(ids("web:nogroup").unwrap_err().contains("`nogroup`"));
    }
}
