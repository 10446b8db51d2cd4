//! What configs and secrets have in common: sets of items that services and workers name.

use model::{ConfigDraft, ConfigPatch, DeploymentStatus, ProjectId, Service, State, Timestamp};
use uuid::Uuid;

use super::TEXT;
use crate::errors::ApiError;
use crate::fields::{Field, Shape, Values};
use crate::resource::missing;
use crate::view::service_status::ServiceStatus;

/// A config or secret as it is shown.
pub struct SetView {
    /// Its id.
    pub id: Uuid,
    /// What it is called.
    pub name: String,
    /// Whether it is its project's default.
    pub is_default: bool,
    /// Whether its items are where they are used.
    pub status: ServiceStatus,
    /// Where it is filed.
    pub project: ProjectId,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it or one of its items last changed.
    pub updated_at: Timestamp,
}

const WORDS: &[&str] = &["pending", "ready", "error"];

/// The fields of configs and of secrets in the order shown.
pub const FIELDS: &[Field<SetView>] = &[
    Field::read_only("id", Shape::Id, "Its id.", |v| v.id.into()),
    Field::required("name", TEXT, "What it is called; need not be unique.", |v| {
        (&v.name).into()
    }),
    Field::read_only(
        "is_default",
        Shape::Boolean,
        "Whether it is its project's default.",
        |v| v.is_default.into(),
    ),
    Field::read_only(
        "status",
        Shape::Choice(WORDS),
        "Whether its items are where they are used.",
        |v| v.status.word().into(),
    ),
    Field::read_only(
        "deploy_successful",
        Shape::Boolean,
        "Whether all that use it run with its items.",
        |v| (v.status == ServiceStatus::Ready).into(),
    ),
    Field::read_only("created_at", Shape::Time, "When it was made.", |v| v.created_at.into()),
    Field::read_only(
        "updated_at",
        Shape::Time,
        "When it or one of its items last changed.",
        |v| v.updated_at.into(),
    ),
    Field::optional(
        "project",
        Shape::Reference(model::Kind::Project),
        "Default: the account's default project.",
        |v| v.project.0.into(),
    ),
];

/// How a config or secret stands with `users`: `pending` while one of them has a rollout under way or coming, else
/// `error` if the newest of one has failed, else `ready`.
pub fn status<'a>(state: &State, users: impl Iterator<Item = &'a Service>) -> ServiceStatus {
    let of_user = |service: &Service| match state.deployment(service.deployment).map(|it| it.status) {
        _ if service.item_change.is_some() => ServiceStatus::Pending,
        Some(DeploymentStatus::Pending) => ServiceStatus::Pending,
        Some(DeploymentStatus::Failed) => ServiceStatus::Error,
        Some(DeploymentStatus::Success | DeploymentStatus::RolledBack) | None => ServiceStatus::Ready,
    };
    users.fold(ServiceStatus::Ready, |worst, service| match (worst, of_user(service)) {
        (ServiceStatus::Pending, _) | (_, ServiceStatus::Pending) => ServiceStatus::Pending,
        (ServiceStatus::Error, _) => ServiceStatus::Error,
        (_, status) => status,
    })
}

/// What a client says of a new one.
///
/// # Errors
/// When the name is not there.
pub fn draft(mut values: Values) -> Result<ConfigDraft, ApiError> {
    Ok(ConfigDraft {
        name: values.text("name").ok_or_else(|| missing("name"))?,
        project: values.reference("project").map(ProjectId),
    })
}

/// What a client changes.
pub fn patch(mut values: Values) -> ConfigPatch {
    ConfigPatch {
        name: values.text("name"),
        project: values.reference("project").map(ProjectId),
    }
}
