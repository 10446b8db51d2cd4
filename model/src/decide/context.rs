//! What every decision may look at, and the look-ups that they share.

use uuid::Uuid;

use crate::{
    Account, AccountId, Actor, Domain, DomainId, Envelope, Field, Kind, Project, ProjectId, Rejection, Revision, Route,
    RouteId, Service, ServiceId, State, Timestamp,
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

impl<'a> Context<'a> {
    /// The account that acts.
    pub(super) fn account(&self) -> Result<&'a Account, Rejection> {
        match self.envelope.actor {
            Actor::Account(id) => self.state.account(id).ok_or(Rejection::Forbidden),
            Actor::System => Err(Rejection::Forbidden),
        }
    }

    /// Only the cluster itself and admins.
    pub(super) fn require_admin(&self) -> Result<(), Rejection> {
        match self.envelope.actor {
            Actor::System => Ok(()),
            Actor::Account(id) if self.state.account(id).is_some_and(|it| it.is_admin) => Ok(()),
            Actor::Account(_) => Err(Rejection::Forbidden),
        }
    }

    /// Only the cluster itself.
    pub(super) fn require_system(&self) -> Result<(), Rejection> {
        if self.envelope.actor == Actor::System {
            Ok(())
        } else {
            Err(Rejection::Forbidden)
        }
    }

    /// Whether the actor may see what `owner` owns.
    pub(super) fn owns(&self, owner: AccountId) -> bool {
        self.envelope.actor == Actor::System || self.envelope.actor == Actor::Account(owner)
    }

    pub(super) fn project(&self, id: ProjectId) -> Result<&'a Project, Rejection> {
        self.state
            .project(id)
            .filter(|it| self.owns(it.account))
            .ok_or(not_found(Kind::Project, id.0))
    }

    pub(super) fn service(&self, id: ServiceId) -> Result<&'a Service, Rejection> {
        self.state
            .service(id)
            .filter(|it| self.owns(it.account))
            .ok_or(not_found(Kind::Service, id.0))
    }

    pub(super) fn domain(&self, id: DomainId) -> Result<&'a Domain, Rejection> {
        self.state
            .domain(id)
            .filter(|it| self.owns(it.account))
            .ok_or(not_found(Kind::Domain, id.0))
    }

    pub(super) fn route(&self, id: RouteId) -> Result<&'a Route, Rejection> {
        self.state
            .route(id)
            .filter(|it| self.owns(it.account))
            .ok_or(not_found(Kind::Route, id.0))
    }

    /// The first id that this command makes.
    pub(super) fn new_id(&self) -> Uuid {
        self.envelope.fresh_uuid(0)
    }
}

fn not_found(kind: Kind, id: Uuid) -> Rejection {
    Rejection::NotFound { kind, id }
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
