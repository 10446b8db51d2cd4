//! What can be said of a service beyond its spec. A stored service can never gain a field, so all this lies beside it,
//! as a list to which new kinds of settings can be added.

use serde::{Deserialize, Serialize};

use crate::{DeploymentId, HealthCheck, SecretId, ServiceId};

/// How a rollout goes about replacing replicas.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct UpdatePolicy {
    /// So many replicas are replaced at a time; `None` is as many as the surge has room for.
    pub parallelism: Option<u8>,
    /// So many more than wanted may run meanwhile; `None` is a quarter of them, at least one. With 0 an old one goes
    /// before a new one comes.
    pub max_surge: Option<u8>,
    /// Whether a rollout that fails brings the last good revision back.
    pub auto_rollback: bool,
}

impl Default for UpdatePolicy {
    fn default() -> Self {
        Self {
            parallelism: None,
            max_surge: None,
            auto_rollback: true,
        }
    }
}

/// When a container that ended is started again.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum RestartCondition {
    /// However it ended.
    #[default]
    Always,
    /// Unless it ended with exit code 0.
    OnFailure,
    /// Not at all.
    Never,
}

/// Whether, and after which pauses, a container that ended is started again.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct RestartPolicy {
    /// Whether.
    pub condition: RestartCondition,
    /// What the growing pauses between starts grow to.
    pub max_delay_seconds: u32,
}

impl RestartPolicy {
    /// The longest pause where nobody says otherwise.
    pub const MAX_DELAY_SECONDS: u32 = 60;
}

impl Default for RestartPolicy {
    fn default() -> Self {
        Self {
            condition: RestartCondition::Always,
            max_delay_seconds: Self::MAX_DELAY_SECONDS,
        }
    }
}

/// Which nodes a replica may be placed on.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Constraint {
    /// Only the one of this name.
    Node(String),
    /// Any but the one of this name.
    NotNode(String),
}

impl Constraint {
    /// Whether a node of this name may take a replica.
    #[must_use]
    pub fn admits(&self, node: &str) -> bool {
        match self {
            Self::Node(name) => name == node,
            Self::NotNode(name) => name != node,
        }
    }
}

impl std::fmt::Display for Constraint {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Node(name) => write!(f, "node=={name}"),
            Self::NotNode(name) => write!(f, "node!={name}"),
        }
    }
}

/// Where replicas may go, and whether they keep away from each other.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct PlacementRules {
    /// All of them hold.
    pub constraints: Vec<Constraint>,
    /// Whether nodes with fewer replicas of the same service come first.
    pub spread: bool,
}

impl Default for PlacementRules {
    fn default() -> Self {
        Self {
            constraints: Vec::new(),
            spread: true,
        }
    }
}

/// A file or folder of the host inside a container.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Volume {
    /// On the host; absolute.
    pub source: String,
    /// In the container; absolute.
    pub target: String,
    /// Whether the container may only read it.
    pub read_only: bool,
}

/// One thing that is said of a service, as it is stored and sent. New ones are added at the end; none ever changes.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Setting {
    /// `None` is the usual one for its kind.
    HealthCheck(Option<HealthCheck>),
    /// How rollouts go.
    Update(UpdatePolicy),
    /// What happens when a container ends.
    Restart(RestartPolicy),
    /// Seconds that requests in flight have before a container is told to stop; `None` is what its node gives.
    DrainSeconds(Option<u32>),
    /// Where replicas go.
    Placement(PlacementRules),
    /// Files and folders of the host.
    Volumes(Vec<Volume>),
    /// The secret with the credentials for its image's registry; `None`: it needs none.
    RegistrySecret(Option<SecretId>),
}

/// All that is said of a service beyond its spec; what nobody says has its default.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Settings {
    /// `None` is the usual one for its kind.
    pub health_check: Option<HealthCheck>,
    /// How rollouts go.
    pub update: UpdatePolicy,
    /// What happens when a container ends.
    pub restart: RestartPolicy,
    /// Seconds that requests in flight have before a container is told to stop; `None` is what its node gives.
    pub drain_seconds: Option<u32>,
    /// Where replicas go.
    pub placement: PlacementRules,
    /// Files and folders of the host.
    pub volumes: Vec<Volume>,
    /// The secret with the credentials for its image's registry; `None`: it needs none.
    pub registry_secret: Option<SecretId>,
}

