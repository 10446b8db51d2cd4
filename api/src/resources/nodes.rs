//! `/api/nodes/`

use model::{
    ByteCount, Capacity, Command, Intent, Key, Members, Millicores, Node, NodeId, NodePatch, NodeStatus, ProjectId,
    Revision, Voting,
};

use super::TEXT;
use crate::errors::ApiError;
use crate::fields::{Field, Shape, Values};
use crate::output::Out;
use crate::resource::{Delete, Realm, Resource, Update, Writable, from_outcome};

/// Hosts of the cluster, seen by every account, changed by admins.
pub struct Nodes;

/// A node as it is shown.
pub struct NodeView {
    node: Node,
    role: &'static str,
    leader: bool,
    voting: Voting,
    allocated: Capacity,
}

const VOTING: &[&str] = &["auto", "always", "never"];

const CAPACITY: Shape = Shape::Other("{cpu: millicores, memory: bytes, replicas: integer}");

impl Resource for Nodes {
    type Model = Node;
    type View = NodeView;

    const FIELDS: &'static [Field<NodeView>] = &[
        Field::read_only(
            "id",
            Shape::Integer { min: 1, max: i64::MAX },
            "Its id, never used twice.",
            |v| v.node.id.0.into(),
        ),
        Field::read_only("name", TEXT, "Unique in the cluster.", |v| (&v.node.name).into()),
        Field::read_only("address", TEXT, "Where its peers reach it.", |v| {
            v.node.peer_addr.to_string().into()
        }),
        Field::read_only(
            "role",
            Shape::Choice(&["voter", "learner"]),
            "Its part in consensus.",
            |v| v.role.into(),
        ),
        Field::read_only("leader", Shape::Boolean, "Whether it leads.", |v| v.leader.into()),
        Field::read_only("version", TEXT, "Version of its daemon.", |v| {
            v.node.plain_version().into()
        }),
        Field::read_only("state", Shape::Choice(&["up", "down"]), "The cluster's verdict.", |v| {
            match v.node.status {
                NodeStatus::Up => "up",
                NodeStatus::Down => "down",
            }
            .into()
        }),
        Field::optional(
            "schedulable",
            Shape::Boolean,
            "Whether new replicas may be placed on it.",
            |v| v.node.schedulable.into(),
        ),
        Field::optional(
            "draining",
            Shape::Boolean,
            "Whether its replicas move to other nodes; it is empty when `allocated.replicas` is 0.",
            |v| v.node.draining.into(),
        ),
        Field::optional(
            "voting",
            Shape::Choice(VOTING),
            "Whether it is to vote: as the cluster sees fit, before others, or not at all.",
            |v| v.voting.word().into(),
        ),
        Field::read_only("capacity", CAPACITY, "What it can give.", |v| capacity(v.node.capacity)),
        Field::read_only("allocated", CAPACITY, "What of that is promised.", |v| {
            capacity(v.allocated)
        }),
        Field::read_only("api_url", TEXT, "Where clients reach its API.", |v| {
            api_url(&v.node).into()
        }),
        Field::read_only("http_address", TEXT, "Where its proxy listens.", |v| {
            v.node.http_addr.to_string().into()
        }),
        Field::read_only("runs_containers", Shape::Boolean, "Whether it runs containers.", |v| {
            v.node.runs_agent.into()
        }),
        Field::read_only("joined_at", Shape::Time, "When it joined.", |v| v.node.joined_at.into()),
        Field::read_only("changed_at", Shape::Time, "When the verdict last changed.", |v| {
            v.node.changed_at.into()
        }),
    ];

    fn all<'a>(realm: &Realm<'a>, _project: Option<ProjectId>) -> Members<'a, Node> {
        Members::of(realm.state.nodes().collect())
    }

    fn find<'a>(realm: &Realm<'a>, id: &str) -> Option<&'a Node> {
        let number: u64 = id.parse().ok()?;
        realm.state.node(NodeId(number)).filter(|_| number.to_string() == id)
    }

    fn view(realm: &Realm<'_>, model: &Node) -> NodeView {
        let cluster = realm.cluster();
        let votes = cluster.voters.iter().any(|voter| voter.node == model.id);
        NodeView {
            node: model.clone(),
            role: if votes { "voter" } else { "learner" },
            leader: cluster.leader == Some(model.id),
            voting: realm.state.voting(model.id),
            allocated: allocated(realm, model.id),
        }
    }

    fn version(model: &Node) -> Option<(Key, Revision)> {
        Some((Key::Node(model.id), model.revision))
    }
}

/// Where clients reach a node's API.
pub(super) fn api_url(node: &Node) -> String {
    format!("http://{}", node.api_addr)
}

/// What the replicas that should run on a node were promised.
fn allocated(realm: &Realm<'_>, node: NodeId) -> Capacity {
    let mut sum = Capacity::default();
    for replica in realm
        .state
        .replicas_on(node)
        .filter(|replica| replica.intent == Intent::Run)
    {
        sum.replicas += 1;
        if let Some(deployment) = realm.state.deployment(replica.deployment) {
            let promised = deployment.spec.container.resources;
            sum.cpu = Millicores(sum.cpu.0.saturating_add(promised.cpu_reservation.0));
            sum.memory = ByteCount(sum.memory.0.saturating_add(promised.memory_reservation.0));
        }
    }
    sum
}

fn capacity(capacity: Capacity) -> Out {
    Out::object([
        ("cpu", capacity.cpu.0.into()),
        ("memory", capacity.memory.0.into()),
        ("replicas", capacity.replicas.into()),
    ])
}

impl Writable for Nodes {
    from_outcome!(Node);
}

impl Update for Nodes {
    fn update(_realm: &Realm<'_>, own: &Node, mut values: Values) -> Result<Command, ApiError> {
        let patch = NodePatch {
            schedulable: values.boolean("schedulable"),
            draining: values.boolean("draining"),
        };
        let voting = values.text("voting");
        let word = |it: &Voting| Some(it.word()) == voting.as_deref();
        let voting = [Voting::Auto, Voting::Always, Voting::Never].into_iter().find(word);
        Ok(match voting {
            Some(voting) => Command::SetVoting(own.id, patch, voting),
            None => Command::UpdateNode(own.id, patch),
        })
    }
}

impl Delete for Nodes {
    fn delete(own: &Node) -> Command {
        Command::RemoveNode(own.id)
    }
}
