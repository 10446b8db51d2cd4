//! Where one pull gets its bytes from: the registry, and other nodes of the cluster where that is silent or lacks them.

use std::sync::atomic::{AtomicBool, Ordering};

use bytes::{Bytes, BytesMut};
use futures::TryStreamExt;
use oci_client::Reference;
use sha2::{Digest, Sha256};

use super::PullError;
use super::manifest::{Descriptor, Document, Manifest, Resolved, choose};
use super::registry::{Blob, LARGEST_DOCUMENT, Registry, default_type, parse};
use crate::ports::Peers;

/// One pull's way to its bytes.
pub(super) struct Source<'a> {
    registry: &'a Registry,
    peers: &'a dyn Peers,
    image: &'a str,
    reference: &'a Reference,
    /// It has failed to answer once in this pull: it is not waited for again.
    silent: AtomicBool,
}

impl<'a> Source<'a> {
    pub(super) fn new(registry: &'a Registry, peers: &'a dyn Peers, image: &'a str, reference: &'a Reference) -> Self {
        Self {
            registry,
            peers,
            image,
            reference,
            silent: AtomicBool::new(false),
        }
    }

    /// The manifest of this host's variant.
    pub(super) async fn resolve(&self) -> Result<Resolved, PullError> {
        let (mut bytes, mut digest) = self.manifest(self.reference).await?;
        let mut document: Document = parse(self.image, &bytes)?;
        let mut index = None;
        if let Some(variants) = document.manifests.take() {
            let chosen = choose(self.image, &variants)?;
            let exact = self.reference.clone_with_digest(chosen.digest.clone());
            let media_type = document.media_type.unwrap_or_else(|| default_type(true));
            index = Some((bytes, digest, media_type));
            (bytes, digest) = self.manifest(&exact).await?;
            document = parse(self.image, &bytes)?;
        }
        let manifest: Manifest = parse(self.image, &bytes)?;
        let media_type = document.media_type.unwrap_or_else(|| default_type(false));
        Ok(Resolved {
            manifest,
            bytes,
            digest,
            media_type,
            index,
        })
    }

    async fn manifest(&self, reference: &Reference) -> Result<(Bytes, String), PullError> {
        let asked = self.registry.manifest(self.image, reference);
        let Some(digest) = reference.digest() else {
            // What a tag means only the registry can say.
            return asked.await;
        };
        match self.unless_silent(asked).await {
            Err(error) if error.is_absence() => match self.document_of_peers(digest).await {
                Some(bytes) => Ok((bytes, digest.to_owned())),
                None => Err(error),
            },
            other => other,
        }
    }

    /// The configuration.
    pub(super) async fn small_blob(&self, blob: &Descriptor) -> Result<Bytes, PullError> {
        let asked = self.registry.small_blob(self.image, self.reference, blob);
        match self.unless_silent(asked).await {
            Err(error) if error.is_absence() => self.document_of_peers(&blob.digest).await.ok_or(error),
            other => other,
        }
    }

    /// A layer, from the registry.
    pub(super) async fn blob(&self, blob: &Descriptor) -> Result<Blob, PullError> {
        let asked = self.registry.blob(self.image, self.reference, blob);
        self.unless_silent(asked).await
    }

    /// A blob as another node has it, unchecked. Only parts of an image that a rollout is pinned to are given out.
    pub(super) async fn blob_of_peers(&self, digest: &str) -> Option<Blob> {
        let image = self.reference.digest()?;
        let blob = self.peers.blob(image, digest).await?;
        tracing::info!(image = self.image, digest, node = %blob.node, "the registry is silent or lacks it: another node has it");
        Some(blob.bytes)
    }

    async fn document_of_peers(&self, digest: &str) -> Option<Bytes> {
        let blob = self.blob_of_peers(digest).await?;
        let read = blob.try_fold(BytesMut::new(), |mut all, piece| async move {
            all.extend_from_slice(&piece);
            if all.len() as i64 > LARGEST_DOCUMENT {
                return Err(std::io::Error::other("larger than any document"));
            }
            Ok(all)
        });
        let bytes = read.await.ok()?.freeze();
        let good = digest == format!("sha256:{}", hex::encode(Sha256::digest(&bytes)));
        good.then_some(bytes)
    }

    async fn unless_silent<T>(&self, asked: impl Future<Output = Result<T, PullError>>) -> Result<T, PullError> {
        if self.silent.load(Ordering::Relaxed) {
            return Err(PullError::Unreachable {
                image: self.image.to_owned(),
                registry: self.reference.resolve_registry().to_owned(),
                source: "it did not answer before".into(),
            });
        }
        let answer = asked.await;
        if answer.as_ref().is_err_and(PullError::is_silence) {
            self.silent.store(true, Ordering::Relaxed);
        }
        answer
    }
}
