//! `/api/deployments/`, `/api/services/{id}/deployments/` and the same of workers

use std::marker::PhantomData;
use std::ops::Deref;

use model::{
    Deployment, DeploymentId, DeploymentStatus, ImagePin, Key, Kind, Members, PinSource, ProjectId, Revision, Settings,
};

use super::services::WithPort;
use super::workers::Background;
use super::workloads::{PINNED, Workload, Workloads, pinned_out};
use super::{ANY_TEXT, TEXT};
use crate::fields::{Field, Shape};
use crate::output::Out;
use crate::resource::{Realm, Resource, Writable, from_outcome};
use crate::scalars;

/// Rollouts of services and workers.
pub struct Deployments;

/// Rollouts of the service or worker in the path.
pub struct DeploymentsOf<K>(PhantomData<K>);

/// Rollouts of the service in the path.
pub type ServiceDeployments = DeploymentsOf<WithPort>;
/// Rollouts of the worker in the path.
pub type WorkerDeployments = DeploymentsOf<Background>;

/// A rollout as it is shown.
pub struct DeploymentView {
    deployment: Deployment,
    pin: Option<ImagePin>,
    settings: Settings,
}

impl Deref for DeploymentView {
    type Target = Deployment;

    fn deref(&self) -> &Deployment {
        &self.deployment
    }
}

/// How an image's digest may have become known.
const SOURCES: &[&str] = &[
    PinSource::Registry.word(),
    PinSource::LastKnown.word(),
    PinSource::Named.word(),
    PinSource::Kept.word(),
];

impl Resource for Deployments {
    type Model = Deployment;
    type View = DeploymentView;

    const FIELDS: &'static [Field<DeploymentView>] = &[
        Field::read_only("id", Shape::Id, "Its id.", |v| v.id.0.into()),
        Field::read_only(
            "service",
            Shape::Reference(Kind::Service),
            "The service or worker that it rolls out.",
            |v| v.service.0.into(),
        ),
        Field::read_only(
            "version_number",
            Shape::Integer { min: 1, max: i64::MAX },
            "1, 2, 3 ... a service.",
            |v| v.version.into(),
        ),
        Field::read_only("image", TEXT, "The image.", |v| (&v.spec.image).into()),
        Field::read_only_or_null(
            "port",
            Shape::Integer { min: 1, max: 65535 },
            "The port; null for workers.",
            |v| Out::or_null(v.spec.port),
        ),
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
            v.secrets.iter().map(|it| &it.key).collect()
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
        Field::read_only_or_null(
            "image_digest",
            ANY_TEXT,
            "The digest that all its replicas run; null until it was looked up.",
            |v| Out::or_null(v.pin.as_ref().map(|it| &it.digest)),
        ),
        Field::read_only_or_null(
            "image_source",
            Shape::Choice(SOURCES),
            "How the digest is known. `last_known`, `named`: the registry did not answer. `kept`: from an earlier \
             deployment.",
            |v| Out::or_null(v.pin.as_ref().map(|it| it.source.word())),
        ),
        Field::read_only(
            "secret_versions",
            Shape::Other("{*: integer}"),
            "Which version of each secret value its replicas get, by key.",
            |v| {
                let versions = v.secrets.iter().map(|it| (it.key.clone().into(), it.version.into()));
                Out::Object(versions.collect())
            },
        ),
        Field::read_only(
            "pinned",
            Shape::Object(PINNED),
            "What its replicas run with besides, as it was when it began. A rollback brings all of it back.",
            |v| pinned_out(&v.spec, &v.settings),
        ),
    ];

    fn all<'a>(realm: &Realm<'a>, _project: Option<ProjectId>) -> Members<'a, Deployment> {
        realm.state.deployments_of_account(realm.account.id)
    }

    fn find<'a>(realm: &Realm<'a>, id: &str) -> Option<&'a Deployment> {
        realm
            .state
            .deployment(DeploymentId(scalars::uuid(id)?))
            .filter(|it| it.account == realm.account.id)
    }

    fn view(realm: &Realm<'_>, model: &Deployment) -> DeploymentView {
        DeploymentView {
            deployment: model.clone(),
            pin: realm.state.image_pin(model.id).cloned(),
            settings: realm.state.pinned_settings(model.id),
        }
    }

    /// What is looked up later is not in the answer, however late the same is asked again.
    fn newborn(realm: &Realm<'_>, model: &Deployment) -> DeploymentView {
        let view = Self::view(realm, model);
        DeploymentView {
            pin: view.pin.filter(|it| it.source == PinSource::Kept),
            ..view
        }
    }

    fn version(model: &Deployment) -> Option<(Key, Revision)> {
        Some((Key::Deployment(model.id), model.revision))
    }
}

impl Writable for Deployments {
    from_outcome!(Deployment);
}

impl<K: Workload> Resource for DeploymentsOf<K> {
    type Model = Deployment;
    type View = DeploymentView;

    const FIELDS: &'static [Field<DeploymentView>] = Deployments::FIELDS;

    fn has_parent(realm: &Realm<'_>) -> bool {
        Workloads::<K>::find(realm, realm.parent).is_some()
    }

    fn all<'a>(realm: &Realm<'a>, _project: Option<ProjectId>) -> Members<'a, Deployment> {
        let parent = Workloads::<K>::find(realm, realm.parent);
        let rows = parent.into_iter().flat_map(|it| realm.state.deployments_of(it.id));
        Members::of(rows.collect())
    }

    fn find<'a>(_realm: &Realm<'a>, _id: &str) -> Option<&'a Deployment> {
        // They have paths of their own.
        None
    }

    fn view(realm: &Realm<'_>, model: &Deployment) -> DeploymentView {
        Deployments::view(realm, model)
    }

    fn version(model: &Deployment) -> Option<(Key, Revision)> {
        Deployments::version(model)
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
