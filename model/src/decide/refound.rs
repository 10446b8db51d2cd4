//! The cluster begins anew with one of its nodes, because a majority is lost for good.

use super::{Context, Decision, node, voting};
use crate::{Change, Cluster, NodeId, Rejection, Voting};

/// All other nodes are out, with the records of their replicas. `next_node` is beyond any id that the lost nodes may
/// have given out among themselves.
pub(super) fn refound(cx: &Context<'_>, survivor: NodeId, next_node: NodeId) -> Result<Decision, Rejection> {
    cx.require_system()?;
    let cluster = cx.state.cluster().ok_or(Rejection::Stale)?;
    node::find(cx, survivor)?;
    let lost = cx.state.nodes().filter(|it| it.id != survivor);
    let mut changes: Vec<Change> = lost.flat_map(|it| node::gone(cx, it.id)).collect();
    changes.extend(voting::change(cx, survivor, Voting::Auto));
    let next = Cluster {
        next_node: cluster.next_node.max(next_node),
        ..cluster.clone()
    };
    changes.push(next.into());
    Ok(Decision::done(changes))
}
