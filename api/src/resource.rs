//! What a kind of resource has to say of itself to be listed, shown, made, changed and deleted.

use std::cell::OnceCell;
use std::sync::{Arc, OnceLock};

use model::{
    Account, AccountId, Command, Key, Kind, Members, OperationId, Outcome, ProjectId, Revision, State, Timestamp,
};
use uuid::Uuid;

use crate::errors::{ApiError, FieldErrors};
use crate::fields::{Field, Lookup, Values};
use crate::output::Out;
use crate::port::{ClusterView, ControlPlane, Pulls, Sealer};

/// One state as one account sees it, for one request.
pub struct Realm<'a> {
    /// The state.
    pub state: &'a State,
    /// Whose eyes.
    pub account: &'a Account,
    /// When the request is judged.
    pub now: Timestamp,
    /// The id in the path of what the objects belong to, as it was sent: the config of its items. Empty where there is
    /// none.
    pub parent: &'a str,
    /// Under which id a command of this request is proposed.
    pub operation: OperationId,
    /// How far images have come to the hosts, where that was asked.
    pub pulls: Option<&'a Pulls>,
    /// Seals and opens values.
    pub sealer: &'a dyn Sealer,
    /// Whether the client may ask again and is to get the same answer.
    pub(crate) is_promise: bool,
    pub(crate) bits: &'a OnceLock<[u8; 32]>,
    pub(crate) control: &'a dyn ControlPlane,
    pub(crate) cluster: OnceCell<ClusterView>,
}

impl<'a> Realm<'a> {
    /// How consensus stands; asked for once.
    pub fn cluster(&self) -> &ClusterView {
        self.cluster.get_or_init(|| self.control.cluster())
    }

    /// 256 bits that nobody can guess, the same throughout the request; and again when the client asks again under its
    /// idempotency key.
    ///
    /// # Errors
    /// When the system gives no randomness, or the keyring is locked.
    pub fn secret_bits(&self) -> Result<[u8; 32], ApiError> {
        if let Some(bits) = self.bits.get() {
            return Ok(*bits);
        }
        let bits = if self.is_promise {
            self.sealer
                .derive("answer to an idempotent request", self.operation.0.as_bytes())?
        } else {
            crate::auth::random_bits()?
        };
        Ok(*self.bits.get_or_init(|| bits))
    }

    /// `of` this project if the account owns it, nothing if it does not, `all` without a filter.
    pub fn filed<T>(
        &self,
        project: Option<ProjectId>,
        all: impl FnOnce(&'a State, AccountId) -> Members<'a, T>,
        of: impl FnOnce(&'a State, ProjectId) -> Members<'a, T>,
    ) -> Members<'a, T> {
        match project {
            None => all(self.state, self.account.id),
            Some(id) if self.exists(Kind::Project, id.0) => of(self.state, id),
            Some(_) => Members::of(Vec::new()),
        }
    }
}

impl Lookup for Realm<'_> {
    fn exists(&self, kind: Kind, id: Uuid) -> bool {
        use model::{ConfigId, DomainId, SecretId, ServiceId, ServiceKind};
        let state = self.state;
        let owner = match kind {
            Kind::Project => state.project(ProjectId(id)).map(|it| it.account),
            // Workers cannot be referred to.
            Kind::Service => state
                .service(ServiceId(id))
                .filter(|it| it.kind() == ServiceKind::Service)
                .map(|it| it.account),
            Kind::Domain => state.domain(DomainId(id)).map(|it| it.account),
            Kind::Config => state.config(ConfigId(id)).map(|it| it.account),
            Kind::Secret => state.secret(SecretId(id)).map(|it| it.account),
            // An admin acts for every account.
            Kind::Account => state
                .account(AccountId(id))
                .filter(|it| it.id == self.account.id || self.account.is_admin)
                .map(|_| self.account.id),
            Kind::ApiKey
            | Kind::Route
            | Kind::Deployment
            | Kind::Node
            | Kind::Replica
            | Kind::ConfigItem
            | Kind::SecretItem
            | Kind::Worker
            | Kind::JoinToken
            | Kind::Session
            | Kind::Keyring
            | Kind::Authority => None,
        };
        owner == Some(self.account.id)
    }
}

