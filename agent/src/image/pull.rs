//! One pull: what is missing of an image is fetched, stored, unpacked and named.

use std::collections::HashMap;

use oci_client::Reference;

use super::manifest::{Descriptor, ImageConfig, Resolved};
use super::progress::Pull;
use super::registry::Registry;
use super::source::Source;
use super::store::{Lease, Origin};
use super::{Images, PullError, Unpacked, store, unpack};

impl Images {
    pub(super) async fn pull(
        &self,
        image: &str,
        reference: &Reference,
        registry: &Registry,
    ) -> Result<Unpacked, PullError> {
        let progress = self.pulls.begin(image);
        let source = Source::new(registry, &*self.peers, image, reference);
        let Resolved {
            manifest,
            bytes,
            digest,
            media_type,
            index,
        } = source.resolve().await?;
        let config_bytes = source.small_blob(&manifest.config).await?;
        let config: ImageConfig = serde_json::from_slice(&config_bytes).map_err(|source| PullError::Invalid {
            image: image.to_owned(),
            what: "its configuration is not that of a container image",
            source: Some(source.into()),
        })?;
        config.check(image, &manifest)?;
        let chain_ids = unpack::chain_ids(&config.rootfs.diff_ids);
        let chain_id = chain_ids.last().cloned().unwrap_or_default();

        let origin = Origin {
            image,
            registry: reference.resolve_registry(),
        };
        let lease = Lease::take(&self.api).await?;
        progress.expect(manifest.layers.iter().map(Descriptor::bytes).sum());
        for layer in &manifest.layers {
            self.fetch(&source, &lease, origin, layer, &progress).await?;
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
        let mut target = Descriptor {
            media_type,
            size: bytes.len() as i64,
            digest,
        };
        let mut documents = vec![
            (manifest.config.clone(), labels, config_bytes),
            (target.clone(), manifest.labels(), bytes),
        ];
        // The index is what the rollout is pinned to: other nodes may ask for it.
        if let Some((bytes, digest, media_type)) = index {
            let labels = HashMap::from([("containerd.io/gc.ref.content.m.0".to_owned(), target.digest)]);
            target = Descriptor {
                media_type,
                size: bytes.len() as i64,
                digest,
            };
            documents.push((target.clone(), labels, bytes));
        }
        for (blob, labels, bytes) in documents {
            let _one_at_a_time = self.alone(&blob.digest).await;
            store::write_small(&self.api, &lease, origin, &blob, labels, bytes).await?;
        }
        store::name_image(&self.api, &reference.whole(), &target).await?;
        lease.release().await;
        Ok(Unpacked {
            name: reference.whole(),
            config,
            chain_id,
        })
    }

    /// Fetches a layer that is not here: from the registry, or where that is silent or lacks it, from another node.
    async fn fetch(
        &self,
        source: &Source<'_>,
        lease: &Lease,
        origin: Origin<'_>,
        layer: &Descriptor,
        progress: &Pull,
    ) -> Result<(), PullError> {
        // Images share layers, and containerd lets only one write a blob.
        let _one_at_a_time = self.alone(&layer.digest).await;
        if store::has(&self.api, &layer.digest).await? {
            progress.add(layer.bytes());
            return Ok(());
        }
        let write = |blob| store::write(&self.api, lease, origin, layer, HashMap::new(), progress.watch(blob));
        let mark = progress.mark();
        let stored = match source.blob(layer).await {
            Ok(blob) => write(blob).await,
            Err(error) => Err(error),
        };
        let Err(error) = stored else { return Ok(()) };
        progress.back_to(mark);
        if !error.is_absence() {
            return Err(error);
        }
        let Some(blob) = source.blob_of_peers(&layer.digest).await else {
            return Err(error);
        };
        write(blob).await.map_err(|of_peer| {
            tracing::warn!(%of_peer, digest = layer.digest, "a layer of another node did not arrive whole");
            error
        })
    }
}
