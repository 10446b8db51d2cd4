//! Asking a registry.

use std::time::Duration;

use bytes::{Bytes, BytesMut};
use futures::{StreamExt, TryStreamExt};
use oci_client::client::{ClientConfig, ClientProtocol};
use oci_client::errors::OciDistributionError;
use oci_client::secrets::RegistryAuth;
use oci_client::{Client, Reference};

use super::PullError;
use super::manifest::{Descriptor, Document, Manifest, Resolved, choose};

/// Something that gives the bytes of a blob, checked against its digest.
pub(super) type Blob = futures::stream::BoxStream<'static, Result<Bytes, std::io::Error>>;

const CONNECT: Duration = Duration::from_secs(5);
/// Between two pieces of an answer.
const STALL: Duration = Duration::from_secs(30);
/// For a document, from first to last byte.
const DOCUMENT: Duration = Duration::from_secs(60);
const LARGEST_DOCUMENT: i64 = 8 * 1024 * 1024;

const INDEX_TYPES: [&str; 2] = [
    "application/vnd.oci.image.index.v1+json",
    "application/vnd.docker.distribution.manifest.list.v2+json",
];
const IMAGE_TYPES: [&str; 2] = [
    "application/vnd.oci.image.manifest.v1+json",
    "application/vnd.docker.distribution.manifest.v2+json",
];

/// A client for all registries.
pub(super) struct Registry {
    client: Client,
}

impl std::fmt::Debug for Registry {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Registry")
    }
}

impl Registry {
    /// `insecure` are the registries, as `host:port`, that speak plain http.
    pub(super) fn new(insecure: &[String]) -> Result<Self, PullError> {
        let config = ClientConfig {
            protocol: ClientProtocol::HttpsExcept(insecure.to_vec()),
            connect_timeout: Some(CONNECT),
            read_timeout: Some(STALL),
            user_agent: concat!("goblins/", env!("CARGO_PKG_VERSION")),
            ..ClientConfig::default()
        };
        Ok(Self {
            client: Client::try_from(config).map_err(|error| PullError::Tls(error.into()))?,
        })
    }

    /// The manifest of this host's variant.
    pub(super) async fn resolve(&self, image: &str, reference: &Reference) -> Result<Resolved, PullError> {
        let (mut bytes, mut digest) = self.manifest(image, reference).await?;
        let mut document: Document = parse(image, &bytes)?;
        if let Some(variants) = document.manifests.take() {
            let chosen = choose(image, &variants)?;
            let exact = reference.clone_with_digest(chosen.digest.clone());
            (bytes, digest) = self.manifest(image, &exact).await?;
            document = parse(image, &bytes)?;
        }
        let manifest: Manifest = parse(image, &bytes)?;
        let media_type = document.media_type.unwrap_or_else(|| IMAGE_TYPES[0].to_owned());
        Ok(Resolved {
            manifest,
            bytes,
            digest,
            media_type,
        })
    }

    async fn manifest(&self, image: &str, reference: &Reference) -> Result<(Bytes, String), PullError> {
        let accepted: Vec<_> = INDEX_TYPES.into_iter().chain(IMAGE_TYPES).collect();
        let answer = self
            .client
            .pull_manifest_raw(reference, &RegistryAuth::Anonymous, &accepted);
        timely(answer)
            .await
            .map_err(|error| PullError::fetching(image, reference.resolve_registry(), error))
    }

    /// A blob that is a document.
    pub(super) async fn small_blob(
        &self,
        image: &str,
        reference: &Reference,
        blob: &Descriptor,
    ) -> Result<Bytes, PullError> {
        if blob.size > LARGEST_DOCUMENT {
            let what = "its configuration is larger than 8 MiB";
            return Err(PullError::Invalid {
                image: image.to_owned(),
                what,
                source: None,
            });
        }
        let read = async {
            let stream = self.client.pull_blob_stream(reference, blob.digest.as_str()).await?;
            let bytes = stream.stream.try_fold(BytesMut::new(), |mut all, piece| async move {
                all.extend_from_slice(&piece);
                Ok(all)
            });
            Ok(bytes.await?.freeze())
        };
        timely(read)
            .await
            .map_err(|error| PullError::fetching(image, reference.resolve_registry(), error))
    }

    /// A blob of any size.
    pub(super) async fn blob(&self, image: &str, reference: &Reference, blob: &Descriptor) -> Result<Blob, PullError> {
        let answer = timely(self.client.pull_blob_stream(reference, blob.digest.as_str())).await;
        let sized = answer.map_err(|error| PullError::fetching(image, reference.resolve_registry(), error))?;
        Ok(sized.stream.boxed())
    }
}

async fn timely<T>(answer: impl Future<Output = Result<T, OciDistributionError>>) -> Result<T, OciDistributionError> {
    tokio::time::timeout(DOCUMENT, answer).await.unwrap_or_else(|_| {
        let text = format!("no complete answer within {} s", DOCUMENT.as_secs());
        Err(std::io::Error::new(std::io::ErrorKind::TimedOut, text).into())
    })
}

fn parse<T: serde::de::DeserializeOwned>(image: &str, bytes: &[u8]) -> Result<T, PullError> {
    serde_json::from_slice(bytes).map_err(|source| PullError::Invalid {
        image: image.to_owned(),
        what: "its manifest is not one of a container image",
        source: Some(source.into()),
    })
}
