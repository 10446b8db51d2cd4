//! What a command does: a pure function of the state and the envelope. One file a resource.

mod account;
mod api_key;
mod authority;
mod cluster;
mod config;
mod context;
mod domain;
mod entry;
mod events;
mod image;
mod join_token;
mod keyring;
mod node;
mod plan;
mod project;
mod refound;
mod report;
mod restart;
mod rollout;
mod route;
mod secret;
mod service;
mod settings;
mod voting;

use context::Context;
pub use entry::entry_changes;

use crate::{Change, Command, Envelope, Outcome, Rejection, Resource, Revision, State};

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

    /// Puts what was asked for, which is the answer.
    fn put(made: impl Into<Resource>) -> Self {
        Self::put_after(Vec::new(), made)
    }

    /// The same after these changes.
    fn put_after(mut changes: Vec<Change>, made: impl Into<Resource>) -> Self {
        let made = made.into();
        changes.push(made.clone().into());
        Self::new(changes, Outcome::Resource(made))
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
    dispatch(&Context::new(state, revision, envelope))
}

fn dispatch(cx: &Context<'_>) -> Result<Decision, Rejection> {
    match &cx.envelope.submission.command {
        Command::Bootstrap {
            cluster,
            admin,
            key_hash,
            authority,
        } => cluster::bootstrap(cx, *cluster, admin, key_hash, authority),
        Command::CreateProject(draft) => project::create(cx, draft),
        Command::UpdateProject(id, patch) => project::update(cx, *id, patch),
        Command::DeleteProject(id) => project::delete(cx, *id),
        Command::CreateService(draft) => service::create(cx, draft, &[]),
        Command::UpdateService(id, patch) => service::update(cx, *id, patch, &[]),
        Command::DeleteService(id) => service::delete(cx, *id),
        Command::RollBack { deployment, notes } => service::roll_back(cx, *deployment, notes),
        Command::CreateConfig(draft) => config::create(cx, draft),
        Command::UpdateConfig(id, patch) => config::update(cx, *id, patch),
        Command::DeleteConfig(id) => config::delete(cx, *id),
        Command::CreateConfigItem { config, key, value } => config::create_item(cx, *config, key, value),
        Command::UpdateConfigItem(id, patch) => config::update_item(cx, *id, patch),
        Command::DeleteConfigItem(id) => config::delete_item(cx, *id),
        Command::CreateSecret(draft) => secret::create(cx, draft),
        Command::UpdateSecret(id, patch) => secret::update(cx, *id, patch),
        Command::DeleteSecret(id) => secret::delete(cx, *id),
        Command::CreateSecretItem(id, sealed) => secret::create_item(cx, *id, sealed),
        Command::UpdateSecretItem(sealed) => secret::update_item(cx, sealed),
        Command::DeleteSecretItem(id) => secret::delete_item(cx, *id),
        Command::RecordSecretRead(id) => secret::record_read(cx, *id),
        Command::CreateDomain(draft) => domain::create(cx, draft),
        Command::UpdateDomain(id, patch) => domain::update(cx, *id, patch),
        Command::DeleteDomain(id) => domain::delete(cx, *id),
        Command::CreateRoute(draft) => route::create(cx, draft),
        Command::UpdateRoute(id, patch) => route::update(cx, *id, patch),
        Command::DeleteRoute(id) => route::delete(cx, *id),
        Command::CreateApiKey {
            account,
            name,
            hash,
            scope,
            expires_at,
        } => api_key::create(cx, *account, name, *hash, *scope, *expires_at),
        Command::RevokeApiKey(id) => api_key::revoke(cx, *id),
        Command::TouchApiKeys(used) => api_key::touch(cx, used),
        Command::CreateAccount {
            name,
            password,
            is_admin,
        } => account::create(cx, name, password.as_ref(), *is_admin),
        Command::UpdateAccount(id, patch) => account::update(cx, *id, patch),
        Command::DeleteAccount(id) => account::delete(cx, *id),
        Command::CreateSession {
            account,
            hash,
            csrf_hash,
            expires_at,
        } => account::create_session(cx, *account, *hash, *csrf_hash, *expires_at),
        Command::EndSession(id) => account::end_session(cx, *id),
        Command::Spend => Ok(Decision::done(Vec::new())),
        Command::CreateJoinToken { hash, expires_at } => join_token::create(cx, *hash, *expires_at, None),
        Command::CreateCountedJoinToken { hash, expires_at, uses } => {
            join_token::create(cx, *hash, *expires_at, Some(*uses))
        }
        Command::JoinNode { token_hash, draft } => node::join(cx, *token_hash, draft),
        Command::StartNode(id, draft) => node::start(cx, *id, draft),
        Command::MarkNodeDown(id, lease) => node::mark_down(cx, *id, *lease),
        Command::MarkNodeUp(id, lease) => node::mark_up(cx, *id, *lease),
        Command::UpdateNode(id, patch) => node::update(cx, *id, *patch),
        Command::RemoveNode(id) => node::remove(cx, *id),
        Command::RotateKey(to) => keyring::rotate(cx, *to),
        Command::Rewrap(values) => keyring::rewrap(cx, values),
        Command::RetireKeys(oldest) => keyring::retire(cx, *oldest),
        Command::SetKeyringLock(lock) => keyring::set_lock(cx, *lock),
        Command::ApplyPlan { service, seen, actions } => plan::apply(cx, *service, *seen, actions),
        Command::ReportReplicas { node, boot, reports } => report::replicas(cx, *node, *boot, reports),
        Command::SetVoting(id, patch, voting) => voting::set(cx, *id, *patch, *voting),
        Command::RotateAuthority { replaces, next, bridge } => authority::rotate(cx, replaces, next, bridge),
        Command::SignByNextAuthority(next) => authority::sign_by_next(cx, next),
        Command::RetireAuthority(old) => authority::retire(cx, old),
        Command::NoteExec { service, replica, .. } => restart::note_exec(cx, *service, *replica),
        Command::RestartService { service, notes } => restart::restart(cx, *service, notes),
        Command::Refound { survivor, next_node } => refound::refound(cx, *survivor, *next_node),
        Command::CreateServiceWith(draft, settings) => service::create(cx, draft, settings),
        Command::UpdateServiceWith(id, patch, settings) => service::update(cx, *id, patch, settings),
        Command::PinImage {
            deployment,
            digest,
            source,
        } => image::pin(cx, *deployment, digest, *source),
    }
}

#[cfg(test)]
mod tests;
