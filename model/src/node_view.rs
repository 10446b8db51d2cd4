//! What one host has to know to do its work.

use std::sync::Arc;

use crate::{
    Deployment, DeploymentId, NodeId, Replica, Revision, SecretValue, ServiceId, Settings, State, named_digest,
    pinned_reference,
};

/// A replica that a host should run or stop, with all that is needed for it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Assignment {
    /// The replica as the cluster knows it.
    pub replica: Replica,
    /// Name of its service, for people.
    pub service_name: String,
    /// What it runs; `None` once the service was deleted and it is only to be stopped.
    pub deployment: Option<Deployment>,
    /// What it runs with beyond that deployment's spec.
    pub settings: Settings,
    /// The values that the deployment is pinned to, sealed, in the order of its pins.
    pub secrets: Vec<Arc<SecretValue>>,
    /// Which bytes of its image it runs.
    pub image: ImageWanted,
    /// The credentials for its image's registry, sealed; `None` where it needs none.
    pub registry: Option<RegistrySecret>,
}

/// A secret whose items are credentials for a registry, as they are now: a deployment is not pinned to them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RegistrySecret {
    /// Its name, for people.
    pub name: String,
    /// All its values, sealed.
    pub values: Vec<Arc<SecretValue>>,
}

/// Which bytes of its image a replica runs.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum ImageWanted {
    /// What the image's name means on the host: a node of the cluster is too old for anything else.
    #[default]
    AsNamed,
    /// Those that the registry names now. That is to be asked and told to the cluster before anything is fetched.
    LookUp {
        /// What to run if the registry does not answer.
        known: Option<String>,
    },
    /// Those with this digest.
    Pinned(String),
}

impl Assignment {
    /// The name by which its image is fetched; `None` while that is not known, or there is nothing to run.
    #[must_use]
    pub fn image_reference(&self) -> Option<String> {
        let image = &self.deployment.as_ref()?.spec.image;
        match &self.image {
            ImageWanted::AsNamed => Some(image.clone()),
            ImageWanted::LookUp { .. } => None,
            ImageWanted::Pinned(digest) => Some(pinned_reference(image, digest)),
        }
    }
}

/// What one host should run, at one revision.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct NodeView {
    /// The state it was read from.
    pub revision: Revision,
    /// Sorted by replica id.
    pub assignments: Vec<Assignment>,
    /// Images that it should have although nothing here runs them, in case another host is lost.
    pub standby: Vec<Standby>,
}

/// An image to have in case another host is lost.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Standby {
    /// The reference that it is fetched by.
    pub image: String,
    /// The credentials for its registry.
    pub registry: Option<RegistrySecret>,
}

/// Reads the view of `node` out of the state. Costs as much as that node has replicas.
#[must_use]
pub fn node_view(state: &State, node: NodeId) -> NodeView {
    let assignments = state
        .replicas_on(node)
        .map(|replica| assignment(state, replica))
        .collect();
    NodeView {
        revision: state.revision(),
        assignments,
        standby: Vec::new(),
    }
}

/// What it takes to have the image of a rollout that is pinned.
#[must_use]
pub fn standby_for(state: &State, deployment: DeploymentId) -> Option<Standby> {
    let it = state.deployment(deployment)?;
    let pin = state.image_pin(deployment)?;
    Some(Standby {
        image: pinned_reference(&it.spec.image, &pin.digest),
        registry: registry_secret(state, it.service),
    })
}

fn assignment(state: &State, replica: &Replica) -> Assignment {
    let deployment = state.deployment(replica.deployment).cloned();
    let pins = deployment.iter().flat_map(|it| &it.secrets);
    let secrets = pins.filter_map(|pin| state.shared_secret_value(pin.value())).collect();
    let image = deployment.as_ref().map_or(ImageWanted::AsNamed, |it| image(state, it));
    Assignment {
        replica: replica.clone(),
        service_name: state
            .service(replica.service)
            .map(|s| s.name.clone())
            .unwrap_or_default(),
        settings: state.pinned_settings(replica.deployment),
        deployment,
        secrets,
        image,
        registry: registry_secret(state, replica.service),
    }
}

/// The credentials with which a service fetches its image.
fn registry_secret(state: &State, service: ServiceId) -> Option<RegistrySecret> {
    let secret = state.secret(state.settings_of(service).registry_secret?)?;
    let items = state.items_of_secret(secret.id).all().into_iter();
    Some(RegistrySecret {
        name: secret.name.clone(),
        values: items.filter_map(|it| state.shared_secret_value(it.value())).collect(),
    })
}

fn image(state: &State, deployment: &Deployment) -> ImageWanted {
    match state.image_pin(deployment.id) {
        Some(pin) => ImageWanted::Pinned(pin.digest.clone()),
        None if state.pins_images() => ImageWanted::LookUp {
            known: known(state, deployment),
        },
        None => ImageWanted::AsNamed,
    }
}

/// What the image's name is known to have meant last: to this service, else to another of the account.
fn known(state: &State, deployment: &Deployment) -> Option<String> {
    let image = &deployment.spec.image;
    if let Some(digest) = named_digest(image) {
        return Some(digest.to_owned());
    }
    let others = state.deployments_of_account(deployment.account).all();
    let all = state
        .deployments_of(deployment.service)
        .rev()
        .chain(others.into_iter().rev());
    let mut pins = all
        .filter(|it| it.spec.image == *image)
        .filter_map(|it| state.image_pin(it.id));
    pins.next().map(|it| it.digest.clone())
}
