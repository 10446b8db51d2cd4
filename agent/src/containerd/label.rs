//! What is written on a container, so that a daemon that starts again knows it. Nothing else remembers it.

use std::collections::HashMap;
use std::net::Ipv4Addr;
use std::time::Duration;

use model::{NodeId, ReplicaId};
use sha2::{Digest, Sha256};

use crate::runtime::RunRequest;

const NODE: &str = "goblins.node";
pub(super) const REPLICA: &str = "goblins.replica";
const SERVICE: &str = "goblins.service";
const SERVICE_NAME: &str = "goblins.service-name";
const DEPLOYMENT: &str = "goblins.deployment";
const SPEC: &str = "goblins.spec";
const ADDRESS: &str = "goblins.address";
const RESTARTS: &str = "goblins.restarts";
const STOP_GRACE: &str = "goblins.stop-grace-seconds";
const DRAIN: &str = "goblins.drain-seconds";

/// What is read back.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Labels {
    /// The node that it was started for.
    pub node: NodeId,
    pub replica: ReplicaId,
    pub address: Option<Ipv4Addr>,
    pub restarts: u32,
    pub stop_grace: Duration,
    pub drain: Option<Duration>,
}

pub(super) fn write(node: NodeId, request: &RunRequest) -> HashMap<String, String> {
    let spec = serde_json::to_vec(&request.spec).unwrap_or_default();
    [
        (NODE, node.to_string()),
        (REPLICA, request.replica.to_string()),
        (SERVICE, request.service.to_string()),
        (SERVICE_NAME, request.service_name.clone()),
        (DEPLOYMENT, request.deployment.to_string()),
        (SPEC, hex::encode(Sha256::digest(spec))),
        (ADDRESS, request.address.to_string()),
        (RESTARTS, request.restarts.to_string()),
        (STOP_GRACE, request.spec.container.stop_grace_seconds.to_string()),
    ]
    .into_iter()
    .chain(request.settings.drain_seconds.map(|it| (DRAIN, it.to_string())))
    .map(|(key, value)| (key.to_owned(), value))
    .collect()
}

/// `None` for a container that no agent made.
pub(super) fn read(labels: &HashMap<String, String>) -> Option<Labels> {
    Some(Labels {
        node: NodeId(labels.get(NODE)?.parse().ok()?),
        replica: ReplicaId(labels.get(REPLICA)?.parse().ok()?),
        address: labels.get(ADDRESS).and_then(|text| text.parse().ok()),
        restarts: labels
            .get(RESTARTS)
            .and_then(|text| text.parse().ok())
            .unwrap_or_default(),
        stop_grace: Duration::from_secs(labels.get(STOP_GRACE).and_then(|text| text.parse().ok()).unwrap_or(10)),
        drain: labels
            .get(DRAIN)
            .and_then(|text| text.parse().ok())
            .map(Duration::from_secs),
    })
}
