//! `/api/deployments/` and `/api/services/{id}/deployments/`

use model::{Deployment, DeploymentId, DeploymentStatus, Kind, Revision, Timestamp};
use uuid::Uuid;

use super::TEXT_MAX;
use crate::fields::{Field, Shape};
use crate::output::Out;
use crate::resource::{Realm, Resource};
use crate::scalars;

/// Rollouts of services.
pub struct Deployments;

const ANY_TEXT: Shape = Shape::Text {
    max: usize::MAX,
    blank: true,
};

impl Resource for Deployments {
    type Model = Deployment;
    type View = Deployment;

    const FIELDS: &'static [Field<Deployment>] = &[
        Field::read_only("id", Shape::Id, "Its id.", |v| v.id.0.into()),
        Field::read_only("service", Shape::Reference(Kind::Service), "What it rolls out.", |v| {
            v.service.0.into()
        }),
        Field::read_only(
            "version_number",
            Shape::Integer { min: 1, max: i64::MAX },
            "1, 2, 3 ... a service.",
            |v| v.version.into(),
        ),
        Field::read_only(
            "image",
            Shape::Text {
                max: TEXT_MAX,
                blank: false,
            },
            "The image.",
            |v| (&v.spec.image).into(),
        ),
        Field::read_only("port", Shape::Integer { min: 1, max: 65535 }, "The port.", |v| {
            v.spec.port.into()
        }),
        Field::read_only(
            "replicas",
            Shape::Integer { min: 1, max: 12 },
            "Replicas wanted.",
            |v| v.spec.replicas.into(),
        ),
        Field::read_only(
            "config_snapshot",
            Shape::Environment,
            "Config items at that time.",
            |v| {
                Out::Object(
                    v.config_snapshot
                        .iter()
                        .map(|(key, value)| (key.clone().into(), value.into()))
                        .collect(),
                )
            },
        ),
        Field::read_only("secret_keys_snapshot", Shape::Texts, "Secret keys at that time.", |v| {
            v.secret_keys_snapshot.iter().collect()
        }),
        Field::read_only(
            "status",
            Shape::Choice(&["pending", "success", "failed", "rolled_back"]),
            "How it stands.",
            |v| word(v.status).into(),
        ),
        Field::read_only("deployed_at", Shape::Time, "When it began.", |v| v.deployed_at.into()),
        Field::read_only("deployed_by", ANY_TEXT, "Who began it.", |v| (&v.deployed_by).into()),
        Field::read_only_or_null(
            "rollback_from",
            Shape::Reference(Kind::Deployment),
            "The one it brings back.",
            |v| Out::or_null(v.rollback_from.map(|id| id.0)),
        ),
        Field::read_only("notes", ANY_TEXT, "Free text of its author.", |v| (&v.notes).into()),
        Field::read_only("error_message", ANY_TEXT, "Why it failed.", |v| {
            (&v.error_message).into()
        }),
    ];

    fn all<'a>(realm: &Realm<'a>) -> Vec<&'a Deployment> {
        realm.state.deployments_of_account(realm.account.id).collect()
    }

    fn find<'a>(realm: &Realm<'a>, id: &str) -> Option<&'a Deployment> {
        realm
            .state
            .deployment(DeploymentId(scalars::uuid(id)?))
            .filter(|it| it.account == realm.account.id)
    }

    fn view(_realm: &Realm<'_>, model: &Deployment) -> Deployment {
        model.clone()
    }

    fn age(model: &Deployment) -> (Timestamp, Uuid) {
        (model.deployed_at, model.id.0)
    }

    fn revision(model: &Deployment) -> Option<Revision> {
        Some(model.revision)
    }
}

fn word(status: DeploymentStatus) -> &'static str {
    match status {
        DeploymentStatus::Pending => "pending",
        DeploymentStatus::Success => "success",
        DeploymentStatus::Failed => "failed",
        DeploymentStatus::RolledBack => "rolled_back",
    }
}
