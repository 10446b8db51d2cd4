//! A request that passed the checks up to its method.

use std::cell::OnceCell;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use http::request::Parts;
use model::{Actor, Charge, Command, Expect, Fingerprint, OperationId, Rejection, State, Submission, Warrant};
use tokio::time::{Instant, timeout_at};
use tokio_util::sync::CancellationToken;

use super::basis::Heard;
use super::paths::Ids;
use crate::auth::{Asker, Credentials};
use crate::errors::ApiError;
use crate::port::{ControlPlane, Pulls, Sealer, Submitted};
use crate::request::Query;
use crate::resource::Realm;

/// A request that passed the checks up to its method.
pub struct Call<'a> {
    pub control: Arc<dyn ControlPlane>,
    pub sealer: Arc<dyn Sealer>,
    pub parts: &'a Parts,
    pub query: &'a Query,
    /// The ids in the path.
    pub ids: &'a Ids,
    pub asker: Asker,
    /// What the asker has shown; a stream looks at it again now and then.
    pub credentials: &'a Credentials,
    /// Cancelled when this node stops: what has no end of its own ends then.
    pub stop: CancellationToken,
    pub state: &'a State,
    /// The refusal that the request has met already: it is not made again.
    pub refusal: Option<&'a Rejection>,
    /// Whether its commands say what they were made from.
    pub is_warranted: bool,
    /// What was said to them.
    pub heard: &'a Heard,
    pub deadline: Instant,
    /// Under which id the request's command is proposed, unless the client has an idempotency key.
    pub operation: OperationId,
    /// What the request costs; goes with its first command.
    pub charge: Mutex<Option<Charge>>,
    /// See [`Realm::pulls`].
    pub pulls: OnceLock<Pulls>,
    /// See [`Realm::secret_bits`].
    pub bits: OnceLock<[u8; 32]>,
}

/// How a command is proposed.
pub struct Terms {
    /// Under which id.
    pub operation: OperationId,
    /// What must not have changed for the client's sake.
    pub expect: Option<Expect>,
    /// An object of which parts go into the command as they were.
    pub source: Option<Expect>,
    /// What the client asked for under its idempotency key.
    pub fingerprint: Option<Fingerprint>,
}

impl Call<'_> {
    pub fn method(&self) -> &str {
        self.parts.method.as_str()
    }

    /// Whether the client asks for a stream without an end.
    pub fn follows(&self) -> bool {
        follows(self.query)
    }

    /// The state that the request was read with.
    pub fn realm(&self) -> Realm<'_> {
        self.realm_of(self.state, &self.terms())
    }

    /// Another state, for a command on these terms.
    pub fn realm_of<'a>(&'a self, state: &'a State, terms: &Terms) -> Realm<'a> {
        Realm {
            state,
            account: &self.asker.account,
            now: self.control.now().max(state.now()),
            parent: &self.ids.parent,
            operation: terms.operation,
            sealer: &*self.sealer,
            is_promise: terms.fingerprint.is_some(),
            bits: &self.bits,
            control: &*self.control,
            cluster: OnceCell::new(),
            pulls: self.pulls.get(),
        }
    }

    /// Without conditions.
    pub fn terms(&self) -> Terms {
        Terms {
            operation: self.operation,
            expect: None,
            source: None,
            fingerprint: None,
        }
    }

    /// On whose behalf commands are proposed.
    fn actor(&self, source: Option<Expect>) -> Actor {
        let account = &self.asker.account;
        if !self.is_warranted {
            return Actor::Account(account.id);
        }
        let warrant = Warrant {
            credential: self.asker.proof.credential(),
            account: account.revision,
            source,
        };
        Actor::Warranted(account.id, warrant)
    }

    /// What the request costs, if that was not paid yet.
    pub fn take_charge(&self) -> Option<Charge> {
        self.charge.lock().unwrap_or_else(PoisonError::into_inner).take()
    }

    /// Proposes a command for whoever asks, and waits for the result until the request's deadline.
    pub async fn submit(&self, command: Command, terms: &Terms) -> Result<Submitted, ApiError> {
        if let Some(rejection) = self.refusal {
            return Err(ApiError::Rejected(rejection.clone()));
        }
        let submission = Submission {
            operation: terms.operation,
            actor: self.actor(terms.source),
            expect: terms.expect,
            charge: self.take_charge(),
            fingerprint: terms.fingerprint,
            command,
        };
        // The port keeps deadlines of its own and knows more; this one only makes sure that a client never hangs.
        let result = match timeout_at(self.deadline, self.control.submit(submission)).await {
            Ok(result) => result.map_err(ApiError::from),
            Err(_) => Err(ApiError::OutcomeUnknown(
                "The cluster did not answer in time; the change may or may not take effect.".to_owned(),
            )),
        };
        self.heard.note(&result);
        result
    }
}

/// `?follow=1`
pub fn follows(query: &Query) -> bool {
    query.last("follow").is_some_and(|it| !["", "0", "false"].contains(&it))
}
