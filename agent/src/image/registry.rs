//! Asking a registry.

use std::time::Duration;

use bytes::{Bytes, BytesMut};
use futures::{StreamExt, TryStreamExt};
use oci_client::client::{ClientConfig, ClientProtocol};
use oci_client::errors::OciDistributionError;
use oci_client::secrets::RegistryAuth;
use oci_client::{Client, Reference, RegistryOperation};

use super::PullError;
use super::manifest::Descriptor;

/// Something that gives the bytes of a blob.
pub type Blob = futures::stream::BoxStream<'static, Result<Bytes, std::io::Error>>;

const CONNECT: Duration = Duration::from_secs(5);
/// Between two pieces of an answer.
const STALL: Duration = Duration::from_secs(30);
/// For the digest of an image, after which a rollout is told that its registry is silent.
const DIGEST: Duration = Duration::from_secs(8);
/// For a document, from first to last byte.
const DOCUMENT: Duration = Duration::from_secs(60);
pub(super) const LARGEST_DOCUMENT: i64 = 8 * 1024 * 1024;

const INDEX_TYPES: [&str; 2] = [
    "application/vnd.oci.image.index.v1+json",
    "application/vnd.docker.distribution.manifest.list.v2+json",
];
const IMAGE_TYPES: [&str; 2] = [
    "application/vnd.oci.image.manifest.v1+json",
    "application/vnd.docker.distribution.manifest.v2+json",
];

/// A client for registries. With credentials it is for one of them, and for one use.
pub(super) struct Registry {
    client: Client,
    auth: RegistryAuth,
    /// Name of the secret that the credentials are from.
    secret: Option<String>,
}

impl std::fmt::Debug for Registry {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Registry")
    }
}

impl Registry {
    /// `insecure` are the registries, as `host:port`, that speak plain http.
    pub(super) fn new(insecure: &[String], auth: RegistryAuth, secret: Option<String>) -> Result<Self, PullError> {
        let config = ClientConfig {
            protocol: ClientProtocol::HttpsExcept(insecure.to_vec()),
            connect_timeout: Some(CONNECT),
            read_timeout: Some(STALL),
            user_agent: concat!("goblins/", env!("CARGO_PKG_VERSION")),
            ..ClientConfig::default()
        };
        Ok(Self {
            client: Client::try_from(config).map_err(|error| PullError::Tls(error.into()))?,
            auth,
            secret,
        })
    }

    /// The digest that a name stands for now: of a manifest, or of an index of several. Only asks for it; registries
    /// count what is fetched.
    pub(super) async fn digest(&self, image: &str, reference: &Reference) -> Result<String, PullError> {
        let asked = async {
            self.sign_in(reference).await?;
            self.client.fetch_manifest_digest(reference, &self.auth).await
        };
        let digest = timely(DIGEST, asked).await.map_err(self.failed(image, reference))?;
        if is_digest(&digest) {
            return Ok(digest);
        }
        Err(PullError::Invalid {
            image: image.to_owned(),
            what: "its registry names it by a digest that is not one",
            source: None,
        })
    }

    /// Asks for a token where the registry wants one. A refusal is told here; later it would look like an image that
    /// needs credentials.
    async fn sign_in(&self, reference: &Reference) -> Result<(), OciDistributionError> {
        if self.auth != RegistryAuth::Anonymous {
            self.client.auth(reference, &self.auth, RegistryOperation::Pull).await?;
        }
        Ok(())
    }

    fn failed<'a>(
        &'a self,
        image: &'a str,
        reference: &'a Reference,
    ) -> impl Fn(OciDistributionError) -> PullError + 'a {
        move |error| PullError::fetching(image, reference.resolve_registry(), self.secret.as_deref(), error)
    }

    /// A manifest or an index, with its digest.
    pub(super) async fn manifest(&self, image: &str, reference: &Reference) -> Result<(Bytes, String), PullError> {
        let accepted: Vec<_> = INDEX_TYPES.into_iter().chain(IMAGE_TYPES).collect();
        let answer = async {
            self.sign_in(reference).await?;
            self.client.pull_manifest_raw(reference, &self.auth, &accepted).await
        };
        timely(DOCUMENT, answer).await.map_err(self.failed(image, reference))
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
        timely(DOCUMENT, read).await.map_err(self.failed(image, reference))
    }

    /// A blob of any size.
    pub(super) async fn blob(&self, image: &str, reference: &Reference, blob: &Descriptor) -> Result<Blob, PullError> {
        let answer = timely(DOCUMENT, self.client.pull_blob_stream(reference, blob.digest.as_str())).await;
        let sized = answer.map_err(self.failed(image, reference))?;
        Ok(sized.stream.boxed())
    }
}

/// `sha256:` or `sha512:` and as many digits as that has.
fn is_digest(text: &str) -> bool {
    let digits = |hex: &str, count| hex.len() == count && hex.bytes().all(|it| it.is_ascii_hexdigit());
    match text.split_once(':') {
        Some(("sha256", hex)) => digits(hex, 64),
        Some(("sha512", hex)) => digits(hex, 128),
        _ => false,
    }
}

async fn timely<T>(
    limit: Duration,
    answer: impl Future<Output = Result<T, OciDistributionError>>,
) -> Result<T, OciDistributionError> {
    tokio::time::timeout(limit, answer).await.unwrap_or_else(|_| {
        let text = format!("no complete answer within {} s", limit.as_secs());
        Err(std::io::Error::new(std::io::ErrorKind::TimedOut, text).into())
    })
}

/// What a document is that does not say it.
pub(super) fn default_type(is_index: bool) -> String {
    if is_index { INDEX_TYPES[0] } else { IMAGE_TYPES[0] }.to_owned()
}

pub(super) fn parse<T: serde::de::DeserializeOwned>(image: &str, bytes: &[u8]) -> Result<T, PullError> {
    serde_json::from_slice(bytes).map_err(|source| PullError::Invalid {
        image: image.to_owned(),
        what: "its manifest is not one of a container image",
        source: Some(source.into()),
    })
}
