//! Whether a change has reached all live nodes, as far as the answering node knows.

use model::{NodeId, Revision};

use crate::port::ClusterView;

/// Whether no live node is known to be behind `revision`. A node's proxy and agent have what its log has; how far the
/// others have come is known to the leader only, so that elsewhere nothing speaks against it once it is applied.
#[must_use]
pub fn has_arrived(cluster: &ClusterView, revision: Revision, is_up: impl Fn(NodeId) -> bool) -> bool {
    let mut members = cluster.voters.iter().chain(&cluster.learners);
    !members.any(|member| member.matched_index.is_some_and(|at| at < revision.0) && is_up(member.node))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::port::MemberView;

    #[test]
    fn only_live_nodes_that_are_known_to_be_behind_count() {
        let member = |node, matched_index| MemberView {
            node: NodeId(node),
            matched_index,
            lag: None,
        };
        let cluster = |voter, learner| ClusterView {
            voters: vec![member(1, Some(9)), member(2, voter)],
            learners: vec![member(3, learner)],
            ..ClusterView::default()
        };
        for (voter, learner, down, expected) in [
            (Some(7), Some(8), 0, true),
            (None, None, 0, true),
            (Some(6), Some(8), 0, false),
            (Some(7), Some(6), 0, false),
            (Some(6), Some(7), 2, true),
            (Some(7), Some(6), 3, true),
        ] {
            let found = has_arrived(&cluster(voter, learner), Revision(7), |it| it != NodeId(down));
            assert_eq!(found, expected, "{voter:?} {learner:?} {down}");
        }
    }
}
