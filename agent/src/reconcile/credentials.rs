//! Credentials for registries, and when they have changed: a refusal of the old ones says nothing of the new ones.

use std::collections::BTreeMap;

use model::{Assignment, DeploymentId, NodeView, RegistrySecret};

/// With what the image of each rollout was last wanted.
#[derive(Debug, Default)]
pub(super) struct Credentials(BTreeMap<DeploymentId, RegistrySecret>);

/// A rollout whose credentials are others than before.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Changed {
    pub rollout: DeploymentId,
    /// What it fetches; `None` until it was looked up.
    pub image: Option<String>,
}

impl Credentials {
    /// Takes over what is wanted now; what has changed.
    pub(super) fn renew(&mut self, view: &NodeView) -> Vec<Changed> {
        let mut now = BTreeMap::new();
        let mut changed = Vec::new();
        for it in &view.assignments {
            let rollout = it.replica.deployment;
            let Some(registry) = &it.registry else { continue };
            let before = self.0.get(&rollout);
            let is_first = now.insert(rollout, registry.clone()).is_none();
            if is_first && before.is_some_and(|before| before != registry) {
                let image = Assignment::image_reference(it);
                changed.push(Changed { rollout, image });
            }
        }
        self.0 = now;
        changed
    }
}
