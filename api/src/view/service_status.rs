//! How a service stands, from what the cluster knows of it.

use model::{Deployment, DeploymentStatus, Intent, Node, NodeStatus, Phase, Replica, Service};

/// How a service stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ServiceStatus {
    /// Made, never deployed.
    NotReady,
    /// Its first deployment is in progress, or none has succeeded yet.
    Pending,
    /// As many replicas as wanted run and answer.
    Ready,
    /// Its newest deployment failed.
    Error,
    /// An update is in progress or about to begin, or lost replicas are being replaced.
    Updating,
}

impl ServiceStatus {
    /// Every status, as clients see them.
    pub const WORDS: &'static [&'static str] = &["not ready", "pending", "ready", "error", "updating"];

    /// As clients see it.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::NotReady => "not ready",
            Self::Pending => "pending",
            Self::Ready => "ready",
            Self::Error => "error",
            Self::Updating => "updating",
        }
    }
}

/// How a service stands, and why.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Standing {
    /// In a word.
    pub status: ServiceStatus,
    /// Why it is not as wanted; empty when it is.
    pub reason: String,
    /// Replicas that are wanted, answer, and are on a node that is up.
    pub running: u64,
    /// Whether its newest deployment succeeded.
    pub deploy_successful: bool,
}

impl Standing {
    /// As it is when its first deployment has just begun.
    #[must_use]
    pub fn newborn() -> Self {
        Self {
            status: ServiceStatus::Pending,
            reason: String::new(),
            running: 0,
            deploy_successful: false,
        }
    }
}

/// Judges a service or worker.
///
/// - `latest`: its newest deployment, if there was any.
/// - `succeeded_before`: whether an earlier one succeeded.
/// - `replicas`: all of them, each with its node where that is still known.
pub fn service_status<'a>(
    service: &Service,
    latest: Option<&Deployment>,
    succeeded_before: bool,
    replicas: impl IntoIterator<Item = (&'a Replica, Option<&'a Node>)>,
) -> Standing {
    let replicas: Vec<_> = replicas
        .into_iter()
        .filter(|(replica, _)| replica.intent == Intent::Run)
        .collect();
    let serving = |(replica, node): &&(&Replica, Option<&Node>)| replica.is_serving() && is_up(*node);
    let running = replicas.iter().filter(serving).count() as u64;

    let status = match latest.map(|deployment| deployment.status) {
        None => ServiceStatus::NotReady,
        Some(DeploymentStatus::Pending) if succeeded_before => ServiceStatus::Updating,
        Some(DeploymentStatus::Pending) => ServiceStatus::Pending,
        Some(DeploymentStatus::Failed) => ServiceStatus::Error,
        Some(DeploymentStatus::Success | DeploymentStatus::RolledBack) => {
            if service.item_change.is_none() && running >= u64::from(service.spec.replicas) {
                ServiceStatus::Ready
            } else {
                ServiceStatus::Updating
            }
        }
    };
    let said = latest
        .map(|deployment| deployment.error_message.clone())
        .filter(|text| !text.is_empty());
    let reason = said
        .or_else(|| service.trouble.as_ref().map(|trouble| trouble.message.clone()))
        .or_else(|| {
            if status == ServiceStatus::Ready {
                None
            } else {
                worst(&replicas)
            }
        })
        .unwrap_or_default();
    let deploy_successful = latest.is_some_and(|deployment| deployment.status == DeploymentStatus::Success);
    Standing {
        status,
        reason,
        running,
        deploy_successful,
    }
}

fn is_up(node: Option<&Node>) -> bool {
    node.is_some_and(|node| node.status == NodeStatus::Up)
}

/// The reason of the replica that is worst off, oldest first among equals.
fn worst(replicas: &[(&Replica, Option<&Node>)]) -> Option<String> {
    let told = replicas.iter().filter_map(|(replica, node)| {
        let name = node.map_or_else(|| replica.node.to_string(), |node| node.name.clone());
        let (rank, why) = match &replica.reason {
            Some(reason) => (severity(replica.phase), reason.message.clone()),
            None if !is_up(*node) => (1, "the node is down; the replica is replaced elsewhere".to_owned()),
            None => return None,
        };
        Some((
            rank,
            replica.id,
            format!("replica {} on node {name}: {why}", replica.id),
        ))
    });
    told.min_by_key(|(rank, id, _)| (*rank, *id)).map(|(_, _, text)| text)
}

fn severity(phase: Phase) -> u8 {
    match phase {
        Phase::Failed => 0,
        Phase::Starting => 2,
        Phase::Pulling => 3,
        Phase::Assigned => 4,
        Phase::Stopped => 5,
        Phase::Ready => 6,
    }
}

#[cfg(test)]
mod tests;
