//! What a kind of resource has to say of itself to be listed, shown, made, changed and deleted.

use std::cell::OnceCell;

use model::{Account, Command, Kind, Outcome, ProjectId, Revision, State, Timestamp};
use uuid::Uuid;

use crate::errors::{ApiError, FieldErrors};
use crate::fields::{Field, Lookup, Values};
use crate::port::{ClusterView, ControlPlane};

/// One state as one account sees it.
pub struct Realm<'a> {
    /// The state.
    pub state: &'a State,
    /// Whose eyes.
    pub account: &'a Account,
    /// When the request is judged.
    pub now: Timestamp,
    control: &'a dyn ControlPlane,
    cluster: OnceCell<ClusterView>,
}

impl<'a> Realm<'a> {
    /// What `account` sees of `state`.
    #[must_use]
    pub fn new(state: &'a State, account: &'a Account, control: &'a dyn ControlPlane) -> Self {
        Self {
            state,
            account,
            now: control.now(),
            control,
            cluster: OnceCell::new(),
        }
    }

    /// How consensus stands; asked for once.
    pub fn cluster(&self) -> &ClusterView {
        self.cluster.get_or_init(|| self.control.cluster())
    }
}

impl Lookup for Realm<'_> {
    fn exists(&self, kind: Kind, id: Uuid) -> bool {
        let own = self.account.id;
        match kind {
            Kind::Project => self.state.project(ProjectId(id)).is_some_and(|it| it.account == own),
            Kind::Service => self
                .state
                .service(model::ServiceId(id))
                .is_some_and(|it| it.account == own),
            Kind::Domain => self
                .state
                .domain(model::DomainId(id))
                .is_some_and(|it| it.account == own),
            // Configs and secrets do not exist yet; the other kinds are never referred to.
            Kind::Config
            | Kind::Secret
            | Kind::Account
            | Kind::ApiKey
            | Kind::Route
            | Kind::Deployment
            | Kind::Node
            | Kind::Replica => false,
        }
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

    /// All that the account may see.
    fn all<'a>(realm: &Realm<'a>) -> Vec<&'a Self::Model>;
    /// The one under this id, if the account may see it.
    fn find<'a>(realm: &Realm<'a>, id: &str) -> Option<&'a Self::Model>;
    /// What is shown of it.
    fn view(realm: &Realm<'_>, model: &Self::Model) -> Self::View;
    /// When it was made, and what sorts those made at the same time.
    fn age(model: &Self::Model) -> (Timestamp, Uuid);
    /// Its ETag.
    fn revision(model: &Self::Model) -> Option<Revision>;
    /// Where it is filed.
    fn project(_model: &Self::Model) -> Option<ProjectId> {
        None
    }
}

/// A kind of resource that commands answer with.
pub trait Writable: Resource {
    /// The resource in the outcome of a command.
    fn from_outcome(outcome: Outcome) -> Option<Self::Model>;

    /// Checks beyond single fields that are reported together with theirs; `own` is what a PATCH changes.
    fn check(_realm: &Realm<'_>, _values: &Values, _own: Option<&Self::Model>, _errors: &mut FieldErrors) {}
}

/// A command, and what is shown only in its answer.
pub struct Prepared {
    /// What is submitted.
    pub command: Command,
    /// A field that is added to the answer and never shown again.
    pub reveal: Option<(&'static str, String)>,
}

impl From<Command> for Prepared {
    fn from(command: Command) -> Self {
        Self { command, reveal: None }
    }
}

/// A kind of resource that clients can make.
pub trait Create: Writable {
    /// The command that makes it.
    ///
    /// # Errors
    /// [`ApiError::Internal`] where checked fields do not fit the command.
    fn create(realm: &Realm<'_>, values: Values) -> Result<Prepared, ApiError>;
}

/// A kind of resource that clients can change.
pub trait Update: Writable {
    /// The command that changes it.
    ///
    /// # Errors
    /// What only shows against the object as it is.
    fn update(own: &Self::Model, values: Values) -> Result<Command, ApiError>;
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
