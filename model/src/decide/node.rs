//! Nodes: joining, starting, and the leader's verdicts on them.

use super::{Context, Decision, join_token};
use crate::{
    Change, Cluster, Generation, Key, Kind, Node, NodeDraft, NodeId, NodePatch, NodeStatus, Outcome, Rejection, Voting,
};

pub(super) fn join(cx: &Context<'_>, token_hash: Option<[u8; 32]>, draft: &NodeDraft) -> Result<Decision, Rejection> {
    cx.require_system()?;
    let Some(cluster) = cx.state.cluster() else {
        return Err(Rejection::BadJoinToken);
    };
    if let Some(known) = cx.state.node_by_name(&draft.name).filter(|it| it.boot == draft.boot) {
        // The same start of the same daemon asks again: its first answer was lost on the way.
        return Ok(Decision::new(Vec::new(), Outcome::Node(known.id)));
    }
    let used = join_token::take(cx, token_hash)?;
    check_conflicts(cx, draft, None)?;
    let id = cluster.next_node;
    let next = Cluster {
        next_node: NodeId(id.0 + 1),
        ..cluster.clone()
    };
    let node = Node {
        id,
        name: draft.name.clone(),
        peer_addr: draft.peer_addr,
        api_addr: draft.api_addr,
        http_addr: draft.http_addr,
        runs_agent: draft.runs_agent,
        version: draft.version.clone(),
        boot: draft.boot,
        status: NodeStatus::Up,
        lease: Generation(1),
        schedulable: true,
        draining: false,
        capacity: draft.capacity,
        joined_at: cx.now,
        changed_at: cx.now,
        revision: cx.revision,
    };
    let changes = [next.into(), node.into()].into_iter().chain(used);
    Ok(Decision::new(changes.collect(), Outcome::Node(id)))
}

pub(super) fn start(cx: &Context<'_>, id: NodeId, draft: &NodeDraft) -> Result<Decision, Rejection> {
    cx.require_system()?;
    let known = find(cx, id)?;
    check_conflicts(cx, draft, Some(id))?;
    let node = Node {
        name: draft.name.clone(),
        peer_addr: draft.peer_addr,
        api_addr: draft.api_addr,
        http_addr: draft.http_addr,
        runs_agent: draft.runs_agent,
        version: draft.version.clone(),
        boot: draft.boot,
        capacity: draft.capacity,
        ..known.clone()
    };
    Ok(verdict(cx, node, NodeStatus::Up))
}

pub(super) fn mark_down(cx: &Context<'_>, id: NodeId, lease: Generation) -> Result<Decision, Rejection> {
    judge(cx, id, lease, NodeStatus::Down)
}

pub(super) fn mark_up(cx: &Context<'_>, id: NodeId, lease: Generation) -> Result<Decision, Rejection> {
    judge(cx, id, lease, NodeStatus::Up)
}

/// A node that is down takes its replicas' records along; one that is up must have none left.
pub(super) fn remove(cx: &Context<'_>, id: NodeId) -> Result<Decision, Rejection> {
    cx.require_admin()?;
    let node = find(cx, id)?;
    let replicas = || cx.state.replicas_on(id);
    if node.is_up() {
        let name = |it: &crate::Replica| cx.state.service(it.service).map_or("", |it| &it.name).to_owned();
        let users = replicas().map(|it| format!("a replica of {} ({})", name(it), it.id));
        super::context::refuse_if_used(Kind::Node, users)?;
    }
    let mut others = cx.state.nodes().filter(|it| it.id != id).peekable();
    if others.peek().is_some() && others.all(|it| cx.state.voting(it.id) == Voting::Never) {
        return Err(Rejection::LastVoter);
    }
    Ok(Decision::done(gone(cx, id)))
}

/// A node is gone, with the records of its replicas.
pub(super) fn gone(cx: &Context<'_>, id: NodeId) -> Vec<Change> {
    let replicas = || cx.state.replicas_on(id);
    let records = replicas().map(|it| Change::Delete(Key::Replica(it.id)));
    let mut changes: Vec<_> = records.collect();
    // Plans for them were made with these replicas in mind.
    let services: std::collections::BTreeSet<_> = replicas().map(|it| it.service).collect();
    let services = services.into_iter().filter_map(|it| cx.state.service(it));
    changes.extend(services.map(|it| {
        Change::from(crate::Service {
            touched: cx.revision,
            ..it.clone()
        })
    }));
    changes.push(Change::Delete(Key::Node(id)));
    if cx.state.node_voting(id).is_some() {
        changes.push(Change::Delete(Key::NodeVoting(id)));
    }
    changes
}

pub(super) fn update(cx: &Context<'_>, id: NodeId, patch: NodePatch) -> Result<Decision, Rejection> {
    cx.require_admin()?;
    let before = find(cx, id)?;
    let node = Node {
        schedulable: patch.schedulable.unwrap_or(before.schedulable),
        draining: patch.draining.unwrap_or(before.draining),
        revision: cx.revision,
        ..before.clone()
    };
    Ok(Decision::put(node))
}

/// A verdict counts only about the lease that the leader looked at.
fn judge(cx: &Context<'_>, id: NodeId, lease: Generation, status: NodeStatus) -> Result<Decision, Rejection> {
    cx.require_system()?;
    let node = find(cx, id)?;
    if node.lease != lease || node.status == status {
        return Err(Rejection::Stale);
    }
    Ok(verdict(cx, node.clone(), status))
}

fn verdict(cx: &Context<'_>, node: Node, status: NodeStatus) -> Decision {
    let changed_at = if node.status == status { node.changed_at } else { cx.now };
    Decision::done(vec![
        Node {
            status,
            lease: node.lease.next(),
            changed_at,
            revision: cx.revision,
            ..node
        }
        .into(),
    ])
}

pub(super) fn find<'a>(cx: &Context<'a>, id: NodeId) -> Result<&'a Node, Rejection> {
    let id_as_uuid = uuid::Uuid::from_u128(u128::from(id.0));
    cx.state.node(id).ok_or(Rejection::NotFound {
        kind: Kind::Node,
        id: id_as_uuid,
    })
}

fn check_conflicts(cx: &Context<'_>, draft: &NodeDraft, own: Option<NodeId>) -> Result<(), Rejection> {
    let others = || cx.state.nodes().filter(|it| Some(it.id) != own);
    let conflict = |what: String, flag: &str, node: &Node| {
        let Node { name, id, .. } = node;
        Err(Rejection::NodeConflict(format!(
            "{what} belongs to node {name} (id {id}) of this cluster: give this one another with {flag}; or, if it is that \
             node and has lost its disk, take it out first with `goblins node remove {name}`, and let it join as a new one"
        )))
    };
    if let Some(node) = others().find(|it| it.name == draft.name) {
        return conflict(format!("the node name {:?}", draft.name), "--node-name", node);
    }
    if let Some(node) = others().find(|it| it.peer_addr == draft.peer_addr) {
        return conflict(format!("the peer address {}", draft.peer_addr), "--peer-addr", node);
    }
    Ok(())
}
