//! `/api/services/{id}/replicas/` and the same of workers

use std::marker::PhantomData;

use model::{Intent, Key, Members, Node, Phase, ProjectId, Replica, ReplicaId, Revision};

use super::services::WithPort;
use super::workers::Background;
use super::workloads::{Workload, Workloads};
use crate::fields::{Field, Shape};
use crate::output::Out;
use crate::port::PullProgress;
use crate::resource::{Realm, Resource};

/// Containers of the service or worker in the path.
pub struct ReplicasOf<K>(PhantomData<K>);

/// Containers of the service in the path.
pub type Replicas = ReplicasOf<WithPort>;
/// Containers of the worker in the path.
pub type WorkerReplicas = ReplicasOf<Background>;

/// A replica as it is shown.
pub struct ReplicaView {
    replica: Replica,
    node_name: Option<String>,
    node_up: bool,
    pull: Option<PullProgress>,
}

const STATES: &[&str] = &[
    "assigned", "pulling", "starting", "ready", "failed", "stopping", "stopped", "lost",
];

impl<K: Workload> Resource for ReplicasOf<K> {
    type Model = Replica;
    type View = ReplicaView;

    const FIELDS: &'static [Field<ReplicaView>] = &[
        Field::read_only("id", Shape::Id, "Its id.", |v| v.replica.id.0.into()),
        Field::read_only(
            "node",
            Shape::Other("{id: integer, name: string|null}"),
            "Where it runs.",
            |v| {
                Out::object([
                    ("id", v.replica.node.0.into()),
                    ("name", Out::or_null(v.node_name.as_ref())),
                ])
            },
        ),
        Field::read_only(
            "version",
            Shape::Integer { min: 1, max: i64::MAX },
            "The deployment's version.",
            |v| v.replica.version.into(),
        ),
        Field::read_only("state", Shape::Choice(STATES), "`lost`: its node is down.", |v| {
            state(v).into()
        }),
        Field::read_only_or_null(
            "reason",
            Shape::Other("{code: string, message: string}|null"),
            "Why it is so.",
            |v| {
                v.replica.reason.as_ref().map_or(Out::Null, |reason| {
                    Out::object([("code", (&reason.code).into()), ("message", (&reason.message).into())])
                })
            },
        ),
        Field::read_only_or_null(
            "address",
            Shape::Other("string|null"),
            "Where it listens, as seen from its node.",
            |v| Out::or_null(v.replica.address.map(|address| address.to_string())),
        ),
        Field::read_only(
            "restarts",
            Shape::Integer { min: 0, max: i64::MAX },
            "Restarts of its container.",
            |v| v.replica.restarts.into(),
        ),
        Field::read_only("created_at", Shape::Time, "When it was placed.", |v| {
            v.replica.created_at.into()
        }),
        Field::read_only_or_null(
            "progress",
            Shape::Other("{done: bytes, total: bytes}|null"),
            "How far its image has come to its node, while that is being fetched and its node tells.",
            |v| {
                v.pull.map_or(Out::Null, |it| {
                    Out::object([("done", it.done.into()), ("total", it.total.into())])
                })
            },
        ),
        Field::read_only("changed_at", Shape::Time, "Since when it is in this state.", |v| {
            v.replica.changed_at.into()
        }),
    ];

    fn has_parent(realm: &Realm<'_>) -> bool {
        Workloads::<K>::find(realm, realm.parent).is_some()
    }

    fn all<'a>(realm: &Realm<'a>, _project: Option<ProjectId>) -> Members<'a, Replica> {
        let parent = Workloads::<K>::find(realm, realm.parent);
        let rows = parent.into_iter().flat_map(|it| realm.state.replicas_of(it.id));
        Members::of(rows.collect())
    }

    fn find<'a>(_realm: &Realm<'a>, _id: &str) -> Option<&'a Replica> {
        // There is no path for one of them.
        None
    }

    fn view(realm: &Realm<'_>, model: &Replica) -> ReplicaView {
        let node = realm.state.node(model.node);
        ReplicaView {
            replica: model.clone(),
            node_name: node.map(|node| node.name.clone()),
            node_up: node.is_some_and(Node::is_up),
            pull: realm.pulls.and_then(|it| it.get(&model.id)).copied(),
        }
    }

    fn version(model: &Replica) -> Option<(Key, Revision)> {
        Some((Key::Replica(model.id), model.revision))
    }
}

impl<K: Workload> ReplicasOf<K> {
    /// Those whose image is on its way, as far as the cluster knows.
    pub fn waiting(realm: &Realm<'_>) -> Vec<ReplicaId> {
        let parent = Workloads::<K>::find(realm, realm.parent);
        let all = parent.into_iter().flat_map(|it| realm.state.replicas_of(it.id));
        all.filter(|it| it.phase == Phase::Pulling).map(|it| it.id).collect()
    }
}

fn state(view: &ReplicaView) -> &'static str {
    match (view.replica.intent, view.replica.phase) {
        (_, Phase::Stopped) => "stopped",
        _ if !view.node_up => "lost",
        (Intent::Stop, _) => "stopping",
        (Intent::Run, Phase::Assigned) => "assigned",
        (Intent::Run, Phase::Pulling) => "pulling",
        (Intent::Run, Phase::Starting) => "starting",
        (Intent::Run, Phase::Ready) => "ready",
        (Intent::Run, Phase::Failed) => "failed",
    }
}
