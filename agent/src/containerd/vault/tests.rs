//! Vaults on real mounts, where the test may mount.

use std::os::unix::fs::MetadataExt;

use nix::sys::statfs::{TMPFS_MAGIC, statfs};
use uuid::Uuid;

use super::*;

fn replica(n: u128) -> ReplicaId {
    ReplicaId(Uuid::from_u128(n))
}

fn secret(key: &str, value: &[u8]) -> OpenSecret {
    OpenSecret {
        key: key.to_owned(),
        value: value.to_vec().into(),
    }
}

/// A folder to try in. Nothing stays mounted there, also when a test fails.
struct World(tempfile::TempDir);

impl Drop for World {
    fn drop(&mut self) {
        let places = std::fs::read_dir(self.0.path().join("secrets"));
        for place in places.into_iter().flatten().flatten() {
            let _ = remove(&place.path());
        }
    }
}

/// `None` where nothing can be mounted.
fn world() -> Option<(World, Vaults)> {
    if !nix::unistd::geteuid().is_root() {
        assert!(
            std::env::var_os("CI").is_none(),
            "this test cannot be skipped here: it needs root"
        );
        eprintln!("skipped: it needs root");
        return None;
    }
    let folder = tempfile::tempdir().unwrap();
    let vaults = Vaults::new(folder.path().join("secrets"));
    Some((World(folder), vaults))
}

#[tokio::test]
async fn values_lie_in_memory_and_only_the_containers_user_may_read_them() {
    let Some((_folder, vaults)) = world() else { return };
    let ids = Ids { uid: 1234, gid: 4321 };
    let long = vec![7; 500_000];
    let secrets = vec![secret("A", b"a\0\xff"), secret("B", b""), secret("C", &long)];
    // Twice: whatever an earlier start left is replaced.
    vaults.fill(replica(1), ids, vec![secret("OLD", b"x")]).await.unwrap();
    vaults.fill(replica(1), ids, secrets).await.unwrap();
    let place = vaults.place(replica(1));
    assert_eq!(statfs(&place).unwrap().filesystem_type(), TMPFS_MAGIC);
    let meta = |path: &Path| {
        let it = path.metadata().unwrap();
        (it.mode() & 0o7777, it.uid(), it.gid())
    };
    assert_eq!(meta(&vaults.folder).0, 0o700);
    assert_eq!(meta(&place), (0o500, 1234, 4321));
    for (key, value) in [("A", b"a\0\xff".as_slice()), ("B", b""), ("C", &long)] {
        assert_eq!(std::fs::read(place.join(key)).unwrap(), value);
        assert_eq!(meta(&place.join(key)), (0o400, 1234, 4321));
    }
    assert_eq!(std::fs::read_dir(&place).unwrap().count(), 3);
    vaults.remove(replica(1)).await.unwrap();
    assert!(!place.exists());
    vaults.remove(replica(1)).await.unwrap();
}

#[tokio::test]
async fn what_a_killed_daemon_left_is_found_and_removed() {
    let Some((_folder, vaults)) = world() else { return };
    for n in [1, 2, 3] {
        vaults
            .fill(replica(n), Ids::default(), vec![secret("A", b"a")])
            .await
            .unwrap();
    }
    let again = Vaults::new(vaults.folder.clone());
    again.suspect_all().await;
    // A container that is started after that is no leftover, although it is not in the list.
    again
        .fill(replica(3), Ids::default(), vec![secret("A", b"b")])
        .await
        .unwrap();
    again.remove_all_but(&[replica(1)].into()).await;
    let there = [1, 2, 3].map(|n| again.place(replica(n)).join("A").exists());
    assert_eq!(there, [true, false, true]);
    again.remove(replica(1)).await.unwrap();
    again.remove(replica(3)).await.unwrap();
    assert_eq!(std::fs::read_dir(&again.folder).unwrap().count(), 0);
}
