//! `/api/cluster/`

use model::NodeId;

use super::nodes::api_url;
use crate::fields::{Field, Shape};
use crate::output::Out;
use crate::port::{ClusterView, MemberView};
use crate::resource::Realm;

/// The cluster as it is shown.
pub struct View {
    id: Option<uuid::Uuid>,
    consensus: ClusterView,
    leader: Out,
    voters: Out,
    learners: Out,
    node: Out,
}

const INDEX: Shape = Shape::Integer { min: 0, max: i64::MAX };
const MEMBERS: Shape =
    Shape::Other("[{id: integer, name: string|null, matched_index: integer|null, lag: integer|null}]");

/// The cluster's fields in the order shown.
pub const FIELDS: &[Field<View>] = &[
    Field::read_only("id", Shape::Id, "Its id.", |v| Out::or_null(v.id)),
    Field::read_only(
        "healthy",
        Shape::Boolean,
        "A leader is known and a majority follows it.",
        |v| v.consensus.healthy.into(),
    ),
    Field::read_only("term", INDEX, "The current term.", |v| v.consensus.term.into()),
    Field::read_only_or_null(
        "leader",
        Shape::Other("{id: integer, name: string|null, api_url: string|null}|null"),
        "Who leads.",
        |v| v.leader.clone(),
    ),
    Field::read_only("commit_index", INDEX, "The last entry known to be committed.", |v| {
        v.consensus.commit_index.into()
    }),
    Field::read_only(
        "applied_index",
        INDEX,
        "The last entry applied on the answering node.",
        |v| v.consensus.applied_index.into(),
    ),
    Field::read_only("voters", MEMBERS, "Members whose votes count.", |v| v.voters.clone()),
    Field::read_only("learners", MEMBERS, "Members that only follow.", |v| v.learners.clone()),
    Field::read_only(
        "node",
        Shape::Other("{id: integer, name: string|null}"),
        "The answering node.",
        |v| v.node.clone(),
    ),
];

/// What a request for another leader may hold.
pub const LEADER: &[Field<()>] = &[Field::write_only(
    "to",
    Shape::Integer { min: 1, max: i64::MAX },
    "Id of the node that is to lead; the voter that is furthest.",
)];

/// What is shown of the cluster.
#[must_use]
pub fn view(realm: &Realm<'_>) -> View {
    let consensus = realm.cluster().clone();
    let node = |id: NodeId| realm.state.node(id);
    let leader = consensus.leader.map_or(Out::Null, |id| {
        Out::object([
            ("id", id.0.into()),
            ("name", Out::or_null(node(id).map(|node| &node.name))),
            ("api_url", Out::or_null(node(id).map(api_url))),
        ])
    });
    let members = |members: &[MemberView]| {
        let one = |member: &MemberView| {
            Out::object([
                ("id", member.node.0.into()),
                ("name", Out::or_null(node(member.node).map(|node| &node.name))),
                ("matched_index", Out::or_null(member.matched_index)),
                ("lag", Out::or_null(member.lag)),
            ])
        };
        members.iter().map(one).collect::<Out>()
    };
    let answering = Out::object([
        ("id", consensus.node.0.into()),
        ("name", Out::or_null(node(consensus.node).map(|node| &node.name))),
    ]);
    let (voters, learners) = (members(&consensus.voters), members(&consensus.learners));
    View {
        id: realm.state.cluster().map(|cluster| cluster.id.0),
        consensus,
        leader,
        voters,
        learners,
        node: answering,
    }
}
