//! `/api/services/{id}/explain/` and the same of workers

use model::{Node, NodeId, State};

use crate::fields::{Field, Shape};
use crate::output::Out;
use crate::port::Explanation;

/// An explanation with the names of its nodes.
pub struct View {
    explanation: Explanation,
    state: State,
}

const COUNT: Shape = Shape::Integer { min: 0, max: i64::MAX };

/// The fields in the order shown.
pub const FIELDS: &[Field<View>] = &[
    Field::read_only(
        "version",
        Shape::Integer { min: 1, max: i64::MAX },
        "The version whose replicas are wanted: the newest, or the last good one if that has failed.",
        |v| v.explanation.version.into(),
    ),
    Field::read_only_or_null("failed_version", COUNT, "The newest version, if it has failed.", |v| {
        Out::or_null(v.explanation.failed_version)
    }),
    Field::read_only("wanted", COUNT, "Replicas that are wanted.", |v| {
        v.explanation.wanted.into()
    }),
    Field::read_only("ready", COUNT, "Replicas that answer.", |v| v.explanation.ready.into()),
    Field::read_only("missing", COUNT, "Replicas that have no place.", |v| {
        v.explanation.missing.into()
    }),
    Field::read_only(
        "replicas",
        Shape::Other("[{id: string, version: integer, node: {id: integer, name: string|null}, why: string}]"),
        "Why each replica is where it is, and what is to become of it.",
        |v| v.replicas(),
    ),
    Field::read_only(
        "nodes",
        Shape::Other(
            "[{id: integer, name: string|null, fits: boolean, free: {cpu: millicores, memory: bytes}, replicas: integer, \
             why: string}]",
        ),
        "Each node as the place of one more replica, the best in front.",
        |v| v.nodes(),
    ),
    Field::read_only(
        "remedies",
        Shape::Other("[{text: string, command: string|null, places: integer}]"),
        "What would give those a place that have none, the smallest change first.",
        |v| v.remedies(),
    ),
];

/// As it is shown.
pub fn view(explanation: Explanation, state: &State) -> View {
    View {
        explanation,
        state: state.clone(),
    }
}

impl View {
    fn name(&self, node: NodeId) -> Out {
        Out::or_null(self.state.node(node).map(|it: &Node| it.name.clone()))
    }

    fn replicas(&self) -> Out {
        let shown = self.explanation.replicas.iter().map(|it| {
            let node = Out::object([("id", it.node.0.into()), ("name", self.name(it.node))]);
            Out::object([
                ("id", it.id.0.into()),
                ("version", it.version.into()),
                ("node", node),
                ("why", (&it.why).into()),
            ])
        });
        shown.collect()
    }

    fn nodes(&self) -> Out {
        let shown = self.explanation.nodes.iter().map(|it| {
            let free = [("cpu", it.free_cpu.into()), ("memory", it.free_memory.into())];
            Out::object([
                ("id", it.id.0.into()),
                ("name", self.name(it.id)),
                ("fits", it.fits.into()),
                ("free", Out::object(free)),
                ("replicas", it.replicas.into()),
                ("why", (&it.why).into()),
            ])
        });
        shown.collect()
    }

    fn remedies(&self) -> Out {
        let shown = self.explanation.remedies.iter().map(|it| {
            Out::object([
                ("text", (&it.text).into()),
                ("command", Out::or_null(it.command.clone())),
                ("places", it.places.into()),
            ])
        });
        shown.collect()
    }
}
