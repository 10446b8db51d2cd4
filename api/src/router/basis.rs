//! By which state a request is judged.
//!
//! To be sure that a state is not old, a majority has to be asked. A request to change something need not wait for that:
//! it is judged by what this node has, and its command carries what the judgement rests on ([`model::Warrant`]), to be
//! looked at again where it is applied. Only what comes of a command counts then. Anything else, such as that a name is
//! taken or a key unknown, is found out again from a state that is not old. See
//! `docs/adr/0011-writes-are-judged-where-they-are-applied.md`.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use model::{Rejection, State};
use tokio::time::{Instant, timeout_at};

use super::paths::{Endpoint, Path};
use crate::errors::ApiError;
use crate::port::ControlPlane;

/// A node that has had no word from its leader for this long, three heartbeats, first asks who leads: what it proposed to
/// one that is gone would be lost on the way.
const FRESH: Duration = Duration::from_millis(225);

/// By which state a request is judged.
pub enum Basis {
    /// This node's own, which may be old.
    Own(State),
    /// One that holds every write that was acknowledged before the request, or that the client wants as it is here.
    Confirmed(State),
    /// The same, after a command that was made from an older one has been refused, for this reason if nothing else is wrong.
    Refused(State, Rejection),
}

impl Basis {
    /// What a request is judged by first.
    ///
    /// # Errors
    /// As [`ControlPlane::read`].
    pub async fn first(
        control: &dyn ControlPlane,
        path: &Path,
        safe: bool,
        deadline: Instant,
    ) -> Result<Self, ApiError> {
        if !safe && is_judged_again(path.endpoint) && control.staleness() < FRESH {
            let own = control.local();
            if own.takes_warrants() {
                return Ok(Self::Own(own));
            }
        }
        Self::confirmed(control, deadline).await
    }

    async fn confirmed(control: &dyn ControlPlane, deadline: Instant) -> Result<Self, ApiError> {
        let late =
            |_| ApiError::Unavailable("The cluster did not confirm in time that this node is up to date.".into());
        let state = timeout_at(deadline, control.read()).await.map_err(late)??;
        Ok(Self::Confirmed(state))
    }

    /// What the request is to be judged by again; nothing if what it came to stands.
    ///
    /// # Errors
    /// As [`ControlPlane::read`].
    pub async fn next(
        self,
        control: &dyn ControlPlane,
        heard: &Heard,
        deadline: Instant,
    ) -> Result<Option<Self>, ApiError> {
        match (self, heard.take()) {
            (_, Some(Reply::Refused(Rejection::Unwarranted))) | (Self::Own(_), None) => {
                Self::confirmed(control, deadline).await.map(Some)
            }
            (Self::Own(_), Some(Reply::Refused(rejection))) if !matches!(rejection, Rejection::Throttled { .. }) => {
                // It has been applied here too, which is as good as a confirmation.
                Ok(Some(Self::Refused(control.local(), rejection)))
            }
            _ => Ok(None),
        }
    }

    /// The state.
    pub fn state(&self) -> &State {
        match self {
            Self::Own(state) | Self::Confirmed(state) | Self::Refused(state, _) => state,
        }
    }

    /// Whether writes may be missing that were acknowledged before the request.
    pub fn may_be_old(&self) -> bool {
        matches!(self, Self::Own(_))
    }

    /// The refusal that the request has met already.
    pub fn refusal(&self) -> Option<&Rejection> {
        match self {
            Self::Refused(_, rejection) => Some(rejection),
            Self::Own(_) | Self::Confirmed(_) => None,
        }
    }
}

/// Whether whatever a command of this endpoint is made from is in its warrant, or is looked at again when it is applied.
pub fn is_judged_again(endpoint: Endpoint) -> bool {
    use Endpoint as E;
    matches!(
        endpoint,
        E::Projects
            | E::Project
            | E::Services
            | E::Service
            | E::ServiceRestart
            | E::Workers
            | E::Worker
            | E::WorkerRestart
            | E::Domains
            | E::Domain
            | E::Routes
            | E::Route
            | E::Configs
            | E::Config
            | E::ConfigItems
            | E::ConfigItem
            | E::Secrets
            | E::Secret
            | E::SecretItems
            | E::SecretItem
            | E::Rollback
    )
}

/// What was said to the request's last command, if there was one.
#[derive(Default)]
pub struct Heard(Mutex<Option<Reply>>);

enum Reply {
    /// The replicated state has refused it.
    Refused(Rejection),
    /// It was carried out, or nobody can tell.
    Other,
}

impl Heard {
    /// Notes the result of a command.
    pub fn note<T>(&self, result: &Result<T, ApiError>) {
        let reply = match result {
            Err(ApiError::Rejected(rejection)) => Reply::Refused(rejection.clone()),
            Ok(_) | Err(_) => Reply::Other,
        };
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(reply);
    }

    fn take(&self) -> Option<Reply> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).take()
    }
}
