//! Images: from a registry into containerd's content store, unpacked, without containerd's help, since 1.6 has none.
//!
//! `Images::ensure` is the whole of it: resolve the reference, choose this host's variant, fetch what is missing, unpack
//! layer by layer. Callers that want the same image at the same time share one pull.

mod error;
mod manifest;
mod registry;
mod store;
mod unpack;

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use oci_client::Reference;
use tokio::sync::{OnceCell, OwnedMutexGuard};

use crate::containerd::api::Api;
pub use error::PullError;
pub(crate) use manifest::{Defaults, ImageConfig};
use manifest::{Manifest, Resolved};
use registry::Registry;

/// For the whole of one pull; a transfer that stalls is given up long before.
const WHOLE_PULL: Duration = Duration::from_secs(30 * 60);

/// An image that is unpacked on this host.
#[derive(Clone, Debug)]
pub(crate) struct Unpacked {
    /// The name that containerd knows it by.
    pub name: String,
    /// What to run in it.
    pub config: ImageConfig,
    /// The snapshot that a container's own layer is put on.
    pub chain_id: String,
}

/// The images of one containerd namespace.
#[derive(Clone, Debug)]
pub(crate) struct Images {
    api: Api,
    snapshotter: String,
    insecure: Arc<[String]>,
    registry: Arc<OnceCell<Registry>>,
    pulls: Arc<Mutex<HashMap<String, Arc<tokio::sync::Mutex<()>>>>>,
}

impl Images {
    pub(crate) fn new(api: Api, snapshotter: String, insecure_registries: &[String]) -> Self {
        Self {
            api,
            snapshotter,
            insecure: insecure_registries.into(),
            registry: Arc::default(),
            pulls: Arc::default(),
        }
    }

    /// Fetches and unpacks what is missing of an image; quick when nothing is.
    pub(crate) async fn ensure(&self, image: &str) -> Result<Unpacked, PullError> {
        let reference = parse(image)?;
        let _one_at_a_time = self.alone(&reference.whole()).await;
        if let Some(unpacked) = self.find_parsed(&reference).await? {
            return Ok(unpacked);
        }
        tokio::time::timeout(WHOLE_PULL, self.pull(image, &reference))
            .await
            .unwrap_or_else(|_| {
                Err(PullError::Unreachable {
                    image: image.to_owned(),
                    registry: reference.resolve_registry().to_owned(),
                    source: format!("the pull took longer than {} min", WHOLE_PULL.as_secs() / 60).into(),
                })
            })
    }

    /// Waits until nobody else in this process fetches what is called so.
    async fn alone(&self, name: &str) -> OwnedMutexGuard<()> {
        let lock = {
            let mut pulls = self.pulls.lock().unwrap_or_else(PoisonError::into_inner);
            pulls.retain(|_, lock| Arc::strong_count(lock) > 1);
            Arc::clone(pulls.entry(name.to_owned()).or_default())
        };
        lock.lock_owned().await
    }

    /// An image if all of it is on this host.
    pub(crate) async fn find(&self, image: &str) -> Result<Option<Unpacked>, PullError> {
        self.find_parsed(&parse(image)?).await
    }

    async fn find_parsed(&self, reference: &Reference) -> Result<Option<Unpacked>, PullError> {
        let name = reference.whole();
        let Some(target) = store::image_target(&self.api, &name).await? else {
            return Ok(None);
        };
        let Some(manifest) = store::read_json::<Manifest>(&self.api, &target).await? else {
            return Ok(None);
        };
        let Some(config) = store::read_json::<ImageConfig>(&self.api, &manifest.config.digest).await? else {
            return Ok(None);
        };
        let chain_id = unpack::chain_ids(&config.rootfs.diff_ids).pop().unwrap_or_default();
        let here = unpack::is_unpacked(&self.api, &self.snapshotter, &chain_id).await?;
        Ok(here.then_some(Unpacked { name, config, chain_id }))
    }

    async fn pull(&self, image: &str, reference: &Reference) -> Result<Unpacked, PullError> {
        let registry = self
            .registry
            .get_or_try_init(|| async { Registry::new(&self.insecure) })
            .await?;
        let Resolved {
            manifest,
            bytes,
            digest,
            media_type,
        } = registry.resolve(image, reference).await?;
        let config_bytes = registry.small_blob(image, reference, &manifest.config).await?;
        let config: ImageConfig = serde_json::from_slice(&config_bytes).map_err(|source| PullError::Invalid {
            image: image.to_owned(),
            what: "its configuration is not that of a container image",
            source: Some(source.into()),
        })?;
        config.check(image, &manifest)?;
        let chain_ids = unpack::chain_ids(&config.rootfs.diff_ids);
        let chain_id = chain_ids.last().cloned().unwrap_or_default();

        let origin = store::Origin {
            image,
            registry: reference.resolve_registry(),
        };
        let lease = store::Lease::take(&self.api).await?;
        for layer in &manifest.layers {
            // Images share layers, and containerd lets only one write a blob.
            let _one_at_a_time = self.alone(&layer.digest).await;
            if !store::has(&self.api, &layer.digest).await? {
                let stream = registry.blob(image, reference, layer).await?;
                store::write(&self.api, &lease, origin, layer, HashMap::new(), stream).await?;
            }
        }
        unpack::unpack(
            &self.api,
            &lease,
            &self.snapshotter,
            image,
            &manifest.layers,
            &chain_ids,
        )
        .await?;
        let labels = HashMap::from([(
            format!("containerd.io/gc.ref.snapshot.{}", self.snapshotter),
            chain_id.clone(),
        )]);
        let target = manifest::Descriptor {
            media_type,
            size: bytes.len() as i64,
            digest,
        };
        let documents = [
            (&manifest.config, labels, config_bytes),
            (&target, manifest.labels(), bytes),
        ];
        for (blob, labels, bytes) in documents {
            let _one_at_a_time = self.alone(&blob.digest).await;
            store::write_small(&self.api, &lease, origin, blob, labels, bytes).await?;
        }
        store::name_image(&self.api, &reference.whole(), &target).await?;
        lease.release().await;
        Ok(Unpacked {
            name: reference.whole(),
            config,
            chain_id,
        })
    }
}

fn parse(image: &str) -> Result<Reference, PullError> {
    image
        .parse()
        .map_err(|source: oci_client::ParseError| PullError::InvalidReference {
            image: image.to_owned(),
            source,
        })
}
