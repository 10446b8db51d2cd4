//! `/api/cluster/health/`

mod assess;

use model::NodeId;

use self::assess::{Facts, Finding, Member, Verdict};
use super::ANY_TEXT;
use crate::fields::{Field, Shape};
use crate::output::Out;
use crate::port::{HealthView, KeyringView, MemberView};
use crate::resource::Realm;

/// How the cluster is, as it is shown.
pub struct View {
    verdict: Verdict,
    term: u64,
    epoch: u64,
    staleness: Option<i64>,
    leader: Out,
    node: Out,
    nodes: Out,
    keyring: Out,
}

const COUNT: Shape = Shape::Integer { min: 0, max: i64::MAX };
const NODES: Shape = Shape::Other(
    "[{id: integer, name: string|null, role: string, voting: string, leader: boolean, answers: boolean, error: \
     string|null, last_contact_ms: integer|null, last_log_index: integer|null, applied_index: integer|null, lag: \
     integer|null, version: string|null, disk_free: integer|null, disk_total: integer|null}]",
);

/// The fields in the order shown.
pub const FIELDS: &[Field<View>] = &[
    Field::read_only(
        "status",
        Shape::Choice(&["healthy", "degraded", "no_quorum"]),
        "As it should be; at work, with something to be done; or without a majority of the voters.",
        |v| v.verdict.status.word().into(),
    ),
    Field::read_only("losses_survived", COUNT, "How many more voters may fail.", |v| {
        v.verdict.survives.into()
    }),
    Field::read_only(
        "losses_expected",
        COUNT,
        "How many could fail if all nodes were well.",
        |v| v.verdict.should_survive.into(),
    ),
    Field::read_only("voters", COUNT, "Members whose votes count.", |v| {
        v.verdict.voters.into()
    }),
    Field::read_only("voters_needed", COUNT, "How many of them make a majority.", |v| {
        v.verdict.needed.into()
    }),
    Field::read_only(
        "voters_answering",
        COUNT,
        "How many of them answer the node that was asked.",
        |v| v.verdict.answering.into(),
    ),
    Field::read_only_or_null(
        "leader",
        Shape::Other("{id: integer, name: string|null}|null"),
        "Who leads.",
        |v| v.leader.clone(),
    ),
    Field::read_only("term", COUNT, "The current term.", |v| v.term.into()),
    Field::read_only(
        "epoch",
        COUNT,
        "How often the cluster was founded anew after its majority was lost.",
        |v| v.epoch.into(),
    ),
    Field::read_only(
        "node",
        Shape::Other("{id: integer, name: string|null}"),
        "The answering node.",
        |v| v.node.clone(),
    ),
    Field::read_only_or_null(
        "staleness_ms",
        COUNT,
        "How long ago it last had word from the leader.",
        |v| Out::or_null(v.staleness),
    ),
    Field::read_only("nodes", NODES, "Each node, as it says itself.", |v| v.nodes.clone()),
    Field::read_only_or_null(
        "keyring",
        Shape::Other(
            "{current: integer, rotating: boolean, autolock: boolean, locked: [integer], behind: [integer]}|null",
        ),
        "The cluster's keys, and the nodes where they are locked or not those of the cluster.",
        |v| v.keyring.clone(),
    ),
    Field::read_only(
        "warnings",
        Shape::Other("[{problem: boolean, text: string, remedy: string}]"),
        "What is not as it should be, and what to do. What is no problem yet is only to be known.",
        |v| v.verdict.findings.iter().map(finding).collect(),
    ),
    Field::read_only("summary", ANY_TEXT, "All of it in one line.", |v| {
        v.verdict.summary().into()
    }),
];

fn finding(it: &Finding) -> Out {
    Out::object([
        ("problem", it.is_problem.into()),
        ("text", it.text.clone().into()),
        ("remedy", it.remedy.clone().into()),
    ])
}

