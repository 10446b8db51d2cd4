//! Deployments that replace all that runs.

use serde::{Deserialize, Serialize};

use crate::DeploymentId;

/// Says of a deployment that none of the replicas before it stays, also where it brings nothing new. A record of its own,
/// because stored deployments can never gain a field.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Restart {
    /// Of which deployment.
    pub id: DeploymentId,
}
