//! What nodes of different epochs say to each other: that they have nothing to say to each other. The epoch is raised when
//! a cluster is founded anew with one node, because its majority was lost; whoever is of an earlier one may hold what the
//! new cluster has never known, so it must not take part.

use model::NodeId;
use tonic::Status;
use tonic::metadata::MetadataValue;

/// Set in refusals, so that the other end knows without reading texts.
const EPOCH: &str = "goblins-epoch";

/// Whose epoch is over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    Same,
    CallerIsLost,
    ThisIsLost,
}

/// Compares the epoch of this node with that of a caller.
pub(super) fn judge(own: u64, caller: u64) -> Verdict {
    match caller.cmp(&own) {
        std::cmp::Ordering::Equal => Verdict::Same,
        std::cmp::Ordering::Less => Verdict::CallerIsLost,
        std::cmp::Ordering::Greater => Verdict::ThisIsLost,
    }
}

/// The refusal of a node of a lost epoch.
pub(super) fn lost(node: NodeId, epoch: u64, own: u64) -> Status {
    let text = format!(
        "node {node} is of epoch {epoch} of this cluster, which was founded anew since (epoch {own}) because its majority \
         was lost: to take part again it has to join anew, with an empty data folder"
    );
    mark(Status::permission_denied(text), own)
}

/// What a node of a lost epoch answers to one of a later.
pub(super) fn refused_by_lost(node: NodeId, own: u64, epoch: u64) -> Status {
    let text = format!(
        "node {node} is of epoch {own} of the cluster and knows nothing of epoch {epoch}: empty its data folder and let it \
         join anew"
    );
    mark(Status::permission_denied(text), own)
}

/// What a node of a lost epoch ends with.
pub(super) fn farewell(own: u64, newest: u64) -> String {
    format!(
        "this node is of epoch {own} of its cluster, which was founded anew without it (epoch {newest}) because its majority \
         was lost; what only this node holds is not part of the cluster any more. To take part again, empty its data \
         folder and join anew"
    )
}

/// Says in a refusal of which epoch the one is that refuses.
pub(super) fn mark(mut status: Status, epoch: u64) -> Status {
    status.metadata_mut().insert(EPOCH, MetadataValue::from(epoch));
    status
}

/// Of which epoch the one is that has refused.
pub(super) fn of(status: &Status) -> Option<u64> {
    status.metadata().get(EPOCH)?.to_str().ok()?.parse().ok()
}
