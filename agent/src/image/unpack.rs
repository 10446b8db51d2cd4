//! From layers to snapshots: each layer is applied on top of the one below and committed under its chain id.

use std::collections::HashMap;
use std::path::Path;

use containerd_client::services::v1::ApplyRequest;
use containerd_client::services::v1::snapshots::{
    CommitSnapshotRequest, PrepareSnapshotRequest, RemoveSnapshotRequest, StatSnapshotRequest,
};
use containerd_client::types::{self, Mount};
use sha2::{Digest, Sha256};
use tonic::Code;

use super::PullError;
use super::manifest::Descriptor;
use super::store::Lease;
use crate::containerd::api::{Api, LONG, SHORT, or_gone, within};

/// The names of the snapshots of an image, lowest first: each digests its layer and all below it.
pub(super) fn chain_ids(diff_ids: &[String]) -> Vec<String> {
    let mut chain: Vec<String> = Vec::with_capacity(diff_ids.len());
    for diff_id in diff_ids {
        let id = match chain.last() {
            None => diff_id.clone(),
            Some(below) => format!("sha256:{}", hex::encode(Sha256::digest(format!("{below} {diff_id}")))),
        };
        chain.push(id);
    }
    chain
}

/// Whether the topmost snapshot of an image, and so all of them, is here.
pub(super) async fn is_unpacked(api: &Api, snapshotter: &str, chain_id: &str) -> Result<bool, PullError> {
    let request = StatSnapshotRequest {
        snapshotter: snapshotter.to_owned(),
        key: chain_id.to_owned(),
    };
    let answer = or_gone(within(SHORT, api.snapshots().stat(api.request(request))).await);
    Ok(answer
        .map_err(|error| PullError::asking("look up a snapshot", error))?
        .is_some())
}

/// Unpacks the layers that are not unpacked yet.
pub(super) async fn unpack(
    api: &Api,
    lease: &Lease,
    snapshotter: &str,
    image: &str,
    layers: &[Descriptor],
    chain_ids: &[String],
) -> Result<(), PullError> {
    let mut parent = "";
    for (layer, chain_id) in layers.iter().zip(chain_ids) {
        if !is_unpacked(api, snapshotter, chain_id).await? {
            let one = Layer {
                api,
                lease,
                snapshotter,
                image,
                layer,
                parent,
                chain_id,
            };
            let key = format!("goblins-unpack-{}", uuid::Uuid::new_v4());
            let done = one.apply(&key).await;
            if done.is_err() {
                one.remove(&key).await;
            }
            done?;
        }
        parent = chain_id;
    }
    Ok(())
}

struct Layer<'a> {
    api: &'a Api,
    lease: &'a Lease,
    snapshotter: &'a str,
    image: &'a str,
    layer: &'a Descriptor,
    parent: &'a str,
    chain_id: &'a str,
}

impl Layer<'_> {
    async fn apply(&self, key: &str) -> Result<(), PullError> {
        let Self { api, lease, .. } = *self;
        let stamp = &lease.stamp;
        let storing = |doing| move |error| PullError::storing(self.image, doing, error);
        let prepare = PrepareSnapshotRequest {
            snapshotter: self.snapshotter.to_owned(),
            key: key.to_owned(),
            parent: self.parent.to_owned(),
            labels: HashMap::new(),
        };
        let prepared = within(SHORT, api.snapshots().prepare(api.leased(stamp, prepare))).await;
        let mounts = prepared.map_err(storing("prepare a snapshot"))?.mounts;
        let descriptor = types::Descriptor {
            media_type: self.layer.media_type.clone(),
            digest: self.layer.digest.clone(),
            size: self.layer.size,
            annotations: HashMap::new(),
        };
        let apply = ApplyRequest {
            diff: Some(descriptor),
            mounts: mounts.clone(),
            ..ApplyRequest::default()
        };
        // Large layers take minutes on slow disks.
        within(LONG * 10, api.diff().apply(api.leased(stamp, apply)))
            .await
            .map_err(storing("unpack a layer"))?;
        sync(&mounts).await;
        let commit = CommitSnapshotRequest {
            snapshotter: self.snapshotter.to_owned(),
            name: self.chain_id.to_owned(),
            key: key.to_owned(),
            labels: HashMap::new(),
        };
        match within(LONG, api.snapshots().commit(api.leased(stamp, commit))).await {
            Err(error) if error.is(Code::AlreadyExists) => {
                self.remove(key).await;
                Ok(())
            }
            other => other.map(drop).map_err(storing("commit a snapshot")),
        }
    }

    async fn remove(&self, key: &str) {
        let request = RemoveSnapshotRequest {
            snapshotter: self.snapshotter.to_owned(),
            key: key.to_owned(),
        };
        if let Err(error) = within(SHORT, self.api.snapshots().remove(self.api.request(request))).await {
            tracing::debug!(%error, key, "an unfinished snapshot was not removed; it goes with its lease");
        }
    }
}

/// Brings unpacked files to the disk before containerd notes that they are there: after a power cut an image could
/// otherwise count as unpacked while its files are empty.
async fn sync(mounts: &[Mount]) {
    let Some(path) = mounts.first().and_then(written_to).map(Path::to_owned) else {
        return;
    };
    let synced = tokio::task::spawn_blocking(move || {
        let folder = std::fs::File::open(path)?;
        nix::unistd::syncfs(folder).map_err(std::io::Error::from)
    });
    if let Ok(Err(error)) = synced.await {
        tracing::debug!(%error, "unpacked files were not brought to the disk at once");
    }
}

/// The folder that a snapshot's files are written to.
fn written_to(mount: &Mount) -> Option<&Path> {
    let upper = mount.options.iter().find_map(|option| option.strip_prefix("upperdir="));
    Some(Path::new(upper.unwrap_or(&mount.source)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_chain_id_covers_all_layers_below() {
        let ids = chain_ids(&["sha256:a".to_owned(), "sha256:b".to_owned()]);
        assert_eq!(ids[0], "sha256:a");
        assert_eq!(
            ids[1],
            format!("sha256:{}", hex::encode(Sha256::digest("sha256:a sha256:b")))
        );
        assert!(chain_ids(&[]).is_empty());
    }
}