/// What is shown of the nodes' health.
#[must_use]
pub fn view(realm: &Realm<'_>, seen: HealthView, keys: Option<KeyringView>) -> View {
    let consensus = realm.cluster().clone();
    let name = |id: NodeId| realm.state.node(id).map(|it| it.name.clone());
    let leads = consensus.leader == Some(consensus.node);
    let answers = |it: &&MemberView| seen.nodes.iter().any(|node| node.node == it.node && node.said.is_ok());
    let answering = consensus.voters.iter().filter(answers).count();
    let is_cut_off = leads && assess::is_cut_off(answering, consensus.voters.len(), seen.staleness);
    let leader = consensus.leader.filter(|_| consensus.healthy && !is_cut_off);
    let newest = |of: fn(&crate::port::Said) -> u64| {
        seen.nodes
            .iter()
            .filter_map(move |it| it.said.as_ref().ok().map(of))
            .max()
    };
    let end = newest(|it| it.last_log_index).unwrap_or(0);
    let members: Vec<Member> = seen
        .nodes
        .iter()
        .map(|it| Member {
            id: it.node,
            name: name(it.node).unwrap_or_else(|| format!("node {}", it.node)),
            votes: consensus.voters.iter().any(|voter| voter.node == it.node),
            leads: leader == Some(it.node),
            voting: realm.state.voting(it.node),
            silent: it.said.as_ref().err().cloned(),
            lag: it
                .said
                .as_ref()
                .ok()
                .map(|said| end.saturating_sub(said.last_log_index)),
            disk: it.said.as_ref().ok().map(|said| (said.disk_free, said.disk_total)),
            version: it.said.as_ref().ok().map(|said| plain(&said.version).to_owned()),
            locked: held(keys.as_ref(), it.node).is_some_and(|it| it.locked),
            keys_behind: held(keys.as_ref(), it.node).is_some_and(|it| !it.locked && !it.in_step),
        })
        .collect();
    let nodes = seen
        .nodes
        .iter()
        .zip(&members)
        .map(|(it, member)| node(it, member, name(it.node)));
    let nodes = nodes.collect();
    let which = |is: fn(&Member) -> bool| {
        members
            .iter()
            .filter(|it| is(it))
            .map(|it| Out::from(it.id.0))
            .collect::<Out>()
    };
    let keyring = keys.as_ref().map(|it| {
        Out::object([
            ("current", it.current.0.into()),
            ("rotating", it.is_rotating.into()),
            ("autolock", it.autolock.into()),
            ("locked", which(|it| it.locked)),
            ("behind", which(|it| it.keys_behind)),
        ])
    });
    let named = |id: NodeId| Out::object([("id", id.0.into()), ("name", Out::or_null(name(id)))]);
    let verdict = assess::assess(&Facts {
        has_leader: leader.is_some(),
        leads,
        asked: name(consensus.node).unwrap_or_else(|| format!("node {}", consensus.node)),
        voters: consensus.voters.len(),
        is_certifying: realm.state.authority_under_way().is_some(),
        is_rotating: keys.is_some_and(|it| it.is_rotating),
        members,
    });
    View {
        verdict,
        term: consensus.term,
        epoch: seen.epoch,
        staleness: seen
            .staleness
            .map(|it| i64::try_from(it.as_millis()).unwrap_or(i64::MAX)),
        leader: leader.map_or(Out::Null, named),
        node: named(consensus.node),
        nodes,
        keyring: keyring.unwrap_or(Out::Null),
    }
}

fn held(keys: Option<&KeyringView>, node: NodeId) -> Option<&crate::port::KeyringHeld> {
    let line = keys?.nodes.iter().find(|it| it.node == node)?;
    line.held.as_ref().ok()
}

fn node(it: &crate::port::NodeHealth, member: &Member, name: Option<String>) -> Out {
    let said = it.said.as_ref().ok();
    let contact = it.contact.map(|it| i64::try_from(it.as_millis()).unwrap_or(i64::MAX));
    Out::object([
        ("id", it.node.0.into()),
        ("name", Out::or_null(name)),
        ("role", if member.votes { "voter" } else { "learner" }.into()),
        ("voting", member.voting.word().into()),
        ("leader", member.leads.into()),
        ("answers", said.is_some().into()),
        ("error", Out::or_null(member.silent.clone())),
        ("last_contact_ms", Out::or_null(contact)),
        ("last_log_index", Out::or_null(said.map(|it| it.last_log_index))),
        ("applied_index", Out::or_null(said.map(|it| it.applied_index))),
        ("lag", Out::or_null(member.lag)),
        ("version", Out::or_null(member.version.clone())),
        ("disk_free", Out::or_null(said.map(|it| it.disk_free))),
        ("disk_total", Out::or_null(said.map(|it| it.disk_total))),
    ])
}

/// A version without the level of its commands.
fn plain(version: &str) -> &str {
    version.split('+').next().unwrap_or(version)
}
