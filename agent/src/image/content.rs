//! What this host gives to other nodes: blobs of images, out of containerd's content store.

use std::collections::BTreeSet;

use futures::StreamExt;

use super::manifest::{Document, Manifest};
use super::registry::Blob;
use super::{PullError, store};
use crate::containerd::api::Api;

/// The images that are on this host, for other nodes to fetch.
#[derive(Clone, Debug)]
pub struct Content {
    api: Api,
}

impl Content {
    pub(super) fn new(api: Api) -> Self {
        Self { api }
    }

    /// A blob of an image, both by their digests, as it is read. `None` where it is not here, whole, or is no part of
    /// that image.
    ///
    /// # Errors
    /// When containerd does not answer.
    pub async fn open(&self, image: &str, digest: &str) -> Result<Option<Blob>, PullError> {
        if !self.parts(image).await?.contains(digest) || !store::has(&self.api, digest).await? {
            return Ok(None);
        }
        Ok(Some(store::read(&self.api, digest).await?.boxed()))
    }

    /// All blobs that an image consists of, as far as its documents are here.
    async fn parts(&self, image: &str) -> Result<BTreeSet<String>, PullError> {
        let mut parts = BTreeSet::from([image.to_owned()]);
        let index = store::read_json::<Document>(&self.api, image).await?;
        let variants = index.and_then(|it| it.manifests);
        let manifests: Vec<_> = match variants {
            Some(variants) => variants.into_iter().map(|it| it.digest).collect(),
            None => vec![image.to_owned()],
        };
        for digest in manifests {
            if let Some(manifest) = store::read_json::<Manifest>(&self.api, &digest).await? {
                parts.insert(manifest.config.digest);
                parts.extend(manifest.layers.into_iter().map(|it| it.digest));
            }
            parts.insert(digest);
        }
        Ok(parts)
    }
}
