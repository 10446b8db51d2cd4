//! What is said of services and deployments beyond their specs.

use super::State;
use crate::{DeploymentId, ServiceId, Settings};

impl State {
    /// What is wanted of a service beyond its spec.
    #[must_use]
    pub fn settings_of(&self, service: ServiceId) -> Settings {
        let record = self.service_settings(service);
        record.map_or_else(Settings::default, |it| Settings::from(&*it.list))
    }

    /// What a deployment was pinned to beyond its spec when it began.
    #[must_use]
    pub fn pinned_settings(&self, deployment: DeploymentId) -> Settings {
        let record = self.deployment_settings(deployment);
        record.map_or_else(Settings::default, |it| Settings::from(&*it.list))
    }
}
