//! Images: from a registry, or from other nodes, into containerd's content store, unpacked, without containerd's help,
//! since 1.6 has none.
//!
//! `Images::ensure` is the whole of it: resolve the reference, choose this host's variant, fetch what is missing, unpack
//! layer by layer. Callers that want the same image at the same time share one pull.

mod collect;
mod content;
mod error;
mod login;
mod manifest;
mod progress;
mod pull;
mod registry;
mod source;
mod store;
mod unpack;

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use oci_client::Reference;
use oci_client::secrets::RegistryAuth;
use tokio::sync::{OnceCell, OwnedMutexGuard};

use crate::containerd::api::Api;
use crate::ports::Peers;
use collect::Memory;
pub use content::Content;
pub use error::PullError;
pub use login::Login;
pub(crate) use manifest::{Defaults, ImageConfig};
use manifest::{Document, Manifest, choose};
pub use progress::Progress;
use progress::Pulls;
use registry::Registry;

/// For the whole of one pull; a transfer that stalls is given up long before.
const WHOLE_PULL: Duration = Duration::from_secs(30 * 60);

/// Images whose documents are remembered; a host runs fewer.
const DOCUMENTS_MAX: usize = 256;

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
#[derive(Clone)]
pub(crate) struct Images {
    api: Api,
    snapshotter: String,
    insecure: Arc<[String]>,
    /// For images that need no credentials.
    anonymous: Arc<OnceCell<Registry>>,
    peers: Arc<dyn Peers>,
    turns: Arc<Mutex<HashMap<String, Arc<tokio::sync::Mutex<()>>>>>,
    pulls: Pulls,
    /// Held by pulls together, by who drops images alone.
    gate: Arc<tokio::sync::RwLock<()>>,
    memory: Arc<tokio::sync::Mutex<Memory>>,
    documents: Arc<Mutex<HashMap<String, Documents>>>,
}

/// What the documents of an image say, by the digest that names the first of them: it never says anything else.
#[derive(Clone, Debug)]
struct Documents {
    config: ImageConfig,
    chain_id: String,
}

impl std::fmt::Debug for Images {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Images")
            .field("pulls", &self.pulls)
            .finish_non_exhaustive()
    }
}

impl Images {
    pub(crate) fn new(api: Api, snapshotter: String, insecure_registries: &[String], peers: Arc<dyn Peers>) -> Self {
        Self {
            api,
            snapshotter,
            insecure: insecure_registries.into(),
            anonymous: Arc::default(),
            peers,
            turns: Arc::default(),
            pulls: Pulls::default(),
            gate: Arc::default(),
            memory: Arc::default(),
            documents: Arc::default(),
        }
    }

    /// The digest that an image's name stands for in its registry now.
    pub(crate) async fn look_up(&self, image: &str, login: Option<&Login>) -> Result<String, PullError> {
        let reference = parse(image)?;
        match self.private(image, &reference, login)? {
            Some(registry) => registry.digest(image, &reference).await,
            None => self.public().await?.digest(image, &reference).await,
        }
    }

    /// Fetches and unpacks what is missing of an image; quick when nothing is.
    pub(crate) async fn ensure(&self, image: &str, login: Option<&Login>) -> Result<Unpacked, PullError> {
        let reference = parse(image)?;
        let _kept = self.gate.read().await;
        let name = reference.whole();
        let _one_at_a_time = self.alone(&name).await;
        if let Some(unpacked) = self.find_whole(image, name).await? {
            return Ok(unpacked);
        }
        let pull = async {
            match self.private(image, &reference, login)? {
                Some(registry) => self.pull(image, &reference, &registry).await,
                None => self.pull(image, &reference, self.public().await?).await,
            }
        };
        tokio::time::timeout(WHOLE_PULL, pull).await.unwrap_or_else(|_| {
            Err(PullError::Unreachable {
                image: image.to_owned(),
                registry: reference.resolve_registry().to_owned(),
                source: format!("the pull took longer than {} min", WHOLE_PULL.as_secs() / 60).into(),
            })
        })
    }

