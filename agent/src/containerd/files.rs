//! The files that each container gets from its host: `/etc/hosts`, `/etc/hostname` and `/etc/resolv.conf`.

use std::path::{Path, PathBuf};

use model::ReplicaId;

use crate::runtime::{RunRequest, RuntimeError};

/// Where the stub resolver of systemd says what it asks itself.
const BEHIND_STUB: &str = "/run/systemd/resolve/resolv.conf";

/// Where they lie on the host.
#[derive(Clone, Debug)]
pub(super) struct Files {
    pub hosts: PathBuf,
    pub hostname: PathBuf,
    pub resolv_conf: PathBuf,
}

/// The name that a container sees as its own: the service and the replica's last characters.
pub(super) fn hostname(request: &RunRequest) -> String {
    let id = request.replica.to_string();
    let name: String = request
        .service_name
        .to_lowercase()
        .chars()
        .map(|c| if c.is_ascii_alphanumeric() { c } else { '-' })
        .collect();
    format!("{}-{}", name.trim_matches('-'), &id[id.len().saturating_sub(8)..])
        .trim_start_matches('-')
        .to_owned()
}

pub(super) async fn write(folder: &Path, request: &RunRequest) -> Result<Files, RuntimeError> {
    let folder = folder.join(request.replica.to_string());
    let name = hostname(request);
    let hosts = format!(
        "127.0.0.1\tlocalhost\n::1\tlocalhost ip6-localhost ip6-loopback\n{}\t{name}\n",
        request.address
    );
    let path = folder.clone();
    let written = tokio::task::spawn_blocking(move || {
        if let Err(source) = std::fs::create_dir_all(&folder) {
            return Err(RuntimeError::File { path: folder, source });
        }
        Ok(Files {
            hosts: put(&folder, "hosts", &hosts)?,
            resolv_conf: put(&folder, "resolv.conf", &resolv_conf())?,
            hostname: put(&folder, "hostname", &format!("{name}\n"))?,
        })
    });
    written.await.unwrap_or_else(|source| {
        Err(RuntimeError::File {
            path,
            source: std::io::Error::other(source),
        })
    })
}

fn put(folder: &Path, name: &str, text: &str) -> Result<PathBuf, RuntimeError> {
    let path = folder.join(name);
    match std::fs::write(&path, text) {
        Ok(()) => Ok(path),
        Err(error) if error.kind() == std::io::ErrorKind::StorageFull => Err(RuntimeError::DiskFull { path }),
        Err(source) => Err(RuntimeError::File { path, source }),
    }
}

fn resolv_conf() -> String {
    let own = std::fs::read_to_string("/etc/resolv.conf").unwrap_or_default();
    if !asks_only_loopback(&own) {
        return own;
    }
    std::fs::read_to_string(BEHIND_STUB).unwrap_or(own)
}

/// A resolver on the host's loopback cannot be reached from inside a container.
fn asks_only_loopback(text: &str) -> bool {
    let mut servers = text
        .lines()
        .filter_map(|line| line.trim().strip_prefix("nameserver"))
        .map(str::trim)
        .peekable();
    servers.peek().is_some() && servers.all(|server| server.starts_with("127.") || server == "::1")
}

pub(super) async fn remove(folder: &Path, replica: ReplicaId) -> Result<(), RuntimeError> {
    let path = folder.join(replica.to_string());
    match tokio::fs::remove_dir_all(&path).await {
        Err(source) if source.kind() != std::io::ErrorKind::NotFound => Err(RuntimeError::File { path, source }),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stub_resolver_is_recognised() {
        assert!(asks_only_loopback("nameserver 127.0.0.53\noptions edns0\n"));
        assert!(!asks_only_loopback("nameserver 127.0.0.53\nnameserver 9.9.9.9\n"));
        assert!(!asks_only_loopback("search example\n"));
    }
}
