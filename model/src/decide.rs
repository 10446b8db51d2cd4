//! What a command does: a pure function of the state and the envelope. One file a resource.

mod api_key;
mod cluster;
mod context;
mod domain;
mod node;
mod plan;
mod project;
mod report;
mod route;
mod service;

use context::Context;

use crate::{Change, Command, Envelope, Operation, Outcome, Rejection, Revision, State, Timestamp};

/// What an accepted command does and answers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Decision {
    /// In order.
    pub changes: Vec<Change>,
    /// The answer.
    pub outcome: Outcome,
}

impl Decision {
    fn new(changes: Vec<Change>, outcome: Outcome) -> Self {
        Self { changes, outcome }
    }

    fn done(changes: Vec<Change>) -> Self {
        Self {
            changes,
            outcome: Outcome::Done,
        }
    }
}

/// Decides what `envelope`, applied at `revision`, does to `state`.
///
/// # Errors
/// The rejection, in which case nothing is to change.
pub fn decide(state: &State, revision: Revision, envelope: &Envelope) -> Result<Decision, Rejection> {
    let now = state.now().max(envelope.at);
    let cx = Context {
        state,
        revision,
        now,
        envelope,
    };
    match &envelope.command {
        Command::Bootstrap {
            cluster,
            admin,
            key_hash,
        } => cluster::bootstrap(&cx, *cluster, admin, key_hash),
        Command::CreateProject(draft) => project::create(&cx, draft),
        Command::UpdateProject(id, patch) => project::update(&cx, *id, patch),
        Command::DeleteProject(id) => project::delete(&cx, *id),
        Command::CreateService(draft) => service::create(&cx, draft),
        Command::UpdateService(id, patch) => service::update(&cx, *id, patch),
        Command::DeleteService(id) => service::delete(&cx, *id),
        Command::CreateDomain(draft) => domain::create(&cx, draft),
        Command::UpdateDomain(id, hostname) => domain::update(&cx, *id, hostname.as_deref()),
        Command::DeleteDomain(id) => domain::delete(&cx, *id),
        Command::CreateRoute(draft) => route::create(&cx, draft),
        Command::UpdateRoute(id, patch) => route::update(&cx, *id, patch),
        Command::DeleteRoute(id) => route::delete(&cx, *id),
        Command::CreateApiKey {
            account,
            name,
            hash,
            scope,
            expires_at,
        } => api_key::create(&cx, *account, name, *hash, *scope, *expires_at),
        Command::RevokeApiKey(id) => api_key::revoke(&cx, *id),
        Command::CreateJoinToken { hash, expires_at } => cluster::create_join_token(&cx, *hash, *expires_at),
        Command::JoinNode { token_hash, draft } => node::join(&cx, *token_hash, draft),
        Command::StartNode(id, draft) => node::start(&cx, *id, draft),
        Command::MarkNodeDown(id, lease) => node::mark_down(&cx, *id, *lease),
        Command::MarkNodeUp(id, lease) => node::mark_up(&cx, *id, *lease),
        Command::SetSchedulable(id, schedulable) => node::set_schedulable(&cx, *id, *schedulable),
        Command::ApplyPlan { service, seen, actions } => plan::apply(&cx, *service, *seen, actions),
        Command::ReportReplicas { node, boot, reports } => report::replicas(&cx, *node, *boot, reports),
    }
}

/// How long the answer to a client's command is kept for a retry of it.
const RESULTS_KEPT_MICROS: u64 = 10 * 60 * 1_000_000;
/// How many answers are kept at most, so that a burst of writes cannot fill the memory.
const RESULTS_KEPT: usize = 16_384;
/// How many old answers one entry sweeps out at most, so that no entry pays for all that came before it.
const SWEEP: usize = 4;

/// All that applying one log entry does: the changes of its command, the record of its result, and the end of records
/// that are too old. An operation that was applied before answers what it answered then, and changes nothing.
pub fn entry_changes(
    state: &State,
    revision: Revision,
    envelope: &Envelope,
) -> (Vec<Change>, Result<Outcome, Rejection>) {
    if let Some(before) = state.operation(envelope.operation) {
        return (Vec::new(), before.result.clone());
    }
    let (mut changes, result) = match decide(state, revision, envelope) {
        Ok(decision) => (decision.changes, Ok(decision.outcome)),
        Err(rejection) => (Vec::new(), Err(rejection)),
    };
    // The cluster's own commands are guarded by what they were made from; recording them would only cost memory.
    if matches!(envelope.actor, crate::Actor::Account(_)) {
        let now = state.now().max(envelope.at);
        let record = Operation {
            id: envelope.operation,
            at: now,
            revision,
            result: result.clone(),
        };
        changes.push(record.into());
        changes.extend(expired(state, now).map(|it| Change::Delete(crate::Key::Operation(it.id))));
    }
    (changes, result)
}

fn expired(state: &State, now: Timestamp) -> impl Iterator<Item = &Operation> {
    let surplus = (state.operation_count() + 1).saturating_sub(RESULTS_KEPT);
    state
        .operations_by_age()
        .enumerate()
        .take(SWEEP)
        .take_while(move |(n, it)| *n < surplus || now.0.saturating_sub(it.at.0) > RESULTS_KEPT_MICROS)
        .map(|(_, it)| it)
}

#[cfg(test)]
mod tests;