impl Settings {
    /// These with what is said anew.
    #[must_use]
    pub fn with(mut self, changes: &[Setting]) -> Self {
        for change in changes.iter().cloned() {
            match change {
                Setting::HealthCheck(it) => self.health_check = it,
                Setting::Update(it) => self.update = it,
                Setting::Restart(it) => self.restart = it,
                Setting::DrainSeconds(it) => self.drain_seconds = it,
                Setting::Placement(it) => self.placement = it,
                Setting::Volumes(it) => self.volumes = it,
                Setting::RegistrySecret(it) => self.registry_secret = it,
            }
        }
        self
    }

    /// What differs from the defaults, sorted.
    #[must_use]
    pub fn list(&self) -> Vec<Setting> {
        // Taken apart whole, so that none is forgotten.
        let every = |it: &Self| {
            let Self {
                health_check,
                update,
                restart,
                drain_seconds,
                placement,
                volumes,
                registry_secret,
            } = it.clone();
            [
                Setting::HealthCheck(health_check),
                Setting::Update(update),
                Setting::Restart(restart),
                Setting::DrainSeconds(drain_seconds),
                Setting::Placement(placement),
                Setting::Volumes(volumes),
                Setting::RegistrySecret(registry_secret),
            ]
        };
        let usual = every(&Self::default());
        every(self)
            .into_iter()
            .zip(usual)
            .filter(|(it, usual)| it != usual)
            .map(|(it, _)| it)
            .collect()
    }

    /// Whether a replica that runs with `other` is just what it would be with these: how rollouts go is no part of it, nor
    /// how its image is come by.
    #[must_use]
    pub fn run_alike(&self, other: &Self) -> bool {
        let bare = |it: &Self| Self {
            update: UpdatePolicy::default(),
            registry_secret: None,
            ..it.clone()
        };
        bare(self) == bare(other)
    }

    /// How replicas are checked that listen on `port`.
    #[must_use]
    pub fn check(&self, port: Option<u16>) -> HealthCheck {
        self.health_check.clone().unwrap_or_else(|| HealthCheck::usual(port))
    }
}

impl From<&[Setting]> for Settings {
    fn from(list: &[Setting]) -> Self {
        Self::default().with(list)
    }
}

/// What is wanted of a service beyond its spec. There is none where all is as usual.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ServiceSettings {
    /// Of which service.
    pub id: ServiceId,
    /// What differs from the defaults, sorted.
    pub list: Vec<Setting>,
}

/// What a deployment's replicas run with beyond its spec, as it was when it began. There is none where all is as usual.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DeploymentSettings {
    /// Of which deployment.
    pub id: DeploymentId,
    /// What differs from the defaults, sorted.
    pub list: Vec<Setting>,
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Probe;

    #[test]
    fn a_list_holds_what_is_unusual_and_gives_it_back() {
        assert_eq!(Settings::default().list(), []);
        let all = Settings {
            health_check: Some(HealthCheck::plain(Probe::Command(vec!["true".to_owned()]))),
            update: UpdatePolicy {
                max_surge: Some(0),
                ..UpdatePolicy::default()
            },
            restart: RestartPolicy {
                condition: RestartCondition::Never,
                ..RestartPolicy::default()
            },
            drain_seconds: Some(0),
            placement: PlacementRules {
                spread: false,
                ..PlacementRules::default()
            },
            volumes: vec![Volume {
                source: "/srv".to_owned(),
                target: "/data".to_owned(),
                read_only: true,
            }],
            registry_secret: Some(SecretId(uuid::Uuid::from_u128(1))),
        };
        let list = all.list();
        assert_eq!(list.len(), 7);
        assert!(list.is_sorted());
        assert_eq!(Settings::from(&*list), all);
        let reset = all
            .clone()
            .with(&[Setting::Volumes(Vec::new()), Setting::HealthCheck(None)]);
        assert_eq!(reset.list(), [&list[1..5], &list[6..]].concat());
        assert!(!all.run_alike(&reset));
        assert!(all.run_alike(&all.clone().with(&[Setting::Update(UpdatePolicy::default())])));
    }
}
