//! What every decision may look at, and the look-ups that they share.

use uuid::Uuid;

use crate::{
    Account, AccountId, Actor, Config, ConfigId, ConfigItem, ConfigItemId, Deployment, DeploymentId, Domain, DomainId,
    Envelope, Field, Kind, Project, ProjectId, Rejection, Revision, Route, RouteId, Secret, SecretId, SecretItem,
    SecretItemId, Service, ServiceId, State, Timestamp, fresh_uuid,
};

/// What every decision may look at.
pub(super) struct Context<'a> {
    pub(super) state: &'a State,
    /// The index of the entry being decided.
    pub(super) revision: Revision,
    /// The time of the entry: never earlier than that of the one before.
    pub(super) now: Timestamp,
    pub(super) envelope: &'a Envelope,
}

/// Resources that the actor may see.
macro_rules! owned {
    ($($name:ident($id:ty) => $of:ident),* $(,)?) => {$(
        pub(super) fn $name(&self, id: $id) -> Result<&'a $of, Rejection> {
            self.state
                .$name(id)
                .filter(|it| self.owns(it.account))
                .ok_or(not_found(Kind::$of, id.0))
        }
    )*};
}

impl<'a> Context<'a> {
    pub(super) fn new(state: &'a State, revision: Revision, envelope: &'a Envelope) -> Self {
        Self {
            state,
            revision,
            now: state.now().max(envelope.at),
            envelope,
        }
    }

    pub(super) fn actor(&self) -> Actor {
        self.envelope.submission.actor
    }

    /// The account that acts.
    pub(super) fn account(&self) -> Result<&'a Account, Rejection> {
        let account = self.actor().account().and_then(|id| self.state.account(id));
        account.ok_or(Rejection::Forbidden)
    }

    /// Only the cluster itself and admins.
    pub(super) fn require_admin(&self) -> Result<(), Rejection> {
        let is_admin = |id| self.state.account(id).is_some_and(|it| it.is_admin);
        if self.actor().account().is_none_or(is_admin) {
            Ok(())
        } else {
            Err(Rejection::Forbidden)
        }
    }

    /// Only the cluster itself.
    pub(super) fn require_system(&self) -> Result<(), Rejection> {
        if self.actor() == Actor::System {
            Ok(())
        } else {
            Err(Rejection::Forbidden)
        }
    }

    /// Whether the actor may see what `owner` owns.
    pub(super) fn owns(&self, owner: AccountId) -> bool {
        self.actor().account().is_none_or(|it| it == owner)
    }

    owned! {
        project(ProjectId) => Project,
        service(ServiceId) => Service,
        domain(DomainId) => Domain,
        route(RouteId) => Route,
        deployment(DeploymentId) => Deployment,
        config(ConfigId) => Config,
        config_item(ConfigItemId) => ConfigItem,
        secret(SecretId) => Secret,
        secret_item(SecretItemId) => SecretItem,
    }

    /// The `n`-th id that this command makes.
    pub(super) fn fresh(&self, n: u64) -> Uuid {
        fresh_uuid(self.now, self.envelope.entropy, n)
    }

    /// The first id that this command makes.
    pub(super) fn new_id(&self) -> Uuid {
        self.fresh(0)
    }
}

pub(super) fn not_found(kind: Kind, id: Uuid) -> Rejection {
    Rejection::NotFound { kind, id }
}

/// What hinders a deletion, if anything: names of at most ten users of the thing.
pub(super) fn refuse_if_used(kind: Kind, users: impl Iterator<Item = String>) -> Result<(), Rejection> {
    let users: Vec<_> = users.take(10).collect();
    if users.is_empty() {
        return Ok(());
    }
    let used_by = users.join(", ");
    Err(Rejection::InUse { kind, used_by })
}

/// Collects references that lead nowhere, so that all of them are reported together.
#[derive(Default)]
pub(super) struct References(Vec<(Field, Uuid)>);

impl References {
    pub(super) fn check(&mut self, field: Field, id: Uuid, exists: bool) {
        if !exists {
            self.0.push((field, id));
        }
    }

    pub(super) fn finish(self) -> Result<(), Rejection> {
        if self.0.is_empty() {
            Ok(())
        } else {
            Err(Rejection::BadReferences(self.0))
        }
    }
}
