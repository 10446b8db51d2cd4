//! Dropping images that nobody needs any more. What to drop is decided in [`planner::collect`]; containerd then collects
//! what only they referred to.

use std::collections::{BTreeSet, HashMap};
use std::time::Duration;

use containerd_client::services::v1::{
    DeleteImageRequest, Image, ListContainersRequest, ListImagesRequest, PluginsRequest,
};
use model::named_digest;
use planner::{CollectLimits, Disk, HeldImage, Removal, Why};
use tokio::time::Instant;

use super::manifest::{Descriptor, Document, Manifest};
use super::{Images, PullError, parse, store};
use crate::containerd::api::{LONG, SHORT, or_gone, within};

/// What is remembered from one look to the next. A daemon that starts again begins anew, so that it drops later rather
/// than sooner.
#[derive(Debug, Default)]
pub(super) struct Memory {
    /// Since when nobody has needed an image.
    idle_since: HashMap<String, Instant>,
    /// Bytes of an image's layers, by the digest of what its name stands for.
    sizes: HashMap<String, u64>,
    /// Whether the last look found the disk nearly full.
    pressed: bool,
}

impl Images {
    /// Drops images that nobody needs: `needed` are the references of those that are, beside those of containers that
    /// are here. Does nothing while an image is being fetched, whose parts nothing refers to yet. Answers whether it is
    /// worth while to look again at once.
    pub(crate) async fn collect(&self, needed: &BTreeSet<String>, limits: &CollectLimits) -> Result<bool, PullError> {
        let Ok(_nothing_is_fetched) = self.gate.try_write() else {
            return Ok(false);
        };
        let mut memory = self.memory.lock().await;
        let needed = Needed::new(needed, self.in_use().await?);
        let now = Instant::now();
        let mut held = Vec::new();
        for image in self.list().await? {
            let target = image.target.as_ref().map(|it| it.digest.clone()).unwrap_or_default();
            let unneeded_for = if needed.covers(&image.name, &target) {
                memory.idle_since.remove(&image.name);
                None
            } else {
                let since = memory.idle_since.entry(image.name.clone()).or_insert(now);
                Some(now.duration_since(*since))
            };
            let bytes = match memory.sizes.get(&target) {
                Some(bytes) => *bytes,
                None => {
                    let bytes = self.size(&target).await?;
                    memory.sizes.insert(target, bytes);
                    bytes
                }
            };
            held.push(HeldImage {
                name: image.name,
                bytes,
                unneeded_for,
            });
        }
        memory
            .idle_since
            .retain(|name, _| held.iter().any(|it| it.name == *name));
        let disk = self.disk().await;
        let removals = planner::collect(&held, disk, memory.pressed, limits);
        memory.pressed = removals.iter().any(|it| matches!(it.why, Why::Pressure { .. }));
        for Removal { name, why } in &removals {
            self.drop_image(name).await?;
            let bytes = held.iter().find(|it| it.name == *name).map_or(0, |it| it.bytes);
            tracing::info!(image = name, bytes, %why, "an image was dropped");
        }
        Ok(!removals.is_empty())
    }

    /// Whether dropping images would not begin soon.
    pub(crate) async fn has_room(&self, limits: &CollectLimits) -> bool {
        self.disk().await.free_percent() >= limits.enough_percent
    }

    async fn list(&self) -> Result<Vec<Image>, PullError> {
        let request = self.api.request(ListImagesRequest::default());
        let answer = within(SHORT, self.api.images().list(request)).await;
        Ok(answer.map_err(|error| PullError::asking("list images", error))?.images)
    }

    /// The images of the containers that are here.
    async fn in_use(&self) -> Result<BTreeSet<String>, PullError> {
        let request = self.api.request(ListContainersRequest::default());
        let answer = within(SHORT, self.api.containers().list(request)).await;
        let answer = answer.map_err(|error| PullError::asking("list containers", error))?;
        Ok(answer.containers.into_iter().map(|it| it.image).collect())
    }

    /// As far as its documents are here.
    async fn size(&self, target: &str) -> Result<u64, PullError> {
        let index = store::read_json::<Document>(&self.api, target).await?;
        let variants = index.and_then(|it| it.manifests).unwrap_or_default();
        let mut sum = 0;
        for digest in variants.iter().map(|it| it.digest.as_str()).chain([target]) {
            let manifest = store::read_json::<Manifest>(&self.api, digest).await?;
            sum += manifest.map_or(0, |it| it.layers.iter().map(Descriptor::bytes).sum());
        }
        Ok(sum)
    }

    /// The disk that layers are unpacked to. What cannot be found out is told as nothing.
    async fn disk(&self) -> Disk {
        let filter = format!("type==io.containerd.snapshotter.v1,id=={}", self.snapshotter);
        let request = PluginsRequest { filters: vec![filter] };
        let answer = within(SHORT, self.api.introspection().plugins(self.api.request(request))).await;
        let plugins = answer.map(|it| it.plugins).unwrap_or_default();
        let root = plugins.into_iter().find_map(|mut it| it.exports.remove("root"));
        let stat = root.and_then(|it| nix::sys::statvfs::statvfs(&*it).ok());
        stat.map_or_else(Disk::default, |it| Disk {
            total: it.blocks().saturating_mul(it.fragment_size()),
            free: it.blocks_available().saturating_mul(it.fragment_size()),
        })
    }

    /// Returns once containerd has removed what only this image referred to, so that the disk can be measured.
    async fn drop_image(&self, name: &str) -> Result<(), PullError> {
        let request = DeleteImageRequest {
            name: name.to_owned(),
            sync: true,
            target: None,
        };
        let gone = or_gone(within(COLLECTION, self.api.images().delete(self.api.request(request))).await);
        gone.map(drop)
            .map_err(|error| PullError::asking("drop an image", error))
    }
}

/// Many layers take a while to be removed.
const COLLECTION: Duration = LONG.saturating_mul(5);

/// What must stay.
struct Needed {
    names: BTreeSet<String>,
    digests: BTreeSet<String>,
}

impl Needed {
    fn new(references: &BTreeSet<String>, in_use: BTreeSet<String>) -> Self {
        let mut names = in_use;
        // As containerd knows them. What cannot be parsed cannot have been fetched.
        names.extend(references.iter().filter_map(|it| Some(parse(it).ok()?.whole())));
        let digests = references.iter().filter_map(|it| named_digest(it));
        Self {
            digests: digests.map(str::to_owned).collect(),
            names,
        }
    }

    /// By its name, or by the bytes that it stands for.
    fn covers(&self, name: &str, target: &str) -> bool {
        self.names.contains(name) || self.digests.contains(target)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_image_is_needed_by_its_name_however_it_is_written_or_by_its_bytes() {
        let digest = format!("sha256:{}", "a".repeat(64));
        let references = BTreeSet::from([
            "nginx".to_owned(),
            format!("r.test/app:1@{digest}"),
            "Not one".to_owned(),
        ]);
        let needed = Needed::new(&references, BTreeSet::from(["r.test/old:1".to_owned()]));
        assert!(needed.covers("docker.io/library/nginx:latest", "sha256:b"));
        assert!(needed.covers("r.test/old:1", "sha256:b"));
        assert!(needed.covers("r.test/other:2", &digest));
        assert!(!needed.covers("r.test/app:1", "sha256:b"));
    }
}