/// A kind of resource that can be shown.
pub trait Resource: 'static {
    /// As the cluster keeps it.
    type Model: Clone + Send + Sync;
    /// All that its fields are read from.
    type View;
    /// Its fields in the order shown.
    const FIELDS: &'static [Field<Self::View>];
    /// Whether lists take `?project=`.
    const FILTERS_BY_PROJECT: bool = false;

    /// Whether what [`Realm::parent`] names is there and may be seen. Asked before anything else.
    fn has_parent(_realm: &Realm<'_>) -> bool {
        true
    }

    /// All that the account may see, oldest first, or those in a project.
    fn all<'a>(realm: &Realm<'a>, project: Option<ProjectId>) -> Members<'a, Self::Model>;
    /// The one under this id, if the account may see it.
    fn find<'a>(realm: &Realm<'a>, id: &str) -> Option<&'a Self::Model>;
    /// What is shown of it.
    fn view(realm: &Realm<'_>, model: &Self::Model) -> Self::View;
    /// What is shown in lists.
    fn listed(realm: &Realm<'_>, model: &Self::Model) -> Self::View {
        Self::view(realm, model)
    }
    /// What is shown of it in the answer to the request that made it: the same however often that is asked again.
    fn newborn(realm: &Realm<'_>, model: &Self::Model) -> Self::View {
        Self::view(realm, model)
    }
    /// Its place in the state and the entry that last changed it: its ETag, and what `If-Match` is held against.
    fn version(model: &Self::Model) -> Option<(Key, Revision)>;
}

/// A kind of resource that commands answer with.
pub trait Writable: Resource {
    /// The resource in the outcome of a command.
    fn from_outcome(outcome: Outcome) -> Option<Arc<Self::Model>>;

    /// A field whose value is shown in the answer just as it was sent, and never again.
    fn echo(_values: &Values) -> Option<(&'static str, Out)> {
        None
    }

    /// Checks beyond single fields that are reported together with theirs; `own` is what a PATCH changes.
    fn check(_realm: &Realm<'_>, _values: &Values, _own: Option<&Self::Model>, _errors: &mut FieldErrors) {}
}

/// A kind of resource that clients can make.
pub trait Create: Writable {
    /// The command that makes it.
    ///
    /// # Errors
    /// [`ApiError::Internal`] where checked fields do not fit the command, [`ApiError::Unavailable`] where something
    /// that it needs is not there.
    fn create(realm: &Realm<'_>, values: Values) -> Result<Command, ApiError>;

    /// A field that is shown in the answer to this request only, such as the text of a key. Made from
    /// [`Realm::secret_bits`], so that an answer given again has it too.
    ///
    /// # Errors
    /// As [`Create::create`].
    fn reveal(_realm: &Realm<'_>, _made: &Self::Model) -> Result<Option<(&'static str, String)>, ApiError> {
        Ok(None)
    }
}

/// A kind of resource that clients can change.
pub trait Update: Writable {
    /// The command that changes it. If it is refused as stale, it is made again from what is there then.
    ///
    /// # Errors
    /// What only shows against the object as it is.
    fn update(realm: &Realm<'_>, own: &Self::Model, values: Values) -> Result<Command, ApiError>;

    /// Whether parts of the object have gone into the command as they were, and would undo what has become of them since.
    fn carries_over(_command: &Command) -> bool {
        false
    }
}

/// A kind of resource that clients can delete.
pub trait Delete: Resource {
    /// The command that deletes it.
    fn delete(own: &Self::Model) -> Command;
}

/// A required value that the table's check has let pass without; that is a fault of the table.
pub fn missing(field: &str) -> ApiError {
    ApiError::Internal(format!("the field {field} passed its checks but has no value"))
}

/// [`Writable::from_outcome`] for a resource of this name.
macro_rules! from_outcome {
    ($name:ident) => {
        fn from_outcome(outcome: model::Outcome) -> Option<std::sync::Arc<Self::Model>> {
            match outcome {
                model::Outcome::Resource(model::Resource::$name(it)) => Some(it),
                _ => None,
            }
        }
    };
}
pub(crate) use from_outcome;