    /// The pulls that are under way.
    pub(crate) fn progress(&self) -> BTreeMap<String, Progress> {
        self.pulls.all()
    }

    /// What other nodes may ask this one for.
    pub(crate) fn content(&self) -> Content {
        Content::new(self.api.clone())
    }

    /// Waits until nobody else in this process fetches what is called so.
    async fn alone(&self, name: &str) -> OwnedMutexGuard<()> {
        let lock = {
            let mut turns = self.turns.lock().unwrap_or_else(PoisonError::into_inner);
            turns.retain(|_, lock| Arc::strong_count(lock) > 1);
            Arc::clone(turns.entry(name.to_owned()).or_default())
        };
        lock.lock_owned().await
    }

    /// An image that a container can be put on, if it is on this host. Its documents are not read again for each of many
    /// containers.
    pub(crate) async fn find(&self, image: &str) -> Result<Option<Unpacked>, PullError> {
        let name = parse(image)?.whole();
        let Some(target) = store::image_target(&self.api, &name).await? else {
            return Ok(None);
        };
        let known = self.documents().get(&target).cloned();
        let documents = match known {
            Some(known) => known,
            None => {
                let Some(read) = self.read_documents(image, &target).await? else {
                    return Ok(None);
                };
                self.remember(target, read.clone());
                read
            }
        };
        self.unpacked(name, documents).await
    }

    /// An image if all of it is on this host.
    async fn find_whole(&self, image: &str, name: String) -> Result<Option<Unpacked>, PullError> {
        let Some(target) = store::image_target(&self.api, &name).await? else {
            return Ok(None);
        };
        match self.read_documents(image, &target).await? {
            Some(documents) => self.unpacked(name, documents).await,
            None => Ok(None),
        }
    }

    /// What the documents of an image say, if they are all on this host.
    async fn read_documents(&self, image: &str, target: &str) -> Result<Option<Documents>, PullError> {
        let mut target = target.to_owned();
        let document = store::read_json::<Document>(&self.api, &target).await?;
        if let Some(variants) = document.and_then(|it| it.manifests) {
            target = choose(image, &variants)?.digest.clone();
        }
        let Some(manifest) = store::read_json::<Manifest>(&self.api, &target).await? else {
            return Ok(None);
        };
        let config = store::read_json::<ImageConfig>(&self.api, &manifest.config.digest).await?;
        Ok(config.map(|config| {
            let chain_id = unpack::chain_ids(&config.rootfs.diff_ids).pop().unwrap_or_default();
            Documents { config, chain_id }
        }))
    }

    async fn unpacked(&self, name: String, documents: Documents) -> Result<Option<Unpacked>, PullError> {
        let Documents { config, chain_id } = documents;
        let here = unpack::is_unpacked(&self.api, &self.snapshotter, &chain_id).await?;
        Ok(here.then_some(Unpacked { name, config, chain_id }))
    }

    fn remember(&self, target: String, documents: Documents) {
        let mut known = self.documents();
        if known.len() >= DOCUMENTS_MAX {
            known.clear();
        }
        known.insert(target, documents);
    }

    fn documents(&self) -> std::sync::MutexGuard<'_, HashMap<String, Documents>> {
        self.documents.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn public(&self) -> Result<&Registry, PullError> {
        let make = || async { Registry::new(&self.insecure, RegistryAuth::Anonymous, None) };
        self.anonymous.get_or_try_init(make).await
    }

    /// A client of its own for each use of credentials: a client shows what it was given once to its registry ever after.
    fn private(
        &self,
        image: &str,
        reference: &Reference,
        login: Option<&Login>,
    ) -> Result<Option<Registry>, PullError> {
        let Some(login) = login else { return Ok(None) };
        let registry = reference.resolve_registry();
        let auth = login.auth(registry).map_err(|what| PullError::Login {
            image: image.to_owned(),
            registry: registry.to_owned(),
            secret: login.secret.clone(),
            what,
        })?;
        Registry::new(&self.insecure, auth, Some(login.secret.clone())).map(Some)
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
