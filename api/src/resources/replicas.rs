//! `/api/services/{id}/replicas/`

use model::{Intent, NodeStatus, Phase, Replica, ReplicaId, Revision, Timestamp};
use uuid::Uuid;

use crate::fields::{Field, Shape};
use crate::output::Out;
use crate::resource::{Realm, Resource};
use crate::scalars;

/// Containers of services.
pub struct Replicas;

/// A replica as it is shown.
pub struct ReplicaView {
    replica: Replica,
    node_name: Option<String>,
    node_up: bool,
}

const STATES: &[&str] = &[
    "assigned", "pulling", "starting", "ready", "failed", "stopping", "stopped", "lost",
];

impl Resource for Replicas {
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
    ];

    fn all<'a>(_realm: &Realm<'a>) -> Vec<&'a Replica> {
        // There is no path for all of them: they are listed by service.
        Vec::new()
    }

    fn find<'a>(realm: &Realm<'a>, id: &str) -> Option<&'a Replica> {
        realm
            .state
            .replica(ReplicaId(scalars::uuid(id)?))
            .filter(|it| it.account == realm.account.id)
    }

    fn view(realm: &Realm<'_>, model: &Replica) -> ReplicaView {
        let node = realm.state.node(model.node);
        ReplicaView {
            replica: model.clone(),
            node_name: node.map(|node| node.name.clone()),
            node_up: node.is_some_and(|node| node.status == NodeStatus::Up),
        }
    }

    fn age(model: &Replica) -> (Timestamp, Uuid) {
        (model.created_at, model.id.0)
    }

    fn revision(model: &Replica) -> Option<Revision> {
        Some(model.revision)
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
